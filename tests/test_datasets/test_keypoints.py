"""Joints of one annotation."""

import numpy as np

from fdmae_mm.datasets.keypoints import interpolate_joints, present_first


def test_who_is_seen_after_the_end_alone_is_absent():
    keypoint = np.zeros((3, 3, 1, 2))
    keypoint[:, :, 0, 0] = [[0, 0, 1], [2, 0, 0], [0, 3, 0]]
    annotation = dict(keypoint=keypoint, keypoint_score=keypoint[..., 0] / 10)
    found = present_first(annotation | dict(total_frames=2))
    assert np.array_equal(found['keypoint'], keypoint[[1, 2, 0]])
    assert np.array_equal(found['keypoint_score'], keypoint[[1, 2, 0], ..., 0] / 10)


def test_interpolation_goes_by_time_and_by_what_was_found():
    keypoint = np.zeros((4, 3, 2), np.float32)
    keypoint[:, 0] = [[0, 0], [999, 999], [4, 8], [6, 12]]  # found but in the second
    keypoint[:, 1] = 7  # never found
    found = np.array([[1, 0, 1], [0, 0, 1], [1, 0, 1], [1, 0, 1]], bool)
    times = np.array([0, 1, 2, 4])
    filled = interpolate_joints(keypoint, found, times)
    assert filled[:, 0].tolist() == [[0, 0], [2, 4], [4, 8], [6, 12]]
    assert np.array_equal(filled[:, 1:], keypoint[:, 1:])
    assert keypoint[1, 0, 0] == 999
    found[2, 0] = False
    later = interpolate_joints(keypoint, found, times)
    assert later[1:3, 0].tolist() == [[1.5, 3], [3, 6]]  # a quarter, a half of the way
