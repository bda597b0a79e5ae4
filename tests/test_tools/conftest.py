from pathlib import Path

import pytest

CONFIGS = Path(__file__).parents[2] / 'configs'
SIZE = 'dict(embed_dims=16, depth=1, num_heads=2)'


@pytest.fixture
def tiny_config(tmp_path, synthetic_ann_file):
    """Writes a config that inherits a real one and makes it tiny; gives its path.

    Its data are 16 clips and its work directory is named after it.
    """
    source = f'dict(ann_file={synthetic_ann_file!r}, indices=16)'

    def write(base, name='tiny', extra=''):
        lines = [
            f'_base_ = {str(CONFIGS / base)!r}',
            f'work_dir = {str(tmp_path / name)!r}',
            'default_hooks = dict(logger=dict(interval=1), '
            'checkpoint=dict(interval=1))',
        ]
        if base.startswith('benchmarks'):
            lines += [
                f'model = dict(backbone={SIZE}, cls_head=dict(in_channels=16))',
                f'val_dataloader = dict(num_workers=0, dataset={source})',
                f'test_dataloader = dict(num_workers=0, dataset={source})',
            ]
        else:
            lines.append(f'model = dict(backbone={SIZE}, decoder={SIZE})')
        if 'knn' in base:
            lines = [line for line in lines if not line.startswith('val_dataloader')]
            lines += [
                'bank_dataloader = _base_.bank_dataloader',
                'bank_dataloader.num_workers = 0',
                f'bank_dataloader.dataset.update({source})',
                "custom_hooks = [dict(type='FeatureBankHook', "
                'dataloader=bank_dataloader)]',
                f'eval_dataloader = dict(num_workers=0, dataset={source})',
            ]
        else:
            lines.append(
                'train_dataloader = dict(batch_size=8, num_workers=1, '
                f'dataset=dict(times=1, dataset={source}))'
            )
        path = tmp_path / f'{name}.py'
        path.write_text('\n'.join(lines) + '\n' + extra)
        return str(path)

    return write
