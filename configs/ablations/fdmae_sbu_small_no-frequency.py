"""FDMAE without frequency heads (ablation).

python tools/train.py configs/ablations/fdmae_sbu_small_no-frequency.py
"""

_base_ = '../fdmae_sbu_small.py'

heads = {name: head for name, head in _base_.model.heads.items() if name != 'frequency'}
model = dict(heads=dict(_delete_=True, **heads))
