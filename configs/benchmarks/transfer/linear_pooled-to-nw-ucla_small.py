"""Linear probe on NW-UCLA of an encoder pre-trained on four small sets.

fdmae probe linear_pooled-to-nw-ucla_small CHECKPOINT
"""

_base_ = '../linear/linear_nw-ucla_small.py'

model = dict(
    backbone=dict(init_cfg=dict(checkpoint='work_dirs/fdmae_pooled_small/epoch_15.pth'))
)
