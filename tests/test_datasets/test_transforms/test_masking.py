"""Masking strategies."""

import numpy as np
import pytest
import torch
from mmaction.registry import TRANSFORMS
from mmcv.transforms import Compose

from fdmae_mm.datasets.layouts import get_layout
from fdmae_mm.datasets.transforms import (
    BaseSkeletonMasking,
    BodyPartTubeMasking,
    MotionAwareSkeletonMasking,
    RandomSkeletonMasking,
)

NTU = get_layout('nturgb+d')


class GivenScore(BaseSkeletonMasking):
    """Scores that the test chose."""

    def __init__(self, given, mask_ratio, t_patch_size=2):
        super().__init__(mask_ratio, t_patch_size)
        self.given = np.asarray(given)

    def score(self, keypoint):
        return self.given


def all_strategies(mask_ratio=0.9, t_patch_size=4):
    return [
        RandomSkeletonMasking(mask_ratio, t_patch_size),
        MotionAwareSkeletonMasking(mask_ratio, t_patch_size),
        BodyPartTubeMasking(mask_ratio, t_patch_size, 'nturgb+d', tube_patches=3),
    ]


def clips(clips=1, persons=2, frames=16, joints=25, channels=3):
    rng = np.random.default_rng(0)
    return rng.normal(size=(clips, persons, frames, joints, channels)).astype('float32')


def mask_of(transform, keypoint):
    return transform(dict(keypoint=keypoint))[transform.key]


# The base class -----------------------------------------------------------------------


def test_highest_scores_are_masked():
    # Two frames a token: T = 4 and V = 3 give 6 tokens, of which half are masked.
    score = [[[5, 0, 4, 1, 3, 2]], [[0, 1, 2, 3, 4, 5]]]
    mask = mask_of(GivenScore(score, 0.5), np.zeros((2, 1, 4, 3, 3)))
    expected = [[[1, 0, 1, 0, 1, 0]], [[0, 0, 0, 1, 1, 1]]]
    assert torch.equal(mask, torch.tensor(expected, dtype=torch.bool))


@pytest.mark.parametrize('ratio', [0.1, 0.5, 0.9, 0.96])
@pytest.mark.parametrize(
    'shape',
    [(1, 2, 120, 25, 3), (3, 1, 8, 25, 2), (2, 5, 16, 25, 4), (1, 1, 4, 25, 3)],
)
def test_every_sequence_masks_the_same_number(ratio, shape):
    num_tokens = shape[2] // 4 * 25
    for transform in all_strategies(ratio):
        mask = mask_of(transform, clips(*shape))
        assert mask.dtype == torch.bool
        assert mask.shape == (*shape[:2], num_tokens)
        assert (mask.sum(dim=-1) == round(num_tokens * ratio)).all()


@pytest.mark.parametrize('ratio', [0.1, 0.9])
def test_no_visible_token_scores_higher_than_a_masked_one(ratio):
    score = np.random.default_rng(0).random((2, 3, 750))
    mask = mask_of(GivenScore(score, ratio), np.zeros((2, 3, 60, 25, 3))).numpy()
    for row, hidden in zip(score.reshape(6, 750), mask.reshape(6, 750), strict=True):
        assert row[hidden].min() > row[~hidden].max()


def test_paper_size_keeps_75_tokens():
    mask = mask_of(RandomSkeletonMasking(0.9, 4), clips(frames=120))
    assert (~mask).sum(dim=-1).tolist() == [[75, 75]]


def test_masks_are_independent_between_rows_and_draws():
    np.random.seed(0)
    for transform in all_strategies(0.5):
        first, second = (mask_of(transform, clips(2, 2)).flatten(0, 1) for _ in 'ab')
        rows = torch.cat([first, second])
        assert len({tuple(row.tolist()) for row in rows}) == 8


def test_strategies_follow_the_seed_and_leave_the_clip():
    keypoint = clips()
    for transform in all_strategies():
        masks = []
        for _ in range(2):
            np.random.seed(3)
            masks.append(mask_of(transform, keypoint))
        assert torch.equal(*masks)
        assert np.array_equal(keypoint, clips())


@pytest.mark.parametrize('key', ['mask', 'teacher_mask'])
def test_key(key):
    for transform in (
        RandomSkeletonMasking(0.9, 4, key=key),
        MotionAwareSkeletonMasking(0.9, 4, key=key),
        BodyPartTubeMasking(0.9, 4, 'nturgb+d', tube_patches=2, key=key),
    ):
        assert set(transform(dict(keypoint=clips()))) == {'keypoint', key}


def test_bad_input():
    for ratio in (0, 1, 1.5):
        with pytest.raises(ValueError, match=f'mask_ratio={ratio}'):
            RandomSkeletonMasking(ratio, 4)
    with pytest.raises(ValueError, match='t_patch_size=0'):
        RandomSkeletonMasking(0.9, 0)
    with pytest.raises(ValueError, match='tau=0'):
        MotionAwareSkeletonMasking(0.9, 4, tau=0)
    with pytest.raises(ValueError, match='tube_patches=0'):
        BodyPartTubeMasking(0.9, 4, 'nturgb+d', tube_patches=0)


def test_bad_clips():
    transform = RandomSkeletonMasking(0.9, 4)
    with pytest.raises(ValueError, match=r'clip_len=18 must be a multiple.*=4'):
        transform(dict(keypoint=clips(frames=18)))
    with pytest.raises(ValueError, match='after FormatGCNInput'):
        transform(dict(keypoint=clips()[0]))
    for ratio in (0.01, 0.99):
        with pytest.raises(ValueError, match=f'mask_ratio={ratio} masks .* of the 25'):
            RandomSkeletonMasking(ratio, 4)(dict(keypoint=clips(frames=4)))
    with pytest.raises(ValueError, match=r"V=17.*'nturgb\+d' has 25"):
        BodyPartTubeMasking(0.9, 4, 'nturgb+d', 3)(dict(keypoint=clips(joints=17)))
    with pytest.raises(ValueError, match=r'\(1, 1, 5\).*\(1, 1, 6\)'):
        GivenScore(np.zeros((1, 1, 5)), 0.5)(dict(keypoint=np.zeros((1, 1, 4, 3, 3))))


def test_score_is_required():
    with pytest.raises(TypeError, match='score'):
        BaseSkeletonMasking(0.9, 4)


# Motion-aware -------------------------------------------------------------------------


def fix_noise(monkeypatch, value):
    monkeypatch.setattr(
        np.random, 'standard_exponential', lambda shape: np.full(shape, value)
    )


def test_motion_score_by_hand(monkeypatch):
    # One frame a token, three times, two joints, one coordinate.
    # Joint 0: 0, 1, 3; joint 1: 0, 0, -4. Changes: 1, 2 and 0, 4; the first repeats.
    # Divided by 0.5 times the maximum 4: 0.5, 0.5, 1 and 0, 0, 2.
    keypoint = np.float32([[0, 0], [1, 0], [3, -4]]).reshape(1, 1, 3, 2, 1)
    logits = np.array([0.5, 0, 0.5, 0, 1, 2])
    fix_noise(monkeypatch, 1)  # -log 1 = 0
    score = MotionAwareSkeletonMasking(0.5, 1, tau=0.5).score(keypoint)
    np.testing.assert_allclose(score, logits[None, None], atol=1e-8)
    # The highest three of six.
    mask = mask_of(MotionAwareSkeletonMasking(1 / 3, 1, tau=0.5), keypoint)
    assert mask.flatten().tolist() == [False, False, False, False, True, True]


def test_motion_is_a_mean_over_the_patch():
    # Two frames a token, two coordinates: the first patch holds (1, 2) and (0, 0), the
    # second (5, 2) and (0, -2): (4 + 0 + 0 + 2) / 4.
    keypoint = np.float32([[1, 0], [2, 0], [5, 0], [2, -2]]).reshape(1, 1, 4, 1, 2)
    transform = MotionAwareSkeletonMasking(0.5, 2)
    assert transform._motion(keypoint).ravel() == pytest.approx([1.5, 1.5])


def test_noise_is_gumbel(monkeypatch):
    # -log of an exponential variable, which itself is -log of a uniform one.
    fix_noise(monkeypatch, -np.log(0.25))
    score = MotionAwareSkeletonMasking(0.5, 4).score(np.zeros((1, 1, 8, 25, 3)))
    assert score == pytest.approx(-np.log(-np.log(0.25)), abs=1e-6)


@pytest.mark.parametrize('tau', [0.75, 0.8])
def test_motion_score_equals_torch(tau, monkeypatch):
    """The published operations, spelt out in torch on flat patches, give this order."""
    keypoint = clips(2, 3, 12)
    keypoint[1, 2] = 0
    noise = np.random.default_rng(1).random((2, 3, 75))
    monkeypatch.setattr(
        np.random,
        'standard_exponential',
        lambda shape: -np.log(noise + 1e-10).reshape(shape),
    )
    score = MotionAwareSkeletonMasking(0.9, 4, tau).score(keypoint)

    patches = torch.from_numpy(keypoint).double().view(6, 3, 4, 25, 3)
    patches = patches.transpose(2, 3).flatten(3)  # (N, T', V, p * C)
    motion = torch.diff(patches, dim=1).abs().mean(dim=-1)
    motion = torch.cat([motion[:, :1], motion], dim=1).flatten(1)
    motion = motion / (motion.amax(dim=1, keepdim=True) * tau + 1e-10)
    noise = torch.from_numpy(noise).view(6, 75)
    gumbel = -torch.log(-torch.log(noise + 1e-10) + 1e-10)
    expected = motion.softmax(dim=1).log() + gumbel
    offset = score.reshape(6, 75) - expected.numpy()
    np.testing.assert_allclose(offset, offset[:, :1].repeat(75, axis=1), atol=1e-5)


def test_moving_joints_are_hidden_more_often():
    np.random.seed(0)
    keypoint = np.zeros((1, 100, 16, 25, 3), dtype=np.float32)
    keypoint[..., 3, 0] = np.arange(16)  # joint 3 moves steadily

    def shares(tau):
        transform = MotionAwareSkeletonMasking(0.5, 4, tau=tau)
        mask = mask_of(transform, keypoint).view(100, 4, 25).float()
        moving = mask[..., 3].mean().item()
        still = (mask.sum() - mask[..., 3].sum()) / (100 * 4 * 24)
        return moving, still.item()

    moving, still = shares(0.75)
    assert moving > 0.85
    assert still < 0.5
    assert shares(0.2)[0] > 0.99
    assert shares(100)[0] == pytest.approx(0.5, abs=0.1)


def test_still_and_absent_persons_are_masked_uniformly():
    np.random.seed(0)
    keypoint = np.zeros((1, 400, 16, 25, 3), dtype=np.float32)
    mask = mask_of(MotionAwareSkeletonMasking(0.6, 4), keypoint).float()
    assert mask.mean(dim=(0, 1)).min() > 0.6 - 0.13
    assert mask.mean(dim=(0, 1)).max() < 0.6 + 0.13


def test_one_patch_has_no_motion():
    keypoint = clips(frames=4)
    assert not MotionAwareSkeletonMasking(0.6, 4)._motion(keypoint).any()


# Body-part tubes ----------------------------------------------------------------------


def test_tubes_are_whole():
    """At most one tube of a sequence is cut: the last one."""
    np.random.seed(0)
    transform = BodyPartTubeMasking(0.5, 1, 'nturgb+d', tube_patches=5)
    for _ in range(20):
        mask = mask_of(transform, clips(1, 1, 30)).view(30, 25).numpy()
        per_part = [mask[:, joints] for joints in NTU.parts.values()]
        cut = 0
        for part in per_part:
            # A part is hidden as a whole or not at all, but in the cut tube.
            partly = np.flatnonzero(part.any(axis=1) & ~part.all(axis=1))
            cut += partly.size > 0
            assert partly.size == 0 or np.ptp(partly) < 5
        assert cut <= 1


def test_tokens_of_the_last_tube_are_random():
    np.random.seed(0)
    # One tube a part, of which a token is to be masked: any of them, not the first.
    transform = BodyPartTubeMasking(1 / 200, 1, 'nturgb+d', tube_patches=100)
    masks = mask_of(transform, clips(1, 500, 8)).flatten(0, 1)
    assert (masks.sum(dim=-1) == 1).all()
    assert masks.any(dim=0).sum() > 150


def test_tubes_begin_at_a_random_phase():
    np.random.seed(0)
    transform = BodyPartTubeMasking(0.5, 1, 'nturgb+d', tube_patches=4)
    score = np.floor(transform.score(clips(1, 50, 16)).reshape(50, 16, 25))
    head = score[:, :, NTU.parts['torso'][0]]
    phases = set()
    for row in head:
        changes = np.flatnonzero(np.diff(row)) + 1
        assert set(np.diff(changes)) == {4}
        phases.add(changes[0] % 4)
    assert phases == {0, 1, 2, 3}


def test_every_token_can_be_hidden_and_shown():
    np.random.seed(0)
    transform = BodyPartTubeMasking(0.5, 4, 'nturgb+d', tube_patches=2)
    share = mask_of(transform, clips(1, 500, 16)).float().mean(dim=(0, 1))
    assert share.min() > 0.35
    assert share.max() < 0.65


def test_one_tube_over_all_time():
    np.random.seed(0)
    transform = BodyPartTubeMasking(0.5, 1, 'nturgb+d', tube_patches=100)
    mask = mask_of(transform, clips(1, 1, 8)).view(8, 25)
    hidden_parts = [mask[:, list(j)].float().mean() for j in NTU.parts.values()]
    assert any(share == 1 for share in hidden_parts)


# The whole chain ----------------------------------------------------------------------


@pytest.mark.parametrize(
    'masking',
    [
        dict(type='RandomSkeletonMasking'),
        dict(type='MotionAwareSkeletonMasking', tau=0.8),
        dict(type='BodyPartTubeMasking', layout='nturgb+d', tube_patches=5),
    ],
)
@pytest.mark.parametrize('num_clips', [1, 3])
def test_chain_with_stock_transforms(masking, num_clips):
    options = dict(mask_ratio=0.9, t_patch_size=4)
    pipeline = Compose(
        [
            TRANSFORMS.build(step)
            for step in (
                dict(type='AlignSkeleton', layout='nturgb+d'),
                dict(type='TemporalCropResize', clip_len=40, num_clips=num_clips),
                dict(type='RandomRotate3D'),
                dict(type='FormatGCNInput', num_person=2),
                dict(**masking, **options),
                dict(type='RandomSkeletonMasking', key='teacher_mask', **options),
                dict(
                    type='PackActionInputs',
                    meta_keys=('frame_dir',),
                    algorithm_keys=('mask', 'teacher_mask'),
                ),
            )
        ]
    )
    clip = clips()[0][:1]
    sample = dict(frame_dir='clip7', label=4, keypoint=clip, total_frames=clip.shape[1])
    packed = pipeline(sample)
    assert packed['inputs'].shape == (num_clips, 2, 40, 25, 3)
    assert packed['inputs'].dtype == torch.float32
    assert not packed['inputs'][:, 1].any()
    data_sample = packed['data_samples']
    assert data_sample.frame_dir == 'clip7'
    for mask in (data_sample.mask, data_sample.teacher_mask):
        assert mask.dtype == torch.bool
        assert mask.shape == (num_clips, 2, 250)
        assert (mask.sum(dim=-1) == 225).all()
    assert not torch.equal(data_sample.mask, data_sample.teacher_mask)


def test_chain_with_scores_of_two_dimensional_data():
    clip = clips(channels=2, joints=17)[0]
    results = dict(keypoint=clip, keypoint_score=np.ones(clip.shape[:3]))
    for step in (
        dict(type='AlignSkeleton', layout='coco', rotate='none'),
        dict(type='TemporalCropResize', clip_len=8),
        dict(type='FormatGCNInput', num_person=2),
        dict(type='MotionAwareSkeletonMasking', mask_ratio=0.5, t_patch_size=4),
    ):
        results = TRANSFORMS.build(step)(results)
    assert results['keypoint'].shape == (1, 2, 8, 17, 3)
    assert results['mask'].sum(dim=-1).tolist() == [[17, 17]]


@pytest.mark.parametrize(
    'transform, shown',
    [
        (
            RandomSkeletonMasking(0.9, 4),
            "RandomSkeletonMasking(mask_ratio=0.9, t_patch_size=4, key='mask')",
        ),
        (
            MotionAwareSkeletonMasking(0.9, 4, key='other'),
            'MotionAwareSkeletonMasking(mask_ratio=0.9, t_patch_size=4, tau=0.75, '
            "key='other')",
        ),
        (
            BodyPartTubeMasking(0.9, 4, 'coco', 6),
            "BodyPartTubeMasking(mask_ratio=0.9, t_patch_size=4, layout='coco', "
            "tube_patches=6, key='mask')",
        ),
    ],
)
def test_repr(transform, shown):
    assert repr(transform) == shown
