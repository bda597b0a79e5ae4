import pytest
import torch
from mmaction.structures import ActionDataSample
from mmengine.dataset import pseudo_collate
from torch.utils._python_dispatch import TorchDispatchMode

from fdmae_mm.datasets.collate import Batch, Stacks
from fdmae_mm.models import StackedDataPreprocessor


class Copies(TorchDispatchMode):
    """Counts what is copied to a device."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        copied = func is torch.ops.aten._to_copy.default and 'device' in kwargs
        self.count += copied
        return func(*args, **kwargs)


def batch(clips: int, frames: tuple[int, ...] = (4,)) -> dict:
    samples = []
    for index in range(clips):
        sample = ActionDataSample(metainfo=dict(frame_dir=f'clip{index}'))
        sample.set_gt_label(index)
        for key in ('mask', 'teacher_mask'):
            sample.set_data({key: torch.rand(1, 2, 5) < 0.5})
        inputs = torch.rand(1, 2, frames[index % len(frames)], 5, 3)
        samples.append(dict(inputs=inputs, data_samples=sample))
    return pseudo_collate(samples)


# 'meta' is a device that holds no values, and takes as many copies as a GPU.
def test_a_batch_reaches_the_device_in_four_copies():
    preprocessor = StackedDataPreprocessor().to('meta')
    with Copies() as copies:
        found = preprocessor(batch(8), training=True)
    assert copies.count == 4
    assert found['inputs'].shape == (8, 1, 2, 4, 5, 3)
    assert found['inputs'].device.type == 'meta'
    for index, sample in enumerate(found['data_samples']):
        assert type(sample) is ActionDataSample
        assert sample.frame_dir == f'clip{index}'
        for key, shape in (
            ('mask', (1, 2, 5)),
            ('teacher_mask', (1, 2, 5)),
            ('gt_label', (1,)),
        ):
            assert sample.get(key).shape == shape
            assert sample.get(key).device.type == 'meta'


def test_a_batch_that_came_stacked_is_copied_as_it_came(monkeypatch):
    given = batch(8)
    sent = Batch(Stacks.of(given))
    preprocessor = StackedDataPreprocessor().to('meta')
    monkeypatch.setattr(torch, 'stack', None)  # neither on the host nor again
    with Copies() as copies:
        found = preprocessor.cast_data(sent)
    assert copies.count == 4
    assert found['data_samples'][0].mask.device.type == 'meta'
    # A metric gets the batch as it came, beside what the model made of the other.
    for ours, theirs in zip(sent['data_samples'], given['data_samples'], strict=True):
        assert torch.equal(ours.mask, theirs.mask)
    assert found['data_samples'][0].mask.device.type == 'meta'


@pytest.mark.parametrize('pinned', [True, False])
def test_the_host_waits_for_no_copy_of_pinned_memory(pinned, monkeypatch):
    waits = []

    def to(tensor, device, non_blocking=False):
        waits.append(not non_blocking)
        return tensor

    preprocessor = StackedDataPreprocessor().to('meta')
    monkeypatch.setattr(torch.Tensor, 'to', to)
    monkeypatch.setattr(torch.Tensor, 'is_pinned', lambda tensor: pinned)
    preprocessor.cast_data(batch(2))
    assert waits == [not pinned] * 4


def test_what_no_clip_shares_is_copied_too():
    given = batch(2)
    for clip, sample in enumerate(given['data_samples']):
        sample.set_data(dict(boxes=torch.ones(clip + 1)))
    found = StackedDataPreprocessor().to('meta').cast_data(given)
    assert [s.boxes.shape for s in found['data_samples']] == [(1,), (2,)]
    assert {s.boxes.device.type for s in found['data_samples']} == {'meta'}


def test_what_one_clip_alone_has_is_copied_too():
    given = batch(2)
    given['data_samples'][1].set_data(dict(boxes=torch.ones(1)))
    found = StackedDataPreprocessor().to('meta').cast_data(given)
    assert found['data_samples'][1].boxes.device.type == 'meta'


def test_clips_of_other_lengths_are_copied_one_by_one_and_padded():
    preprocessor = StackedDataPreprocessor().to('meta')
    with Copies() as copies:
        found = preprocessor(batch(6, frames=(4, 8)))
    assert copies.count == 6 + 3
    assert found['inputs'].shape == (6, 1, 2, 8, 5, 3)


def test_on_the_cpu_nothing_is_copied():
    given = batch(2)
    found = StackedDataPreprocessor()(dict(given))
    assert found['data_samples'][0].mask is given['data_samples'][0].mask


def test_values_come_back_clip_by_clip():
    given = batch(3)
    found = Stacks.of(given).unstacked()
    torch.testing.assert_close(found['inputs'], given['inputs'])
    for ours, theirs in zip(found['data_samples'], given['data_samples'], strict=True):
        for key in ('mask', 'teacher_mask', 'gt_label'):
            assert torch.equal(ours.get(key), theirs.get(key))
