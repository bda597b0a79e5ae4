"""Annotation files: the pickles {split, annotations, metainfo} of MMAction2."""

from __future__ import annotations

import _codecs
import collections
import os
import pickle
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.fileio import exists, get_local_path

from ..files import written_whole
from .converters import CONVERTERS

# What a pickle has for np.ndarray. Called, that would take bytes of the file for an
# array of pointers to Python objects.
_NDARRAY = object()


class _RefusedError(pickle.UnpicklingError):
    """A pickle that may be whole holds what is not loaded."""


class _Type:
    """What a pickle has for np.dtype: a type of numbers or text and its byte order.

    The real one would stay within reach of the pickle, which could set its state once
    more when an array has it: to parts, pointers or a size beyond the bytes of the
    array, and write there.
    """

    def __init__(self, name: str, align: object = False, copy: object = True) -> None:
        if not isinstance(name, str) or np.dtype(name).kind not in 'biufcSU':
            raise _RefusedError(
                f'it has an array of the type {name!r}, neither numbers nor text, '
                'which could run code'
            )
        self._name, self._order = name, '='

    def __setstate__(self, state: tuple) -> None:
        _, order, parts, names, fields, _, _, flags, *_ = state
        text = np.dtype(self._name).kind == 'U'
        if not (parts is names is fields is None) or flags != (8 if text else 0):
            raise _RefusedError(
                f'it has an array of the type {self._name!r} with objects or parts, '
                'which could run code'
            )
        self._order = order

    def real(self) -> np.dtype:
        """A type of its own for each array."""
        return np.dtype(self._name).newbyteorder(self._order)


class _Array(np.ndarray):
    """An array for pickle to fill; :func:`_plain` makes it one of numpy's."""

    def __setstate__(self, state: tuple) -> None:
        *version, shape, kind, in_columns, content = state
        super().__setstate__((*version, shape, kind.real(), in_columns, content))


def _reconstruct(kind: object, shape: tuple, typecode: bytes) -> _Array:
    """As numpy's function of this name makes it."""
    if kind is not _NDARRAY:
        raise pickle.UnpicklingError(f'it has an array of the class {kind!r}')
    return np.empty(0, np.int8).view(_Array)


def _scalar(kind: _Type, content: bytes) -> np.generic:
    """A number or text from its bytes."""
    real = kind.real()
    if len(content) != real.itemsize:
        raise pickle.UnpicklingError(f'{len(content)} bytes are no {real}')
    return np.ndarray((), real, content)[()] if content else real.type()


def _frombuffer(content: bytes, kind: _Type, *how: object) -> np.ndarray:
    """An array on the bytes of the file."""
    if not isinstance(content, (bytes, bytearray)):  # an array could free them
        raise pickle.UnpicklingError(f'it has an array on a {type(content).__name__}')
    return _numpy_frombuffer(content, kind.real(), *how)


def _plain(item: object, seen: set[int]) -> object:
    """The same with arrays of numpy's own class, in place but for tuples."""
    if isinstance(item, _Array):
        return item.view(np.ndarray)
    if isinstance(item, tuple):
        return tuple(_plain(part, seen) for part in item)
    if isinstance(item, (list, dict)) and id(item) not in seen:  # it can hold itself
        seen.add(id(item))
        for key in item if isinstance(item, dict) else range(len(item)):
            item[key] = _plain(item[key], seen)
    return item


_numpy_frombuffer = np.zeros(0).__reduce_ex__(5)[0]
# What a pickle of numbers, strings, containers and numpy arrays refers to. Everything
# else could run code while it is read.
_ALLOWED = {
    ('_codecs', 'encode'): _codecs.encode,
    ('builtins', 'bytes'): lambda: b'',  # of any content it is _codecs.encode's
    ('collections', 'OrderedDict'): collections.OrderedDict,
    ('numpy', 'ndarray'): _NDARRAY,
    ('numpy', 'dtype'): _Type,
    **{
        ('builtins', kind.__name__): kind
        for kind in (set, frozenset, complex, bytearray, slice)
    },
    # numpy 1 and 2 name these by different modules; both read both.
    **{
        (f'numpy.{core}.{module}', name): function
        for core in ('core', '_core')
        for module, name, function in (
            ('multiarray', '_reconstruct', _reconstruct),
            ('multiarray', 'scalar', _scalar),
            ('numeric', '_frombuffer', _frombuffer),
        )
    },
}

_URL = 'https://download.openmmlab.com/mmaction/v1.0/skeleton/data'


def _origin(path: str) -> str:
    """Where a missing annotation file comes from: its name names its converter."""
    name, suffix = os.path.splitext(os.path.basename(path))
    command = 'python tools/data/convert.py'
    if suffix == '.pkl' and name == 'synthetic':
        return f'Make it with: {command} synthetic {path}'
    if suffix == '.pkl' and name in ('ntu60_3d', 'ntu120_3d'):
        return (
            f"This is MMAction2's own file; get it with: wget -O {path} "
            f'{_URL}/{name}.pkl or make it from the raw skeletons with: {command} '
            f'{name.removesuffix("_3d")} SOURCE {path}'
        )
    if suffix == '.pkl' and name in CONVERTERS:
        return (
            f'Make it from {CONVERTERS[name].source}, archive or folder, with: '
            f'{command} {name} SOURCE {path}'
        )
    return f'Check ann_file; `{command} --help` lists what can be converted.'


class _AnnotationUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if module == '__builtin__':  # of the protocols of Python 2
            module = 'builtins'
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise _RefusedError(
                f'it refers to {module}.{name}; an annotation file holds only numbers, '
                'strings, lists, dicts and numpy arrays, and anything else is not '
                'loaded because it could run code. Make tensors arrays, '
                'tensor.numpy(), and save it again'
            ) from None


def load_annotation(path: str | os.PathLike) -> dict:
    """Reads an annotation file without running code from it.

    Args:
        path: A pickle, local or at any place that MMEngine's file backends know.

    Returns:
        The dict with 'split', 'annotations' and, in files of this package, 'metainfo'.
        A list of annotations, or one alone, which MMAction2's tools write of videos,
        is such a dict without splits.

    Raises:
        FileNotFoundError: Nothing is there. The message says where it comes from.
        ValueError: The file is damaged or is no annotation file.
    """
    path = os.fspath(path)
    if not exists(path):
        raise FileNotFoundError(f'{path} does not exist. {_origin(path)}')
    with get_local_path(path) as local, open(local, 'rb') as file:
        try:
            annotation = _plain(_AnnotationUnpickler(file).load(), set())
        except _RefusedError as error:
            raise ValueError(
                f'{path} could not be read as an annotation file: {error}.'
            ) from error
        # A damaged pickle can raise nearly anything.
        except Exception as error:
            raise ValueError(
                f'{path} could not be read as an annotation file, it may be damaged or '
                f'incomplete: {str(error) or type(error).__name__}. Make it or '
                'download it again.'
            ) from error
    if isinstance(annotation, dict) and 'keypoint' in annotation:  # of one video
        annotation = [annotation]
    if (
        isinstance(annotation, list)
        and annotation
        and all(isinstance(a, dict) for a in annotation)
    ):
        annotation = dict(split={}, annotations=annotation)
    if not isinstance(annotation, dict):
        raise ValueError(
            f"{path} holds a {type(annotation).__name__}, not a dict with 'split' and "
            "'annotations'."
        )
    kinds = dict(split=dict, annotations=list)
    if 'metainfo' in annotation:
        kinds['metainfo'] = dict
    for key, kind in kinds.items():
        if not isinstance(annotation.get(key), kind):
            found = type(annotation[key]).__name__ if key in annotation else 'none'
            raise ValueError(
                f'{path} must have the key {key!r} with a {kind.__name__}, found '
                f'{found}; its keys are {sorted(map(str, annotation))}.'
            )
    return annotation


def clip_name(annotation: Mapping) -> Any:
    """What the splits of a file call a clip, as PoseDataset has it; None: nothing."""
    return annotation.get('filename', annotation.get('frame_dir'))


def add_out(parser: ArgumentParser) -> None:
    """Declares ``OUT``, which must end as :func:`save_annotation` requires it."""
    parser.add_argument(
        'out',
        metavar='OUT',
        type=_out,
        help='annotation file (.pkl) to write',
    )


def _out(path: str) -> str:
    # Refused before the work is done, not after it.
    if not path.endswith('.pkl'):
        raise ArgumentTypeError(
            f'{path} must end in .pkl, PoseDataset reads nothing else'
        )
    return path


def save_annotation(annotation: dict, path: str | os.PathLike) -> None:
    """Writes an annotation file; an interruption leaves no half-written file.

    Args:
        annotation: Dict with 'split', 'annotations' and 'metainfo'.
        path: Ends in .pkl, as the stock PoseDataset requires. Missing folders are made.

    Raises:
        ValueError: The file name does not end in .pkl.
    """
    path = Path(path)
    if path.suffix != '.pkl':
        raise ValueError(f'{path} must end in .pkl, PoseDataset reads nothing else.')
    with written_whole(path) as part, open(part, 'wb') as file:
        pickle.dump(annotation, file, protocol=4)
