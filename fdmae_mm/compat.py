"""Work-arounds for released versions of the packages underneath.

This is the only module that patches them. A work-around is one function: it says
what breaks and when it can go, tests for the breakage first, and leaves a healthy
stack alone. :func:`apply` runs them, and must have run before anything imports
``mmaction.models``; importing :mod:`fdmae_mm` sees to that. Those for mmpose, which is
optional, are run by :func:`require_mmpose`, where mmpose is asked for.
"""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import importlib.util
import inspect
import io
import pickle
import pkgutil
import sys
import types
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from unittest import mock

import mmengine.dist.utils
import mmengine.optim.optimizer.amp_optimizer_wrapper as amp_module
import mmengine.runner.checkpoint
import mmengine.utils.package_utils
import numpy as np
import torch
from mmengine.config import Config, ConfigDict
from mmengine.config.utils import MODULE2PACKAGE
from mmengine.device import get_device
from mmengine.logging import HistoryBuffer
from mmengine.model import MMDistributedDataParallel
from mmengine.optim import DefaultOptimWrapperConstructor

from .files import shipped

_applied: dict[str, str] = {}

#: Name of each work-around that was needed here -> why it was.
APPLIED: Mapping[str, str] = MappingProxyType(_applied)


@functools.cache
def apply() -> None:
    """Run every work-around once; a second call does nothing.

    Raises:
        ImportError: If mmcv is not installed.
    """
    _require_mmcv()
    _run(_WORK_AROUNDS)


@functools.cache
def require_mmpose() -> None:
    """Run the work-arounds for mmpose once, such that ``import mmpose.apis`` succeeds.

    Raises:
        ImportError: If mmpose or what it imports is not installed.
    """
    # pip cannot install mmpose 1.3.2 by itself: it requires chumpy, which does not
    # build and is never imported, and xtcocotools, which has few wheels.
    missing = [name for name in _MMPOSE if importlib.util.find_spec(name) is None]
    if missing:
        raise ImportError(
            f'Poses from videos need {", ".join(missing)}, which is not installed. Run '
            '`pip install "fdmae_mm[pose]"` (or `pip install json_tricks munkres six '
            'pycocotools`), then `pip install --no-deps mmpose==1.3.2`.'
        )
    _run(_MMPOSE_WORK_AROUNDS)


def _run(work_arounds: tuple[Callable[[], str | None], ...]) -> None:
    for work_around in work_arounds:
        reason = work_around()
        if reason is not None:
            _applied[work_around.__name__] = reason


def _require_mmcv() -> None:
    """Say what to install, as pip cannot.

    mmcv and mmcv-lite own the same folder, so requiring either would overwrite the
    other one in a user's environment.
    """
    if importlib.util.find_spec('mmcv') is None:
        raise ImportError(
            'fdmae_mm needs mmcv, which is not installed. Run `pip install '
            '"mmcv-lite>=2.1.0,<2.2"` (or `pip install "fdmae_mm[lite]"`), or '
            'install a full mmcv >= 2.0, < 2.2.'
        )


def quiet_mmcv_lite() -> str | None:
    """Let mmcv-lite be imported without a warning to install mmcv in its place.

    Cause: ``mmcv.cnn`` of 2.1.0 warns in every process that it lacks an operator of
    images, which nothing here uses. Nothing to do with a full mmcv.
    """
    # TODO: drop with an mmcv-lite > 2.1.0 that imports silently.
    if importlib.util.find_spec('mmcv._ext') is not None:
        return None
    warnings.filterwarnings('ignore', r'Fail to import ``MultiScaleDeformableAttention')
    return 'mmcv-lite warns in every process that an operator of images is missing'


def alias_importlib_metadata() -> str | None:
    """Let the standard library stand in for the backport importlib_metadata.

    Cause: ``mmaction.utils.dependency`` of mmaction2 1.2.0 imports the backport,
    which mmaction2 does not declare. Nothing to do where it is installed.
    """
    # TODO: drop with an mmaction2 > 1.2.0 that declares importlib_metadata.
    if importlib.util.find_spec('importlib_metadata') is not None:
        return None
    sys.modules['importlib_metadata'] = importlib.metadata
    return 'importlib_metadata, which mmaction imports, is not installed'


def restore_numpy_names() -> str | None:
    """Put back the names that numpy 2 removed and mmaction still uses.

    Cause: PoseC3D's transforms of mmaction2 1.2.0 use ``np.Inf``, its metrics
    ``np.trapz`` and ``np.in1d``. Nothing to do where numpy has all of them.
    """
    # TODO: drop with an mmaction2 > 1.2.0 that runs on numpy 2.
    missing = [name for name in _NUMPY_NAMES if not hasattr(np, name)]
    for name in missing:
        setattr(np, name, _NUMPY_NAMES[name]())
    if not missing:
        return None
    return f'numpy {np.__version__} lacks {", ".join(missing)}, which mmaction uses'


def _in1d(ar1, ar2, **kwargs):
    """``np.isin`` on the flattened first array, as ``np.in1d`` was."""
    return np.isin(np.ravel(ar1), ar2, **kwargs)


# Called only where the name is missing: numpy 1 has no `trapezoid`.
_NUMPY_NAMES = {
    'Inf': lambda: np.inf,
    'trapz': lambda: np.trapezoid,
    'in1d': lambda: _in1d,
}


def restore_find_loader() -> str | None:
    """Put back ``pkgutil.find_loader``, which Python 3.14 removed.

    Cause: mmengine 0.10.7 asks it for the operators of a full mmcv whenever it builds
    an optimizer. Nothing to do where Python has it.
    """
    # TODO: drop with an mmengine > 0.10.7 that asks importlib.
    if hasattr(pkgutil, 'find_loader'):
        return None
    pkgutil.find_loader = importlib.util.find_spec  # which is None for the same names
    return 'this Python lacks pkgutil.find_loader, which mmengine calls'


def replace_pkg_resources() -> str | None:
    """Make ``mmengine.utils.package_utils`` work without pkg_resources.

    Cause: mmengine 0.10.7 finds installed packages by pkg_resources, which left
    setuptools in release 81; ``mmaction::`` bases in configs need it. Nothing to do
    where pkg_resources is importable.
    """
    # TODO: drop with an mmengine > 0.10.7 that does not import pkg_resources.
    if importlib.util.find_spec('pkg_resources') is not None:
        return None
    for replacement in (_is_installed, _get_installed_path, _package2module):
        name = replacement.__name__[1:]
        stock = getattr(mmengine.utils.package_utils, name)
        # The functions were copied by `from ... import` as well.
        for module in list(sys.modules.values()):
            if getattr(module, '__dict__', {}).get(name) is stock:
                setattr(module, name, replacement)
    return 'pkg_resources, which mmengine imports, is not in this setuptools'


def _is_installed(package: str) -> bool:
    """Whether a distribution or a module of that name is installed."""
    try:
        importlib.metadata.distribution(package)
    except importlib.metadata.PackageNotFoundError:
        spec = importlib.util.find_spec(package)
        return spec is not None and spec.origin is not None
    return True


def _get_installed_path(package: str) -> str:
    """Folder of a package, given the name of its distribution or of its module.

    Raises:
        PackageNotFoundError: If there is neither.
        RuntimeError: If it is a namespace package, which has no single folder.
    """
    try:
        distribution = importlib.metadata.distribution(package)
    except importlib.metadata.PackageNotFoundError:
        if importlib.util.find_spec(package) is None:
            raise
        module = package
    else:
        path = Path(distribution.locate_file(package))
        if path.exists():
            return str(path)
        module = _package2module(package)
    # Unlike a path beside the metadata, this also finds an editable install.
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise RuntimeError(
            f'{package}: its module {module} is missing or is a namespace package, '
            'so it has no folder. Reinstall it, or name the package that holds it.'
        )
    return str(Path(spec.origin).parent)


def _package2module(package: str) -> str:
    """Name of the first top-level module of a distribution.

    Raises:
        ValueError: If the distribution does not list its top-level modules.
    """
    names = importlib.metadata.distribution(package).read_text('top_level.txt')
    if not names:
        raise ValueError(f'can not infer the module name of {package}')
    return names.split('\n')[0]


def stub_drn() -> str | None:
    """Let ``import mmaction.models`` succeed without the localizer DRN.

    Cause: ``mmaction.models.localizers`` imports ``.drn.drn``, a folder that the
    wheel of mmaction2 1.2.0 lacks; in a git clone that folder imports torchvision,
    which may be missing or not fit the installed torch. Nothing to do where the
    folder is there and torchvision imports, or where nothing imports DRN.
    """
    # TODO: drop with an mmaction2 > 1.2.0 whose wheel holds localizers/drn.
    package = 'mmaction.models.localizers'
    if package in sys.modules:
        return None
    import mmaction

    folder = Path(mmaction.__file__).parent / 'models' / 'localizers'
    if 'drn' not in (folder / '__init__.py').read_text():
        return None
    if (folder / 'drn').is_dir():
        try:
            import torchvision  # noqa: F401
        except Exception as error:  # a torchvision for another torch: RuntimeError
            reason = f'torchvision, which mmaction imports for DRN, fails: {error}'
        else:
            return None
    else:
        reason = f'{folder / "drn"}, which mmaction imports, was not installed'

    from mmaction.registry import MODELS

    @MODELS.register_module()
    class DRN(torch.nn.Module):
        """Takes the place of mmaction's DRN and cannot be built."""

        def __init__(self, *args, **kwargs) -> None:
            raise ImportError(
                f'DRN is not available: {reason}. Install mmaction2 from a git '
                'clone, and a torchvision that fits the installed torch.'
            )

    outer = types.ModuleType(f'{package}.drn')
    outer.__path__ = []  # marks it as a package, so that drn.drn can be imported
    inner = types.ModuleType(f'{package}.drn.drn')
    inner.DRN = DRN
    sys.modules[outer.__name__] = outer
    sys.modules[inner.__name__] = inner
    return reason


def allow_mmengine_checkpoints() -> str | None:
    """Let ``torch.load`` read mmengine's checkpoints without running pickled code.

    Cause: torch >= 2.6 loads with ``weights_only=True``, and mmengine 0.10.7 saves
    its :class:`HistoryBuffer`, numpy arrays and numpy scalars beside the weights.
    Nothing to do where such a checkpoint loads.

    Checkpoints written under numpy 1 and under numpy 2 name the same functions
    differently; both names are allowed. ``builtins.getattr``, by which pickle finds
    the statistics of a HistoryBuffer, is replaced by a function that answers for
    nothing else, and ``builtins.bytes``, by which it writes an array without elements,
    by one that takes no argument. Object and void dtypes stay forbidden: their pickled
    state can declare raw bytes of the file to be pointers to Python objects.
    """
    # TODO: drop with an mmengine > 0.10.7 that loads its own checkpoints under
    # weights_only=True. One that passes weights_only=False would run pickled code.
    checkpoint = io.BytesIO()
    torch.save(HistoryBuffer([1.0], [1]), checkpoint)
    checkpoint.seek(0)
    try:
        torch.load(checkpoint)
    except pickle.UnpicklingError:
        pass
    else:
        return None

    multiarray = sys.modules[np.array([]).__reduce__()[0].__module__]
    dtypes = [
        dtype
        for dtype in vars(np.dtypes).values()
        if isinstance(dtype, type)
        and dtype not in (np.dtypes.ObjectDType, np.dtypes.VoidDType)
    ]
    torch.serialization.add_safe_globals(
        [
            HistoryBuffer,
            np.ndarray,
            np.dtype,
            *dtypes,
            *(
                (getattr(multiarray, function), f'{module}.{function}')
                for module in ('numpy.core.multiarray', 'numpy._core.multiarray')
                for function in ('_reconstruct', 'scalar')
            ),
            (_getattr_of_history_buffer, 'builtins.getattr'),
            (_empty_bytes, 'builtins.bytes'),
        ]
    )
    return f'torch {torch.__version__} refuses the HistoryBuffer that mmengine saves'


def download_checkpoints_without_code() -> str | None:
    """Let mmengine read a checkpoint at a URL without running pickled code.

    Cause: mmengine 0.10.7 reads it by ``torch.hub.load_state_dict_from_url``, which, up
    to torch 2.13, takes ``weights_only=False`` where ``torch.load`` no longer does.
    Nothing to do where the two have the same default.
    """
    # TODO: drop with an mmengine > 0.10.7 that passes weights_only=True, or with a
    # torch whose default that is.
    load_url = mmengine.runner.checkpoint.load_url
    option = inspect.signature(load_url).parameters.get('weights_only')
    if option is None or option.default is not False:
        return None
    mmengine.runner.checkpoint.load_url = functools.partial(load_url, weights_only=True)
    return f'torch {torch.__version__} would run the code of a checkpoint at a URL'


def _getattr_of_history_buffer(owner: object, name: str) -> object:
    """``getattr`` for the four statistics that a pickled HistoryBuffer refers to.

    Raises:
        UnpicklingError: For any other object or name.
    """
    if owner is HistoryBuffer and name in ('min', 'max', 'current', 'mean'):
        return getattr(owner, name)
    raise pickle.UnpicklingError(
        f'The checkpoint asks for attribute {name!r} of {owner!r}, which no '
        'checkpoint of mmengine does. Do not load it.'
    )


def _empty_bytes() -> bytes:
    """What pickle writes a call of ``bytes`` for."""
    return b''


def allow_amp_on_cpu() -> str | None:
    """Let ``AmpOptimWrapper`` be built on a machine without a GPU.

    Cause: mmengine 0.10.7 asserts that there is a GPU, though its autocast runs in
    bfloat16 on a CPU and torch's GradScaler disables itself there. Nothing to do
    where there is a GPU, or where the wrapper can be built.
    """
    # TODO: drop with an mmengine > 0.10.7 whose AmpOptimWrapper accepts a CPU.
    if get_device() != 'cpu':
        return None
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    try:
        with warnings.catch_warnings():
            # GradScaler announces that it disables itself.
            warnings.simplefilter('ignore')
            amp_module.AmpOptimWrapper(optimizer=optimizer)
    except AssertionError as error:
        # That assertion is the only reader of this name in that module.
        amp_module.is_cuda_available = lambda: True
        return f'mmengine refuses mixed precision on a CPU: {error}'
    return None


def unwrap_parameter_groups() -> str | None:
    """Let ``compile=True`` of a config trace an optimizer that has several groups.

    Cause: under ``paramwise_cfg`` mmengine 0.10.7 hands the groups to the optimizer in
    a ConfigDict, which turns them into ConfigDicts too, and dynamo of torch 2.13 fails
    on those. Nothing to do where they stay plain dictionaries.
    """
    # TODO: drop with an mmengine > 0.10.7 that hands over plain dictionaries.
    if type(ConfigDict(params=[{}]).params[0]) is dict:
        return None
    stock = DefaultOptimWrapperConstructor.__call__

    @functools.wraps(stock)
    def call(self, model):
        wrapper = stock(self, model)
        groups = wrapper.optimizer.param_groups
        groups[:] = map(dict, groups)
        return wrapper

    DefaultOptimWrapperConstructor.__call__ = call
    return 'mmengine gives an optimizer ConfigDicts, which torch.compile cannot trace'


def shorten_history() -> str | None:
    """Make a logged scalar forget all but its last 10,000 values, one of each step.

    Cause: HistoryBuffer of mmengine 0.10.7 keeps a million, copies all of them in every
    step, and they stand in every checkpoint. A run of 125,000 steps with 15 scalars
    spends 5 ms of each step on it at its end, and its checkpoints have grown by 31 MB.
    A ``window_size`` of the log that is longer gets the last 10,000.
    """
    # TODO: drop with an mmengine > 0.10.7 that does not copy the history.
    longest = HistoryBuffer().max_length
    if longest <= 10_000:
        return None
    stock = HistoryBuffer.__init__

    @functools.wraps(stock)
    def init(self, log_history=(), count_history=(), max_length=10_000):
        stock(self, log_history, count_history, max_length)

    HistoryBuffer.__init__ = init
    return f'mmengine copies up to {longest} logged values in every step'


def inherit_from_this_package() -> str | None:
    """Let ``_base_ = 'fdmae_mm::fdmae_ntu60.py'`` name a config of this package.

    Cause: ``Config`` of mmengine 0.10.7 resolves ``package::file`` for the packages of
    OpenMMLab alone, and builds what it inherits in a registry of the package's name,
    which this package does not have: its classes are in those of MMAction2.
    """
    # TODO: drop with an mmengine > 0.10.7 that takes any installed package.
    if 'fdmae_mm' in MODULE2PACKAGE:
        return None
    stock = Config._get_cfg_path

    @functools.wraps(stock)
    def get_cfg_path(cfg_path: str, filename: str) -> tuple[str, str | None]:
        package, _, name = cfg_path.partition('::')
        if package != 'fdmae_mm':
            return stock(cfg_path, filename)
        path = shipped('configs', name)
        if not path.is_file():
            raise FileNotFoundError(
                f'{filename} inherits from {cfg_path}, but {path.parent} has no '
                f'{path.name}.'
            )
        return str(path), None

    Config._get_cfg_path = staticmethod(get_cfg_path)
    return "mmengine finds no _base_ of this package, 'fdmae_mm::...'"


def use_gloo_without_gpu() -> str | None:
    """Start distributed training by gloo on a machine without a GPU.

    Cause: every launcher of mmengine 0.10.7 calls ``torch.cuda.set_device`` whatever
    the machine, and stock configs ask for nccl. Nothing to do where there is a GPU.
    """
    # TODO: drop with an mmengine > 0.10.7 that launches without a GPU.
    if get_device() != 'cpu':
        return None

    def without_gpu(stock):
        @functools.wraps(stock)
        def init_dist(backend, *args, **kwargs):
            with mock.patch('torch.cuda.set_device'):
                stock('gloo' if backend == 'nccl' else backend, *args, **kwargs)

        return init_dist

    for launcher in ('pytorch', 'slurm', 'mpi'):
        name = f'_init_dist_{launcher}'
        stock = getattr(mmengine.dist.utils, name)
        setattr(mmengine.dist.utils, name, without_gpu(stock))
    return 'mmengine selects a CUDA device for each process, and there is no GPU'


def drop_ddp_device_ids() -> str | None:
    """Wrap models for distributed training on a machine without a GPU.

    Cause: mmengine 0.10.7 passes ``device_ids`` to MMDistributedDataParallel, which
    torch refuses for a model on the CPU. Nothing to do where there is a GPU.
    """
    # TODO: drop with an mmengine > 0.10.7 that passes device_ids for GPUs only.
    if get_device() != 'cpu':
        return None
    stock = MMDistributedDataParallel.__init__

    @functools.wraps(stock)
    def init(self, module, *args, device_ids=None, **kwargs):
        stock(self, module, *args, **kwargs)

    MMDistributedDataParallel.__init__ = init
    return 'mmengine passes device_ids for a model on the CPU, which torch refuses'


def upcast_bfloat16_scores() -> str | None:
    """Let mmaction's heads and metrics take scores in bfloat16.

    Cause: ``BaseHead.loss_by_feat`` of mmaction2 1.2.0 calls ``.numpy()`` on the
    scores, AccMetric does so on what ``predict_by_feat`` returns, and numpy has no
    bfloat16. Nothing to do where ``loss_by_feat`` takes such scores.
    """
    # TODO: drop with an mmaction2 > 1.2.0 whose BaseHead takes bfloat16.
    from mmaction.models.heads.base import BaseHead

    head = SimpleNamespace(
        num_classes=2,
        topk=(1,),
        label_smooth_eps=0,
        loss_cls=torch.nn.functional.cross_entropy,
    )
    sample = SimpleNamespace(gt_label=torch.tensor([0]))
    try:
        BaseHead.loss_by_feat(head, torch.zeros(1, 2).bfloat16(), [sample])
    except TypeError as error:
        reason = f'a head of mmaction fails on bfloat16 scores: {error}'
    else:
        return None
    BaseHead.loss_by_feat = _upcast(BaseHead.loss_by_feat)
    BaseHead.predict_by_feat = _upcast(BaseHead.predict_by_feat)
    return reason


def _upcast(method):
    """Wrap a method of BaseHead that takes scores and data samples."""

    @functools.wraps(method)
    def upcast(self, cls_scores, data_samples):
        if cls_scores.dtype == torch.bfloat16:
            cls_scores = cls_scores.float()
        return method(self, cls_scores, data_samples)

    return upcast


def alias_xtcocotools() -> str | None:
    """Let pycocotools stand in for its fork xtcocotools.

    Cause: mmpose 1.3.2 imports ``xtcocotools``, whose wheels fit few versions of
    Python and numpy. What it adds, scores of whole bodies, is for evaluation. Nothing
    to do where it can be imported.
    """
    # TODO: drop with an mmpose > 1.3.2 that imports pycocotools.
    try:
        import xtcocotools.coco  # noqa: F401
    except Exception as error:  # built for another numpy: ValueError
        reason = f'xtcocotools, which mmpose imports, fails: {error}'
    else:
        return None
    for name in ('', '.coco', '.cocoeval', '.mask'):
        module = importlib.import_module(f'pycocotools{name}')
        sys.modules[f'xtcocotools{name}'] = module
    return reason


def stub_simcc_visualizer() -> str | None:
    """Let ``import mmpose.visualization`` succeed without torchvision.

    Cause: mmpose 1.3.2 imports torchvision to draw the heat maps of SimCC. Nothing to
    do where torchvision imports.
    """
    # TODO: drop with an mmpose > 1.3.2 that imports torchvision where it draws.
    return _stub_where_missing(
        'torchvision', 'mmpose.visualization.simcc_vis', 'SimCCVisualizer'
    )


def stub_edpose_head() -> str | None:
    """Let ``import mmpose.models`` succeed with mmcv-lite.

    Cause: EDPose of mmpose 1.3.2 imports ``mmcv.ops``, which is not in mmcv-lite.
    Nothing to do where ``mmcv.ops`` imports.
    """
    # TODO: drop with an mmpose > 1.3.2 that takes EDPose as optional.
    return _stub_where_missing(
        'mmcv.ops', 'mmpose.models.heads.transformer_heads', 'EDPoseHead'
    )


def stub_rtmo_head() -> str | None:
    """Let ``import mmpose.models`` succeed without mmdet.

    Cause: RTMO of mmpose 1.3.2 imports mmdet. Nothing to do where mmdet imports.
    """
    # TODO: drop with an mmpose > 1.3.2 that takes RTMO as optional.
    return _stub_where_missing(
        'mmdet.utils', 'mmpose.models.heads.hybrid_heads.rtmo_head', 'RTMOHead'
    )


def _stub_where_missing(needed: str, module: str, name: str) -> str | None:
    """Put a module with one class that cannot be built in the place of another.

    Args:
        needed: Module without which the other one cannot be imported.
        module: The other one.
        name: What is imported from it.

    Returns:
        Why it was needed, None where it was not.
    """
    if module in sys.modules:
        return None
    try:
        importlib.import_module(needed)
    except Exception as error:  # a torchvision for another torch: RuntimeError
        reason = f'{needed}, which mmpose imports for {name}, fails: {error}'
    else:
        return None

    def init(self, *args, **kwargs) -> None:
        raise ImportError(f'{name} is not available: {reason}.')

    stub = types.ModuleType(module)
    setattr(stub, name, type(name, (), {'__init__': init}))
    sys.modules[module] = stub
    return reason


# What mmpose needs beyond what mmaction2 brings; xtcocotools is aliased.
_MMPOSE = ('mmpose', 'json_tricks', 'munkres', 'six', 'pycocotools')
_MMPOSE_WORK_AROUNDS = (
    alias_xtcocotools,
    stub_simcc_visualizer,
    stub_edpose_head,
    stub_rtmo_head,
)
# The last one imports mmaction.models, which needs those before it.
_WORK_AROUNDS = (
    quiet_mmcv_lite,
    alias_importlib_metadata,
    restore_numpy_names,
    restore_find_loader,
    replace_pkg_resources,
    stub_drn,
    allow_mmengine_checkpoints,
    download_checkpoints_without_code,
    allow_amp_on_cpu,
    unwrap_parameter_groups,
    shorten_history,
    inherit_from_this_package,
    use_gloo_without_gpu,
    drop_ddp_device_ids,
    upcast_bfloat16_scores,
)
