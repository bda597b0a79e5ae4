"""Weights in safetensors files.

Importing this module teaches MMEngine to read them wherever it reads a checkpoint: in
``init_cfg``, in ``load_from``, behind ``tools/test.py``. Such a file holds tensors and
text, nothing that could run code, and no optimizer: training cannot be resumed from it.
"""

import json
import os
from typing import Any

import torch
from mmengine.runner import CheckpointLoader

from .files import written_whole

# What is kept of a checkpoint's meta data, beside the names of the classes.
_META = (
    'experiment_name',
    'epoch',
    'iter',
    'seed',
    'seconds',
    'converted_from',
    'cfg_options',
)


# A scheme is a regular expression for the start of a path; those of URLs come first.
@CheckpointLoader.register_scheme(prefixes=r'.*\.safetensors$')
def load_from_safetensors(
    filename: str, map_location: str | torch.device | None = None
) -> dict[str, Any]:
    """Read a safetensors file as what MMEngine saves; its loader for such names.

    Args:
        filename (str): A path; ``~`` is the home folder.
        map_location (str | torch.device | None): Device of the weights; the CPU where
            none is given.

    Returns:
        dict: ``state_dict``, and ``meta``, which is empty for a file of another origin.

    Raises:
        FileNotFoundError: If there is no such file.
        ImportError: If safetensors is not installed.
        ValueError: If the file is damaged, or no safetensors file.
    """
    safetensors = _safetensors()
    path = os.path.expanduser(filename)
    if not os.path.isfile(path):
        raise FileNotFoundError(f'There is no file {path}.')
    try:
        with safetensors.safe_open(path, 'pt', str(map_location or 'cpu')) as file:
            meta = json.loads((file.metadata() or {}).get('fdmae_mm', '{}'))
            weights = {name: file.get_tensor(name) for name in file.keys()}
    except (safetensors.SafetensorError, json.JSONDecodeError) as error:
        raise ValueError(
            f'{path} was not read: it is damaged or no safetensors file ({error}).'
        ) from error
    return dict(meta=meta, state_dict=weights)


def save_safetensors(checkpoint: dict[str, Any], path: str | os.PathLike) -> None:
    """Write the weights of a checkpoint, and what of its meta data is short.

    That is where the weights come from (experiment, epoch, seed) and the names of the
    classes, as JSON under ``fdmae_mm`` of the file's metadata.

    Args:
        checkpoint (dict): As MMEngine saves it: ``state_dict`` and, maybe, ``meta``.
        path (str | os.PathLike): The file; an interruption leaves no half-written one.

    Raises:
        ImportError: If safetensors is not installed.
    """
    to_bytes = _safetensors().torch.save
    meta = checkpoint.get('meta', {})
    kept = {name: meta[name] for name in _META if name in meta}
    if classes := (meta.get('dataset_meta') or {}).get('classes'):
        kept['dataset_meta'] = dict(classes=list(classes))
    # The format refuses tensors that share memory or are views.
    weights = {
        name: value.clone(memory_format=torch.contiguous_format)
        for name, value in checkpoint['state_dict'].items()
    }
    metadata = dict(format='pt', fdmae_mm=json.dumps(kept))
    with written_whole(path) as part:
        # Its own save_file gives the file to nobody but its owner.
        part.write_bytes(to_bytes(weights, metadata))


def _safetensors() -> Any:
    try:
        import safetensors.torch
    except ImportError as error:
        raise ImportError(
            'Files that end in .safetensors need the package of that name: '
            'pip install "fdmae_mm[export]".'
        ) from error
    return safetensors
