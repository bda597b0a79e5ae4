from pathlib import Path

import numpy as np
import pytest

from fdmae_mm.apis.recording import FrameStream, Timeline, window_starts, windows


def recording(frames, persons=1, joints=2):
    """Every value is one more than the frame it stands in."""
    shape = (persons, frames, joints, 3)
    keypoint = np.broadcast_to(np.arange(1.0, frames + 1)[None, :, None, None], shape)
    return dict(keypoint=keypoint.copy(), total_frames=frames)


@pytest.mark.parametrize(
    ('frames', 'starts'),
    [(4, [0]), (3, [0]), (10, [0, 2, 4, 6]), (11, [0, 2, 4, 6, 7])],
)
def test_windows_reach_the_last_frame(frames, starts):
    assert window_starts(frames, window=4, stride=2) == starts


def test_a_window_holds_its_frames():
    found = list(windows(recording(7), window=4, stride=2))
    assert [start for start, _ in found] == [0, 2, 3]
    _, view = found[1]
    assert view['total_frames'] == 4
    assert view['keypoint'][0, :, 0, 0].tolist() == [3, 4, 5, 6]
    # What an array has after the recording is none of it.
    ((_, view),) = windows(dict(recording(7), total_frames=5), window=6, stride=2)
    assert view['total_frames'] == 5


def test_windows_without_anyone_are_left_out():
    annotation = recording(6, persons=2)
    annotation['keypoint'][:, 2:4] = 0
    annotation['keypoint_score'] = annotation['keypoint'][..., 0]
    found = dict(windows(annotation, window=2, stride=2))
    assert sorted(found) == [0, 4]
    for view in found.values():
        assert np.array_equal(view['keypoint_score'], view['keypoint'][..., 0])


def test_what_is_not_finite_is_named_by_its_frame_in_the_recording():
    annotation = recording(6, joints=3)
    annotation['keypoint'][0, 3, 2, 1] = np.inf
    annotation['keypoint_score'] = np.ones((1, 6, 3))
    with pytest.raises(ValueError, match=r'1 joints .* 2 of person 0 in frame 3;'):
        list(windows(annotation, window=2, stride=2))
    views = dict(windows(annotation, window=2, stride=2, non_finite='zero'))
    assert views[2]['keypoint'][0, 1, :, 0].tolist() == [4, 4, 0]
    assert views[2]['keypoint_score'][0].tolist() == [[1, 1, 1], [1, 1, 0]]
    # Of nothing but what was not measured, nobody is in it.
    annotation['keypoint'][:, 2:4] = np.nan
    assert sorted(dict(windows(annotation, 2, 2, non_finite='zero'))) == [0, 4]


def test_a_stream_does_not_take_a_frame_that_is_not_finite():
    seen = []
    stream = FrameStream(lambda clip: seen.append(clip['keypoint']) or [], 2, 1)
    stream.push(np.ones((1, 3, 3)))
    bad = np.ones((1, 3, 3))
    bad[0, 1, 0] = np.nan
    with pytest.raises(ValueError, match='joint 1 of person 0 in frame 1;'):
        stream.push(bad)
    assert stream.push(np.full((1, 3, 3), 2.0)) == dict(start=0, end=2, top=[])
    assert seen[0][0, :, 0, 0].tolist() == [1, 2]

    stream = FrameStream(lambda clip: seen.append(clip['keypoint']) or [], 2, 1, 'zero')
    stream.push(np.ones((1, 3, 3)))
    stream.push(bad)
    assert seen[1][0, 1, :, 0].tolist() == [1, 0, 1]


def test_scores_of_overlapping_windows_are_averaged():
    timeline = Timeline(frames=6, window=4, stride=2)
    timeline.add(0, np.array([1.0, 0.0]), np.ones(4, bool))
    timeline.add(2, np.array([0.0, 1.0]), np.ones(4, bool))
    assert [(a, b, s.tolist()) for a, b, s in timeline.steps()] == [
        (0, 2, [1, 0]),
        (2, 4, [0.5, 0.5]),
        (4, 6, [0, 1]),
    ]


@pytest.mark.parametrize(
    ('frames', 'window', 'stride'), [(50, 8, 4), (53, 7, 3), (5, 9, 4), (40, 6, 6)]
)
def test_a_row_is_the_mean_over_its_frames(frames, window, stride):
    rng = np.random.default_rng(0)
    timeline = Timeline(frames, window, stride)
    sums, counts = np.zeros((frames, 3)), np.zeros(frames)
    for start in window_starts(frames, window, stride):
        scores = rng.random(3)
        timeline.add(start, scores, np.ones(min(window, frames), bool))
        sums[start : start + window] += scores
        counts[start : start + window] += 1
    end = 0
    for start, stop, scores in timeline.steps():
        assert start == end
        end = stop
        expected = sums[start:stop].sum(0) / counts[start:stop].sum()
        assert np.allclose(scores, expected, atol=1e-6)
    assert end == frames


def timeline_of(labels, frames_each=10):
    """One window a row, none of them overlaps; -1 is nobody; score 0.9."""
    timeline = Timeline(len(labels) * frames_each, frames_each, frames_each)
    for step, label in enumerate(labels):
        if label >= 0:
            scores = np.full(3, 0.05)
            scores[label] = 0.9
            timeline.add(step * frames_each, scores, np.ones(frames_each, bool))
    return timeline


@pytest.mark.parametrize(
    ('labels', 'min_length', 'expected'),
    [
        ([0, 0, 1], 0, [(0, 20, 0), (20, 30, 1)]),
        ([0, -1, 0], 0, [(0, 10, 0), (20, 30, 0)]),
        ([-1, 2, -1], 0, [(10, 20, 2)]),
        # The short 1 is left out, and the gap closed.
        ([0, 0, 1, 0, 0], 20, [(0, 50, 0)]),
        ([0, 0, 1, 2, 2], 20, [(0, 20, 0), (30, 50, 2)]),
        # A gap of two rows is no shorter than 20 frames.
        ([0, 0, 1, 2, 0, 0], 20, [(0, 20, 0), (40, 60, 0)]),
        ([0, 1, 0, 1], 20, []),
    ],
)
def test_rows_become_segments(labels, min_length, expected):
    found = timeline_of(labels).segments(min_length)
    assert [tuple(segment[:3]) for segment in found] == expected


def test_score_of_a_segment_is_the_mean_of_its_class():
    (segment,) = timeline_of([0, 0, 1, 0, 0]).segments(20)
    assert segment.score == pytest.approx((4 * 0.9 + 0.05) / 5)


def test_score_of_a_segment_is_that_of_frames_with_somebody():
    timeline = Timeline(frames=45, window=10, stride=10)
    for start, score in ((0, 0.9), (10, 0.9), (30, 0.6), (35, 0.3)):  # not 20 to 30
        timeline.add(start, np.array([0, score]), np.ones(10, bool))
    ((*place, score),) = timeline.segments(15)
    assert place == [0, 45, 1]
    # The last window shares half of the row from 30, and has that from 40 alone.
    expected = 20 * 0.9 + (10 * 0.6 + 5 * 0.3) / 15 * 10 + 5 * 0.3
    assert score == pytest.approx(expected / 35)


def test_a_row_without_anyone_has_no_class():
    timeline = Timeline(frames=40, window=20, stride=10)
    here = np.arange(40) == 12  # one frame, in the second row
    for start in (0, 10):  # that at 20 has nobody in it
        timeline.add(start, np.array([0.2, 0.8]), here[start : start + 20])
    assert [scores is not None for *_, scores in timeline.steps()] == [0, 1, 0, 0]
    ((start, end, label, score),) = timeline.segments()
    assert (start, end, label, score) == (10, 20, 1, pytest.approx(0.8))


def test_a_recording_of_nobody_has_no_segments():
    timeline = timeline_of([-1, -1])
    assert timeline.segments() == []
    assert list(timeline.steps()) == [(0, 10, None), (10, 20, None)]


def test_a_stream_sees_the_windows_of_the_recording():
    annotation = recording(11, persons=2)
    cut = [
        (start, view['keypoint'])
        for start, view in windows(annotation, window=4, stride=3)
    ]
    stream = FrameStream(lambda clip: clip['keypoint'], window=4, stride=3)
    found = [
        result
        for frame in annotation['keypoint'].swapaxes(0, 1)
        if (result := stream.push(frame)) is not None
    ]
    # The recording has one more, which ends with it.
    assert (
        [result['start'] for result in found] == [s for s, _ in cut[:-1]] == [0, 3, 6]
    )
    assert [result['end'] for result in found] == [4, 7, 10]
    for result, (_, keypoint) in zip(found, cut, strict=False):
        assert np.array_equal(result['top'], keypoint)


def test_a_stream_refuses_a_frame_of_another_shape():
    stream = FrameStream(len, window=2, stride=1)
    stream.push(np.ones((2, 25, 3)))
    with pytest.raises(ValueError, match=r'frame 1 has the shape \(1, 25, 3\)'):
        stream.push(np.ones((25, 3)))
    # Nobody is a row of zeros: no row at all would fix the shape of all that follow.
    stream = FrameStream(len, window=2, stride=1)
    with pytest.raises(ValueError, match=r'\(0, 25, 3\).* a row of zeros'):
        stream.push(np.ones((0, 25, 3)))
    assert stream.frames == 0
    stream.push(np.ones((2, 25, 3)))


def test_a_stream_takes_scores():
    rng = np.random.default_rng(0)
    frames, scores = rng.normal(size=(5, 2, 3, 2)), rng.random((5, 2, 3))
    stream = FrameStream(lambda clip: clip, window=3, stride=2)
    found = [stream.push(*pair) for pair in zip(frames, scores, strict=True)]
    assert [result is not None for result in found] == [False, False, True, False, True]
    for result in filter(None, found):
        cut = slice(result['start'], result['end'])
        for key, given in (('keypoint', frames), ('keypoint_score', scores)):
            expected = given[cut].swapaxes(0, 1).astype(np.float32)
            assert np.array_equal(result['top'][key], expected)
    with pytest.raises(ValueError, match='frame 5 has no score, unlike those before'):
        stream.push(frames[0])
    with pytest.raises(ValueError, match=r'score has the shape \(1, 3\), expected \(2'):
        stream.push(frames[0], scores[0, 0])
    # Of one person.
    stream = FrameStream(lambda clip: clip, window=1, stride=1)
    (top,) = [stream.push(frames[0, 0], scores[0, 0])['top']]
    assert top['keypoint_score'].shape == (1, 1, 3)


@pytest.mark.parametrize('stride', [0, 5])
def test_frames_between_windows_are_refused(stride):
    with pytest.raises(ValueError, match=f'stride={stride} must be from 1 to window=4'):
        FrameStream(len, window=4, stride=stride)


def resident():
    """Bytes of this process in memory."""
    path = Path('/proc/self/statm')
    if not path.exists():
        pytest.skip('needs /proc to measure memory')
    return int(path.read_text().split()[1]) * 4096


def test_a_mapped_file_does_not_fill_the_memory(tmp_path):
    path = tmp_path / 'long.npy'
    file = np.lib.format.open_memmap(path, 'w+', np.float32, (1, 1 << 17, 32, 4))
    file[:] = 1  # 64 MB
    size = file.nbytes
    del file
    keypoint = np.load(path, mmap_mode='r')
    before, most = resident(), 0
    for _, view in windows(dict(keypoint=keypoint, total_frames=1 << 17), 4096, 4096):
        assert view['keypoint'].all()
        most = max(most, resident() - before)
    assert most < size / 4


def test_what_was_written_into_a_copy_on_write_file_stays(tmp_path):
    path = tmp_path / 'long.npy'
    np.save(path, np.ones((1, 64, 25, 3), np.float32))
    keypoint = np.load(path, mmap_mode='c')
    keypoint[:, 40:] = 7
    (*_, (_, last)) = windows(dict(keypoint=keypoint, total_frames=64), 16, 8)
    assert (last['keypoint'] == 7).all()
