#!/usr/bin/env python
"""The whole of it on a CPU: data, pre-training, probes, fine-tuning, a picture.

python tools/quickstart.py                                  # synthetic set
python tools/quickstart.py --data path/to/nw_ucla.tar.gz    # real, also a folder
"""

import copy
import filecmp
import json
import tempfile
import time
from pathlib import Path

import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

from fdmae_mm.apis.options import tool_parser
from fdmae_mm.datasets.annotation import save_annotation
from fdmae_mm.datasets.converters import NWUCLAConverter, convert, summarize
from fdmae_mm.datasets.layouts import get_layout
from fdmae_mm.datasets.synthetic import make_synthetic
from fdmae_mm.evaluation import (
    extract_features,
    extract_joints,
    nearest_neighbor_scores,
    probe_features,
    top1_accuracy,
)
from fdmae_mm.models import SkeletonMAE
from fdmae_mm.models.layers import frame_mask
from fdmae_mm.visualization import draw_reconstruction

CONFIGS = Path(__file__).resolve().parent.parent / 'configs'
ROWS = {
    'raw_1nn': 'raw coordinates, 1-NN',
    'aligned_1nn': 'bodies turned the same way, 1-NN',
    'untrained_1nn': 'untrained encoder, 1-NN',
    'untrained_linear': 'untrained encoder, linear',
    'pretrained_1nn': 'pre-trained encoder, 1-NN',
    'pretrained_linear': 'pre-trained encoder, linear',
    'finetuned': 'fine-tuned',
}


def main() -> None:
    """Run the quickstart; write ``result.json`` and a picture."""
    parser = tool_parser(__doc__)
    parser.add_argument('--data', help='NW-UCLA: nw_ucla.tar.gz or its unpacked folder')
    parser.add_argument('--work-dir', default='work_dirs/quickstart')
    parser.add_argument('--seed', type=int, default=0)
    args = parser.parse_args()
    start = time.monotonic()
    work_dir = Path(args.work_dir)
    if args.data:
        name = 'nw-ucla_small'
        annotation, skipped = convert(NWUCLAConverter(), args.data)
    else:
        name = 'synthetic'
        annotation, skipped = make_synthetic(), []
    pretrain = load(f'fdmae_{name}.py', work_dir / 'pretrain', args.seed)
    finetune = load(
        f'benchmarks/finetune/finetune_{name}.py', work_dir / 'finetune', args.seed
    )
    place(annotation, finetune.source.ann_file)
    print(summarize(annotation, skipped))
    init_default_scope('mmaction')
    # What the encoder is given: every body turned the same way. And without the turn.
    train, test = clips(finetune)
    raw = copy.deepcopy(finetune)
    for loader in ('bank_dataloader', 'eval_dataloader'):
        raw[loader].dataset.pipeline[0].rotate = 'none'
    result = dict(
        raw_1nn=coordinate_accuracy(*clips(raw)),
        aligned_1nn=coordinate_accuracy(train, test),
    )
    torch.manual_seed(args.seed)
    result.update(probe('untrained', MODELS.build(pretrain.model), train, test))

    runner = Runner.from_cfg(pretrain)
    model = runner.train()
    result.update(probe('pretrained', model, train, test))
    picture = work_dir / 'reconstruction.png'
    draw(model, runner, pretrain.train_view[0].layout, picture)

    last_epoch = pretrain.train_cfg.max_epochs
    finetune.model.backbone.init_cfg.checkpoint = str(
        work_dir / 'pretrain' / f'epoch_{last_epoch}.pth'
    )
    runner = Runner.from_cfg(finetune)
    runner.train()
    result['finetuned'] = 100 * runner.message_hub.get_scalar('val/acc/top1').current()

    result = {key: round(value, 1) for key, value in result.items()}
    result['seconds'] = round(time.monotonic() - start)
    (work_dir / 'result.json').write_text(json.dumps(result, indent=2) + '\n')
    title = _title(finetune)
    print(f'\n{title}, top-1 accuracy in % ({result["seconds"]} s)')
    for key, row in ROWS.items():
        print(f'  {row:<34}{result[key]:>6.1f}')
    print(f'Picture: {picture}\nFigures: {work_dir / "result.json"}')


def place(annotation: dict, path: str) -> None:
    """Writes the annotation file, unless another one is there, which is somebody's."""
    with tempfile.TemporaryDirectory() as folder:
        new = Path(folder, 'annotation.pkl')
        save_annotation(annotation, new)
        if Path(path).exists() and not filecmp.cmp(new, path, shallow=False):
            raise SystemExit(
                f'{path} is there, and is not what the quickstart writes. Move it '
                'away, or start from another folder.'
            )
    save_annotation(annotation, path)


def load(config: str, work_dir: Path, seed: int) -> Config:
    """A config of this repository, with its own work directory and seed."""
    cfg = Config.fromfile(CONFIGS / config)
    cfg.work_dir = str(work_dir)
    cfg.randomness = dict(seed=seed)
    return cfg


def clips(cfg: Config) -> list[list[dict]]:
    """All batches of the training and of the test split, as a test sees them."""
    return [
        list(Runner.build_dataloader(cfg[loader], seed=cfg.randomness.seed))
        for loader in ('bank_dataloader', 'eval_dataloader')
    ]


def coordinate_accuracy(train: list[dict], test: list[dict]) -> float:
    """1-NN by Euclidean distance of all coordinates of a clip."""
    joints, labels = extract_joints(test)
    scores = nearest_neighbor_scores(*extract_joints(train), joints)
    return top1_accuracy(scores, labels)


def probe(
    name: str, model: SkeletonMAE, train: list[dict], test: list[dict]
) -> dict[str, float]:
    """1-NN and linear accuracy of an encoder's features."""
    accuracies, _ = probe_features(
        extract_features(model, train), extract_features(model, test)
    )
    return {f'{name}_{key}': accuracies[key] for key in ('1nn', 'linear')}


def draw(model: SkeletonMAE, runner: Runner, layout: str, path: Path) -> None:
    """Picture of the training clip whose first person moves most in a batch."""
    model.eval()
    batch = next(iter(runner.train_dataloader))
    batch = model.data_preprocessor(batch, training=False)
    inputs, samples = batch['inputs'], batch['data_samples']
    best = inputs[:, 0, 0].std(1).mean((1, 2)).argmax().item()
    original = inputs[best, 0, 0]
    completed = model.reconstruct(inputs, samples)[best, 0, 0]
    mask = frame_mask(
        samples[best].mask[0, 0], original.shape[1], model.backbone.t_patch_size
    )
    draw_reconstruction(
        original.cpu().numpy(),
        mask.cpu().numpy(),
        completed.cpu().numpy(),
        get_layout(layout),
        path,
        title=samples[best].frame_dir,
    )


def _title(cfg: Config) -> str:
    dataset = cfg.eval_dataloader.dataset
    return f'{Path(dataset.ann_file).stem}, {dataset.split}'


if __name__ == '__main__':
    main()
