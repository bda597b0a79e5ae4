import copy
import csv
import functools
import importlib.util
import json
import os
import pickle

import numpy as np
import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope

from fdmae_mm.apis import SkeletonInferencer, find_config
from fdmae_mm.apis import test as run_test
from fdmae_mm.apis.recording import window_starts
from fdmae_mm.datasets.annotation import save_annotation
from fdmae_mm.datasets.keypoints import body_size
from fdmae_mm.datasets.layouts import LAYOUTS, map_layout
from fdmae_mm.files import shipped

NUM_CLASSES = 20
NAMES = tuple(f'action {i}' for i in range(NUM_CLASSES))
SIZE = dict(embed_dims=16, depth=1, num_heads=2)


def write(folder, name, change):
    """A tiny model of a shipped config: config and checkpoint, untrained."""
    init_default_scope('mmaction')
    cfg = Config.fromfile(find_config(name))
    cfg.merge_from_dict({'model.backbone': SIZE, **change})
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    for module in model.modules():
        # As after a training: without it, all clips score about the same.
        if isinstance(module, torch.nn.Linear):
            torch.nn.init.normal_(module.weight, std=0.5)
    meta = dict(dataset_meta=dict(classes=NAMES))
    path = folder / f'{name}.pth'
    torch.save(dict(state_dict=model.state_dict(), meta=meta), path)
    return cfg, str(path)


@pytest.fixture(scope='module')
def classifier(tmp_path_factory, synthetic_ann_file):
    """Config and checkpoint of a classifier of the synthetic set."""
    data = dict(ann_file=synthetic_ann_file, indices=24)
    folder = tmp_path_factory.mktemp('classifier')
    cfg, weights = write(
        folder,
        'finetune_synthetic',
        {
            'model.cls_head': dict(in_channels=16, hidden_dims=16),
            'test_dataloader.dataset': data,
            'test_dataloader.batch_size': 8,
        },
    )
    cfg.dump(folder / 'classifier.py')
    return str(folder / 'classifier.py'), weights


@pytest.fixture(scope='module')
def pretrained(tmp_path_factory):
    return write(
        tmp_path_factory.mktemp('pretrained'),
        'fdmae_synthetic',
        {'model.decoder': SIZE},
    )


@pytest.fixture(scope='module')
def loaded(classifier):
    return SkeletonInferencer(*classifier, device='cpu')


@pytest.fixture
def infer(loaded):
    """Predictions of the classifier, without a progress bar."""

    def run(inputs, top_k=NUM_CLASSES, **options):
        result = loaded(inputs, show_progress=False, top_k=top_k, **options)
        return result['predictions']

    return run


@pytest.fixture
def clips(synthetic_annotation):
    """Some clips; the synthetic set has clips of one person and of two."""
    chosen = synthetic_annotation['annotations'][::11]
    assert {len(clip['keypoint']) for clip in chosen} == {1, 2}
    return chosen


def close(one, other):
    # The bits of a product of matrices depend on how many rows it has.
    return np.allclose(one, other, atol=1e-5, rtol=0)


def scores_of(top):
    scores = np.full(NUM_CLASSES, np.nan)
    for entry in top:
        scores[entry['label']] = entry['score']
    return scores


def clip_scores(predictions):
    return np.array([scores_of(p['top']) for p in predictions])


def test_scores_are_those_of_a_test(
    classifier, loaded, infer, synthetic_annotation, synthetic_ann_file, tmp_path
):
    dump = tmp_path / 'scores.pkl'
    run_test([*classifier, '--work-dir', str(tmp_path), '--dump', str(dump)])
    samples = pickle.loads(dump.read_bytes())
    expected = [sample['pred_score'].numpy() for sample in samples]
    assert len({scores.argmax() for scores in expected}) > 1
    names = set(synthetic_annotation['split']['xview_val'])
    chosen = [a for a in synthetic_annotation['annotations'] if a['frame_dir'] in names]
    views = [loaded.preprocess(clip, None) for clip in chosen[:24]]
    outputs = [o for i in range(0, 24, 8) for o in loaded.forward(views[i : i + 8])]
    assert np.array_equal([output.scores for output in outputs], expected)
    predictions = infer(synthetic_ann_file, split='xview_val')[:24]
    assert [p['name'] for p in predictions] == [s['frame_dir'] for s in samples]
    assert close(clip_scores(predictions), expected)


@pytest.mark.parametrize('batch_size', [1, 5])
def test_batches_change_neither_order_nor_scores(infer, clips, batch_size):
    one, other = infer(clips), infer(clips, batch_size=batch_size)
    assert [p['name'] for p in one] == [c['frame_dir'] for c in clips]
    assert [p['name'] for p in other] == [c['frame_dir'] for c in clips]
    assert close(clip_scores(one), clip_scores(other))


def test_best_classes_come_first_with_their_names(infer, clips):
    (whole,), (best,) = infer(clips[0]), infer(clips[0], top_k=3)
    scores = scores_of(whole['top'])
    assert scores.sum() == pytest.approx(1)
    assert [entry['score'] for entry in best['top']] == sorted(scores, reverse=True)[:3]
    assert best['top'][0]['label'] == scores.argmax()
    assert best['top'][0]['class'] == f'action {scores.argmax()}'
    assert best['frames'] == clips[0]['total_frames']


def test_a_class_without_a_name_has_none(loaded, infer, clips, monkeypatch):
    monkeypatch.setattr(loaded, 'classes', ('action 0',))
    (found,) = infer(clips[0])
    names = {entry['label']: entry['class'] for entry in found['top']}
    assert names == {0: 'action 0'} | dict.fromkeys(range(1, NUM_CLASSES))


def test_a_person_is_classified_as_if_alone(infer, clips):
    clip = next(clip for clip in clips if len(clip['keypoint']) == 2)
    (both,) = infer(clip)
    assert [each['person'] for each in both['persons']] == [0, 1]
    scores = [scores_of(each['top']) for each in both['persons']]
    for found, keypoint in zip(scores, clip['keypoint'], strict=True):
        (alone,) = infer(keypoint)
        assert close(found, scores_of(alone['top']))
    assert not np.allclose(*scores, atol=1e-3)
    assert not np.allclose(scores[0], scores_of(both['top']), atol=1e-3)


def test_scores_of_a_person_go_with_it(infer, loaded, clips, monkeypatch):
    clip = next(clip for clip in clips if len(clip['keypoint']) == 2)
    scores = np.random.default_rng(0).random(clip['keypoint'].shape[:3])
    given, preprocess = [], loaded.preprocess

    def spy(annotation, mapping):
        rest = dict(annotation)
        given.append(rest.pop('keypoint_score'))
        return preprocess(rest, mapping)

    monkeypatch.setattr(loaded, 'preprocess', spy)
    infer(dict(clip, keypoint_score=scores))
    assert [each.tolist() for each in given] == [
        each.tolist() for each in (scores, scores[:1], scores[1:])
    ]


def test_those_who_are_there_come_first(infer, clips):
    clip = next(clip for clip in clips if len(clip['keypoint']) == 2)
    empty = np.zeros_like(clip['keypoint'][:1])
    # The model takes two persons.
    crowd = np.concatenate([empty, clip['keypoint'][:1], empty, clip['keypoint'][1:]])
    (found,), (expected,) = infer(crowd), infer(clip['keypoint'])
    assert [each['person'] for each in found['persons']] == [1, 3]
    assert found['top'] == expected['top']
    assert [e['top'] for e in found['persons']] == [
        e['top'] for e in expected['persons']
    ]


def test_a_clip_of_one_person_is_that_person(infer, clips, monkeypatch, loaded):
    clip = next(clip for clip in clips if len(clip['keypoint']) == 1)
    views = []
    forward = loaded.forward
    monkeypatch.setattr(loaded, 'forward', lambda v: views.extend(v) or forward(v))
    (found,) = infer(clip)
    assert len(views) == 1
    assert found['persons'] == [dict(person=0, top=found['top'])]


def test_inputs_are_not_written_into(loaded, clips, monkeypatch):
    clip = dict(clips[0])
    clip['keypoint_score'] = np.ones(clip['keypoint'].shape[:3], np.float32)
    before = {key: clip[key].copy() for key in ('keypoint', 'keypoint_score')}

    def pipeline(results):
        for key in before:
            results[key][:] = 7
        return dict(inputs=torch.ones(1, 1, 1, 1, 3))

    monkeypatch.setattr(loaded, 'pipeline', pipeline)
    loaded.preprocess(clip, None)
    assert all(np.array_equal(clip[key], before[key]) for key in before)


def test_a_pretrained_model_gives_features_alone(pretrained, clips, tmp_path):
    inferencer = SkeletonInferencer(*pretrained, device='cpu')
    for call in (inferencer, inferencer.segment):
        with pytest.raises(ValueError, match=r'FDMAE is a pre-training model.*knn'):
            call(clips)
    with pytest.raises(ValueError, match='FDMAE is a pre-training model'):
        inferencer.stream()
    result = inferencer(clips, features=True, show_progress=False, out_dir=tmp_path)
    predictions = result['predictions']
    assert set(predictions[0]) == {'name', 'frames', 'features'}
    features = np.array([p['features'] for p in predictions])
    for clip, row in zip(clips, features, strict=True):
        (view,) = inferencer.preprocess(clip, None)['inputs']
        with torch.no_grad():
            tokens = inferencer.model.backbone(view[None])[0]  # (M, D, T', V)
        assert close(row, tokens.mean((0, 2, 3)))
    assert np.array_equal(np.load(tmp_path / 'features.npy'), features.astype('f4'))
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        'features.npy',
        'predictions.json',
    ]


def test_features_of_several_crops_are_averaged(loaded, clips):
    views = [loaded.preprocess(clip, None) for clip in clips[:2]]
    both = dict(views[0], inputs=torch.cat([view['inputs'] for view in views]))
    (found,) = loaded.forward([both])
    first, second = loaded.forward(views)
    assert close(found.features, (first.features + second.features) / 2)


def test_neighbours_of_a_pretrained_model_give_classes(
    pretrained, synthetic_annotation, synthetic_ann_file, clips
):
    options = {
        'model.backbone': SIZE,
        'model.cls_head.in_channels': 16,
        'bank_dataloader.dataset.ann_file': synthetic_ann_file,
    }
    inferencer = SkeletonInferencer(
        'knn_synthetic', pretrained[1], 'cpu', cfg_options=options
    )
    names = synthetic_annotation['split']['xview_train']
    known = [clip for clip in clips if clip['frame_dir'] in names]
    result = inferencer(known, show_progress=False, top_k=1)
    # The nearest clip is the clip itself, which is in the bank.
    found = [p['top'][0]['label'] for p in result['predictions']]
    assert found == [clip['label'] for clip in known]
    classes = synthetic_annotation['metainfo']['classes']
    assert result['predictions'][0]['top'][0]['class'] == classes[found[0]]


def reversed_layout(name='nturgb+d'):
    joints = LAYOUTS[name].joints
    edges = [[joints[a], joints[b]] for a, b in LAYOUTS[name].edges]
    return dict(name='reversed', joints=joints[::-1], edges=edges)


def test_joints_of_another_layout_are_mapped(infer, clips):
    weights, _ = map_layout('nturgb+d', 'h36m')
    there = [dict(clip, keypoint=weights @ clip['keypoint']) for clip in clips[:3]]
    weights, _ = map_layout('h36m', 'nturgb+d')
    back = [dict(clip, keypoint=weights @ clip['keypoint']) for clip in there]
    expected = clip_scores(infer(back))
    for found in (
        infer(there, layout='h36m'),
        infer(there, layout=LAYOUTS['h36m']),
        infer([dict(clip, layout='h36m') for clip in there]),
    ):
        assert close(clip_scores(found), expected)
    turned = reversed_layout('h36m')
    mixed = [there[0], dict(there[1], keypoint=there[1]['keypoint'][:, :, ::-1].copy())]
    for clip, layout in zip(mixed, ('h36m', turned), strict=True):
        clip['layout'] = layout
    assert close(clip_scores(infer(mixed)), expected[:2])


def test_layout_of_an_annotation_file_is_kept_to(infer, clips, tmp_path):
    clip = dict(clips[0], keypoint=clips[0]['keypoint'][:, :, ::-1].copy())
    path = tmp_path / 'reversed.pkl'
    metainfo = dict(layout=reversed_layout())
    content = dict(split={}, annotations=[clip], metainfo=metainfo)
    save_annotation(content, path)
    (found,), (expected,), (wrong,) = infer(path), infer(clips[0]), infer(clip)
    expected = scores_of(expected['top'])
    assert close(scores_of(found['top']), expected)
    assert not np.allclose(scores_of(wrong['top']), expected, atol=1e-3)


def test_bodies_upside_down_are_told_once(loaded, infer, clips, recording, monkeypatch):
    said = []
    monkeypatch.setattr(
        'fdmae_mm.apis.inferencer.print_log', lambda text, **_: said.append(text)
    )
    infer(clips)
    turned = [dict(c, keypoint=c['keypoint'] * [1, -1, -1]) for c in clips]
    infer([*clips, turned[0]])
    loaded.segment(recording, show_progress=False)
    assert not said
    infer([clips[0], *turned])
    (text,) = said
    assert text.startswith(f'y points down in {len(clips)} of {len(clips) + 1} inputs')
    assert turned[0]['frame_dir'] in text
    loaded.segment(recording * [1, -1, -1], show_progress=False)
    assert len(said) == 2


def test_bodies_of_another_unit_are_told_once(
    loaded, infer, clips, recording, monkeypatch
):
    said = []
    monkeypatch.setattr(
        'fdmae_mm.apis.inferencer.print_log', lambda text, **_: said.append(text)
    )
    in_mm = [dict(c, keypoint=c['keypoint'] * 1000) for c in clips]
    infer([*clips, in_mm[0]])
    second = [dict(c, keypoint=np.zeros_like(c['keypoint'])) for c in clips]
    for clip, other in zip(second, clips, strict=True):
        clip['keypoint'][1:] = other['keypoint'][:1]
    infer(second)  # the first person is absent
    assert not said
    infer([clips[0], *in_mm])
    (text,) = said
    count = (
        f'{len(clips)} of {len(clips) + 1} inputs, the first is {in_mm[0]["frame_dir"]}'
    )
    assert count in text
    sides = body_size(in_mm[0]['keypoint'])
    assert sides.max() > 500
    assert ' x '.join(f'{side:.4g}' for side in sides) in text
    loaded.segment(recording / 100, show_progress=False)
    assert len(said) == 2


def test_wrong_joints_are_an_error_that_names_what_fits(infer):
    with pytest.raises(ValueError) as error:
        infer(np.ones((1, 8, 17, 3), np.float32))
    for part in (
        "input0: 17 joints, but the layout of the model, 'nturgb+d', has 25",
        'Known layouts of 17 joints: coco, h36m',
        '--layout',
    ):
        assert part in str(error.value)
    with pytest.raises(ValueError, match="17 joints, but its layout, 'sbu', has 15"):
        infer(np.ones((1, 8, 17, 3), np.float32), layout='sbu')


@pytest.mark.parametrize(
    ('bad', 'reason'),
    [
        (np.zeros((1, 8, 25, 3)), 'nobody is in it'),
        (
            np.full((1, 8, 25, 3), np.nan),
            '200 joints are NaN .* of person 0 in frame 0',
        ),
        (np.ones((1, 8, 25, 2)), 'needs 3-D coordinates'),
        (dict(keypoint=np.ones((1, 8, 25, 3)), total_frames=9), 'total_frames=9'),
        (
            dict(keypoint=np.ones((1, 8, 25, 3)), keypoint_score=np.ones((1, 8, 25))),
            '4 values a joint, but the model takes 3',
        ),
    ],
)
def test_a_bad_clip_is_listed_and_left_out(loaded, clips, bad, reason):
    inputs = [clips[0], bad, clips[1]]
    result = loaded(inputs, show_progress=False)
    names = [p['name'] for p in result['predictions']]
    assert names == [clips[0]['frame_dir'], clips[1]['frame_dir']]
    ((name, why),) = [each.values() for each in result['skipped']]
    assert name == 'input1'
    with pytest.raises(ValueError, match=reason):
        raise ValueError(why)
    with pytest.raises(ValueError, match=f'input1: .*{reason}'):
        loaded(inputs, show_progress=False, strict=True)
    with pytest.raises(ValueError, match=r'None of 1 inputs.* input0: '):
        loaded([bad], show_progress=False)


def test_what_a_pipeline_lets_pass_is_checked(loaded, clips, monkeypatch):
    nan = dict(inputs=torch.full((1, 2, 32, 25, 3), float('nan')))
    monkeypatch.setattr(loaded, 'pipeline', lambda results: nan)
    with pytest.raises(ValueError, match='coordinates are NaN or infinite'):
        loaded.preprocess(clips[0], None)


def test_a_bad_file_of_a_folder_is_listed(loaded, clips, tmp_path):
    np.save(tmp_path / 'a.npy', clips[0]['keypoint'])
    (tmp_path / 'b.npy').write_bytes(b'no array')
    np.save(tmp_path / 'c.npy', clips[1]['keypoint'])
    result = loaded(tmp_path, show_progress=False)
    assert [p['name'] for p in result['predictions']] == [
        str(tmp_path / 'a.npy'),
        str(tmp_path / 'c.npy'),
    ]
    (left_out,) = result['skipped']
    assert left_out['name'] == str(tmp_path / 'b.npy')
    assert 'no array of numbers' in left_out['reason']


def test_a_video_too_large_for_the_gpu_is_listed(loaded, clips, tmp_path, monkeypatch):
    def estimate(path):
        if path.endswith('b.mp4'):
            raise RuntimeError('CUDA out of memory.')
        return dict(keypoint=clips[0]['keypoint'], layout='nturgb+d')

    monkeypatch.setattr(loaded, 'pose_estimator', estimate)
    paths = [tmp_path / name for name in ('a.mp4', 'b.mp4', 'c.mp4')]
    for path in paths:
        path.touch()
    result = loaded(tmp_path, show_progress=False)
    names = [p['name'] for p in result['predictions']]
    assert names == [str(paths[0]), str(paths[2])]
    reason = 'CUDA out of memory.'
    assert result['skipped'] == [dict(name=str(paths[1]), reason=reason)]


def test_files_are_closed_when_they_are_read(infer, clips, tmp_path):
    resource = pytest.importorskip('resource')
    for i in range(40):
        np.save(tmp_path / f'{i:02d}.npy', clips[0]['keypoint'])
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = len(os.listdir('/dev/fd'))
    resource.setrlimit(resource.RLIMIT_NOFILE, (used + 20, before[1]))
    try:
        assert len(infer(tmp_path, batch_size=4)) == 40
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_files_hold_what_was_returned(loaded, clips, tmp_path):
    result = loaded(
        clips[:2], show_progress=False, top_k=2, features=True, out_dir=tmp_path
    )
    content = json.loads((tmp_path / 'predictions.json').read_text())
    features = np.load(tmp_path / 'features.npy')
    for prediction, row in zip(result['predictions'], features, strict=True):
        assert np.array_equal(np.float32(prediction.pop('features')), row)
    assert content == result
    with open(tmp_path / 'predictions.csv', newline='') as file:
        rows = list(csv.DictReader(file))
    expected = [
        [p['name'], str(q['person']), str(rank), e['class'], e['score']]
        for p in result['predictions']
        for q in [dict(p, person=''), *p['persons']]
        for rank, e in enumerate(q['top'], 1)
    ]
    assert [
        [r['name'], r['person'], r['rank'], r['class'], float(r['score'])] for r in rows
    ] == expected


def test_files_of_an_earlier_run_do_not_stay(loaded, clips, recording, tmp_path):
    loaded(clips[:2], show_progress=False, features=True, out_dir=tmp_path)
    loaded.segment(
        recording, 20, 10, min_length=10**6, out_dir=tmp_path, show_progress=False
    )
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ['predictions.csv', 'predictions.json']
    # No segment is that long.
    header = 'name,start,end,start_s,end_s,label,class,score\n'
    assert (tmp_path / 'predictions.csv').read_text() == header


def test_files_of_an_earlier_run_are_no_input(loaded, clips, tmp_path):
    np.save(tmp_path / 'a.npy', clips[0]['keypoint'])
    for out_dir in (tmp_path, tmp_path / 'out'):
        for _ in range(2):
            result = loaded(
                tmp_path, show_progress=False, features=True, out_dir=out_dir
            )
            assert len(result['predictions']) == 1
            assert not result['skipped']
        for path in out_dir.glob('[pf]*.*'):
            path.unlink()


@pytest.mark.parametrize('name', ['batch_size', 'top_k', 'fps'])
def test_numbers_must_be_above_0(loaded, recording, name):
    with pytest.raises(ValueError, match=rf'{name}=-1 must be above 0'):
        loaded.segment(recording, show_progress=False, **{name: -1})
    if name == 'fps':
        with pytest.raises(ValueError, match='fps=nan must be above 0'):
            loaded.segment(recording, show_progress=False, fps=float('nan'))
        return
    with pytest.raises(ValueError, match=rf'{name}=0 must be above 0'):
        loaded(recording, show_progress=False, **{name: 0})


@pytest.fixture(scope='module')
def recording(synthetic_annotation):
    """Clips of two persons end to end, the second with a pause: (2, T, 25, 3)."""
    chosen = [
        clip['keypoint']
        for clip in synthetic_annotation['annotations']
        if len(clip['keypoint']) == 2
    ]
    keypoint = np.concatenate(chosen[:4], axis=1)
    keypoint[1, 20:60] = 0
    return keypoint


def test_a_window_is_a_clip(loaded, infer, recording):
    # Windows that do not overlap: a row is a window.
    result = loaded.segment(recording, 24, 24, top_k=NUM_CLASSES, show_progress=False)
    (prediction,) = result['predictions']
    steps = prediction['steps'][:-2]
    assert len(steps) > 3
    clips = infer([recording[:, s['start'] : s['end']] for s in steps])
    assert close(clip_scores(steps), clip_scores(clips))


def test_a_stream_gives_what_the_windows_of_the_recording_give(loaded, recording):
    stream = loaded.stream(24, 8, top_k=NUM_CLASSES)
    frames = recording[:, : 24 + 8 * 5].swapaxes(0, 1)
    found = [result for frame in frames if (result := stream.push(frame))]
    assert [r['start'] for r in found] == [0, 8, 16, 24, 32, 40]
    sums, counts = np.zeros((8, NUM_CLASSES)), np.zeros((8, 1))
    for result, scores in zip(found, clip_scores(found), strict=True):
        rows = slice(result['start'] // 8, result['end'] // 8)
        sums[rows] += scores
        counts[rows] += 1
    (whole,) = loaded.segment(
        recording[:, : 24 + 8 * 5], 24, 8, top_k=NUM_CLASSES, show_progress=False
    )['predictions']
    assert close(clip_scores(whole['steps']), sums / counts)


def test_a_stream_may_have_more_persons_than_frames(loaded, recording):
    stream = loaded.stream(4, 4, top_k=1)
    crowd = np.tile(recording[:1, :4], (7, 1, 1, 1)).swapaxes(0, 1)
    assert [bool(stream.push(frame)) for frame in crowd] == [False] * 3 + [True]


def test_a_stream_maps_joints_and_tells_when_nobody_is_there(loaded, recording):
    weights, _ = map_layout('nturgb+d', 'h36m')
    (whole,) = loaded.segment(
        weights @ recording[:, :8], 8, 8, layout='h36m', top_k=1, show_progress=False
    )['predictions']
    stream = loaded.stream(8, 8, layout='h36m', top_k=1)
    results = [
        stream.push(weights @ frame)
        for frame in (*recording.swapaxes(0, 1)[:8], *np.zeros((8, 2, 25, 3)))
    ]
    assert results[7]['top'] == whole['steps'][0]['top']
    assert results[15] == dict(start=8, end=16, top=[])


def test_a_stream_tells_at_once_that_joints_are_others(loaded, recording):
    stream = loaded.stream(8, 8)
    with pytest.raises(ValueError, match='20 joints, but the layout of the model'):
        stream.push(recording[:, 0, :20])
    with pytest.raises(ValueError, match='needs 3-D coordinates'):
        stream.push(recording[:, 0, :, :2])
    assert stream.frames == 0
    assert stream.push(np.zeros_like(recording[:, 0])) is None
    assert stream.push(recording[:, 0]) is None


def test_a_score_is_no_third_coordinate(loaded, recording):
    pixels = np.array(recording[:, :8], dtype=np.float32)
    pixels[..., :2] = 300 + 100 * pixels[..., :2]
    pixels[..., 2] = 0.9
    pixels[:, 0] = 0  # nobody yet
    message = 'looks like a score, not like a coordinate; give it as keypoint_score'
    with pytest.raises(ValueError, match=message):
        loaded(pixels, show_progress=False)
    with pytest.raises(ValueError, match=message):
        loaded.stream(4, 2).push(pixels[:, 1])


def test_a_stream_tells_once_that_bodies_are_of_another_unit(
    loaded, recording, monkeypatch
):
    said = []
    monkeypatch.setattr(
        'fdmae_mm.apis.inferencer.print_log', lambda text, **_: said.append(text)
    )
    for factor in (1, 1000):
        stream = loaded.stream(4, 2)
        for frame in recording[:, :10].swapaxes(0, 1):
            stream.push(factor * frame)
    (text,) = said
    assert text.startswith('bodies are of no human size in metres in 1 of 1 inputs')


def test_segments_of_a_recording(loaded, recording, tmp_path):
    keypoint = recording.copy()
    keypoint[:, 60:140] = 0
    result = loaded.segment(
        keypoint, 20, 10, fps=10.0, top_k=2, out_dir=tmp_path, show_progress=False
    )
    (prediction,) = result['predictions']
    segments, frames = prediction['segments'], keypoint.shape[1]
    assert prediction['frames'] == frames
    assert segments[0]['start'] == 0 and segments[-1]['end'] == frames
    steps = {step['start']: step['top'] for step in prediction['steps']}
    for segment in segments:
        assert segment['start_s'] == segment['start'] / 10
        assert segment['end_s'] == segment['end'] / 10
        assert segment['class'] == f'action {segment["label"]}'
        tops = [steps[i] for i in range(segment['start'], segment['end'], 10)]
        assert {top[0]['label'] for top in tops} == {segment['label']}
    # The windows from 50 and 130 see somebody, but not in the rows from 60 to 140.
    assert steps[50] and steps[140]
    assert not any(steps[i] for i in range(60, 140, 10))
    assert not any(s['start'] < 140 and s['end'] > 60 for s in segments)
    assert json.loads((tmp_path / 'predictions.json').read_text()) == result
    with open(tmp_path / 'predictions.csv', newline='') as file:
        rows = list(csv.DictReader(file))
    assert [(int(r['start']), float(r['end_s']), r['class']) for r in rows] == [
        (s['start'], s['end_s'], s['class']) for s in segments
    ]


@pytest.mark.parametrize('fps', ['30', -30, float('nan')])
def test_fps_of_an_annotation_is_checked_before_the_work(loaded, recording, fps):
    bad = dict(keypoint=recording, fps=fps)
    result = loaded.segment([bad, recording], show_progress=False)
    assert [p['name'] for p in result['predictions']] == ['input1']
    assert f'fps={fps!r} of the annotation' in result['skipped'][0]['reason']


def test_a_file_in_the_place_of_out_dir_is_found_before_the_work(loaded, tmp_path):
    (tmp_path / 'out').touch()
    for call in (loaded, loaded.segment):
        with pytest.raises(ValueError, match='out is a file: name a folder'):
            call(str(tmp_path / 'missing.npy'), out_dir=tmp_path / 'out')
        with pytest.raises(OSError, match=r'predictions\.json cannot be written'):
            call(str(tmp_path / 'missing.npy'), out_dir=tmp_path / 'out' / 'below')


def test_window_and_stride_by_default(loaded, recording):
    (found,) = loaded.segment(dict(keypoint=recording, fps=5), show_progress=False)[
        'predictions'
    ]
    assert (found['window'], found['stride']) == (32, 16)  # clip_len of the config
    assert found['segments'][0]['end_s'] == found['segments'][0]['end'] / 5
    (found,) = loaded.segment(
        dict(keypoint=recording, fps=5), fps=10, show_progress=False
    )['predictions']
    assert found['segments'][0]['end_s'] == found['segments'][0]['end'] / 10
    (found,) = loaded.segment(recording[:, :3], 1, show_progress=False)['predictions']
    assert found['stride'] == 1


def test_a_bad_frame_leaves_the_recording_out(loaded, recording):
    bad = recording.copy()
    bad[0, 100] = np.nan
    result = loaded.segment([bad, recording], 16, 16, batch_size=3, show_progress=False)
    assert [p['name'] for p in result['predictions']] == ['input1']
    assert 'of person 0 in frame 100;' in result['skipped'][0]['reason']


def test_what_is_not_finite_can_be_not_measured(loaded, recording, clips, monkeypatch):
    keypoint = clips[0]['keypoint'][:1].copy()
    keypoint[0, 3, 5] = 0
    gap = np.concatenate([keypoint, np.full_like(keypoint, np.nan)])
    gap[0, 3, 5] = np.nan
    hour, expected = recording.copy(), recording.copy()
    hour[0, 100], expected[0, 100] = np.nan, 0
    monkeypatch.setattr(loaded, 'non_finite', 'zero')
    found, wanted = (
        loaded([each], show_progress=False)['predictions'][0]['top']
        for each in (gap, keypoint)
    )
    assert found == wanted
    found, wanted = (
        loaded.segment(each, 16, 16, show_progress=False) for each in (hour, expected)
    )
    assert found == wanted


def test_names_that_are_no_utf8_are_escaped(loaded, clips, tmp_path):
    np.save(tmp_path / os.fsdecode(b'a\xff.npy'), clips[0]['keypoint'])
    (tmp_path / os.fsdecode(b'b\xff.pkl')).touch()
    result = loaded(tmp_path, show_progress=False, out_dir=tmp_path)
    written = json.loads((tmp_path / 'predictions.json').read_text())
    assert written['predictions'][0]['name'] == rf'{tmp_path}/a\xff.npy'
    assert written['skipped'] == result['skipped']
    assert r'b\xff.pkl' in result['skipped'][0]['reason']


@pytest.mark.parametrize('write', ['mmengine.dump', 'csv.DictWriter', 'numpy.save'])
def test_results_that_cannot_be_written_leave_those_before(
    loaded, clips, tmp_path, monkeypatch, write
):
    loaded(clips[:1], show_progress=False, features=True, out_dir=tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert len(before) == 3

    def full(*_, **__):
        raise OSError('No space left on device')

    monkeypatch.setattr(write, full)
    with pytest.raises(OSError, match='No space'):
        loaded(clips[1:2], show_progress=False, features=True, out_dir=tmp_path)
    after = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert after.pop('predictions.part.jsonl')  # the same call would go on from it
    assert after == before


def interrupted(loaded, monkeypatch, call, batches):
    """Calls, and is interrupted before the batch after so many."""
    forward = loaded.forward
    left = iter(range(batches))

    def limited(batch):
        if next(left, None) is None:
            raise KeyboardInterrupt
        return forward(batch)

    with monkeypatch.context() as patch:
        patch.setattr(loaded, 'forward', limited)
        with pytest.raises(KeyboardInterrupt):
            call()


def counted(loaded, monkeypatch, call):
    """What a call returns, and the views that it gave to the model."""
    forward, views = loaded.forward, []

    def counting(batch):
        views.extend(batch)
        return forward(batch)

    with monkeypatch.context() as patch:
        patch.setattr(loaded, 'forward', counting)
        return call(), len(views)


def files_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_an_interrupted_call_goes_on(loaded, clips, tmp_path, monkeypatch):
    # One view a batch, so that both runs have the same bits.
    options = dict(batch_size=1, features=True, show_progress=False)
    out, whole = tmp_path / 'out', tmp_path / 'whole'
    _, needed = counted(
        loaded, monkeypatch, lambda: loaded(clips, out_dir=whole, **options)
    )
    assert needed > len(clips)  # some have two persons

    def call():
        return loaded(clips, out_dir=out, **options)

    interrupted(loaded, monkeypatch, call, needed - 1)
    assert [path.name for path in out.iterdir()] == ['predictions.part.jsonl']
    _, left = counted(loaded, monkeypatch, call)
    assert 1 <= left <= 3  # views of the last clip, and of one that was not told yet
    assert files_of(out) == files_of(whole)


def test_an_interrupted_call_knows_what_has_changed(
    loaded, clips, tmp_path, monkeypatch
):
    alone = [clip for clip in clips if len(clip['keypoint']) == 1][:4]
    options = dict(batch_size=1, out_dir=tmp_path, show_progress=False)
    interrupted(loaded, monkeypatch, lambda: loaded(alone, **options), 3)
    journal = tmp_path / 'predictions.part.jsonl'
    lines = journal.read_bytes().splitlines(keepends=True)
    assert len(lines) == 3  # its head, and two clips: of the third nobody was told
    changed = [alone[1], dict(alone[0], keypoint=alone[0]['keypoint'] * 1.1), alone[2]]
    for text, given, top_k, views in (
        (b''.join(lines), alone, 5, 2),
        (b''.join(lines), changed, 5, 2),  # the second of before is the first here
        (b''.join(lines), [alone[2], alone[0]], 5, 1),  # a new one before a known one
        (b''.join(lines), alone, 4, 4),  # another number of classes
        (b''.join(lines)[:-9], alone, 5, 3),  # the end of a line is missing
    ):
        journal.write_bytes(text)
        again = functools.partial(loaded, given, top_k=top_k, **options)
        result, made = counted(loaded, monkeypatch, again)
        assert made == views
        assert not journal.exists()
        assert result == loaded(given, 1, top_k=top_k, show_progress=False)


def test_a_call_that_is_interrupted_twice_goes_on(loaded, clips, tmp_path, monkeypatch):
    options = dict(batch_size=1, out_dir=tmp_path, show_progress=False)
    alone = [clip for clip in clips if len(clip['keypoint']) == 1][:6]
    for batches, known in (3, 2), (3, 4):  # of the third nobody was told
        interrupted(loaded, monkeypatch, lambda: loaded(alone, **options), batches)
        lines = (tmp_path / 'predictions.part.jsonl').read_bytes().splitlines()
        assert len(lines) == 1 + known
    result, views = counted(loaded, monkeypatch, lambda: loaded(alone, **options))
    assert views == 2
    assert result == loaded(alone, 1, show_progress=False)


@pytest.mark.parametrize('changed', [dict(features=True), dict(layout=None)])
def test_results_of_other_options_are_not_taken(
    loaded, clips, tmp_path, monkeypatch, changed
):
    options = dict(batch_size=1, show_progress=False, layout=reversed_layout())
    call = functools.partial(loaded, clips[:4], out_dir=tmp_path)
    interrupted(loaded, monkeypatch, lambda: call(**options), 3)
    options |= changed
    assert call(**options) == loaded(clips[:4], **options)


@pytest.mark.parametrize(
    'changed', [dict(stride=8), dict(fps=5), dict(min_length=10**6)]
)
def test_segments_of_other_options_are_not_taken(
    loaded, recording, tmp_path, monkeypatch, changed
):
    options = dict(window=20, stride=10, batch_size=1, show_progress=False)
    call = functools.partial(
        loaded.segment, [recording, recording * 1.1], out_dir=tmp_path
    )
    first = len(window_starts(recording.shape[1], 20, 10))
    interrupted(loaded, monkeypatch, lambda: call(**options), first + 1)
    options |= changed
    result = call(**options)
    assert result == loaded.segment([recording, recording * 1.1], **options)


def test_results_of_another_inferencer_are_not_taken(
    loaded, clips, tmp_path, monkeypatch
):
    alone = [clip for clip in clips if len(clip['keypoint']) == 1][:3]
    options = dict(batch_size=1, out_dir=tmp_path, show_progress=False)
    other = copy.deepcopy(loaded._cfg)
    other.eval_dataloader.dataset.pipeline.pop()
    for name, value in ('classes', None), ('non_finite', 'zero'), ('_cfg', other):
        interrupted(loaded, monkeypatch, lambda: loaded(alone, **options), 2)
        with monkeypatch.context() as patch:
            patch.setattr(loaded, name, value)
            _, views = counted(loaded, monkeypatch, lambda: loaded(alone, **options))
        assert views == 3


def test_results_of_other_weights_are_not_taken(loaded, clips, tmp_path, monkeypatch):
    options = dict(batch_size=1, out_dir=tmp_path, show_progress=False)
    interrupted(loaded, monkeypatch, lambda: loaded(clips[:4], **options), 3)
    weight = next(loaded.model.parameters())
    before = weight.detach().clone()
    try:
        weight.data *= 2
        result, views = counted(
            loaded, monkeypatch, lambda: loaded(clips[:4], **options)
        )
        assert views >= 4
        assert result == loaded(clips[:4], 1, show_progress=False)
    finally:
        weight.data.copy_(before)


def test_an_interrupted_call_goes_on_with_the_next_recording(
    loaded, recording, tmp_path, monkeypatch
):
    recordings = [recording, recording * 1.1]
    options = dict(window=20, stride=10, batch_size=1, show_progress=False)
    expected, views = counted(
        loaded, monkeypatch, lambda: loaded.segment(recordings, **options)
    )

    def call():
        return loaded.segment(recordings, out_dir=tmp_path, **options)

    interrupted(loaded, monkeypatch, call, views // 2 + 1)
    result, left = counted(loaded, monkeypatch, call)
    assert left == views // 2
    assert result == expected


def test_memory_holds_one_batch_of_windows(loaded, recording, monkeypatch):
    made, done, most = 0, 0, 0
    preprocess, forward = loaded.preprocess, loaded.forward

    def counted_preprocess(*args):
        nonlocal made, most
        made += 1
        most = max(most, made - done)
        return preprocess(*args)

    def counted_forward(batch):
        nonlocal done
        done += len(batch)
        return forward(batch)

    monkeypatch.setattr(loaded, 'preprocess', counted_preprocess)
    monkeypatch.setattr(loaded, 'forward', counted_forward)
    loaded.segment(recording, 16, 4, batch_size=5, show_progress=False)
    assert made == done > 20
    assert most == 5


@pytest.fixture(scope='module')
def command():
    """main() of tools/infer.py."""
    spec = importlib.util.spec_from_file_location(
        'infer_command', shipped('tools', 'infer.py')
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main


def test_command_prints_and_writes(command, classifier, clips, tmp_path, capsys):
    for i, clip in enumerate(sorted(clips, key=lambda c: len(c['keypoint']))[-3:]):
        np.save(tmp_path / f'{i}.npy', clip['keypoint'])
    (tmp_path / 'x.csv').write_text('1,2')
    out = tmp_path / 'out'
    options = ['--out-dir', str(out), '--top-k', '2', '--device', 'cpu']
    assert command([*classifier, str(tmp_path), *options]) == 0
    lines = capsys.readouterr().out.splitlines()
    best = json.loads((out / 'predictions.json').read_text())['predictions'][0]
    listed = ', '.join(f'{top["class"]} {top["score"]:.2f}' for top in best['top'])
    assert lines[0] == f'{tmp_path / "0.npy"} ({best["frames"]} frames): {listed}'
    assert any(line.startswith('  person 1: ') for line in lines)
    assert any(line.startswith(f'left out: {tmp_path / "x.csv"}: ') for line in lines)
    assert 'inferred: 3, left out: 1' in lines


def test_command_finds_segments(command, classifier, recording, tmp_path, capsys):
    np.save(tmp_path / 'long.npy', recording)
    options = ['--window', '20', '--stride', '10', '--fps', '20']
    assert command([*classifier, str(tmp_path / 'long.npy'), *options]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split()[:3] == ['0', '-', lines[1].split()[2]]
    assert ' s  action ' in lines[1]


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (['nowhere.npy'], 'nowhere.npy is no file and no folder'),
        (['a.npy', '--layout', 'x'], "layout 'x' is unknown"),
        (['a.npy', '--window', '4', '--stride', '5'], 'stride=5 must be from 1 to'),
    ],
)
def test_command_says_what_is_wrong(command, classifier, options, message, capsys):
    assert command([*classifier, *options]) == 1
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (['--stride', '4'], 'go with --segment or --window'),
        (['--features'], '--out-dir, which is not given'),
        (['--segment', '--features', '--out-dir', 'x'], 'those of clips'),
    ],
)
def test_command_refuses_options_that_do_nothing(command, options, message, capsys):
    with pytest.raises(SystemExit):
        command(['config', 'weights', 'a.npy', *options])
    assert message in capsys.readouterr().err


def test_help_has_examples(command, capsys):
    with pytest.raises(SystemExit):
        command(['--help'])
    help = capsys.readouterr().out
    assert help.count(' finetune_nw-ucla_small epoch_2.pth ') > 3
    assert '%(prog)s' not in help and 'python tools/infer.py' not in help
