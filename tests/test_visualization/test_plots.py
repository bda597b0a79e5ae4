"""Every plot of the command line, from a config and a checkpoint."""

import json
import pickle
import runpy
from pathlib import Path

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import DefaultScope, init_default_scope

ROOT = Path(__file__).parents[2]
SIZE = 'dict(embed_dims=16, depth=1, num_heads=2)'


@pytest.fixture(scope='module')
def plot():
    return runpy.run_path(str(ROOT / 'tools' / 'analysis' / 'plot.py'))['main']


@pytest.fixture
def trained(tmp_path, synthetic_ann_file):
    """Writes a tiny config of a method with weights; gives both paths."""

    def write(method):
        source = f'dict(ann_file={synthetic_ann_file!r}, indices=8)'
        config = tmp_path / f'{method}.py'
        config.write_text(
            f'_base_ = {str(ROOT / "configs" / f"{method}_synthetic.py")!r}\n'
            f'model = dict(backbone={SIZE}, decoder={SIZE})\n'
            f'train_dataloader = dict(dataset=dict(dataset={source}))\n'
            f'eval_dataloader = dict(dataset={source})\n'
        )
        if DefaultScope.get_current_instance() is None:
            init_default_scope('mmaction')
        model = MODELS.build(Config.fromfile(config).model)
        weights = tmp_path / f'{method}.pth'
        torch.save(dict(state_dict=model.state_dict()), weights)
        return str(config), str(weights)

    return write


@pytest.fixture
def work_dir(tmp_path):
    log = tmp_path / 'run_s0' / '20260101_000000' / 'vis_data' / 'scalars.json'
    log.parent.mkdir(parents=True)
    scalars = dict(loss=2.0, frequency_w8_band0=0.5, step=1, iter=1, epoch=1)
    log.write_text(json.dumps(scalars) + '\n')
    return str(tmp_path / 'run_s0')


def test_plots_of_a_cross_decoder(plot, trained, tmp_path, capsys):
    model = trained('fdmae')
    edges = ['--band-edges', '0', '1/8', '1/2']
    for name, options, expected in (
        ('joints', edges, 'band 1: error'),
        ('attention', ['--joint', 'right_hand', '--frame', '3'], 'right_hand'),
        ('masking', ['--key', 'teacher_mask', '--clips', '4'], '4 clips, 90'),
    ):
        out = tmp_path / f'{name}.pdf'
        arguments = model[:1] if name == 'masking' else model
        plot([name, *arguments, *options, '-o', str(out)])
        assert out.read_bytes().startswith(b'%PDF')
        assert expected in capsys.readouterr().out
    with pytest.raises(ValueError, match='--joint tail: the joints are'):
        plot(['attention', *model, '--joint', 'tail', '-o', str(out)])


def test_plots_of_a_self_decoder(plot, trained, tmp_path, capsys):
    pytest.importorskip('sklearn')
    model = trained('mae')
    for name, options in (
        ('features', ['--clips', '6']),
        ('joints', ['--signal', 'motion', '--unit', 'px']),
        ('attention', ['--joint', 'head']),
    ):
        out = tmp_path / f'{name}.svg'
        plot([name, *model, *options, '-o', str(out)])
        assert '<svg' in out.read_text()
    printed = capsys.readouterr().out
    assert '6 clips' in printed and 'px a frame' in printed


def test_plots_of_files(plot, work_dir, tmp_path, synthetic_ann_file, capsys):
    scores = tmp_path / 'scores.pkl'
    clips = [(torch.eye(20)[c], torch.tensor([label])) for c, label in ((0, 0), (3, 1))]
    scores.write_bytes(
        pickle.dumps([dict(pred_score=s, gt_label=label) for s, label in clips])
    )
    for name, arguments in (
        ('confusion', [str(scores), '--ann-file', synthetic_ann_file]),
        ('bands', [work_dir]),
        ('curves', [work_dir, '--keys', 'loss', '--width', '3.5']),
    ):
        out = tmp_path / f'{name}.png'
        plot([name, *arguments, '-o', str(out)])
        assert out.read_bytes().startswith(b'\x89PNG')
    printed = capsys.readouterr().out
    assert '50.0 % of the clips are recognized' in printed
    assert 'frequency_w8_band0, run: 0.5 ' in printed
    assert 'loss, run: 2 ' in printed


def test_only_a_pre_training_config_masks(plot, tmp_path):
    out = str(tmp_path / 'a.png')
    with pytest.raises(ValueError, match='has no train_dataloader'):
        plot(['masking', 'knn_synthetic', '-o', out])


def test_unknown_formats_are_refused_at_once(plot, capsys):
    with pytest.raises(SystemExit):
        plot(['masking', 'there_is_none', '-o', 'a.jpg'])
    assert 'a.jpg must end in .pdf or .svg or .png' in capsys.readouterr().err
