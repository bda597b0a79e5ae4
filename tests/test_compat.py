"""Each work-around is needed on the released stack and idle on a healthy one.

What can be seen in this process, where importing the package applied everything, is
tested here; packages that must look missing take a process of their own.
"""

import importlib.util
import json
import os
import pickle
import pkgutil
import subprocess
import sys
import textwrap
import types
import warnings
import zipfile
from functools import partial
from pathlib import Path

import mmengine.dist.utils
import mmengine.optim.optimizer.amp_optimizer_wrapper as amp_module
import mmengine.runner.checkpoint
import numpy as np
import pytest
import torch
from mmengine.config import Config, ConfigDict
from mmengine.logging import HistoryBuffer
from mmengine.model import BaseModel, MMDistributedDataParallel
from mmengine.optim import DefaultOptimWrapperConstructor, build_optim_wrapper
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

from fdmae_mm import compat

ROOT = Path(__file__).parents[1]
without_gpu = pytest.mark.skipif(
    torch.cuda.is_available(), reason='works around the lack of a GPU'
)


@pytest.fixture
def with_gpu(monkeypatch):
    """Let compat believe that mmengine found a GPU."""
    monkeypatch.setattr(compat, 'get_device', lambda: 'cuda')


def run_python(code, missing=()):
    """Run code in a new process in which some modules cannot be imported."""
    hide = f'import sys; sys.modules.update(dict.fromkeys({missing!r}))\n'
    return subprocess.run(
        [sys.executable, '-c', hide + textwrap.dedent(code)],
        cwd=ROOT,
        env={**os.environ, 'PYTHONPATH': str(ROOT)},
        capture_output=True,
        text=True,
    )


# apply ------------------------------------------------------------------------


def test_apply_runs_once_and_its_record_is_read_only():
    stock_init = MMDistributedDataParallel.__init__
    compat.apply()
    assert MMDistributedDataParallel.__init__ is stock_init
    with pytest.raises(TypeError):
        compat.APPLIED['stub_drn'] = ''


def test_apply_records_why():
    work_arounds = compat._WORK_AROUNDS + compat._MMPOSE_WORK_AROUNDS
    known = {work_around.__name__ for work_around in work_arounds}
    assert set(compat.APPLIED) <= known
    assert all(compat.APPLIED.values())


def test_missing_mmcv_says_what_to_install():
    result = run_python('import fdmae_mm', missing=['mmcv'])
    assert result.returncode != 0
    assert 'ImportError: fdmae_mm needs mmcv' in result.stderr
    assert 'pip install "mmcv-lite>=2.1.0,<2.2"' in result.stderr


# mmcv-lite ------------------------------------------------------------------------


def test_mmcv_lite_is_imported_silently():
    result = run_python('import fdmae_mm')
    assert result.returncode == 0
    assert 'MultiScaleDeformableAttention' not in result.stderr


def test_a_full_mmcv_may_warn(monkeypatch):
    monkeypatch.setitem(
        sys.modules,
        'mmcv._ext',
        types.SimpleNamespace(__spec__=types.SimpleNamespace()),
    )
    with warnings.catch_warnings():
        warnings.resetwarnings()
        assert compat.quiet_mmcv_lite() is None
        assert not warnings.filters


# importlib_metadata and pkg_resources -------------------------------------------


@pytest.fixture(scope='module')
def fresh_process():
    """What a process without importlib_metadata and pkg_resources sees.

    It also holds the process group, which would outlive its test here.
    """
    code = """
        import json
        import os
        import sys
        import mmengine
        import torch
        import fdmae_mm.apis.video
        from mmengine.config import Config
        from mmengine.dist import init_dist
        from mmengine.model import MMDistributedDataParallel
        from fdmae_mm import compat
        from mmaction.utils.dependency import satisfy_requirement

        def attempt(function, *args, **kwargs):
            try:
                return function(*args, **kwargs)
            except Exception as error:
                return repr(error)

        def launch():
            store = torch.distributed.TCPStore('127.0.0.1', 0, is_master=True)
            os.environ.update(
                RANK='0', LOCAL_RANK='0', WORLD_SIZE='1', MASTER_ADDR='127.0.0.1',
                MASTER_PORT=str(store.port),
                TORCHELASTIC_USE_AGENT_STORE='True')  # join that store, open none
            init_dist('pytorch', backend='nccl')
            return torch.distributed.get_backend()

        def wrap():
            if not torch.distributed.is_initialized():
                torch.distributed.init_process_group(
                    'gloo', store=torch.distributed.HashStore(), rank=0, world_size=1)
            model = MMDistributedDataParallel(
                torch.nn.Linear(1, 1), device_ids=[0], find_unused_parameters=True)
            return [model.device_ids, model.find_unused_parameters]

        print(json.dumps(dict(
            applied=list(compat.APPLIED),
            mmpose=[name for name in sys.modules if name.split('.')[0] == 'mmpose'],
            satisfied=[satisfy_requirement('numpy>=1.0'),
                       satisfy_requirement('numpy>=99')],
            installed=attempt(lambda: [
                mmengine.utils.is_installed(name)
                for name in ('mmaction2', 'mmaction', 'no_such_package')]),
            distribution_path=attempt(mmengine.utils.get_installed_path, 'mmaction2'),
            module_path=attempt(mmengine.utils.get_installed_path, 'mmaction'),
            unknown=attempt(mmengine.utils.get_installed_path, 'no_such_package'),
            base=attempt(lambda: Config.fromstring(
                "_base_ = 'mmaction::_base_/default_runtime.py'", '.py'
            ).default_scope),
            backend=attempt(launch),
            wrapped=attempt(wrap),
        )), flush=True)
        torch.distributed.destroy_process_group()
        """
    result = run_python(code, missing=['importlib_metadata', 'pkg_resources'])
    assert result.stdout, result.stderr
    return json.loads(result.stdout.splitlines()[-1])


def test_importlib_metadata_is_aliased(fresh_process):
    assert 'alias_importlib_metadata' in fresh_process['applied']
    assert fresh_process['satisfied'] == [True, False]


def test_importlib_metadata_is_left_alone_where_installed(monkeypatch):
    backport = types.ModuleType('importlib_metadata')
    backport.__spec__ = types.SimpleNamespace()
    monkeypatch.setitem(sys.modules, 'importlib_metadata', backport)
    assert compat.alias_importlib_metadata() is None
    assert sys.modules['importlib_metadata'] is backport


def test_optimizers_are_built_where_python_lacks_find_loader():
    code = """
        import pkgutil
        if hasattr(pkgutil, 'find_loader'):  # Python < 3.14
            del pkgutil.find_loader
        import fdmae_mm
        import torch
        from mmengine.optim import build_optim_wrapper
        config = dict(optimizer=dict(type='AdamW', lr=1e-3))
        build_optim_wrapper(torch.nn.Linear(2, 2), config)
        print('restore_find_loader' in fdmae_mm.compat.APPLIED)
        """
    result = run_python(code)
    assert result.stdout.endswith('True\n'), result.stderr


def test_find_loader_is_left_alone_where_python_has_it(monkeypatch):
    monkeypatch.setattr(pkgutil, 'find_loader', len, raising=False)
    assert compat.restore_find_loader() is None
    assert pkgutil.find_loader is len


def test_packages_are_found_without_pkg_resources(fresh_process):
    import mmaction

    folder = str(Path(mmaction.__file__).parent)
    assert 'replace_pkg_resources' in fresh_process['applied']
    assert fresh_process['installed'] == [True, True, False]
    assert fresh_process['distribution_path'] == folder
    assert fresh_process['module_path'] == folder
    assert 'PackageNotFoundError' in fresh_process['unknown']


def test_configs_inherit_from_mmaction_without_pkg_resources(fresh_process):
    assert fresh_process['base'] == 'mmaction'


def test_package_utils_are_left_alone_where_pkg_resources_exists(monkeypatch):
    present = types.ModuleType('pkg_resources')
    present.__spec__ = types.SimpleNamespace()
    monkeypatch.setitem(sys.modules, 'pkg_resources', present)
    stock = mmengine.utils.get_installed_path
    assert compat.replace_pkg_resources() is None
    assert mmengine.utils.get_installed_path is stock


# numpy names ----------------------------------------------------------------------


def test_pose_transform_runs_on_this_numpy():
    from mmaction.datasets.transforms import PoseCompact

    keypoint = np.array([[[[10.0, 20.0], [30.0, 60.0]]]])
    results = PoseCompact(padding=0.0, threshold=1)(
        dict(img_shape=(100, 100), keypoint=keypoint)
    )
    # The box around (10, 20) and (30, 60).
    assert results['img_shape'] == (40, 20)


def test_numpy_names_mean_what_they_meant(monkeypatch):
    for name in ('trapz', 'in1d', 'Inf'):
        monkeypatch.delattr(np, name, raising=False)
    reason = compat.restore_numpy_names()
    assert 'Inf, trapz, in1d' in reason
    inf, trapz, in1d = (getattr(np, n) for n in ('Inf', 'trapz', 'in1d'))
    assert inf == float('inf')
    assert trapz([1.0, 2.0, 3.0]) == 4.0
    assert in1d([[1, 2], [3, 2]], [2]).tolist() == [False, True, False, True]


def test_numpy_is_left_alone_where_nothing_is_missing(monkeypatch):
    monkeypatch.setattr(np, 'Inf', 'stock', raising=False)
    assert compat.restore_numpy_names() is None
    assert vars(np)['Inf'] == 'stock'


# DRN ------------------------------------------------------------------------------


@pytest.fixture
def mmaction_clone(tmp_path, monkeypatch):
    """A stand-in for a git clone of mmaction2, not imported yet."""
    import mmaction

    folder = tmp_path / 'models' / 'localizers'
    folder.mkdir(parents=True)
    (folder / '__init__.py').write_text('from .drn.drn import DRN\n')
    monkeypatch.setattr(mmaction, '__file__', str(tmp_path / '__init__.py'))
    for name in [name for name in sys.modules if 'models.localizers' in name]:
        monkeypatch.delitem(sys.modules, name)
    return folder


def test_mmaction_models_can_be_imported():
    from mmaction.models.localizers import DRN

    assert DRN.__name__ == 'DRN'


def test_stub_of_drn_cannot_be_built():
    if 'stub_drn' not in compat.APPLIED:
        pytest.skip('this mmaction2 has DRN')
    from mmaction.registry import MODELS

    init_default_scope('mmaction')
    with pytest.raises(ImportError, match=r'DRN is not available.*git clone'):
        MODELS.build(dict(type='DRN', vocab_size=1301))


def test_drn_of_a_clone_is_kept(mmaction_clone, monkeypatch):
    (mmaction_clone / 'drn').mkdir()
    monkeypatch.setitem(sys.modules, 'torchvision', types.ModuleType('torchvision'))
    assert compat.stub_drn() is None
    assert 'mmaction.models.localizers.drn' not in sys.modules


def test_localizers_without_drn_are_left_alone(mmaction_clone):
    (mmaction_clone / '__init__.py').write_text('from .bmn import BMN\n')
    assert compat.stub_drn() is None


def test_drn_of_a_clone_is_replaced_where_torchvision_fails(
    mmaction_clone, monkeypatch
):
    from mmaction.registry import MODELS

    monkeypatch.setattr(MODELS, '_module_dict', {})
    monkeypatch.setitem(sys.modules, 'torchvision', None)
    (mmaction_clone / 'drn').mkdir()
    assert 'torchvision' in compat.stub_drn()
    assert 'DRN' in MODELS.module_dict


# Checkpoints ----------------------------------------------------------------------


class Call:
    """Pickles as the result of a function call."""

    def __init__(self, function, *args):
        self.function, self.args = function, args

    def __reduce__(self):
        return self.function, self.args

    def __call__(self):
        """Only there because pickle refuses to call what is not callable."""


def rename_in_checkpoint(path, old, new):
    """Replace a text in the pickle inside of a checkpoint."""
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, 'w') as archive:
        for name, content in files.items():
            if name.endswith('data.pkl'):
                content = content.replace(old, new)
            archive.writestr(name, content)


@pytest.mark.parametrize('written_by', ['numpy.core', 'numpy._core'])
def test_checkpoint_with_log_buffers_loads(tmp_path, written_by):
    path = tmp_path / 'epoch_1.pth'
    content = dict(
        loss=HistoryBuffer([1.0, 3.0], [1, 1]),
        accuracy=np.float64(0.5),
        count=np.array([1, 2]),
        nothing=np.array([], np.float32),
    )
    torch.save(content, path)
    here = np.array([]).__reduce__()[0].__module__.removesuffix('.multiarray')
    rename_in_checkpoint(path, here.encode(), written_by.encode())
    loaded = torch.load(path)
    assert loaded['loss'].mean() == 2.0
    assert loaded['loss'].statistics('max') == 3.0
    assert loaded['accuracy'] == 0.5
    assert loaded['count'].tolist() == [1, 2]
    assert loaded['nothing'].shape == (0,)


def shell_command(marker):
    return Call(os.system, f'touch {marker}')


def attribute_chain(marker):
    """os.system by getattr alone, from a class that a checkpoint may name."""
    names = Call(getattr, Call(getattr, HistoryBuffer, '__init__'), '__globals__')
    built_ins = Call(Call(getattr, names, '__getitem__'), '__builtins__')
    import_ = Call(Call(getattr, built_ins, '__getitem__'), '__import__')
    return Call(Call(getattr, Call(import_, 'os'), 'system'), f'touch {marker}')


def statistics_of_other_object(marker):
    return Call(getattr, Call(np.dtype, 'f8'), 'mean')


def bytes_of_a_number(marker):
    """Fills the memory, if the number is large."""
    return Call(bytes, 8)


def forged_pointer(marker):
    """A record whose bytes are declared to be a pointer to an object."""

    class ForgedDtype:
        def __reduce__(self):
            state = (
                3,
                '|',
                None,
                ('a',),
                {'a': (Call(np.dtype, 'O8', False, True), 0)},
                8,
                1,
                0,
            )
            return np.dtype, ('V8', False, True), state

    return ForgedDtype()


@pytest.mark.parametrize(
    'attack',
    [
        shell_command,
        attribute_chain,
        statistics_of_other_object,
        bytes_of_a_number,
        forged_pointer,
    ],
)
def test_malicious_checkpoint_is_refused(tmp_path, attack):
    marker = tmp_path / 'executed'
    torch.save(dict(state_dict={}, meta=attack(marker)), tmp_path / 'bad.pth')
    with pytest.raises((pickle.UnpicklingError, TypeError)):
        torch.load(tmp_path / 'bad.pth', weights_only=True)
    assert not marker.exists()


def test_malicious_checkpoint_at_a_url_is_refused(tmp_path):
    marker = tmp_path / 'executed'
    torch.save(dict(state_dict={}, meta=shell_command(marker)), tmp_path / 'bad.pth')
    with pytest.raises(pickle.UnpicklingError):
        mmengine.runner.checkpoint.load_url(
            (tmp_path / 'bad.pth').as_uri(), model_dir=str(tmp_path / 'cache')
        )
    assert not marker.exists()
    assert compat.download_checkpoints_without_code() is None  # not a second time


@pytest.mark.parametrize('attack', [shell_command, attribute_chain])
def test_malicious_checkpoint_would_run_its_command(tmp_path, attack):
    """Shows that the attacks above are some."""
    marker = tmp_path / 'executed'
    torch.save(attack(marker), tmp_path / 'bad.pth')
    torch.load(tmp_path / 'bad.pth', weights_only=False)
    assert marker.exists()


def test_nothing_is_allowed_where_checkpoints_load(monkeypatch):
    allowed = torch.serialization.get_safe_globals()
    monkeypatch.setattr(torch, 'load', partial(torch.load, weights_only=False))
    torch.serialization.clear_safe_globals()
    try:
        assert compat.allow_mmengine_checkpoints() is None
        assert torch.serialization.get_safe_globals() == []
    finally:
        torch.serialization.add_safe_globals(allowed)


# AMP ------------------------------------------------------------------------------


class Line(BaseModel):
    """One linear layer that records the dtype it computes in."""

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(2, 1)
        self.dtypes = set()

    def forward(self, inputs, mode='loss'):
        output = self.layer(torch.stack(inputs))
        self.dtypes.add(output.dtype)
        return dict(loss=output.float().pow(2).mean())


def build_runner(work_dir, epochs, resume=False, **optim_wrapper):
    return Runner(
        model=Line(),
        work_dir=str(work_dir),
        train_dataloader=dict(
            batch_size=2,
            dataset=[dict(inputs=torch.ones(2) * i) for i in range(4)],
            sampler=dict(type='DefaultSampler', shuffle=False),
        ),
        train_cfg=dict(by_epoch=True, max_epochs=epochs),
        optim_wrapper=dict(
            type='AmpOptimWrapper', optimizer=dict(type='SGD', lr=0.1), **optim_wrapper
        ),
        resume=resume,
        default_scope='mmengine',
        log_level='ERROR',
        experiment_name=work_dir.name + str(epochs),
    )


@without_gpu
@pytest.mark.parametrize(
    'settings',
    [dict(dtype='bfloat16'), dict(loss_scale=512.0, clip_grad=dict(max_norm=1.0))],
    ids=['bfloat16', 'default dtype, static scale'],
)
def test_amp_trains_saves_and_resumes_on_a_cpu(tmp_path, settings):
    runner = build_runner(tmp_path, epochs=1, **settings)
    before = runner.model.layer.weight.clone()
    runner.train()
    trained = runner.model.layer.weight
    assert runner.model.dtypes == {torch.bfloat16}
    assert trained.dtype == torch.float32
    assert not torch.equal(trained, before)

    resumed = build_runner(tmp_path, epochs=2, resume=True, **settings)
    resumed.load_or_resume()
    assert torch.equal(resumed.model.layer.weight, trained)
    resumed.train()
    assert resumed.iter == 4
    assert not torch.equal(resumed.model.layer.weight, trained)


@without_gpu
def test_loss_scaler_is_harmless_on_a_cpu():
    """A scaler that stayed on would scale the loss by 65536."""
    weight = torch.nn.Parameter(torch.ones(1))
    wrapper = amp_module.AmpOptimWrapper(optimizer=torch.optim.SGD([weight], lr=0.5))
    with wrapper.optim_context(torch.nn.Identity()):
        loss = (3 * weight).sum()
    wrapper.update_params(loss)
    assert weight.item() == pytest.approx(1 - 0.5 * 3)
    assert wrapper.loss_scaler.get_scale() == 1.0
    wrapper.load_state_dict(wrapper.state_dict())


def test_amp_is_left_alone_with_a_gpu(with_gpu, monkeypatch):
    def stock():
        return False

    monkeypatch.setattr(amp_module, 'is_cuda_available', stock)
    assert compat.allow_amp_on_cpu() is None
    assert amp_module.is_cuda_available is stock


def test_amp_is_left_alone_where_it_takes_a_cpu(monkeypatch):
    def stock():
        return True

    monkeypatch.setattr(compat, 'get_device', lambda: 'cpu')
    monkeypatch.setattr(amp_module, 'is_cuda_available', stock)
    assert compat.allow_amp_on_cpu() is None
    assert amp_module.is_cuda_available is stock


def test_a_compiled_step_takes_groups_of_parameters():
    model = torch.nn.Linear(2, 1)
    optimizer = dict(type='SGD', lr=0.5)
    grouped = dict(optimizer=optimizer, paramwise_cfg=dict(bias_lr_mult=0.0))
    wrapper = build_optim_wrapper(model, ConfigDict(grouped))
    before = [parameter.detach().clone() for parameter in model.parameters()]

    @torch.compile(backend='eager')  # as `compile=True` does, without generating code
    def step(x):
        wrapper.update_params(model(x).sum())

    step(torch.tensor([[1.0, 2.0]]))
    torch.testing.assert_close(model.weight, before[0] - torch.tensor([[0.5, 1.0]]))
    torch.testing.assert_close(model.bias, before[1])


def test_parameter_groups_are_left_alone_where_they_are_plain(monkeypatch):
    stock = DefaultOptimWrapperConstructor.__call__
    monkeypatch.setattr(compat, 'ConfigDict', types.SimpleNamespace)
    assert compat.unwrap_parameter_groups() is None
    assert DefaultOptimWrapperConstructor.__call__ is stock


def build_head():
    from mmaction.models import GCNHead

    init_default_scope('mmaction')
    return GCNHead(num_classes=3, in_channels=4, average_clips='prob')


def data_samples():
    from mmaction.structures import ActionDataSample

    return [ActionDataSample().set_gt_label(label) for label in (0, 2)]


def test_head_computes_loss_of_bfloat16_scores():
    scores = torch.tensor([[2.0, 0.0, 0.0], [0.0, 1.0, 0.0]], requires_grad=True)
    losses = build_head().loss_by_feat(scores.bfloat16(), data_samples())
    assert losses['top1_acc'] == 0.5
    assert losses['loss_cls'].dtype == torch.float32
    losses['loss_cls'].backward()
    assert scores.grad.abs().sum() > 0


def test_head_predicts_scores_that_a_metric_can_read():
    scores = torch.zeros(2, 3, dtype=torch.bfloat16)
    (sample, _) = build_head().predict_by_feat(scores, data_samples())
    np.testing.assert_allclose(sample.pred_score.numpy(), 1 / 3, rtol=1e-6)


def test_head_keeps_the_precision_of_other_scores():
    scores = torch.zeros(2, 3, dtype=torch.float16)
    (sample, _) = build_head().predict_by_feat(scores, data_samples())
    assert sample.pred_score.dtype == torch.float16


def test_head_that_takes_bfloat16_is_left_alone(monkeypatch):
    from mmaction.models.heads.base import BaseHead

    def stock(self, cls_scores, data_samples):
        return {}

    monkeypatch.setattr(BaseHead, 'loss_by_feat', stock)
    assert compat.upcast_bfloat16_scores() is None
    assert BaseHead.loss_by_feat is stock


def test_history_does_not_grow_with_a_run():
    """MMEngine copies it in every step and saves it in every checkpoint."""
    history = HistoryBuffer([1.0] * 10_000, [1] * 10_000)
    history.update(3.0)
    assert len(history.data[0]) == len(history.data[1]) == 10_000
    assert history.current() == 3 and history.mean(2) == 2


def test_history_is_left_alone_where_it_is_short():
    before = HistoryBuffer.__init__
    assert compat.shorten_history() is None
    assert HistoryBuffer.__init__ is before


# bases of configs ----------------------------------------------------------------


@pytest.mark.parametrize(
    'name', ['fdmae_nw-ucla_small', 'benchmarks/knn/knn_sbu_small']
)
def test_a_config_anywhere_inherits_from_those_of_the_package(tmp_path, name):
    config = tmp_path / 'mine.py'
    config.write_text(f"_base_ = 'fdmae_mm::{name}.py'\nseed = _base_.default_scope\n")
    mine = Config.fromfile(config).to_dict()
    assert mine.pop('seed') == 'mmaction'
    # No dict is given a scope, in which nothing is registered.
    assert mine == Config.fromfile(ROOT / f'configs/{name}.py').to_dict()


def test_a_config_that_the_package_lacks_is_named(tmp_path):
    config = tmp_path / 'mine.py'
    config.write_text("_base_ = 'fdmae_mm::fdmae_kinetics.py'\n")
    with pytest.raises(
        FileNotFoundError, match=r'mine\.py inherits from fdmae_mm::fdm'
    ):
        Config.fromfile(config)


def test_bases_are_left_alone_where_mmengine_knows_the_package(monkeypatch):
    monkeypatch.setitem(compat.MODULE2PACKAGE, 'fdmae_mm', 'fdmae_mm')
    stock = Config._get_cfg_path
    assert compat.inherit_from_this_package() is None
    assert Config._get_cfg_path is stock


# Distributed training -------------------------------------------------------------


@without_gpu
def test_pytorch_launcher_uses_gloo_for_nccl(fresh_process):
    assert fresh_process['backend'] == 'gloo'


@without_gpu
def test_model_on_the_cpu_is_wrapped_despite_device_ids(fresh_process):
    device_ids, find_unused_parameters = fresh_process['wrapped']
    assert device_ids is None
    assert find_unused_parameters is True


def test_distributed_training_is_left_alone_with_a_gpu(with_gpu):
    stock_init = MMDistributedDataParallel.__init__
    stock_launch = mmengine.dist.utils._init_dist_pytorch
    assert compat.drop_ddp_device_ids() is None
    assert compat.use_gloo_without_gpu() is None
    assert MMDistributedDataParallel.__init__ is stock_init
    assert mmengine.dist.utils._init_dist_pytorch is stock_launch


@without_gpu
@pytest.mark.parametrize('launcher', ['slurm', 'mpi'])
def test_other_launchers_use_gloo_for_nccl(launcher, monkeypatch):
    names = dict(
        slurm=dict(PROCID='1', NTASKS='2', NODELIST='a', LOCALID='1'),
        mpi=dict(LOCAL_RANK='1', SIZE='2', RANK='1'),
    )
    prefix = dict(slurm='SLURM_', mpi='OMPI_COMM_WORLD_')[launcher]
    monkeypatch.setattr(os, 'environ', dict(MASTER_ADDR='localhost'))
    os.environ.update({prefix + name: v for name, v in names[launcher].items()})
    started = []
    monkeypatch.setattr(
        torch.distributed,
        'init_process_group',
        lambda backend, **_: started.append((backend, os.environ['RANK'])),
    )
    monkeypatch.setattr(subprocess, 'getoutput', lambda _: 'localhost')
    getattr(mmengine.dist.utils, f'_init_dist_{launcher}')('nccl')
    assert started == [('gloo', '1')]


@without_gpu
def test_other_launch_backends_are_not_replaced_by_gloo(monkeypatch):
    monkeypatch.setenv('RANK', '0')
    monkeypatch.setenv('LOCAL_RANK', '0')
    with pytest.raises(ImportError, match='deepspeed'):
        mmengine.dist.utils._init_dist_pytorch('nccl', init_backend='deepspeed')
    assert not torch.distributed.is_initialized()


# mmpose ---------------------------------------------------------------------------

needs_mmpose = pytest.mark.skipif(
    importlib.util.find_spec('mmpose') is None,
    reason='mmpose is not installed: pip install --no-deps mmpose==1.3.2',
)


def test_mmpose_is_imported_only_when_asked_for(fresh_process):
    assert fresh_process['mmpose'] == []
    assert not set(fresh_process['applied']) & {
        work_around.__name__ for work_around in compat._MMPOSE_WORK_AROUNDS
    }


def test_missing_mmpose_says_what_to_install(monkeypatch):
    monkeypatch.setattr(compat, '_MMPOSE', ('json', 'no_such_package'))
    with pytest.raises(ImportError) as error:
        compat.require_mmpose.__wrapped__()
    assert 'Poses from videos need no_such_package, which' in str(error.value)
    assert 'pip install "fdmae_mm[pose]"' in str(error.value)
    assert 'pip install --no-deps mmpose==1.3.2' in str(error.value)


@needs_mmpose
def test_mmpose_can_be_imported():
    compat.require_mmpose()
    import mmpose.apis
    from mmpose.models.heads import RTMCCHead

    assert mmpose.__version__.startswith('1.3')
    assert RTMCCHead.__module__.startswith('mmpose')


@needs_mmpose
@pytest.mark.parametrize(
    ('name', 'module'),
    [
        ('stub_simcc_visualizer', 'mmpose.visualization.simcc_vis'),
        ('stub_edpose_head', 'mmpose.models.heads.transformer_heads'),
        ('stub_rtmo_head', 'mmpose.models.heads.hybrid_heads.rtmo_head'),
    ],
)
def test_stubs_of_mmpose_cannot_be_built(name, module):
    compat.require_mmpose()
    if name not in compat.APPLIED:
        pytest.skip('what it needs is installed')
    (stub,) = (kind for kind in vars(sys.modules[module]).values() if callable(kind))
    with pytest.raises(ImportError, match=f'{stub.__name__} is not available'):
        stub()


def test_module_that_can_be_imported_is_not_stubbed():
    assert compat._stub_where_missing('json', 'no_such_module', 'Thing') is None
    assert 'no_such_module' not in sys.modules


def test_imported_module_is_not_stubbed():
    stock = sys.modules['json']
    assert compat._stub_where_missing('no_such_module', 'json', 'Thing') is None
    assert sys.modules['json'] is stock


def test_xtcocotools_is_left_alone_where_installed(monkeypatch):
    stock = types.ModuleType('xtcocotools.coco')
    parent = types.ModuleType('xtcocotools')
    parent.coco = stock
    monkeypatch.setitem(sys.modules, 'xtcocotools', parent)
    monkeypatch.setitem(sys.modules, 'xtcocotools.coco', stock)
    assert compat.alias_xtcocotools() is None
    assert sys.modules['xtcocotools.coco'] is stock


def test_pycocotools_stand_in_for_xtcocotools(monkeypatch):
    coco = pytest.importorskip('pycocotools.coco')
    for name in ('', '.coco', '.cocoeval', '.mask'):
        monkeypatch.setitem(sys.modules, f'xtcocotools{name}', None)
    assert 'xtcocotools' in compat.alias_xtcocotools()
    from xtcocotools.coco import COCO

    assert COCO is coco.COCO
