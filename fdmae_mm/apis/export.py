"""A trained model as one ONNX file, or torch.export program, that explains itself."""

from __future__ import annotations

import copy
import importlib.util
import inspect
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from mmaction.models.recognizers import BaseRecognizer
from mmaction.structures import ActionDataSample
from torch import Tensor, nn

from ..datasets.layouts import SkeletonLayout
from ..files import written_whole
from ..models.backbones import SkeletonTransformer
from ..models.heads.classification import pool
from ..version import __version__
from .loading import LoadedModel

#: How far the outputs of an exported file may be from those of the model.
TOLERANCE = 1e-4
#: Name of the metadata in a torch.export file: one of its ``extra_files``.
METADATA_FILE = 'metadata.json'
# Ending -> what to import to write such a file and to check it.
_PACKAGES = {'.onnx': ('onnx', 'onnxscript', 'onnxruntime'), '.pt2': ()}
# What transforms have made of their layouts by rules that no reader should write again.
_DERIVED = {'MapSkeleton': 'weights', 'SkeletonStream': 'parents'}
_DYNAMIC_SHAPES = (
    {axis: torch.export.Dim(name, min=1) for axis, name in enumerate(('N', 'M'))},
)


class ExportedModel(nn.Module):
    """What a file computes: the answers of a recognizer, in shapes fixed in advance.

    The backbone picks the bodies that are present, so that its shapes depend on the
    values. Here every body is encoded, and an absent one counts nothing afterwards.

    Args:
        model (BaseRecognizer): In eval mode.
        features (bool): Whether to give pooled features in place of class scores.
    """

    def __init__(self, model: BaseRecognizer, features: bool) -> None:
        super().__init__()
        self.backbone = model.backbone
        self.head = None if features else model.cls_head

    def forward(self, joints: Tensor) -> Tensor:
        """(N, M, T, V, C) -> scores (N, classes), or features (N, D)."""
        n, m = joints.shape[:2]
        bodies = joints.flatten(0, 1)
        present = self.backbone.present(bodies).view(n, m)
        # Of a clip without anyone the model encodes one body of zeros: here all of
        # them, as they are the same.
        present = (present | ~present.any(1, keepdim=True)).view(n, m, 1, 1)
        feats = self.backbone.forward_tokens(bodies)
        feats = feats.unflatten(0, (n, m))  # (N, M, L, D)
        count = present.sum(1, keepdim=True)
        mean = feats.where(present, 0).sum(1, keepdim=True) / count
        feats = feats.where(present, mean).unflatten(2, (-1, self.backbone.num_joints))
        feats = feats.permute(0, 1, 4, 2, 3)  # (N, M, D, T', V), as the backbone's
        if self.head is None:
            return pool(feats)
        scores = self.head(feats)
        return scores.softmax(1) if self.head.average_clips == 'prob' else scores


def export_model(
    loaded: LoadedModel,
    out: str | os.PathLike,
    features: bool = False,
    batch: int = 2,
) -> float:
    """Write a model as ONNX or as a torch.export program, checked against the model.

    Input ``joints``: float32 (N, M, T, V, C) as the test pipeline gives it, with any N
    and M. Output ``scores`` (N, classes), what the recognizer predicts of each clip, or
    ``features`` (N, D), the mean over the persons present, time and joints. What
    :func:`export_metadata` tells stands in the file, as JSON: an ONNX file has an entry
    of ``metadata_props`` for each key, a program has them all in
    :data:`METADATA_FILE`.

    Args:
        loaded (LoadedModel): The model; it is not changed.
        out (str | os.PathLike): File that ends in ``.onnx`` or ``.pt2``.
        features (bool): Export the encoder alone, as of a pre-training model.
        batch (int): Clips of the example that is traced, and of one of the checks.

    Returns:
        float: The largest difference from the model's outputs, over several numbers of
        clips and persons, with absent ones.

    Raises:
        ImportError: If a package that ONNX needs is not installed.
        RuntimeError: If an output is more than :data:`TOLERANCE` from the model's. No
            file is left then.
        ValueError: If the ending or ``batch`` is wrong, the model has no head, the
            backbone is no SkeletonTransformer, or a setting of the pipeline is no JSON.
    """
    out = Path(out)
    _check_request(loaded.model, out, features, batch)
    metadata = export_metadata(loaded, features)
    # Its own copy, on the device that every reader has.
    model = copy.deepcopy(loaded.model).cpu().eval()
    program = _trace(model, features, batch)
    if out.suffix == '.onnx':
        write, read = _write_onnx, _read_onnx
    else:
        write, read = _write_pt2, _read_pt2
    with written_whole(out) as part:
        write(program, metadata, part)
        run, difference = read(part), 0.0
        for joints in _clips(model.backbone, batch):
            error = np.abs(run(joints) - _expected(model, joints, features)).max()
            difference = max(difference, float(error))
            # "not <=", as NaN is not.
            if not error <= TOLERANCE:
                raise RuntimeError(
                    f'{out} was not written: with {joints.shape[0]} clips of '
                    f'{joints.shape[1]} persons its {metadata["output"]["name"]} are '
                    f"{error:.1e} from the model's, more than {TOLERANCE:.0e}."
                )
    return difference


def export_metadata(loaded: LoadedModel, features: bool = False) -> dict:
    """What a reader of an exported file needs to know; all of it can be JSON.

    Args:
        loaded (LoadedModel): The model.
        features (bool): Whether the file gives features in place of scores.

    Returns:
        dict: ``package`` and its version, ``config``, ``input`` and ``output`` (name,
        shape, meaning), ``clip_len``, ``classes`` (names or None), ``layout`` of the
        input's joints (or None), and ``preprocessing``: the transforms of the test
        pipeline from an annotation to the input, each with its type, all its settings,
        its layouts in full, and what it has made of them: the ``weights`` of a
        MapSkeleton, (V of the target, V of the source), and the ``parents`` of a
        SkeletonStream, (V,).
    """
    backbone = loaded.model.backbone
    if features:
        output = dict(
            name='features',
            shape=['N', backbone.embed_dims],
            meaning='mean of the encoder over the persons present, time and joints',
        )
    else:
        head = loaded.model.cls_head
        prob = head.average_clips == 'prob'
        output = dict(
            name='scores',
            shape=['N', head.num_classes],
            meaning='probability of each class, by softmax'
            if prob
            else f'score of each class, as {type(head).__name__} gives it',
        )
    return dict(
        package=f'fdmae_mm {__version__}',
        config=Path(loaded.cfg.filename).stem if loaded.cfg.filename else None,
        input=dict(
            name='joints',
            dtype='float32',
            shape=['N', 'M', *_size(backbone)],
            meaning='clips, persons, frames, joints, coordinates, after preprocessing; '
            'persons who are absent and joints that were not measured are zeros',
            # Where not, an absent person costs time and may as well be left out.
            encode_absent=backbone.encode_absent,
        ),
        output=output,
        clip_len=backbone.clip_len,
        classes=None if loaded.classes is None else list(loaded.classes),
        layout=None if loaded.layout is None else asdict(loaded.layout),
        preprocessing=_preprocessing(loaded),
    )


def _preprocessing(loaded: LoadedModel) -> list[dict]:
    """Transforms of the test pipeline as JSON, with the settings left to defaults."""
    configs = loaded.cfg.eval_dataloader.dataset.pipeline
    steps = []
    for config, transform in zip(configs, loaded.pipeline.transforms, strict=True):
        name = type(transform).__name__
        if name == 'PackActionInputs':  # for MMAction2's recognizers, changes no number
            continue
        step = dict(type=name)
        for key, parameter in inspect.signature(type(transform)).parameters.items():
            if parameter.default is not inspect.Parameter.empty or key in config:
                value = config.get(key, parameter.default)
                resolved = getattr(transform, key, None)
                is_layout = isinstance(resolved, SkeletonLayout)
                step[key] = asdict(resolved) if is_layout else value
        if name in _DERIVED:
            step[_DERIVED[name]] = getattr(transform, _DERIVED[name]).tolist()
        try:
            json.dumps(step)
        except TypeError as error:
            raise ValueError(f'{name} of the test pipeline: {error}.') from error
        steps.append(step)
    return steps


def _check_request(
    model: BaseRecognizer, out: Path, features: bool, batch: int
) -> None:
    if out.suffix not in _PACKAGES:
        raise ValueError(f'{out} must end in {" or ".join(_PACKAGES)}.')
    if batch < 2:
        # torch.export takes a size of 1 for a constant.
        raise ValueError(f'batch={batch} must be at least 2; the file takes any.')
    if not isinstance(model.backbone, SkeletonTransformer):
        raise ValueError(
            f'The backbone is a {type(model.backbone).__name__}, expected a '
            'SkeletonTransformer.'
        )
    if not (features or model.with_cls_head):
        raise ValueError(
            f'{type(model).__name__} has no classification head: export features '
            '(--features), or a model of configs/benchmarks.'
        )
    missing = [p for p in _PACKAGES[out.suffix] if importlib.util.find_spec(p) is None]
    if missing:
        raise ImportError(
            f'ONNX files need {", ".join(missing)}: pip install "fdmae_mm[export]".'
        )


def _trace(
    model: BaseRecognizer, features: bool, batch: int
) -> torch.export.ExportedProgram:
    example = torch.zeros(batch, 2, *_size(model.backbone))
    with torch.no_grad():
        program = torch.export.export(
            ExportedModel(model, features).eval(),
            (example,),
            dynamic_shapes=_DYNAMIC_SHAPES,
        )
    for node in program.graph.nodes:
        # They name folders of this machine.
        node.meta.pop('stack_trace', None)
    return program


def _write_onnx(
    program: torch.export.ExportedProgram, metadata: dict, path: Path
) -> None:
    onnx_program = torch.onnx.export(
        program,
        dynamo=True,
        verbose=False,
        input_names=[metadata['input']['name']],
        output_names=[metadata['output']['name']],
        dynamic_shapes=_DYNAMIC_SHAPES,
    )
    onnx_program.model.metadata_props.update(
        {key: json.dumps(value) for key, value in metadata.items()}
    )
    onnx_program.save(path, external_data=False)


def _write_pt2(
    program: torch.export.ExportedProgram, metadata: dict, path: Path
) -> None:
    # To a file object: of a path, torch insists on the ending.
    with path.open('wb') as file:
        extra_files = {METADATA_FILE: json.dumps(metadata)}
        torch.export.save(program, file, extra_files=extra_files)


def _read_onnx(path: Path) -> Callable[[Tensor], np.ndarray]:
    import onnxruntime

    session = onnxruntime.InferenceSession(path)
    return lambda joints: session.run(None, {'joints': joints.numpy()})[0]


def _read_pt2(path: Path) -> Callable[[Tensor], np.ndarray]:
    with path.open('rb') as file:
        module = torch.export.load(file).module()
    return lambda joints: module(joints).numpy(force=True)


def _clips(backbone: SkeletonTransformer, batch: int) -> Iterator[Tensor]:
    """Batches (N, M, T, V, C) of several sizes, with absent persons and empty clips."""
    generator = torch.Generator().manual_seed(0)
    for n, m in ((1, 1), (batch, 2), (3, 3)):
        joints = torch.randn(n, m, *_size(backbone), generator=generator)
        joints[0, 1:] = 0
        joints[2:] = 0
        yield joints


@torch.no_grad()
def _expected(model: BaseRecognizer, joints: Tensor, features: bool) -> np.ndarray:
    """What the recognizer answers by its own way: (N, M, T, V, C) -> (N, outputs)."""
    clips = joints.unsqueeze(1)  # K = 1
    if features:
        return pool(model.extract_feat(clips)[0]).numpy()
    samples = model.predict(clips, [ActionDataSample() for _ in clips])
    return torch.stack([sample.pred_score for sample in samples]).numpy()


def _size(backbone: SkeletonTransformer) -> tuple[int, int, int]:
    return backbone.clip_len, backbone.num_joints, backbone.in_channels
