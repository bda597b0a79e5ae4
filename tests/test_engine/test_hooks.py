from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.dataset import RepeatDataset, pseudo_collate
from mmengine.logging import MessageHub
from mmengine.model import PretrainedInit, Sequential
from mmengine.optim import OptimWrapper
from mmengine.runner import EpochBasedTrainLoop
from torch.utils.data import DataLoader

from fdmae_mm.datasets import SkeletonDataset
from fdmae_mm.datasets.annotation import save_annotation
from fdmae_mm.engine import (
    EMATeacherHook,
    EpochSeedHook,
    FeatureBankHook,
    LoadedWeightsHook,
    NonFiniteLossHook,
    NumClassesHook,
    ResultRecordHook,
    TeacherCheckHook,
)
from fdmae_mm.evaluation.records import read_record
from fdmae_mm.models import KNNHead, SkeletonTransformer
from fdmae_mm.models.layers import TransformerBlock


class Student(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = torch.nn.Linear(2, 2)
        self.updates = []

    def update_teacher(self, momentum):
        self.updates.append(momentum)


def runner_of(model, accumulation=1, max_iters=8, resume=False):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    wrapper = OptimWrapper(optimizer, accumulative_counts=accumulation)
    wrapper.initialize_count_status(model, 0, max_iters)
    hub = MessageHub.get_instance(f'{id(model)}')
    return SimpleNamespace(
        model=model,
        optim_wrapper=wrapper,
        max_iters=max_iters,
        iter=0,
        _resume=resume,
        message_hub=hub,
    )


def train(hook, runner, steps):
    for _ in range(steps):
        loss = runner.model.fc(torch.ones(1, 2)).sum()
        runner.optim_wrapper.update_params(loss)
        hook.after_train_iter(runner, 0)
        runner.iter += 1


def test_teacher_moves_after_every_step_along_a_half_cosine():
    model, hook = Student(), EMATeacherHook(momentum=0.4, end_momentum=0.2)
    runner = runner_of(model, max_iters=3)
    hook.before_train(runner)
    train(hook, runner, 3)
    assert model.updates == pytest.approx([1.0, 0.4, 0.3, 0.2])
    assert runner.message_hub.get_scalar('train/teacher_momentum').current() == 0.2


def test_momentum_bends_between_its_ends():
    model, hook = Student(), EMATeacherHook(momentum=0.4)
    runner = runner_of(model, max_iters=5)
    hook.before_train(runner)
    train(hook, runner, 5)
    quarter = 0.4 * (1 + 0.5**0.5) / 2  # cos(pi / 4)
    expected = [1.0, 0.4, quarter, 0.2, 0.4 - quarter, 0.0]
    assert model.updates == pytest.approx(expected)


def test_a_run_of_one_step_has_the_momentum_of_the_start():
    model, hook = Student(), EMATeacherHook(momentum=0.4)
    runner = runner_of(model, max_iters=1)
    hook.before_train(runner)
    train(hook, runner, 1)
    assert model.updates == [1.0, 0.4]


def test_iterations_that_are_left_over_make_the_last_step():
    # Of five, accumulated by two, MMEngine steps after the second, fourth and fifth.
    model, hook = Student(), EMATeacherHook(momentum=0.4)
    runner = runner_of(model, accumulation=2, max_iters=5)
    hook.before_train(runner)
    train(hook, runner, 5)
    assert model.updates == pytest.approx([1.0, 0.4, 0.2, 0.0])


def test_a_resumed_teacher_is_not_copied_over():
    model, hook = Student(), EMATeacherHook()
    hook.before_train(runner_of(model, resume=True))
    assert model.updates == []


@pytest.mark.parametrize('accumulation', [1, 2, 4])
def test_accumulation_does_not_change_the_schedule_of_the_steps(accumulation):
    model, hook = Student(), EMATeacherHook(momentum=0.4)
    runner = runner_of(model, accumulation, max_iters=3 * accumulation)
    hook.before_train(runner)
    train(hook, runner, 3 * accumulation)
    assert model.updates == pytest.approx([1.0, 0.4, 0.2, 0.0])


def test_a_step_that_the_loss_scaler_skipped_does_not_count():
    model, hook = Student(), EMATeacherHook()
    runner = runner_of(model)
    hook.before_train(runner)
    hook.after_train_iter(runner, 0)  # the optimizer was not called
    # An optimizer with fused kernels is called all the same, and told.
    hook._mark_step(SimpleNamespace(found_inf=torch.ones(())))
    hook.after_train_iter(runner, 0)
    assert model.updates == [1.0]


@pytest.mark.parametrize('name', ['momentum', 'end_momentum'])
def test_momentum_is_a_share(name):
    with pytest.raises(ValueError, match=f'{name}=1.5 must lie between 0 and 1'):
        EMATeacherHook(**{name: 1.5})


def test_a_model_with_a_teacher_asks_for_the_hook_that_moves_it():
    check, runner = TeacherCheckHook(), runner_of(Student())
    runner.hooks = [check]
    with pytest.raises(ValueError, match=r'no EMATeacherHook.*_base_\.custom_hooks'):
        check.before_train(runner)
    runner.hooks.append(EMATeacherHook())
    check.before_train(runner)
    check.before_train(SimpleNamespace(model=torch.nn.Linear(1, 1), hooks=[check]))


def draws(seed, epoch, rank=0, monkeypatch=None):
    import random

    import numpy as np

    monkeypatch.setattr('fdmae_mm.engine.hooks.epoch_seed_hook.get_rank', lambda: rank)
    EpochSeedHook().before_train_epoch(SimpleNamespace(seed=seed, epoch=epoch))
    return random.random(), np.random.rand(), torch.rand(()).item()


def test_randomness_is_a_function_of_seed_rank_and_epoch(monkeypatch):
    first = draws(0, 3, monkeypatch=monkeypatch)
    assert draws(0, 3, monkeypatch=monkeypatch) == first
    for other in (
        dict(seed=1, epoch=3),
        dict(seed=0, epoch=4),
        dict(seed=0, epoch=3, rank=1),
    ):
        assert all(
            a != b
            for a, b in zip(draws(**other, monkeypatch=monkeypatch), first, strict=True)
        )


@pytest.mark.parametrize('steps', [3, 5])
def test_a_run_goes_on_with_epochs_of_the_same_length(steps):
    loop = EpochBasedTrainLoop.__new__(EpochBasedTrainLoop)
    runner = SimpleNamespace(train_loop=loop, iter=8, epoch=2, max_epochs=3)
    runner.train_dataloader = [None] * 4
    EpochSeedHook().before_train(runner)
    runner.train_dataloader = [None] * steps
    with pytest.raises(ValueError, match=rf'8 steps in 2 epochs.* run has {steps}\.'):
        EpochSeedHook().before_train(runner)
    runner.train_loop = None  # it counts no epochs
    EpochSeedHook().before_train(runner)


def test_processes_do_not_go_on_from_different_checkpoints(monkeypatch):
    """Two machines without a common disk: one found none and would begin anew."""
    monkeypatch.setattr(
        'fdmae_mm.engine.hooks.epoch_seed_hook.all_gather',
        lambda own: [own, torch.tensor(0)],
    )
    runner = SimpleNamespace(train_loop=None, iter=8)
    with pytest.raises(ValueError, match=r'go on from steps \[8, 0\]: --resume found'):
        EpochSeedHook().before_train(runner)
    runner.iter = 0
    EpochSeedHook().before_train(runner)


def test_a_run_that_has_ended_says_so(monkeypatch):
    said = []
    monkeypatch.setattr(
        'fdmae_mm.engine.hooks.epoch_seed_hook.print_log',
        lambda text, **_: said.append(text),
    )
    loop = EpochBasedTrainLoop.__new__(EpochBasedTrainLoop)
    runner = SimpleNamespace(train_loop=loop, iter=8, epoch=2, train_dataloader=[0] * 4)
    for runner.max_epochs in (3, 2):
        EpochSeedHook().before_train(runner)
    (text,) = said
    assert text.startswith(
        'The checkpoint is of epoch 2, and the run of 2: there is no'
    )


def hub_of(**values):
    hub = MessageHub.get_instance(f'hub{len(MessageHub._instance_dict)}')
    for name, value in values.items():
        hub.update_scalar(f'train/{name}', value)
    return hub


def test_a_nan_names_iteration_term_samples_and_checkpoint():
    values = dict(loss=float('nan'), loss_time=1.0, loss_frequency=float('nan'))
    hub = hub_of(**values)
    hub.update_info('last_ckpt', 'epoch_4.pth')
    samples = [ActionDataSample(metainfo=dict(frame_dir=n)) for n in ('a01', 'a02')]
    runner = SimpleNamespace(iter=11, message_hub=hub)
    with pytest.raises(FloatingPointError) as error:
        NonFiniteLossHook().after_train_iter(
            runner, 0, dict(data_samples=samples), values
        )
    message = str(error.value)
    for part in ('Iteration 12', 'loss_frequency', 'a01, a02', 'epoch_4.pth'):
        assert part in message
    assert 'loss_time' not in message


@pytest.mark.parametrize('value', [float('inf'), -float('inf')])
def test_an_infinite_loss_stops_the_run(value):
    values = dict(loss=value)
    hub = hub_of(**values)
    hub.update_info('last_ckpt', None)
    runner = SimpleNamespace(iter=0, message_hub=hub)
    with pytest.raises(FloatingPointError, match='Iteration 1'):
        NonFiniteLossHook().after_train_iter(runner, 0, dict(data_samples=[]), values)


@pytest.mark.parametrize('value', [float('nan'), float('inf')])
def test_weights_that_are_not_finite_are_not_saved(value):
    """Gradients are shared: another process saw the loss of the clip that did it."""
    hub = hub_of()
    hub.update_info('last_ckpt', 'epoch_4.pth')
    runner = SimpleNamespace(iter=12, message_hub=hub)
    state = dict(a=torch.ones(2), steps=torch.tensor(3), b=torch.tensor([0, 1.0]))
    NonFiniteLossHook().before_save_checkpoint(runner, dict(state_dict=state))
    state['b'][0] = value
    with pytest.raises(FloatingPointError, match=r'12, 1 weights .* b: .*epoch_4\.pth'):
        NonFiniteLossHook().before_save_checkpoint(runner, dict(state_dict=state))


def test_finite_losses_pass():
    values = dict(loss=2.0, loss_time=2.0, grad=float('nan'))
    runner = SimpleNamespace(iter=0, message_hub=hub_of(**values))
    NonFiniteLossHook().after_train_iter(runner, 0, dict(data_samples=[]), values)


def runner_from(model, load_from, init_cfg=None):
    cfg = Config(dict(model=dict(backbone=dict(init_cfg=init_cfg))))
    return SimpleNamespace(model=model, cfg=cfg, _load_from=load_from, _resume=False)


def test_untrained_weights_are_not_tested():
    model = torch.nn.ModuleDict(
        dict(backbone=torch.nn.Linear(1, 1), cls_head=torch.nn.Linear(1, 1))
    )
    runner = runner_from(model, 'pretrained.pth')
    hook = LoadedWeightsHook()
    weights = {k: v for k, v in model.state_dict().items() if k.startswith('backbone')}
    hook.after_load_checkpoint(runner, dict(state_dict=weights))
    for check in (hook.before_test, hook.before_val):
        with pytest.raises(
            ValueError, match=r'pretrained.pth has no weights for cls_head'
        ):
            check(runner)
    hook.before_train(runner)
    hook.before_val(runner)  # trained by now


@pytest.mark.parametrize('prefix', ['backbone', 'backbone.'])
@pytest.mark.parametrize('kind', ['Pretrained', 'mmengine.Pretrained', PretrainedInit])
def test_an_encoder_of_other_weights_than_its_checkpoints_is_not_trained(
    tmp_path, kind, prefix
):
    """Any backbone: MMEngine leaves random what it does not find."""
    path = str(tmp_path / 'pretrained.pth')
    init_cfg = [
        dict(type='Xavier', layer='Linear'),
        dict(type=kind, checkpoint=path, prefix=prefix),
    ]
    model = torch.nn.Module()
    model.backbone = Sequential(torch.nn.GRU(2, 3), init_cfg=init_cfg)
    runner = runner_from(model, None, init_cfg)
    hook = LoadedWeightsHook()
    weights = model.state_dict()
    torch.save(dict(state_dict=weights), path)
    hook.before_train(runner)
    lacking = {k: v for k, v in weights.items() if 'bias_hh' not in k}
    other = weights | {'backbone.0.bias_hh_l0': torch.zeros(1)}
    for found in (lacking, other):
        torch.save(dict(state_dict=found), path)
        with pytest.raises(
            ValueError, match=r'for backbone\.0\.bias_hh_l0 of Sequential \(1 in all\)'
        ):
            hook.before_train(runner)
    runner._resume = True  # it has the weights of its own checkpoint
    hook.before_train(runner)


@pytest.mark.parametrize('loses', ['constructor', 'init_weights'])
def test_an_encoder_that_does_not_load_its_checkpoint_is_not_trained(tmp_path, loses):
    """As an encoder of one's own that forgets to call what MMEngine loads it by."""
    path = str(tmp_path / 'pretrained.pth')
    init_cfg = dict(type='Pretrained', checkpoint=path, prefix='backbone')

    class Lossy(Sequential):
        if loses == 'init_weights':

            def init_weights(self):
                torch.nn.init.ones_(self[0].weight)

    model = torch.nn.Module()
    handed_on = None if loses == 'constructor' else init_cfg
    model.backbone = Lossy(torch.nn.Linear(2, 3), init_cfg=handed_on)
    weights = {'backbone.0.weight': torch.rand(3, 2), 'backbone.0.bias': torch.rand(3)}
    torch.save(dict(state_dict=weights), path)
    runner = runner_from(model, None, init_cfg)
    model.backbone.init_weights()
    with pytest.raises(
        ValueError, match=r'was not loaded into Lossy: 0\.weight has oth'
    ):
        LoadedWeightsHook().before_train(runner)
    runner._load_from = 'other.pth'  # in its place, and that one was loaded
    LoadedWeightsHook().before_train(runner)
    runner._load_from = None
    model.load_state_dict(weights)
    LoadedWeightsHook().before_train(runner)
    model.half().load_state_dict(weights)  # which rounds them
    LoadedWeightsHook().before_train(runner)


def test_training_does_not_start_from_a_file_without_the_encoder():
    model = torch.nn.ModuleDict(
        dict(backbone=torch.nn.Linear(1, 1), cls_head=torch.nn.Linear(1, 1))
    )
    runner = runner_from(model, 'other.pth')
    hook = LoadedWeightsHook()
    weights = model.state_dict()
    encoder = {k: v for k, v in weights.items() if k.startswith('backbone.')}
    hook.after_load_checkpoint(runner, dict(state_dict=encoder))
    hook.before_train(runner)
    # As of a model that was saved inside DistributedDataParallel.
    wrapped = {f'module.{name}': value for name, value in weights.items()}
    hook.after_load_checkpoint(runner, dict(state_dict=wrapped))
    hook.before_test(runner)
    # Under other names, or, as MAMP has it, another key.
    named = {name.replace('backbone', 'model'): v for name, v in weights.items()}
    for file in (dict(state_dict=named), dict(model=weights)):
        hook.after_load_checkpoint(runner, file)
        with pytest.raises(
            ValueError,
            match=r'other\.pth has no weights for backbone\.weight of Linear',
        ):
            hook.before_train(runner)


@pytest.mark.parametrize('init', ['Pretrained', 'PretrainedSkeleton'])
def test_an_encoder_of_other_heads_is_refused(tmp_path, init):
    """The shapes of its weights do not tell it."""
    path = str(tmp_path / 'pretrained.pth')
    init_cfg = dict(type=init, checkpoint=path, prefix='backbone')
    settings = dict(embed_dims=8, depth=1, num_joints=5, clip_len=8)
    model = torch.nn.Module()
    model.backbone = SkeletonTransformer(**settings, num_heads=2, init_cfg=init_cfg)
    runner = runner_from(model, path, init_cfg)
    other = "clip = 3\nmodel = dict(type='A', backbone=dict(depth=1, num_heads=4))\n"
    checkpoint = dict(state_dict=model.state_dict(), meta=dict(cfg=other))
    torch.save(checkpoint, path)
    hook = LoadedWeightsHook()
    message = r'pretrained\.pth was trained with num_heads=4, and the config has 2:'
    with pytest.raises(ValueError, match=message):
        hook.before_train(runner)
    with pytest.raises(ValueError, match=message):
        hook.after_load_checkpoint(runner, checkpoint)
    # Its own, and what tells nothing: text of another tool, other settings, none.
    for text in (other.replace('4', '2'), 'a: 1: 2', 'model = 1', 'x[0] = 1', None):
        torch.save(checkpoint | dict(meta=dict(cfg=text)), path)
        hook.before_train(runner)
        hook.after_load_checkpoint(runner, checkpoint | dict(meta=dict(cfg=text)))


def test_a_decoder_of_other_heads_is_refused():
    model = torch.nn.Module()
    model.decoder = torch.nn.Module()
    model.decoder.blocks = torch.nn.ModuleList([TransformerBlock(8, 2, 4.0)])
    runner = SimpleNamespace(model=model, _load_from='pretrained.pth')
    hook, state = LoadedWeightsHook(), model.state_dict()
    trained = 'model = dict(backbone=dict(num_heads=4), decoder=dict(num_heads={}))'
    meta = dict(cfg=trained.format(2))
    hook.after_load_checkpoint(runner, dict(state_dict=state, meta=meta))
    converted = {'model.backbone.num_heads': 4, 'model.decoder.num_heads': 2}
    meta = dict(cfg_options=converted)
    hook.after_load_checkpoint(runner, dict(state_dict=state, meta=meta))
    for meta in (
        dict(cfg=trained.format(4)),
        dict(cfg_options=converted | {'model.decoder.num_heads': 4}),
    ):
        with pytest.raises(ValueError, match=r'Set model\.decoder\.num_heads=4\.'):
            hook.after_load_checkpoint(runner, dict(state_dict=state, meta=meta))


def test_a_head_of_another_shape_is_not_tested():
    # MMEngine would leave it out with a warning.
    model, other = torch.nn.Linear(1, 3), torch.nn.Linear(1, 2)
    runner = SimpleNamespace(model=model, _load_from='other.pth')
    hook = LoadedWeightsHook()
    hook.after_load_checkpoint(runner, dict(state_dict=other.state_dict()))
    with pytest.raises(
        ValueError, match=r'no weights for weight, bias \(2 in all\), or has them in an'
    ):
        hook.before_test(runner)


def test_weights_that_were_renamed_while_they_were_loaded_are_tested():
    """As by runner.load_checkpoint(path, revise_keys=...), after the hook."""
    model = torch.nn.ModuleDict(
        dict(backbone=torch.nn.Linear(1, 1), cls_head=torch.nn.Linear(1, 1))
    )
    hook, runner = LoadedWeightsHook(), SimpleNamespace(model=model, _load_from=None)
    weights = {name: value + 1 for name, value in model.state_dict().items()}
    named = {f'model.{name}': value for name, value in weights.items()}
    hook.after_load_checkpoint(runner, dict(state_dict=named))
    model.backbone.load_state_dict(
        {name: weights[f'backbone.{name}'] for name in ('weight', 'bias')}
    )
    with pytest.raises(
        ValueError, match=r'The checkpoint has no weights for cls_head\.weight, cls_hea'
    ):
        hook.before_test(runner)
    model.load_state_dict(weights)
    hook.before_test(runner)


def test_complete_weights_are_tested():
    model = torch.nn.Linear(1, 1)
    runner = SimpleNamespace(model=model, _load_from='x.pth')
    hook = LoadedWeightsHook()
    hook.after_load_checkpoint(runner, dict(state_dict=model.state_dict()))
    hook.before_test(runner)


@pytest.mark.parametrize('loop', ['train', 'val', 'test'])
def test_a_head_has_the_classes_of_the_data(loop):
    head = SimpleNamespace(num_classes=3)
    loader = SimpleNamespace(dataset=SimpleNamespace(metainfo={}))
    runner = SimpleNamespace(
        model=SimpleNamespace(cls_head=head), **{f'{loop}_dataloader': loader}
    )
    check = getattr(NumClassesHook(), f'before_{loop}')
    check(runner)  # the data set does not say
    loader.dataset.metainfo['classes'] = ['sit', 'run', 'jump']
    check(runner)
    loader.dataset.metainfo['classes'] = ['sit', 'run']
    with pytest.raises(ValueError, match=r'num_classes=3, .* 2 classes \(sit, run'):
        check(runner)
    runner.model.cls_head = None  # pre-training
    check(runner)


@pytest.mark.parametrize('loop', ['train', 'val', 'test'])
def test_a_head_has_a_class_for_every_label(loop, tmp_path):
    # As in MMAction2's own files, which name no classes; and behind a wrapper.
    clips = [
        dict(frame_dir=str(label), label=label, keypoint=np.ones((1, 4, 5, 3), 'f4'))
        for label in (0, 2, 1)
    ]
    content = dict(split={}, annotations=[dict(clip, total_frames=4) for clip in clips])
    save_annotation(content, tmp_path / 'data.pkl')
    dataset = RepeatDataset(SkeletonDataset(str(tmp_path / 'data.pkl'), []), times=2)
    assert 'classes' not in dataset.metainfo
    head = SimpleNamespace(num_classes=3)
    runner = SimpleNamespace(
        model=SimpleNamespace(cls_head=head),
        **{f'{loop}_dataloader': SimpleNamespace(dataset=dataset)},
    )
    check = getattr(NumClassesHook(), f'before_{loop}')
    check(runner)
    head.num_classes = 2
    with pytest.raises(
        ValueError, match=r'num_classes=2, .* label 2, .*num_classes=3 or'
    ):
        check(runner)


class Encoder(torch.nn.Module):
    """Features are the input's mean coordinates; two clips a sample."""

    def __init__(self):
        super().__init__()
        self.cls_head = KNNHead(num_classes=3, in_channels=2, k=1)

    def data_preprocessor(self, batch, training):
        return dict(batch, inputs=torch.stack(batch['inputs']))

    def extract_feat(self, inputs):
        return inputs.flatten(0, 1).view(-1, 1, 2, 1, 1), {}


LABELLED = [
    dict(
        inputs=torch.tensor(clips), data_samples=ActionDataSample().set_gt_label(label)
    )
    for clips, label in (
        ([[1.0, 0.0], [0.0, 2.0]], 2),
        ([[-3.0, 0.0], [0.0, -1.0]], 1),
        ([[3.0, 4.0], [4.0, 3.0]], 0),
    )
]


def bank_of(sampler):
    loader = DataLoader(LABELLED, 2, sampler=sampler, collate_fn=pseudo_collate)
    model = Encoder()
    hook = FeatureBankHook(loader)
    runner = SimpleNamespace(model=model, test_dataloader=loader)
    hook.before_test(runner)
    return model.cls_head


def test_the_bank_holds_every_clip_with_its_label():
    head = bank_of([0, 1, 2])
    expected = [[1, 0], [0, 1], [-1, 0], [0, -1], [0.6, 0.8], [0.8, 0.6]]
    torch.testing.assert_close(head.bank, torch.tensor(expected))
    assert head.bank_labels.tolist() == [2, 2, 1, 1, 0, 0]


def test_the_bank_is_filled_in_eval_mode():
    """A validation calls its hooks while the model is still in training mode."""
    model, modes = Encoder().train(), []
    extract = model.extract_feat
    model.extract_feat = lambda x: modes.append(model.training) or extract(x)
    loader = DataLoader(LABELLED, 2, collate_fn=pseudo_collate)
    runner = SimpleNamespace(model=model, val_dataloader=loader)
    FeatureBankHook(loader).before_val(runner)
    assert modes == [False, False]


def test_the_bank_of_two_ranks_is_that_of_one(monkeypatch):
    one, second = bank_of([0, 1, 2]), []
    gather = 'fdmae_mm.engine.hooks.feature_bank_hook.all_gather'
    # The sampler repeats the first sample, so that both ranks have two.
    monkeypatch.setattr(gather, lambda share: second.append(share) or [share, share])
    bank_of([1, 0])
    monkeypatch.setattr(gather, lambda share: [share, second.pop(0)])
    head = bank_of([0, 2])
    assert torch.equal(head.bank, one.bank)
    assert torch.equal(head.bank_labels, one.bank_labels)


def test_a_run_resumed_at_its_end_is_evaluated(monkeypatch):
    # Its last checkpoint stands before the evaluation that the first run did not end.
    written = []
    monkeypatch.setattr(
        ResultRecordHook,
        '_write',
        lambda self, name, runner, *rest: written.append(rest),
    )
    hook = ResultRecordHook()
    loop = SimpleNamespace(run=lambda: hook.after_val_epoch(None, {'acc/top1': 0.5}))
    runner = SimpleNamespace(cfg=Config(dict(model={})), epoch=2, val_loop=loop)
    hook.after_train(runner)
    assert written == [({'top1': 50.0}, 'val_dataloader', 2)]


@pytest.mark.parametrize(
    ('load_from', 'init_cfg', 'start'),
    [
        (None, None, None),
        (None, dict(type='Pretrained', checkpoint='a.pth'), 'a.pth'),
        ('b.pth', None, 'b.pth'),
        ('b.pth', dict(type='Pretrained', checkpoint='a.pth'), 'b.pth'),
        (None, [dict(type='Xavier'), dict(checkpoint='a.pth')], 'a.pth'),
    ],
)
def test_a_record_names_the_weights_that_a_run_started_from(
    load_from, init_cfg, start, monkeypatch
):
    written = []
    monkeypatch.setattr(
        ResultRecordHook, '_write', lambda self, *_: written.append(self._start)
    )
    made_by = 'fdmae_mm.engine.hooks.result_record_hook.made_by'
    monkeypatch.setattr(made_by, lambda checkpoint: checkpoint)
    cfg = Config(dict(model=dict(backbone=dict(init_cfg=init_cfg))))
    runner = SimpleNamespace(cfg=cfg, epoch=2, val_loop=1, _load_from=load_from)
    runner._resume = False
    hook, saved = ResultRecordHook(), dict(meta={})
    hook.before_run(runner)
    hook.before_save_checkpoint(runner, saved)
    # It is stopped and resumed: what it is resumed from is no start.
    runner._resume, runner._load_from = True, 'work_dir/epoch_1.pth'
    again = ResultRecordHook()
    again.before_run(runner)
    again.after_load_checkpoint(runner, saved)
    for ended in (hook, again):
        ended.after_val_epoch(runner, {'acc/top1': 0.5})
        ended.after_train(runner)
    assert written == [start, start]


def test_a_record_tells_what_ran_and_not_what_came_after(tmp_path, monkeypatch):
    path = tmp_path / 'start.pth'

    def save(seed, epochs):
        meta = dict(experiment_name='mae_20260101_000000', seed=seed, epoch=epochs)
        torch.save(dict(meta=meta), path)

    code = 'fdmae_mm.engine.hooks.result_record_hook.revision'
    monkeypatch.setattr(code, lambda: 'before')
    save(seed=1, epochs=2)
    cfg = Config(dict(model={}, randomness=dict(seed=0)))
    runner = SimpleNamespace(
        cfg=cfg,
        epoch=2,
        seed=0,
        val_loop=1,
        work_dir=str(tmp_path),
        _load_from=str(path),
        _resume=False,
    )
    hook = ResultRecordHook()
    hook.before_run(runner)
    monkeypatch.setattr(code, lambda: 'after')
    save(seed=7, epochs=99)
    hook.after_val_epoch(runner, {'acc/top1': 0.5})
    hook.after_train(runner)
    record = read_record(tmp_path / 'record.json')
    assert record['revision'] == 'before'
    assert record['start'] == dict(config='mae', seed=1, epochs=2, seconds=None)


def test_a_record_has_the_metrics_that_are_numbers():
    hook = ResultRecordHook()
    metrics = {'acc/top1': 0.5, 'map': torch.tensor(0.25), 'confusion': torch.eye(2)}
    hook.after_val_epoch(None, metrics)
    assert hook._metrics == {'top1': 50.0, 'map': 0.25}


def test_wall_time_counts_over_a_resumed_run(monkeypatch):
    now = iter([100.0, 107.0, 200.0, 202.0])
    clock = SimpleNamespace(monotonic=lambda: next(now))
    monkeypatch.setattr('fdmae_mm.engine.hooks.result_record_hook.time', clock)
    runner = SimpleNamespace(_resume=True)
    first, saved = ResultRecordHook(), dict(meta={})
    first.before_save_checkpoint(runner, saved)
    assert saved['meta']['seconds'] == 7
    again = ResultRecordHook()
    again.after_load_checkpoint(runner, saved)
    again.before_save_checkpoint(runner, saved)
    assert saved['meta']['seconds'] == 9


def test_wall_time_of_the_weights_a_run_starts_with_is_not_its_own(monkeypatch):
    now = iter([100.0, 102.0])
    clock = SimpleNamespace(monotonic=lambda: next(now))
    monkeypatch.setattr('fdmae_mm.engine.hooks.result_record_hook.time', clock)
    hook, runner = ResultRecordHook(), SimpleNamespace(_resume=False)
    hook.after_load_checkpoint(runner, dict(meta=dict(seconds=3600.0)))
    saved = dict(meta={})
    hook.before_save_checkpoint(runner, saved)
    assert saved['meta']['seconds'] == 2


def test_record_of_pre_training_has_the_last_losses_and_the_seed_of_the_run(
    tmp_path, monkeypatch
):
    reduced = 'fdmae_mm.engine.hooks.result_record_hook.all_reduce'
    other = dict(mean=2.0, sum=6.0)  # with a process whose loss is 6
    monkeypatch.setattr(reduced, lambda loss, op: loss.add_(other[op]))
    hub = MessageHub.get_instance('record')
    for loss in [100.0] * 50 + [1.0, 3.0] * 25:
        hub.update_scalar('train/loss', loss)
    runner = SimpleNamespace(
        cfg=Config(dict(model={}, randomness=dict(seed=0))),
        message_hub=hub,
        epoch=2,
        seed=5,  # as a resumed run has it of its checkpoint
        val_loop=None,
        work_dir=str(tmp_path),
    )
    ResultRecordHook().after_train(runner)
    record = read_record(tmp_path / 'record.json')
    assert record['metrics'] == {'loss': 4.0}
    assert (record['seed'], record['epochs']) == (5, 2)
