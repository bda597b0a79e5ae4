import copy
import pickle
from collections.abc import Mapping
from multiprocessing.reduction import ForkingPickler

import pytest
import torch
from mmaction.structures import ActionDataSample
from mmengine.dataset import pseudo_collate
from mmengine.registry import FUNCTIONS
from torch.utils.data import DataLoader
from torch.utils.data._utils.pin_memory import pin_memory

from fdmae_mm.datasets import stacked_transfer
from fdmae_mm.datasets.collate import Batch


def packed(index: int, clip_len: int = 2) -> dict:
    sample = ActionDataSample(metainfo=dict(frame_dir=f'clip{index}'))
    sample.set_gt_label(index)
    sample.set_data(dict(mask=torch.tensor([[[index == 0, True]]])))
    inputs = torch.full((1, 1, clip_len, 1, 3), float(index))
    return dict(inputs=inputs, data_samples=sample)


def sent(batch: Batch) -> Batch:
    """As another process has it."""
    return pickle.loads(bytes(ForkingPickler.dumps(batch)))


def storages(tensors: list[torch.Tensor]) -> set[int]:
    return {tensor.untyped_storage().data_ptr() for tensor in tensors}


def test_a_batch_arrives_as_mmengine_collates_it():
    samples = [packed(0), packed(1), packed(2)]
    wanted, found = pseudo_collate(samples), sent(stacked_transfer(samples))
    assert found.keys() == wanted.keys()
    assert isinstance(found['inputs'], list)
    torch.testing.assert_close(found['inputs'], wanted['inputs'])
    for ours, theirs in zip(found['data_samples'], wanted['data_samples'], strict=True):
        assert type(ours) is ActionDataSample
        assert ours.metainfo == theirs.metainfo
        assert set(ours.keys()) == set(theirs.keys())
        assert torch.equal(ours.gt_label, theirs.gt_label)
        assert torch.equal(ours.mask, theirs.mask)


def no_space(tensor):
    raise RuntimeError('unable to allocate shared memory(shm)')


@pytest.mark.parametrize('clip_len', [2, 4], ids=['stacked', 'apart'])
def test_a_worker_without_shared_memory_ends_the_run(clip_len, monkeypatch):
    """Its queue would print the error, and the process that trains wait for ever."""
    monkeypatch.setattr(torch.Tensor, 'share_memory_', no_space)  # forked with it
    loader = DataLoader(
        [packed(0), packed(1, clip_len)],
        batch_size=2,
        num_workers=1,
        collate_fn=stacked_transfer,
        timeout=60,
        multiprocessing_context='fork',
    )
    with pytest.raises(RuntimeError, match=r'(?s)was not handed over: .*--shm-size=8g'):
        next(iter(loader))


def test_a_batch_is_sent_in_one_tensor_a_key():
    batch = sent(stacked_transfer([packed(0), packed(1), packed(2)]))
    assert len(storages(batch['inputs'])) == 1
    assert len(storages([sample.mask for sample in batch['data_samples']])) == 1
    assert len(storages([sample.gt_label for sample in batch['data_samples']])) == 1


def test_sending_leaves_the_batch_as_it_is():
    batch = stacked_transfer([packed(0), packed(1)])
    ForkingPickler.dumps(batch)
    assert [int(sample.gt_label) for sample in batch['data_samples']] == [0, 1]


def test_what_has_no_common_shape_is_sent_clip_by_clip():
    samples = [packed(0), packed(1, clip_len=4)]
    samples[1]['data_samples'].set_gt_label([1, 2])
    batch = sent(stacked_transfer(samples))
    assert [clip.shape[2] for clip in batch['inputs']] == [2, 4]
    found = [sample.gt_label.tolist() for sample in batch['data_samples']]
    assert found == [[0], [1, 2]]


def test_what_has_no_common_type_keeps_its_own():
    samples = [packed(0), packed(1)]
    samples[1]['inputs'] = samples[1]['inputs'].double()
    batch = sent(stacked_transfer(samples))
    assert [clip.dtype for clip in batch['inputs']] == [torch.float32, torch.float64]


@pytest.mark.parametrize(
    'sample',
    [
        dict(inputs=[torch.ones(2)] * 2, data_samples=[ActionDataSample()] * 2),
        dict(inputs=torch.ones(2), data_samples=dict(label=1)),
        dict(inputs=torch.ones(2)),
    ],
    ids=['two views', 'a dict', 'no label'],
)
def test_what_another_transform_has_packed_goes_as_it_is(sample):
    """As views of MMEngine's TestTimeAug; an error would hang, as of shared memory."""
    loader = DataLoader(
        [sample, sample],
        batch_size=2,
        num_workers=1,
        collate_fn=stacked_transfer,
        timeout=60,
    )
    (batch,) = loader
    expected = pseudo_collate([sample, sample])
    assert type(batch) is dict  # as BaseTTAModel wants it
    assert batch.keys() == expected.keys()
    torch.testing.assert_close(batch['inputs'], expected['inputs'])


def labels(batch: Mapping) -> list[int]:
    return [int(sample.gt_label) for sample in batch['data_samples']]


def test_it_is_read_and_written_as_a_dict():
    batch = sent(stacked_transfer([packed(0), packed(1)]))
    assert len(batch) == 2 and list(batch) == ['inputs', 'data_samples']
    batch['data_samples'][0].set_gt_label(5)
    batch['data_samples'] = batch['data_samples'][::-1]
    del batch['inputs'][0]
    batch['names'] = 'ab'
    assert labels(batch) == [1, 5] and labels(copy.copy(batch)) == [1, 5]
    del batch['names']
    assert [clip.mean() for clip in sent(batch)['inputs']] == [1]
    assert labels(sent(batch)) == [1, 5]
    assert repr(batch).startswith("Batch({'inputs': [tensor(")


@pytest.mark.parametrize('clip_len', [2, 4], ids=['stacked', 'apart'])
@pytest.mark.parametrize('by', [Batch.pin_memory, pin_memory], ids=['itself', 'loader'])
def test_it_is_pinned_in_few_tensors(by, clip_len, monkeypatch):
    pinned = []

    def pin(tensor: torch.Tensor, device: object = None) -> torch.Tensor:
        pinned.append(tensor.clone())
        return pinned[-1]

    monkeypatch.setattr(torch.Tensor, 'pin_memory', pin)
    batch = by(sent(stacked_transfer([packed(0), packed(1, clip_len)])))
    assert [clip.mean() for clip in batch['inputs']] == [0, 1]
    assert labels(batch) == [0, 1]
    assert storages(batch['inputs']) <= storages(pinned)
    if by is Batch.pin_memory:  # loaders of older torch pin a dict value by value
        assert len(pinned) == (3 if clip_len == 2 else 4)
        masks = [sample.mask for sample in batch['data_samples']]
        assert storages(masks) < storages(pinned)


def test_with_what_cannot_be_stacked_it_goes_as_it_is():
    batch = stacked_transfer([packed(0), packed(1)])
    batch['inputs'] = [['a view', 'another']]
    assert batch.pin_memory() is batch
    assert sent(batch)['inputs'] == [['a view', 'another']]


def test_mmengine_finds_it_by_name():
    assert FUNCTIONS.get('stacked_transfer') is stacked_transfer
