"""Exported files answer as the recognizer does, and say what they need."""

import contextlib
import importlib
import io
import json
import runpy
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import onnxruntime
import pytest
import torch
from mmaction.registry import MODELS, TRANSFORMS
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.registry import init_default_scope

from fdmae_mm.apis import export_metadata, export_model, find_config, load_model
from fdmae_mm.apis.export import ExportedModel
from fdmae_mm.datasets.keypoints import present_first
from fdmae_mm.datasets.layouts import LAYOUTS
from fdmae_mm.datasets.transforms.layout import STREAMS
from fdmae_mm.files import shipped

export = importlib.import_module('fdmae_mm.apis.export')
CLASSES = [f'action {i}' for i in range(10)]
T, V, C, D = 32, 20, 3, 16  # nw-ucla_small, with a narrow encoder
ALIGN = dict(type='AlignSkeleton', layout='kinect_v1')
RESIZE = dict(
    type='TemporalCropResize', clip_len=8, crop_range=(0.5, 0.8), test_mode=True
)
FORMAT = dict(type='FormatGCNInput', num_person=2)


@pytest.fixture(autouse=True)
def _scope():
    init_default_scope('mmaction')


@pytest.fixture(scope='module')
def numpy_example():
    """The functions of tools/onnx_infer.py."""
    return SimpleNamespace(**runpy.run_path(str(shipped('tools', 'onnx_infer.py'))))


@pytest.fixture(scope='module')
def make_checkpoint(tmp_path_factory):
    """Writes a tiny model of a config and its weights; gives the paths of both."""

    def make(name, **head):
        init_default_scope('mmaction')
        folder = tmp_path_factory.mktemp(name)
        config, weights = folder / f'{name}.py', folder / 'epoch_1.pth'
        backbone = dict(embed_dims=D, depth=1, num_heads=2)
        model = dict(backbone=backbone, **(dict(cls_head=head) if head else {}))
        config.write_text(
            f'_base_ = {str(find_config(name))!r}\n'
            f'model = {model!r}\n'
            # The test view of NW-UCLA, with a place for a second person.
            f'pipeline = [*_base_.test_view[:-1], {FORMAT!r}, *_base_.pack]\n'
            'eval_dataloader = dict(dataset=dict(pipeline=pipeline))\n'
        )
        torch.manual_seed(0)
        built = MODELS.build(Config.fromfile(config).model)
        with torch.no_grad():
            for parameter in built.parameters():  # so that clips differ in their scores
                parameter.add_(0.3 * torch.randn_like(parameter))
        meta = dict(dataset_meta=dict(classes=CLASSES))
        torch.save(dict(state_dict=built.state_dict(), meta=meta), weights)
        return str(config), str(weights)

    return make


@pytest.fixture(scope='module')
def finetuned(make_checkpoint):
    return make_checkpoint('finetune_nw-ucla_small', in_channels=D, hidden_dims=12)


@pytest.fixture(scope='module')
def command():
    return runpy.run_path(str(shipped('tools', 'export.py')))['main']


@pytest.fixture(scope='module')
def exported(finetuned, command, tmp_path_factory):
    """The recognizer in both formats, by the command; path by ending."""
    folder = tmp_path_factory.mktemp('exported')
    paths = {suffix: folder / f'model.{suffix}' for suffix in ('onnx', 'pt2')}
    for path in paths.values():
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            assert command([*finetuned, str(path), '--batch', '3']) == 0
        lines = printed.getvalue().splitlines()
        assert lines[-4] == 'input:    joints (N, M, 32, 20, 3)'
        assert lines[-3] == 'output:   scores (N, 10)'
        assert lines[-2].startswith('checked:  within ')
        assert lines[-1].startswith(f'written:  {path}, 0.')
    return paths


def clips(n, m, size=(T, V, C)):
    """A clip of everyone, a clip of the first person, a clip of no one, and so on."""
    joints = torch.randn(n, m, *size, generator=torch.Generator().manual_seed(3))
    joints[1::3, 1:] = 0
    joints[2::3] = 0
    return joints


@torch.no_grad()
def predicted(model, joints):
    samples = model.predict(joints[:, None], [ActionDataSample() for _ in joints])
    return torch.stack([sample.pred_score for sample in samples])


def recognizer(head, **backbone):
    torch.manual_seed(0)
    encoder = dict(
        type='SkeletonTransformer',
        embed_dims=D,
        depth=1,
        num_heads=2,
        num_joints=5,
        clip_len=8,
        **backbone,
    )
    head = dict(head, num_classes=4, in_channels=D)
    model = dict(type='RecognizerGCN', backbone=encoder, cls_head=head)
    return MODELS.build(model).eval()


@pytest.mark.parametrize('persons', [1, 2, 3])
@pytest.mark.parametrize(
    'head',
    [
        dict(type='FinetuneHead', num_joints=5, hidden_dims=8),
        dict(type='LinearProbeHead'),
        dict(type='KNNHead', k=3),
        dict(type='GCNHead'),  # stock
        dict(type='GCNHead', average_clips='score'),
    ],
)
@pytest.mark.parametrize('encode_absent', [False, True])
def test_masked_form_is_the_recognizer(head, persons, encode_absent):
    model = recognizer(head, encode_absent=encode_absent)
    if head['type'] == 'KNNHead':
        bank = torch.nn.functional.normalize(torch.randn(12, D), dim=1)
        model.cls_head.fill(bank, torch.arange(12) % 4)
    else:
        torch.nn.init.normal_(model.cls_head.fc.weight)  # scores that differ
    joints = clips(6, persons, (8, 5, 3))
    with torch.no_grad():
        scores = ExportedModel(model, features=False)(joints)
        features = ExportedModel(model, features=True)(joints)
        feats = model.extract_feat(joints[:, None])[0]
    expected = predicted(model, joints)
    assert expected.std() > 0.05  # so that 1e-5 says something
    torch.testing.assert_close(scores, expected, rtol=0, atol=1e-5)
    torch.testing.assert_close(features, feats.mean((1, 3, 4)), rtol=0, atol=1e-5)


def test_an_absent_person_counts_nothing():
    model = ExportedModel(recognizer(dict(type='LinearProbeHead')), features=True)
    joints = clips(1, 2, (8, 5, 3))
    alone = torch.cat([joints[:, :1], torch.zeros_like(joints)], dim=1)
    with torch.no_grad():
        torch.testing.assert_close(model(alone), model(joints[:, :1]))
        both = model(joints)
    assert not torch.allclose(model(alone), both, atol=1e-2)


@pytest.mark.parametrize('n, m', [(1, 1), (1, 2), (2, 1), (5, 2), (7, 3)])
def test_files_answer_as_the_recognizer(exported, finetuned, n, m):
    joints = clips(n, m)
    expected = predicted(load_model(*finetuned, 'cpu').model, joints)
    session = onnxruntime.InferenceSession(exported['onnx'])
    found = session.run(['scores'], {'joints': joints.numpy()})[0]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)
    program = torch.export.load(exported['pt2']).module()
    torch.testing.assert_close(program(joints), expected, rtol=0, atol=1e-4)
    assert n < 3 or expected.std() > 0.1


def test_pretrained_encoder_gives_features(make_checkpoint, tmp_path):
    loaded = load_model(*make_checkpoint('fdmae_nw-ucla_small'), 'cpu')
    with pytest.raises(
        ValueError, match=r'FDMAE has no classification head: .*features'
    ):
        export_model(loaded, tmp_path / 'x.onnx')
    assert export_model(loaded, tmp_path / 'x.onnx', features=True) < 1e-5
    session = onnxruntime.InferenceSession(tmp_path / 'x.onnx')
    joints = clips(4, 2)
    found = session.run(['features'], {'joints': joints.numpy()})[0]
    with torch.no_grad():
        feats = loaded.model.backbone(joints)
    np.testing.assert_allclose(found, feats.mean((1, 3, 4)), rtol=0, atol=1e-5)


def test_both_formats_say_what_they_need(exported, finetuned, numpy_example):
    session = onnxruntime.InferenceSession(exported['onnx'])
    metadata = numpy_example.read_metadata(session)
    extra_files = {'metadata.json': ''}
    torch.export.load(exported['pt2'], extra_files=extra_files)
    assert json.loads(extra_files['metadata.json']) == metadata
    told = export_metadata(load_model(*finetuned, 'cpu'))
    assert metadata == json.loads(json.dumps(told))
    assert metadata['classes'] == CLASSES
    assert metadata['config'] == 'finetune_nw-ucla_small'
    assert metadata['package'].startswith('fdmae_mm ')
    assert metadata['clip_len'] == T
    assert metadata['input']['shape'] == ['N', 'M', T, V, C]
    assert metadata['input']['encode_absent'] is False
    assert metadata['output']['shape'] == ['N', 10]
    layout = metadata['layout']
    assert layout['joints'] == list(LAYOUTS['kinect_v1'].joints)
    assert len(layout['edges']) == 19
    align, resize, form = metadata['preprocessing']
    assert align.pop('layout') == layout
    assert align == dict(type='AlignSkeleton', rotate='vertical', center='clip')
    # Of the config are three settings, the others are defaults.
    assert resize == dict(
        type='TemporalCropResize',
        clip_len=T,
        crop_range=[0.95, 0.95],
        min_frames=64,
        num_clips=1,
        test_mode=True,
    )
    assert form == dict(type='FormatGCNInput', num_person=2, mode='zero')


def test_sizes_are_named_and_no_folder_is(exported):
    session = onnxruntime.InferenceSession(exported['onnx'])
    assert session.get_inputs()[0].shape == ['N', 'M', T, V, C]
    for path in exported.values():
        assert str(shipped()).encode() not in path.read_bytes()


def test_a_file_that_is_wrong_does_not_stay(finetuned, tmp_path, monkeypatch):
    out = tmp_path / 'model.pt2'
    out.write_bytes(b'old')
    forward = ExportedModel.forward
    monkeypatch.setattr(
        ExportedModel, 'forward', lambda self, x: forward(self, x) + 2e-4
    )
    with pytest.raises(RuntimeError, match=r'1 clips of 1 persons.*2\.0e-04'):
        export_model(load_model(*finetuned, 'cpu'), out)
    assert out.read_bytes() == b'old'
    assert [path.name for path in tmp_path.iterdir()] == ['model.pt2']


@pytest.mark.parametrize(
    'out, options, error, message',
    [
        ('model.pth', {}, ValueError, r'must end in \.onnx or \.pt2'),
        ('model.onnx', dict(batch=1), ValueError, 'batch=1 must be at least 2'),
        ('model.onnx', {}, ImportError, r'need onnxscript: pip install "fdmae_mm\[exp'),
    ],
)
def test_requests_that_cannot_be_met(
    finetuned, tmp_path, monkeypatch, out, options, error, message
):
    monkeypatch.setattr(
        export.importlib.util, 'find_spec', lambda name: name != 'onnxscript' or None
    )
    with pytest.raises(error, match=message):
        export_model(load_model(*finetuned, 'cpu'), tmp_path / out, **options)
    assert not list(tmp_path.iterdir())


def test_command_says_what_is_wrong(finetuned, command, tmp_path, capsys):
    assert command([*finetuned, str(tmp_path / 'model.txt')]) == 1
    assert capsys.readouterr().err.startswith('error: ')


def recording(persons, frames, seed, place=0):
    """Raw joints with what recordings have: gaps, dropped joints, absent persons."""
    rng = np.random.default_rng(seed)
    joints = rng.normal(place, size=(persons, frames, V, C)).astype(np.float32)
    joints[rng.random((persons, frames, V)) < 0.2] = 0
    return joints


RECORDINGS = {
    'long': recording(1, 83, 0),
    'short': recording(2, 5, 1),
    # Resized to 120 frames, some of its frames are met exactly.
    'exact': recording(1, 108, 6),
    'one frame': recording(1, 1, 2),
    'late and broken': np.pad(recording(3, 20, 3), ((1, 0), (7, 4), (0, 0), (0, 0))),
    'no centre': recording(1, 30, 4, place=9) * (np.arange(V) != 1)[:, None],
    'about its root': recording(1, 30, 4) * (np.arange(V) != 1)[:, None],
    'no shoulders': recording(1, 30, 5) * ~np.isin(np.arange(V), [4, 8])[:, None],
    'no one': np.zeros((1, 9, V, C), np.float32),
}


@pytest.mark.parametrize('joints', RECORDINGS.values(), ids=RECORDINGS)
@pytest.mark.parametrize(
    'pipeline',
    [
        [dict(ALIGN, rotate='vertical', center='clip'), RESIZE, FORMAT],
        [dict(ALIGN, rotate='vertical', center='first'), RESIZE, FORMAT],
        [dict(ALIGN, rotate='none'), dict(RESIZE, num_clips=3), FORMAT],
        [dict(RESIZE, clip_len=120), FORMAT],
        [
            dict(type='InterpolateJoints'),
            dict(ALIGN, rotate='vertical', center='clip'),
            RESIZE,
            FORMAT,
        ],
        [dict(type='MapSkeleton', source='kinect_v1', target='sbu'), RESIZE, FORMAT],
        *(
            [
                dict(RESIZE, num_clips=2),
                dict(type='SkeletonStream', layout='kinect_v1', stream=stream),
                FORMAT,
            ]
            for stream in STREAMS[1:]
        ),
    ],
    ids=['clip', 'first', 'three', 'long', 'interpolated', 'mapped', *STREAMS[1:]],
)
def test_numpy_preprocessing_is_the_pipeline(numpy_example, pipeline, joints):
    results = dict(keypoint=joints.copy(), total_frames=joints.shape[1])
    transforms = [TRANSFORMS.build(dict(step)) for step in pipeline]
    for transform in transforms:
        results = transform(results)
    cfg = dict(eval_dataloader=dict(dataset=dict(pipeline=pipeline)))
    loaded = SimpleNamespace(
        cfg=Config(cfg), pipeline=SimpleNamespace(transforms=transforms)
    )
    metadata = dict(
        # As JSON, as a reader has it.
        preprocessing=json.loads(json.dumps(export._preprocessing(loaded))),
        input=dict(shape=['N', 'M', *results['keypoint'].shape[2:]]),
    )
    found = numpy_example.preprocess(joints, metadata)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, results['keypoint'], rtol=0, atol=1e-5)


def test_preprocessing_that_is_not_there_is_named(numpy_example):
    steps = [dict(type='SkeletonFlip'), dict(type='AlignSkeleton'), dict(type='X')]
    with pytest.raises(ValueError, match='SkeletonFlip, X of the preprocessing'):
        numpy_example.preprocess(RECORDINGS['long'], dict(preprocessing=steps))
    steps = [dict(ALIGN, rotate='full', center='first')]
    with pytest.raises(ValueError, match="rotate='full' is not written here"):
        numpy_example.preprocess(RECORDINGS['long'], dict(preprocessing=steps))


@pytest.mark.parametrize(
    'joints, message',
    [
        (np.zeros((1, 30, 25, 3)), 'has 25 joints.*layout kinect_v1: hip_center, '),
        (np.zeros((1, 30, 20, 2)), 'has 2 coordinates a joint, the model takes 3'),
        (np.ones((1, 30, 20, 4)), 'has 4 coordinates a joint, the model takes 3'),
        (np.full((1, 30, 20, 3), np.nan), 'and finite'),
    ],
)
def test_joints_that_do_not_fit(numpy_example, exported, joints, message):
    metadata = numpy_example.read_metadata(
        onnxruntime.InferenceSession(exported['onnx'])
    )
    with pytest.raises(ValueError, match=message):
        numpy_example.preprocess(joints, metadata)


def test_models_of_another_origin(numpy_example):
    other = SimpleNamespace(custom_metadata_map={'author': 'x'})
    session = SimpleNamespace(get_modelmeta=lambda: other)
    with pytest.raises(ValueError, match=r'not written by tools/export\.py'):
        numpy_example.read_metadata(session)


def run_without_torch(*args):
    """Output of tools/onnx_infer.py in a process that can import none of these."""
    code = (
        'import runpy, sys\n'
        "for name in ('torch', 'mmengine', 'mmcv', 'mmaction', 'fdmae_mm'):\n"
        '    sys.modules[name] = None\n'
        f'sys.argv[1:] = {[str(arg) for arg in args]}\n'
        f'runpy.run_path({str(shipped("tools", "onnx_infer.py"))!r}, '
        "run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, '-c', code], check=True, capture_output=True, text=True
    )
    return done.stdout


def check_example(loaded, model, joints, tmp_path):
    """The example prints what pipeline and recognizer give."""
    path = tmp_path / 'joints.npy'
    np.save(path, joints)
    clip = dict(
        keypoint=joints,
        total_frames=joints.shape[1],
        label=0,
        frame_dir='clip',
        start_index=0,
        modality='Pose',
    )
    packed = loaded.pipeline(present_first(clip))
    scores = predicted(loaded.model, packed['inputs'])[0]
    printed = run_without_torch(model, path, '--top', '3').splitlines()
    best = scores.topk(3)
    assert [line[8:] for line in printed] == [CLASSES[i] for i in best.indices]
    found = [float(line[:6]) for line in printed]
    # Printed to four places.
    np.testing.assert_allclose(found, best.values, rtol=0, atol=1.5e-4)


def test_example_refuses_frames_before_persons(exported, numpy_example, tmp_path):
    np.save(tmp_path / 'joints.npy', np.ones((60, 1, 25, 3), np.float32))
    with pytest.raises(ValueError, match=r'joints\.npy has shape .*swapaxes'):
        numpy_example.main([str(exported['onnx']), str(tmp_path / 'joints.npy')])


def test_example_classifies_without_torch(exported, finetuned, tmp_path):
    loaded = load_model(*finetuned, 'cpu')
    check_example(loaded, exported['onnx'], RECORDINGS['late and broken'], tmp_path)


@pytest.fixture
def example(numpy_example, exported, tmp_path, capsys):
    """What the example prints of an array."""

    def run(joints):
        np.save(tmp_path / 'joints.npy', joints)
        numpy_example.main([str(exported['onnx']), str(tmp_path / 'joints.npy')])
        return capsys.readouterr().out

    return run


def test_example_puts_whoever_is_there_first(example):
    (one,) = RECORDINGS['long']
    assert example(np.stack([one * 0, one])) == example(one)


def test_example_numbers_classes_without_a_name(example, numpy_example, monkeypatch):
    space = numpy_example.main.__globals__
    read = space['read_metadata']
    monkeypatch.setitem(
        space, 'read_metadata', lambda session: read(session) | dict(classes=['only'])
    )
    names = {line[8:] for line in example(RECORDINGS['long']).splitlines()}
    assert len(names) == 5
    assert names <= {'only', *(f'class {i}' for i in range(1, 10))}


@pytest.mark.parametrize('shape', [(1, 9, 25, 3), (9, 25, 3), (0, 9, 25, 3), (25,)])
def test_example_makes_nothing_up(example, shape):
    with pytest.raises(ValueError, match=r'joints.npy: nobody is in it'):
        example(np.zeros(shape, np.float32))


def test_example_names_the_model_that_it_cannot_read(numpy_example, tmp_path):
    path = tmp_path / 'broken.onnx'
    for _ in 'absent', 'damaged':
        with pytest.raises(ValueError, match=r'broken.onnx was not read: '):
            numpy_example.main([str(path), 'x.npy'])
        path.write_text('nothing')


def test_example_on_real_clips(exported, finetuned, nw_ucla_annotation, numpy_example):
    loaded = load_model(*finetuned, 'cpu')
    session = onnxruntime.InferenceSession(exported['onnx'])
    metadata = numpy_example.read_metadata(session)
    clips = nw_ucla_annotation['annotations'][::50]
    for clip in clips:
        inputs = loaded.pipeline(dict(clip, start_index=0, modality='Pose'))['inputs']
        joints = numpy_example.preprocess(clip['keypoint'], metadata)
        np.testing.assert_allclose(joints, inputs, rtol=0, atol=1e-5)
        found = session.run(None, {'joints': joints})[0]
        expected = predicted(loaded.model, inputs)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)
    assert len(clips) > 20
