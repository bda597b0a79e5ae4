"""Videos become annotations by real models of mmpose, small and untrained.

The detector of these tests finds the figures by their colours, so that it is known who
is where; an untrained model puts the joints somewhere in the box.
"""

import importlib.util
import sys
import types
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData

from fdmae_mm import compat
from fdmae_mm.apis.inferencer import SkeletonInferencer
from fdmae_mm.apis.poses import (
    FramePoses,
    PoseLifter,
    layout_of,
    load_pose_model,
    mmdet_detector,
)
from fdmae_mm.apis.video import Video, VideoPoseEstimator, convert_videos
from fdmae_mm.datasets.annotation import load_annotation
from fdmae_mm.datasets.layouts import LAYOUTS
from fdmae_mm.datasets.tracking import Track
from fdmae_mm.files import shipped

needs_mmpose = pytest.mark.skipif(
    importlib.util.find_spec('mmpose') is None,
    reason='mmpose is not installed: pip install --no-deps mmpose==1.3.2',
)
HEIGHT, WIDTH, FRAMES = 96, 160, 20
ABSENT = (8, 9, 10)  # frames without anyone
RED, BLUE = (0, 0, 255), (255, 0, 0)


def position(color, t):
    """Left edge of a figure: the red one goes right, the blue one left."""
    return 10 + 2 * t if color == RED else 120 - 2 * t


def draw(t):
    frame = np.full((HEIGHT, WIDTH, 3), 200, np.uint8)
    for color in () if t in ABSENT else (RED, BLUE):
        x = position(color, t)
        cv2.circle(frame, (x + 10, 22), 7, color, -1)
        cv2.rectangle(frame, (x, 30), (x + 20, 80), color, -1)
    return frame


def write_video(path, frames, fps=25.0):
    path.parent.mkdir(parents=True, exist_ok=True)
    size = frames[0].shape[1::-1]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'mp4v'), fps, size)
    for frame in frames:
        writer.write(frame)
    writer.release()
    return path


@pytest.fixture(scope='module')
def clip(tmp_path_factory):
    frames = [draw(t) for t in range(FRAMES)]
    return write_video(tmp_path_factory.mktemp('video') / 'two.mp4', frames)


def detect(frame):
    """Boxes of the figures, the bluest first."""
    boxes = []
    for strong, weak in ((0, 2), (2, 0)):
        found = frame[..., strong].astype(int) - frame[..., weak] > 100
        if found.any():
            y, x = found.nonzero()
            boxes.append([x.min(), y.min(), x.max(), y.max(), 0.9])
    return np.array(boxes)


def make_model(folder, name, change):
    """A shipped config, changed, and random weights of its model."""
    compat.require_mmpose()
    import mmpose
    from mmpose.apis import init_model
    from mmpose.apis.inference import dataset_meta_from_config

    root = Path(mmpose.__file__).parent / '.mim' / 'configs'
    config = Config.fromfile(next(root.rglob(f'{name}.py')))
    change(config)
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmpose'):
        model = init_model(config, None, device='cpu')
    path = folder / f'{name}.py'
    config.dump(path)
    weights = path.with_suffix('.pth')
    meta = dict(dataset_meta=dataset_meta_from_config(config, 'test'))
    torch.save(dict(state_dict=model.state_dict(), meta=meta), weights)
    return path, weights


@pytest.fixture(scope='module')
def top_down(tmp_path_factory):
    """RTMPose-t for crops of 64 x 96."""

    def change(config):
        config.codec.input_size = (64, 96)
        config.model.backbone.init_cfg = None
        config.model.head.decoder.input_size = (64, 96)
        config.model.head.input_size = (64, 96)
        config.model.head.in_featuremap_size = (2, 3)
        for step in config.test_dataloader.dataset.pipeline:
            if step.type == 'TopdownAffine':
                step.input_size = (64, 96)

    folder = tmp_path_factory.mktemp('top_down')
    return make_model(folder, 'rtmpose-t_8xb256-420e_coco-256x192', change)


@pytest.fixture(scope='module')
def model(top_down):
    return load_pose_model(*top_down, device='cpu')


@pytest.fixture(scope='module')
def one_stage(tmp_path_factory):
    """YOLOX-Pose-tiny for images of 64 x 64."""

    def change(config):
        config.model.backbone.init_cfg = None
        for step in config.test_dataloader.dataset.pipeline:
            if step.type == 'BottomupResize':
                step.input_size = (64, 64)

    folder = tmp_path_factory.mktemp('one_stage')
    return make_model(folder, 'yoloxpose_tiny_4xb64-300e_coco-416', change)


@pytest.fixture(scope='module')
def video_lifter(tmp_path_factory):
    def change(config):
        config.model.backbone.stem_channels = 32
        config.model.head.in_channels = 32

    folder = tmp_path_factory.mktemp('video_lifter')
    return make_model(folder, 'video-pose-lift_tcn-27frm-supv_8xb128-160e_h36m', change)


@pytest.fixture(scope='module')
def lifter_model(video_lifter):
    return load_pose_model(*video_lifter, device='cpu')


@pytest.fixture(scope='module')
def image_lifter(tmp_path_factory):
    def change(config):
        config.model.backbone.stem_channels = 32
        config.model.head.in_channels = 32

    folder = tmp_path_factory.mktemp('image_lifter')
    return make_model(folder, 'image-pose-lift_tcn_8xb64-200e_h36m', change)


@pytest.fixture(scope='module')
def motionbert(tmp_path_factory):
    """Windows of 12 frames instead of 243."""

    def change(config):
        config.model.backbone.update(feat_size=16, depth=1, num_heads=2, seq_len=12)
        config.model.head.update(in_channels=16, embedding_size=16)
        config.test_dataloader.dataset.multiple_target = 12

    folder = tmp_path_factory.mktemp('motionbert')
    return make_model(folder, 'motionbert_dstformer-243frm_8xb32-240e_h36m', change)


# Video ----------------------------------------------------------------------------


def test_video_gives_its_frames(clip):
    video = Video(clip)
    assert (video.img_shape, video.fps) == ((HEIGHT, WIDTH), 25.0)
    frames = list(video)
    assert video.decoded == video.expected == len(frames) == FRAMES
    # Lossy, but the first frame is the first one.
    x = detect(frames[0])[:, 0]
    np.testing.assert_allclose(x, [position(BLUE, 0), position(RED, 0)], atol=2)


def test_what_is_no_video_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match='There is no video'):
        Video(tmp_path / 'none.mp4')
    (tmp_path / 'text.mp4').write_text('no video')
    with pytest.raises(ValueError, match=r'text\.mp4: no frame can be decoded'):
        Video(tmp_path / 'text.mp4')


# Models ---------------------------------------------------------------------------


@needs_mmpose
def test_mmpose_leaves_the_scope_alone(top_down):
    with DefaultScope.overwrite_default_scope('mmaction'):
        load_pose_model(*top_down, device='cpu')
        assert DefaultScope.get_current_instance().scope_name == 'mmaction'


@needs_mmpose
def test_weights_must_be_there_and_fit(top_down, tmp_path):
    config, weights = top_down
    with pytest.raises(FileNotFoundError, match=r'no checkpoint .*none\.pth'):
        load_pose_model(config, tmp_path / 'none.pth')
    with pytest.raises(FileNotFoundError, match='no config no_such_config'):
        load_pose_model('no_such_config', weights)
    # The shipped config, by its name, is that of larger images.
    with pytest.raises(ValueError, match=r'does not fit the model(.|\n)*size mismatch'):
        load_pose_model(config.stem, weights)
    state = torch.load(weights, weights_only=True)['state_dict']
    name = 'head.final_layer.bias'
    del state[name]
    torch.save(dict(state_dict=state), tmp_path / 'partial.pth')
    with pytest.raises(ValueError, match=f'lacks 1 weights of .*first is {name}'):
        load_pose_model(config, tmp_path / 'partial.pth')


@needs_mmpose
def test_layouts_of_mmpose_are_known_or_described():
    compat.require_mmpose()
    from mmpose.datasets.datasets.utils import parse_pose_metainfo

    def read(name):
        path = f'configs/_base_/datasets/{name}.py'
        return layout_of(parse_pose_metainfo(dict(from_file=path)))

    assert read('coco') is LAYOUTS['coco']
    assert read('h36m') is LAYOUTS['h36m']
    halpe = read('halpe26')
    assert (halpe.name, halpe.num_joints) == ('halpe26', 26)
    assert halpe.joints[19] == 'hip'


@needs_mmpose
def test_detector_and_model_belong_together(model, one_stage):
    with pytest.raises(ValueError, match='top-down model and needs to be told where'):
        FramePoses(model, None)
    with pytest.raises(ValueError, match='finds persons by itself'):
        FramePoses(load_pose_model(*one_stage, device='cpu'), detect)


@needs_mmpose
def test_detector_of_mmdet_says_what_is_missing():
    if importlib.util.find_spec('mmdet') is not None:
        pytest.skip('mmdet is installed')
    with pytest.raises(ImportError, match='needs mmdet, which fails here'):
        mmdet_detector('config.py', 'weights.pth')


@needs_mmpose
def test_detector_of_mmdet_gives_persons_once(monkeypatch):
    """A stand-in for mmdet: mmcv-lite cannot run the real one."""
    found = InstanceData(
        bboxes=torch.tensor(
            [[0, 0, 10, 20], [0, 0, 10, 19], [50, 0, 60, 20], [0, 0, 99, 99.0]]
        ),
        scores=torch.tensor([0.9, 0.8, 0.7, 0.6]),
        labels=torch.tensor([0, 0, 0, 1]),
    )
    apis = types.ModuleType('mmdet.apis')
    apis.init_detector = lambda config, weights, device: SimpleNamespace(cfg={})
    apis.inference_detector = lambda model, frame: SimpleNamespace(pred_instances=found)
    datasets = types.ModuleType('mmdet.datasets')
    datasets.transforms = types.ModuleType('mmdet.datasets.transforms')
    for module in (types.ModuleType('mmdet'), apis, datasets):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    boxes = mmdet_detector('config.py', 'weights.pth', device='cpu')(draw(0))
    np.testing.assert_allclose(boxes, [[0, 0, 10, 20, 0.9], [50, 0, 60, 20, 0.7]])


@needs_mmpose
def test_no_more_frames_are_read_than_a_batch_needs(model):
    read = []
    frames = (read.append(t) or draw(t) for t in range(FRAMES))
    next(FramePoses(model, 'whole_image', batch_size=4)(frames))
    assert read == [0, 1, 2, 3]


@needs_mmpose
def test_batches_of_persons_change_nothing(model):
    frames = [draw(t) for t in (0, 8, 1)]  # the middle one is empty
    one, many = (
        list(FramePoses(model, detect, batch_size=size)(iter(frames)))
        for size in (1, 32)
    )
    assert [len(keypoint) for keypoint, _ in many] == [2, 0, 2]
    for (a, score_a), (b, score_b) in zip(one, many, strict=True):
        assert a.shape[1:] == (17, 2)
        np.testing.assert_allclose(a, b, atol=1e-3)
        np.testing.assert_allclose(score_a, score_b, atol=1e-3)
    # Joints lie where the box is: in it, and a quarter around it.
    for box, joints in zip(detect(frames[0]), many[0][0], strict=True):
        low, high = box[:2], box[2:4]
        margin = 0.5 * (high - low).max()
        assert (joints >= low - margin).all()
        assert (joints <= high + margin).all()


@needs_mmpose
def test_boxes_are_checked(model):
    frame = draw(0)

    def count(boxes):
        ((keypoint, _),) = FramePoses(model, lambda _: boxes)([frame])
        return len(keypoint)

    box = [10, 10, 40, 80]
    assert count([box]) == 1
    assert count([[*box, 0.9], [*box, 0.1]]) == 1
    assert count([[40, 10, 40, 80, 0.9]]) == 0
    assert count([]) == 0
    with pytest.raises(ValueError, match=r'boxes of shape \(1, 3\), expected \(N, 5\)'):
        count([[1, 2, 3]])


@needs_mmpose
def test_one_stage_model_needs_no_detector(one_stage):
    poses = FramePoses(load_pose_model(*one_stage, device='cpu'), None, min_score=0)
    results = list(poses([draw(0), draw(1)]))
    assert len(results) == 2
    for keypoint, score in results:
        assert keypoint.shape[1:] == (17, 2)
        assert keypoint.shape[:2] == score.shape
        assert len(keypoint) > 0
    poses.min_score = 1.1
    ((keypoint, _),) = poses([draw(0)])
    assert len(keypoint) == 0


# Three dimensions -----------------------------------------------------------------


def make_track(frames, drift=(3.0, 1.0)):
    """Coco joints of somebody who moves across the image."""
    rng = np.random.default_rng(0)
    base = rng.uniform([40, 20], [90, 80], (17, 2))
    track = Track()
    for t in frames:
        joints = base + np.array(drift) * t + rng.normal(0, 1, (17, 2))
        track.append(t, 0, joints.astype(np.float32), np.ones(17, np.float32))
    return track


@needs_mmpose
@pytest.mark.parametrize('name', ['video_lifter', 'image_lifter', 'motionbert'])
def test_lifters_place_the_body_where_the_pixels_are(name, request):
    lifter = PoseLifter(
        load_pose_model(*request.getfixturevalue(name), device='cpu'), 'coco'
    )
    track = make_track([*range(10), *range(14, 30)])
    joints = lifter(track, (HEIGHT, WIDTH))
    assert joints.shape == (26, 17, 3)
    assert joints.dtype == np.float32
    assert np.isfinite(joints).all()

    pixels = np.stack(track.keypoint)
    root = pixels[:, 11:13].mean(1) - [WIDTH / 2, HEIGHT / 2]
    depth = joints[:, 0, 2]
    scale = depth[0] / WIDTH
    np.testing.assert_allclose(depth, depth[0], rtol=1e-4)
    np.testing.assert_allclose(joints[:, 0, :2], -scale * root, rtol=1e-3, atol=1e-3)


@needs_mmpose
def test_flat_pose_comes_out_as_it_went_in(lifter_model, monkeypatch):
    """A lifter that gives its input back shows all that is done around it."""

    class Sample:
        def __init__(self, inputs):  # (34, 27): joint by joint, in half images
            x, y = inputs.reshape(17, 2, 27)[..., 13].numpy().T
            space = np.stack([x, y, 0 * x], -1)[None]
            self.pred_instances = type('Instances', (), dict(keypoints=space))

    seen = []

    def test_step(data):
        seen.extend(data['inputs'])
        return [Sample(inputs) for inputs in data['inputs']]

    monkeypatch.setattr(lifter_model, 'test_step', test_step)
    track = make_track([0, 1, 2, 3, 9])
    joints = PoseLifter(lifter_model, 'coco')(track, (HEIGHT, WIDTH))

    pixels = np.stack(track.keypoint)
    scale = joints[0, 0, 2] / WIDTH
    middle = [WIDTH / 2, HEIGHT / 2]
    # Left wrist: joint 9 of coco, 13 of h36m. Right and down become left and up.
    expected = -scale * (pixels[:, 9] - middle)
    np.testing.assert_allclose(joints[:, 13, :2], expected, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(joints[..., 2], joints[0, 0, 2], rtol=1e-5)
    # The root stands at (528, 427) of 1000 x 1000.
    root = seen[0].reshape(17, 2, 27)[0].numpy()
    np.testing.assert_allclose(root[:, 0], [(528 - 500) / 500, (427 - 500) / 500])

    # Where a joint was not found says nothing: it lies between its neighbours in time.
    track.keypoint[2] = track.keypoint[2].copy()
    track.keypoint[2][9] = 999
    track.score[2] = np.where(np.arange(17) == 9, 0, track.score[2])
    joints = PoseLifter(lifter_model, 'coco')(track, (HEIGHT, WIDTH))
    between = -scale * ((pixels[1, 9] + pixels[3, 9]) / 2 - middle)
    np.testing.assert_allclose(joints[2, 13, :2], between, rtol=1e-3, atol=1e-4)


@needs_mmpose
def test_motionbert_sees_all_frames_at_once(motionbert, monkeypatch):
    model = load_pose_model(*motionbert, device='cpu')
    lengths = []
    stock = model.test_step

    def test_step(data):
        lengths.extend(len(inputs) for inputs in data['inputs'])
        return stock(data)

    monkeypatch.setattr(model, 'test_step', test_step)
    lifter = PoseLifter(model, 'coco')
    lifter(make_track(range(30)), (HEIGHT, WIDTH))
    assert lengths == [12, 12, 12]
    lengths.clear()
    lifter(make_track(range(5)), (HEIGHT, WIDTH))
    assert lengths == [5]


@needs_mmpose
@pytest.mark.parametrize(('causal', 'first'), [(True, -4), (False, -2)])
def test_window_of_a_lifter(lifter_model, monkeypatch, causal, first):
    lifter = PoseLifter(lifter_model, 'coco')
    lifter.seq_len, lifter.step, lifter.causal = 3, 2, causal
    monkeypatch.setattr(lifter, '_predict', lambda windows: np.array(windows)[:, :1])
    pose = np.tile(np.arange(10.0)[:, None, None], (1, 17, 2))
    expected = (np.arange(10) + first).clip(0)
    assert lifter._lift(pose)[:, 0, 0].tolist() == expected.tolist()


@needs_mmpose
def test_lifter_must_fit(model, lifter_model):
    with pytest.raises(ValueError, match="gives 'coco' joints, only 'h36m'"):
        PoseLifter(model, 'coco')
    with pytest.raises(ValueError, match="no joints of h36m of those of 'halpe26'"):
        PoseLifter(lifter_model, 'halpe26')


# From the video to the answer -----------------------------------------------------


@needs_mmpose
def test_persons_of_a_video_are_told_apart(top_down, clip):
    annotation = VideoPoseEstimator(*top_down, device='cpu', detector=detect)(clip)
    keypoint, score = annotation.pop('keypoint'), annotation.pop('keypoint_score')
    assert annotation == dict(
        frame_dir='two',
        total_frames=FRAMES,
        fps=25.0,
        img_shape=(HEIGHT, WIDTH),
        layout='coco',
    )
    assert keypoint.shape == (2, FRAMES, 17, 2)
    assert score.shape == (2, FRAMES, 17)
    assert keypoint.dtype == score.dtype == np.float32
    there = [t for t in range(FRAMES) if t not in ABSENT]
    assert not keypoint[:, ABSENT].any()
    assert not score[:, ABSENT].any()
    assert score[:, there].all()
    # Found again after the gap: one of them goes right all the time, the other left.
    steps = np.sign(keypoint[:, there[-1]].mean(1) - keypoint[:, 0].mean(1))[:, 0]
    assert sorted(steps) == [-1, 1]
    for person, step in enumerate(steps):
        color = RED if step > 0 else BLUE
        middles = [position(color, t) + 10 for t in there]
        np.testing.assert_allclose(
            keypoint[person, there, :, 0].mean(1), middles, atol=25
        )


@needs_mmpose
def test_whole_image_is_one_person_in_every_frame(top_down, clip):
    estimator = VideoPoseEstimator(*top_down, device='cpu', detector='whole_image')
    annotation = estimator(clip)
    assert annotation['keypoint'].shape == (1, FRAMES, 17, 2)
    assert annotation['keypoint_score'].all()


@needs_mmpose
def test_options_of_an_estimator_are_kept_to(top_down, clip):
    def persons(**options):
        options |= dict(device='cpu', detector=detect)
        return len(VideoPoseEstimator(*top_down, **options)(clip)['keypoint'])

    assert persons(max_persons=1) == 1
    # Nobody is found again after the gap.
    assert persons(max_persons=9, max_gap=len(ABSENT) - 1) == 4
    with pytest.raises(ValueError, match='nobody is seen'):
        persons(min_score=0.95)


@needs_mmpose
def test_joints_that_were_not_found_are_zeros(top_down, clip):
    estimator = VideoPoseEstimator(*top_down, device='cpu', detector='whole_image')
    joints, score = np.full((1, 17, 2), 7.0), np.ones((1, 17))
    score[0, 3] = 0
    estimator.poses = lambda frames: ((joints, score) for _ in frames)
    annotation = estimator(clip)
    assert not annotation['keypoint'][:, :, 3].any()
    assert (np.delete(annotation['keypoint'], 3, axis=2) == 7).all()


@needs_mmpose
def test_a_video_that_is_cut_is_told(top_down, clip, monkeypatch):
    class Announced(Video):
        def __init__(self, path):
            super().__init__(path)
            self.expected = 30

    said = []
    monkeypatch.setattr('fdmae_mm.apis.video.Video', Announced)
    monkeypatch.setattr(
        'fdmae_mm.apis.video.print_log', lambda text, **_: said.append(text)
    )
    VideoPoseEstimator(*top_down, device='cpu', detector='whole_image')(clip)
    (text,) = said
    assert '20 of 30 announced frames can be decoded' in text


@needs_mmpose
def test_video_without_anyone_is_refused(top_down, clip, tmp_path):
    estimator = VideoPoseEstimator(*top_down, device='cpu', detector=detect)
    empty = write_video(tmp_path / 'empty.mp4', [draw(ABSENT[0])] * 6)
    with pytest.raises(
        ValueError, match='nobody is seen in 5 of 6 frames, at most in 0'
    ):
        estimator(empty)
    # Who is there in all of a shorter video is there.
    short = write_video(tmp_path / 'short.mp4', [draw(0), draw(1)])
    assert estimator(short)['keypoint'].shape == (2, 2, 17, 2)


@needs_mmpose
@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(max_persons=0), 'max_persons=0 must be at least 1'),
        (dict(max_gap=-1), 'max_gap=-1 must be at least 0'),
        (dict(lifter_config='a.py'), 'belong together'),
    ],
)
def test_estimator_checks_its_options(top_down, options, message):
    with pytest.raises(ValueError, match=message):
        VideoPoseEstimator(*top_down, **options)


def recognizer(tmp_path, layout, channels):
    """Config and weights of a tiny classifier for joints of a layout."""
    compat.apply()
    from mmaction.registry import MODELS
    from mmengine.registry import init_default_scope

    init_default_scope('mmaction')
    joints = LAYOUTS[layout].num_joints
    model = dict(
        type='RecognizerGCN',
        backbone=dict(
            type='SkeletonTransformer',
            num_joints=joints,
            clip_len=8,
            in_channels=channels,
            embed_dims=16,
            depth=1,
            num_heads=2,
        ),
        cls_head=dict(type='GCNHead', num_classes=3, in_channels=16),
    )
    pipeline = [
        dict(
            type='AlignSkeleton',
            layout=layout,
            rotate='vertical' if channels == 3 else 'none',
        ),
        dict(type='TemporalCropResize', clip_len=8, test_mode=True),
        dict(type='FormatGCNInput', num_person=2),
        dict(type='PackActionInputs'),
    ]
    config = Config(
        dict(
            default_scope='mmaction',
            model=model,
            eval_dataloader=dict(dataset=dict(pipeline=pipeline)),
        )
    )
    weights = tmp_path / 'recognizer.pth'
    torch.save(dict(state_dict=MODELS.build(model).state_dict()), weights)
    return config, weights


@needs_mmpose
def test_video_to_class_in_three_dimensions(top_down, video_lifter, clip, tmp_path):
    """Coco joints of a video are lifted to h36m, and mapped to those of Kinect."""
    estimator = VideoPoseEstimator(
        *top_down,
        device='cpu',
        detector=detect,
        lifter_config=video_lifter[0],
        lifter_weights=video_lifter[1],
    )
    annotation = estimator(clip)
    assert annotation['layout'] == 'h36m'
    assert annotation['keypoint'].shape == (2, FRAMES, 17, 3)
    assert 'keypoint_score' not in annotation
    assert not annotation['keypoint'][:, ABSENT].any()

    inferencer = SkeletonInferencer(
        *recognizer(tmp_path, 'nturgb+d', 3), device='cpu', pose_estimator=estimator
    )
    (result,) = inferencer(clip, show_progress=False)['predictions']
    assert result['frames'] == FRAMES
    assert sorted(entry['label'] for entry in result['top']) == [0, 1, 2]
    assert [person['person'] for person in result['persons']] == [0, 1]


# Annotation files -----------------------------------------------------------------


class FakeEstimator:
    """Counts what it reads."""

    layout = LAYOUTS['coco']

    def __init__(self, stop_at=None):
        self.read, self.stop_at = [], stop_at

    def __call__(self, path):
        if path.name == self.stop_at:
            raise KeyboardInterrupt
        self.read.append(path.name)
        frames = sum(1 for _ in Video(path))
        keypoint = np.ones((1, frames, 17, 2), np.float32)
        return dict(
            frame_dir=path.stem,
            keypoint=keypoint,
            keypoint_score=keypoint[..., 0],
            total_frames=frames,
            fps=25.0,
            img_shape=(HEIGHT, WIDTH),
            layout='coco',
        )


@pytest.fixture
def folder(tmp_path):
    """Three videos in the folders of two classes, and one that is none."""
    for name, frames in (('wave/a', 3), ('wave/b', 4), ('walk/c', 5)):
        write_video(tmp_path / 'clips' / f'{name}.mp4', [draw(0)] * frames)
    (tmp_path / 'clips' / 'walk' / 'broken.mp4').write_text('no video')
    return tmp_path / 'clips'


def test_folder_becomes_an_annotation_file(folder, tmp_path):
    out = tmp_path / 'out' / 'mine.pkl'
    _, skipped = convert_videos(FakeEstimator(), folder, out, {})
    content = load_annotation(out)
    assert content['metainfo']['classes'] == ['walk', 'wave']
    assert content['metainfo']['layout'] == 'coco'
    found = {
        a['frame_dir']: (a['label'], a['total_frames']) for a in content['annotations']
    }
    assert found == {'walk/c': (0, 5), 'wave/a': (1, 3), 'wave/b': (1, 4)}
    assert content['annotations'][0]['fps'] == 25.0
    ((name, reason),) = skipped
    assert name == 'walk/broken.mp4'
    assert 'no frame can be decoded' in reason
    assert [path.name for path in out.parent.iterdir()] == ['mine.pkl']
    with pytest.raises(ValueError, match=r'broken\.mp4'):
        convert_videos(FakeEstimator(), folder, out, {}, strict=True)


def test_interrupted_run_goes_on(folder, tmp_path):
    out = tmp_path / 'mine.pkl'
    first = FakeEstimator(stop_at='b.mp4')
    with pytest.raises(KeyboardInterrupt):
        convert_videos(first, folder, out, dict(max_persons=2))
    assert first.read == ['broken.mp4', 'c.mp4', 'a.mp4']
    assert not out.exists()
    again = FakeEstimator()
    convert_videos(again, folder, out, dict(max_persons=2))
    assert again.read == ['broken.mp4', 'b.mp4']
    assert len(load_annotation(out)['annotations']) == 3


def test_parts_of_other_settings_are_not_used(folder, tmp_path):
    out = tmp_path / 'mine.pkl'
    with pytest.raises(KeyboardInterrupt):
        convert_videos(FakeEstimator(stop_at='b.mp4'), folder, out, dict(max_gap=1))
    again = FakeEstimator()
    convert_videos(again, folder, out, dict(max_gap=2))
    assert again.read == ['broken.mp4', 'c.mp4', 'a.mp4', 'b.mp4']


def test_a_video_that_has_changed_is_read_again(folder, tmp_path):
    out = tmp_path / 'mine.pkl'
    with pytest.raises(KeyboardInterrupt):
        convert_videos(FakeEstimator(stop_at='b.mp4'), folder, out, {})
    write_video(folder / 'wave' / 'a.mp4', [draw(0)] * 6)
    again = FakeEstimator()
    convert_videos(again, folder, out, {})
    assert again.read == ['broken.mp4', 'a.mp4', 'b.mp4']


def test_unlabelled_video_is_of_one_class(clip, tmp_path):
    annotation, _ = convert_videos(FakeEstimator(), clip, tmp_path / 'one.pkl', {})
    assert annotation['metainfo']['classes'] == ['unlabelled']
    assert annotation['annotations'][0]['frame_dir'] == 'unlabelled/two'


def test_source_must_be_a_video(tmp_path):
    (tmp_path / 'notes.txt').write_text('')
    with pytest.raises(ValueError, match=r'notes\.txt is neither a folder nor a video'):
        convert_videos(FakeEstimator(), tmp_path / 'notes.txt', tmp_path / 'o.pkl', {})
    (tmp_path / 'empty').mkdir()
    with pytest.raises(ValueError, match='holds no videos'):
        convert_videos(FakeEstimator(), tmp_path / 'empty', tmp_path / 'o.pkl', {})


@pytest.fixture(scope='module')
def tool():
    path = shipped('tools', 'data', 'video_to_skeleton.py')
    spec = importlib.util.spec_from_file_location('video_to_skeleton', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@needs_mmpose
def test_command(tool, top_down, clip, tmp_path, capsys):
    out = tmp_path / 'clip.pkl'
    arguments = [str(clip), str(out), *map(str, top_down), '--device', 'cpu']
    assert tool.main([*arguments, '--whole-image']) == 0
    assert f'written:   {out}' in capsys.readouterr().out
    (annotation,) = load_annotation(out)['annotations']
    assert annotation['keypoint'].shape == (1, FRAMES, 17, 2)

    assert tool.main(arguments) == 1
    assert 'error: TopdownPoseEstimator is a top-down model' in capsys.readouterr().err
