import numpy as np
import pytest
import torch
from mmaction.structures import ActionDataSample

from fdmae_mm.datasets.layouts import get_layout
from fdmae_mm.datasets.transforms import BaseSkeletonMasking, BodyPartTubeMasking
from fdmae_mm.visualization import masked_share, plot_masking


class LastJoints(BaseSkeletonMasking):
    """Masks the joints with the highest numbers; of the last one the late half."""

    def score(self, keypoint):
        clips, persons, num_tokens = self.token_shape(keypoint)
        joints = keypoint.shape[3]
        time, joint = np.divmod(np.arange(num_tokens), joints)
        return np.broadcast_to(joint + time / 100, (clips, persons, num_tokens))


def clip(keypoint, masking):
    sample = ActionDataSample()
    results = masking.transform(dict(keypoint=keypoint))
    sample.set_field(results['mask'], 'mask')
    return dict(inputs=torch.from_numpy(keypoint), data_samples=sample)


def test_shares_of_a_known_strategy():
    keypoint = np.ones((1, 1, 8, 4, 3), dtype=np.float32)
    masking = LastJoints(mask_ratio=0.625, t_patch_size=2)  # 10 of 16 tokens
    share = masked_share([clip(keypoint, masking)] * 3)
    expected = [[0, 0, 1, 1], [0, 0, 1, 1], [0, 1, 1, 1], [0, 1, 1, 1]]
    assert share.tolist() == expected


def test_absent_persons_do_not_count():
    keypoint = np.ones((1, 2, 8, 4, 3), dtype=np.float32)
    masking = LastJoints(mask_ratio=0.5, t_patch_size=2)
    item = clip(keypoint, masking)
    item['inputs'][:, 1] = 0
    item['data_samples'].mask[:, 1] = True
    assert masked_share([item])[:, :2].sum() == 0
    item['inputs'][:] = 0
    with pytest.raises(ValueError, match='nobody'):
        masked_share([item])
    with pytest.raises(KeyError, match=r"algorithm_keys=\('teacher_mask',\)"):
        masked_share([item], 'teacher_mask')


def test_figure_shows_joints_and_time():
    layout = get_layout('kinect_v1')
    keypoint = np.ones((1, 1, 32, 20, 3), dtype=np.float32)
    masking = BodyPartTubeMasking(0.5, 4, 'kinect_v1', tube_patches=8)
    share = masked_share(clip(keypoint, masking) for _ in range(20))
    np.testing.assert_allclose(share.mean(), 0.5)
    pose = np.random.default_rng(0).normal(size=(20, 2))
    figure = plot_masking(share, pose, layout, clip_len=32)
    body, time = figure.axes[:2]
    (joints,) = body.collections
    np.testing.assert_allclose(np.sort(100 * share.mean(0)), joints.get_array())
    (steps,) = time.patches
    np.testing.assert_allclose(steps.get_data().values, 100 * share.mean(1))
    assert steps.get_data().edges.tolist() == [0, 4, 8, 12, 16, 20, 24, 28, 32]
