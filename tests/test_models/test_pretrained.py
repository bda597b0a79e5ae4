"""Weights that were pre-trained on another skeleton."""

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel, BaseModule
from mmengine.runner import Runner
from mmengine.structures import BaseDataElement
from torch.utils.data import DataLoader

from fdmae_mm.datasets.layouts import get_layout, map_layout
from fdmae_mm.engine.hooks import LoadedWeightsHook
from fdmae_mm.models import SelfAttentionDecoder, SkeletonTransformer

SMALL = dict(embed_dims=8, depth=2, num_heads=2, clip_len=8)


@pytest.fixture(scope='module')
def encoder():
    """An encoder of 25 joints with tables of any numbers."""
    torch.manual_seed(0)
    return SkeletonTransformer(**SMALL, num_joints=25)


@pytest.fixture(scope='module')
def checkpoint(encoder, tmp_path_factory):
    path = tmp_path_factory.mktemp('checkpoint') / 'epoch_1.pth'
    state = {f'backbone.{key}': value for key, value in encoder.state_dict().items()}
    torch.save(dict(state_dict={**state, 'decoder.weight': torch.ones(1)}), path)
    return str(path)


def start(checkpoint, target='coco', source='nturgb+d', prefix='backbone.', **kwargs):
    """An encoder that starts on the checkpoint."""
    settings = {**SMALL, 'num_joints': get_layout(target).num_joints, **kwargs}
    torch.manual_seed(1)
    model = SkeletonTransformer(
        **settings,
        init_cfg=dict(
            type='PretrainedSkeleton',
            checkpoint=checkpoint,
            prefix=prefix,
            source_layout=source,
            target_layout=target,
        ),
    )
    model.init_weights()
    return model


@pytest.mark.parametrize('prefix', ['backbone.', 'backbone'])
def test_same_layout_and_length_equals_pretrained(checkpoint, prefix):
    model = start(checkpoint, target='nturgb+d', prefix=prefix)
    torch.manual_seed(2)
    stock = SkeletonTransformer(
        **SMALL,
        init_cfg=dict(type='Pretrained', checkpoint=checkpoint, prefix=prefix),
    )
    stock.init_weights()
    expected = stock.state_dict()
    assert model.state_dict().keys() == expected.keys()
    for key, value in model.state_dict().items():
        assert torch.equal(value, expected[key]), key


def test_a_checkpoint_without_prefix(encoder, tmp_path):
    path = str(tmp_path / 'encoder.pth')
    # As saved from a wrapped model, without what a Runner adds.
    torch.save({f'module.{k}': v for k, v in encoder.state_dict().items()}, path)
    model = start(path, target='nturgb+d', prefix=None)
    for key, value in model.state_dict().items():
        assert torch.equal(value, encoder.state_dict()[key]), key


def test_joint_rows_follow_the_joints(checkpoint, encoder):
    table = start(checkpoint, target='coco').joint_table[0, 0]
    ntu, coco = get_layout('nturgb+d').joints, get_layout('coco').joints
    source = encoder.joint_table[0, 0]
    for joint in ('left_wrist', 'right_hip', 'left_ankle'):
        assert torch.equal(table[coco.index(joint)], source[ntu.index(joint)])
    for joint in ('nose', 'left_eye', 'right_ear'):
        assert torch.equal(table[coco.index(joint)], source[ntu.index('head')])


def test_missing_rows_are_means(encoder, tmp_path):
    coco = SkeletonTransformer(**SMALL, num_joints=17)
    path = str(tmp_path / 'coco.pth')
    torch.save(coco.state_dict(), path)
    model = start(path, source='coco', target='nturgb+d', prefix=None)
    table, source = model.joint_table[0, 0], coco.joint_table[0, 0]
    hips = (source[11] + source[12]) / 2
    shoulders = (source[5] + source[6]) / 2
    torch.testing.assert_close(table[0], hips)
    torch.testing.assert_close(table[20], shoulders)
    torch.testing.assert_close(table[1], (hips + shoulders) / 2)


def test_the_same_number_of_joints_in_another_order(tmp_path):
    v1 = SkeletonTransformer(**SMALL, num_joints=20)
    path = str(tmp_path / 'v1.pth')
    torch.save(v1.state_dict(), path)
    model = start(path, source='kinect_v1', target='kinect_v1_utd_mhad', prefix=None)
    head = get_layout('kinect_v1').joints.index('head')
    assert torch.equal(model.joint_table[0, 0, 0], v1.joint_table[0, 0, head])


def test_features_follow_the_joints(encoder, checkpoint):
    # With the joints that only the 25 have masked, both see the same tokens.
    weights, report = map_layout('nturgb+d', 'kinect_v1')
    assert set(report.values()) == {'same'}
    x = torch.randn(1, 8, 25, 3)
    model = start(checkpoint, target='kinect_v1').eval()
    mask = torch.ones(1, 2, 25, dtype=torch.bool)
    mask[:, :, weights.argmax(1)] = False
    with torch.no_grad():
        out = model.forward_tokens(torch.from_numpy(weights) @ x).view(2, 20, 8)
        expected = encoder.eval().forward_tokens(x, mask.flatten(1)).view(2, 20, 8)
    # The masked encoder keeps the order of its own joints.
    torch.testing.assert_close(out[:, weights.argmax(1).argsort()], expected)


def test_time_rows_are_interpolated(checkpoint, encoder):
    first, second = encoder.temporal_table[0, :, 0]
    longer = start(checkpoint, clip_len=16).temporal_table
    assert longer.shape == (1, 4, 1, 8)
    # Of two tokens four: centres at -1/4, 1/4, 3/4 and 5/4 of the old ones.
    expected = [
        first,
        0.75 * first + 0.25 * second,
        0.25 * first + 0.75 * second,
        second,
    ]
    torch.testing.assert_close(longer[0, :, 0], torch.stack(expected))
    # A table of the same length is taken as it is.
    assert torch.equal(start(checkpoint).temporal_table, encoder.temporal_table)


def test_all_else_is_loaded_by_name(checkpoint, encoder):
    model, expected = start(checkpoint, clip_len=16).state_dict(), encoder.state_dict()
    for key in model.keys() - {'joint_table', 'temporal_table'}:
        assert torch.equal(model[key], expected[key]), key


def test_a_decoder_carries_the_tables_of_all_windows(tmp_path):
    settings = dict(
        in_dims=8, embed_dims=8, depth=1, num_heads=2, t_patch_size=4, windows=(4,)
    )
    source = SelfAttentionDecoder(num_joints=25, clip_len=8, **settings)
    path = str(tmp_path / 'decoder.pth')
    torch.save({f'decoder.{k}': v for k, v in source.state_dict().items()}, path)
    target = SelfAttentionDecoder(
        num_joints=20,
        clip_len=16,
        **settings,
        init_cfg=dict(
            type='PretrainedSkeleton',
            checkpoint=path,
            prefix='decoder.',
            source_layout='nturgb+d',
            target_layout='kinect_v1',
        ),
    )
    target.init_weights()
    new, old = target.temporal_tables['4'], source.temporal_tables['4']
    assert torch.equal(new[:, 0], old[:, 0])
    assert torch.equal(new[:, -1], old[:, -1])
    assert torch.equal(target.joint_table[0, 0, 2], source.joint_table[0, 0, 20])
    assert torch.equal(target.mask_token, source.mask_token)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(embed_dims=16), r'temporal_table .*1, 8\).*1, 16\)'),
        (dict(in_channels=2), r'patch_embed.weight .*\(8, 12\).*\(8, 8\)'),
        (dict(num_joints=18), r"joint_table .*18, 8\).*'coco' has 17"),
        (dict(source='kinect_v1'), r"joint_table .*25, 8\).*'kinect_v1' has 20"),
        (dict(prefix='encoder.'), r"'encoder\.'.*\['backbone', 'decoder'\]"),
        (dict(prefix=None), r'prefix=None'),
    ],
)
def test_what_does_not_fit_is_an_error(checkpoint, change, message):
    with pytest.raises(ValueError, match=message):
        start(checkpoint, **change)


def test_a_model_of_its_own_shape_is_an_error(checkpoint, tmp_path):
    class Linear(BaseModule):
        def __init__(self):
            super().__init__(
                init_cfg=dict(
                    type='PretrainedSkeleton',
                    checkpoint=checkpoint,
                    prefix='decoder.',
                    source_layout='coco',
                    target_layout='coco',
                )
            )
            self.weight = torch.nn.Parameter(torch.zeros(2))

    with pytest.raises(ValueError, match=r'weight has shape \(1,\).*\(2,\)'):
        Linear().init_weights()


class Probe(BaseModel):
    """One weight on a frozen encoder."""

    def __init__(self, backbone):
        super().__init__()
        self.backbone = MODELS.build(backbone)
        self.head = torch.nn.Linear(8, 1)

    def forward(self, inputs, mode):
        score = self.head(self.backbone(inputs).mean((1, 3, 4)))
        return dict(loss=score.mean()) if mode == 'loss' else [BaseDataElement()]


class Count(BaseMetric):
    def process(self, data_batch, data_samples):
        self.results.append(1)

    def compute_metrics(self, results):
        return dict(count=len(results))


def test_a_run_starts_on_the_weights_and_may_be_validated(
    checkpoint, encoder, tmp_path
):
    backbone = dict(type='SkeletonTransformer', **SMALL, num_joints=17, frozen_stages=2)
    backbone['init_cfg'] = dict(
        type='PretrainedSkeleton',
        checkpoint=checkpoint,
        prefix='backbone.',
        source_layout='nturgb+d',
        target_layout='coco',
    )
    loader = DataLoader([torch.randn(1, 8, 17, 3)])
    loader.collate_fn = lambda batch: dict(inputs=torch.stack(batch))
    runner = Runner(
        Probe(backbone),
        work_dir=str(tmp_path),
        train_dataloader=loader,
        val_dataloader=loader,
        train_cfg=dict(by_epoch=True, max_epochs=1),
        val_cfg=dict(),
        val_evaluator=[Count()],
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
        custom_hooks=[LoadedWeightsHook()],
        default_hooks=dict(checkpoint=None),
        default_scope='mmaction',
        experiment_name=tmp_path.name,
    )
    model = runner.train()
    weights = torch.from_numpy(map_layout('nturgb+d', 'coco')[0])
    assert torch.equal(model.backbone.joint_table, weights @ encoder.joint_table)
    assert runner.message_hub.get_scalar('val/count').current() == 1
