import copy

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import CheckpointLoader

from fdmae_mm import files
from fdmae_mm.apis import find_config, load_model
from fdmae_mm.apis.loading import override, read_weights
from fdmae_mm.files import shipped

FINETUNE = 'finetune_synthetic'
NUM_CLASSES = 20


@pytest.fixture(autouse=True)
def _scope():
    init_default_scope('mmaction')


@pytest.fixture
def finetuned(tmp_path):
    """A config with a tiny model, and a checkpoint of it as a runner writes one."""
    cfg = Config.fromfile(find_config(FINETUNE))
    cfg.merge_from_dict(
        {
            'model.backbone': dict(embed_dims=8, depth=1, num_heads=2),
            'model.cls_head': dict(in_channels=8, hidden_dims=8),
        }
    )
    path = tmp_path / 'model.pth'
    names = [f'action {i}' for i in range(NUM_CLASSES)]
    torch.save(
        dict(
            state_dict=MODELS.build(cfg.model).state_dict(),
            meta=dict(dataset_meta=dict(classes=names)),
        ),
        path,
    )
    return cfg, path


def test_model_has_the_weights_of_the_checkpoint(finetuned):
    cfg, path = finetuned
    loaded = load_model(cfg, path, device='cpu')
    assert not loaded.model.training
    expected = torch.load(path)['state_dict']
    found = loaded.model.state_dict()
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in found)
    assert loaded.classes[3] == 'action 3'
    assert loaded.layout.name == loaded.source_layout.name == 'nturgb+d'


def test_pipeline_is_that_of_a_test(finetuned, synthetic_annotation):
    loaded = load_model(*finetuned, device='cpu')
    clip = synthetic_annotation['annotations'][0]
    packed = loaded.pipeline(dict(clip, start_index=0, modality='Pose'))
    backbone = loaded.cfg.model.backbone
    shape = (1, 2, backbone.clip_len, backbone.num_joints, 3)  # (K, M, T, V, C)
    assert packed['inputs'].shape == shape
    assert 'mask' not in packed['data_samples']


def test_pipeline_of_joined_data_sets_is_that_of_the_first(finetuned):
    cfg, path = finetuned
    one = load_model(cfg, path, device='cpu')
    cfg = copy.deepcopy(cfg)
    part = cfg.eval_dataloader.dataset
    cfg.eval_dataloader.dataset = dict(type='ConcatDataset', datasets=[part, part])
    both = load_model(cfg, path, device='cpu')
    assert repr(both.pipeline) == repr(one.pipeline)


def test_layouts_before_and_after_a_mapping(finetuned):
    cfg, path = finetuned
    pipeline = cfg.eval_dataloader.dataset.pipeline
    pipeline.insert(0, dict(type='MapSkeleton', source='h36m', target='nturgb+d'))
    loaded = load_model(cfg, path, device='cpu')
    assert (loaded.source_layout.name, loaded.layout.name) == ('h36m', 'nturgb+d')


def test_options_come_before_the_model_is_built(finetuned):
    cfg, path = finetuned
    loaded = load_model(cfg, path, 'cpu', {'model.cls_head.dropout': 0.75})
    assert loaded.model.cls_head.dropout.p == 0.75
    assert 'dropout' not in cfg.model.cls_head  # it is the caller's


def test_a_checkpoint_without_meta_data_is_taken(finetuned):
    cfg, path = finetuned
    torch.save(dict(torch.load(path), meta=None), path)
    assert load_model(cfg, path).classes is None


def test_checkpoint_without_a_head_is_refused(finetuned):
    cfg, path = finetuned
    checkpoint = torch.load(path)
    for name in [n for n in checkpoint['state_dict'] if n.startswith('cls_head')]:
        del checkpoint['state_dict'][name]
    torch.save(checkpoint, path)
    with pytest.raises(ValueError, match=r'model.pth has no weights for cls_head'):
        load_model(cfg, path)


def test_another_number_of_heads_is_refused(finetuned):
    cfg, path = finetuned
    checkpoint = torch.load(path)
    checkpoint['meta']['cfg'] = cfg.pretty_text
    torch.save(checkpoint, path)
    load_model(cfg, path, device='cpu')
    with pytest.raises(ValueError, match=r'num_heads=2, and the config has 4:'):
        load_model(cfg, path, 'cpu', {'model.backbone.num_heads': 4})


def test_what_is_no_checkpoint_of_the_model_is_named(finetuned):
    cfg, path = finetuned
    other = Config(copy.deepcopy(cfg.to_dict()))
    other.model.backbone.embed_dims = other.model.cls_head.in_channels = 16
    with pytest.raises(ValueError, match=r'model.pth does not fit the model of '):
        load_model(other, path)
    for content in (b'', b'words', path.read_bytes()[:1000]):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r'model.pth was not read, it is damaged'):
            load_model(cfg, path)
    torch.save([1], path)
    with pytest.raises(ValueError, match=r'model.pth holds a list'):
        load_model(cfg, path)


def test_a_lack_of_memory_is_no_damage(finetuned, monkeypatch):
    """A resumed run would pass the checkpoint over."""
    _, path = finetuned

    def short(*_):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: 120 bytes")

    monkeypatch.setattr(CheckpointLoader, 'load_checkpoint', short)
    with pytest.raises(MemoryError, match=r"model.pth was not read: .*can't allocate"):
        read_weights(path)


def test_neighbours_get_their_bank(tmp_path, synthetic_ann_file):
    cfg = Config.fromfile(find_config('knn_synthetic'))
    size = dict(embed_dims=8, depth=1, num_heads=2)
    cfg.merge_from_dict({'model.backbone': size, 'model.cls_head.in_channels': 8})
    cfg.bank_dataloader.dataset.update(ann_file=synthetic_ann_file, indices=6)
    cfg.bank_dataloader.num_workers = 0
    path = tmp_path / 'pretrained.pth'
    torch.save(dict(state_dict=MODELS.build(cfg.model).state_dict()), path)
    loaded = load_model(cfg, path, device='cpu')
    assert loaded.model.cls_head.bank.shape == (6, 8)
    assert len(loaded.classes) == NUM_CLASSES


def test_config_is_found_by_path_and_by_name(tmp_path):
    found = find_config('linear_nw-ucla_small')
    assert found == shipped('configs', 'benchmarks/linear/linear_nw-ucla_small.py')
    assert find_config('linear_nw-ucla_small.py') == find_config(str(found)) == found
    own = tmp_path / 'own.py'
    own.touch()
    assert find_config(own) == own


@pytest.mark.parametrize('name', ['linear_nw-ucla_smal', 'nowhere/fdmae_ntu60.py'])
def test_unknown_config_names_what_comes_close(name):
    with pytest.raises(FileNotFoundError, match=r'no config .*Did you mean ') as error:
        find_config(name)
    assert name in str(error.value)


def test_files_of_a_wheel_are_in_its_mim_folder(tmp_path, monkeypatch):
    package = tmp_path / 'fdmae_mm'
    package.mkdir()
    monkeypatch.setattr(files, '__file__', str(package / 'files.py'))
    assert shipped('configs') == tmp_path / 'configs'
    (package / '.mim').mkdir()
    assert shipped('configs', 'a.py') == package / '.mim' / 'configs' / 'a.py'


def test_settings_that_a_config_need_not_have(tmp_path):
    (tmp_path / 'own.py').write_text('model = dict(depth=1)')
    cfg = Config.fromfile(tmp_path / 'own.py')
    override(cfg, {'compile': True, 'load_from': 'x', 'model.width': 2})
    assert cfg.compile and cfg.load_from == 'x' and cfg.model == dict(depth=1, width=2)
    with pytest.raises(
        ValueError, match=r'modl\.depth is no setting of .*own\.py.*model\?'
    ):
        override(cfg, {'modl.depth': 2})
    assert 'modl' not in cfg
    override(cfg, None)


@pytest.mark.parametrize(
    'key',
    ['masking.0.mask_ratio', 'train_view.1.clip_len', 'num_joints', 'source.ann_file'],
)
def test_names_by_which_a_config_was_put_together_are_no_settings(key):
    """MMEngine has put their values where they are read, and would change nothing."""
    cfg = Config.fromfile(find_config('mae_nw-ucla_small'))
    with pytest.raises(ValueError, match=rf'{key} would change nothing: .*mae_nw-ucla'):
        override(cfg, {key: 1})
    override(cfg, {'train_dataloader.dataset.dataset.pipeline.4.mask_ratio': 0.5})
    masking = cfg.train_dataloader.dataset.dataset.pipeline[4]
    assert masking == dict(type='RandomSkeletonMasking', mask_ratio=0.5) | {
        k: v for k, v in masking.items() if k not in ('type', 'mask_ratio')
    }
    for read in ('eval_dataloader.batch_size', 'bank_dataloader.batch_size'):
        override(cfg, {read: 1})
