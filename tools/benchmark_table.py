#!/usr/bin/env python
"""Writes the result tables from the records, or checks that they agree.

python tools/benchmark_table.py            # README, docs, configs/metafile.yml
python tools/benchmark_table.py --check    # exit status 1 where they would change
python tools/benchmark_table.py --records mine/ --out mine.md   # of your own
python tools/benchmark_table.py --records mine/ --out mine.tex  # for LaTeX, booktabs

The README has what was run here, docs/benchmarks.md has all, and the ablations. A data
set of your own has a table once configs/results has a record of it. Records that enter
no table are named. A cell is the mean of the runs in configs/results, with their sample
standard deviation and number; of folds, those that every row of its column has. What
others have published stands in configs/published.yml with its source.
"""

from __future__ import annotations

import re
import statistics
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import yaml
from mmengine.config import Config

from fdmae_mm.apis.options import tool_parser
from fdmae_mm.datasets.skeleton_dataset import unrepeated
from fdmae_mm.evaluation.records import read_record
from fdmae_mm.files import written_whole

ROOT = Path(__file__).resolve().parent.parent
CONFIGS = ROOT / 'configs'
BEGIN = '<!-- tables: written by tools/benchmark_table.py -->\n'
END = '<!-- end of tables -->\n'
NONE = '–'
SUM = ' + '  # between the rows whose scores were summed

# Title, corner, heads and rows -> a table.
Form = Callable[[str, str, list[str], dict[str, list[str]]], str]
# Data set and split family.
Key = tuple[str, str]
# Values of all runs by where they were measured, pre-training config and column.
Values = dict[tuple[Key, str, str], list[float]]


class Figure(NamedTuple):
    """What a run has measured."""

    key: Key
    row: str  # pre-training config, or the name of a reference
    column: str
    split: str | None
    draw: str
    value: float


# What is measured, by the name of its column: protocols and metrics of records.
COLUMNS = {
    'linear': [('linear', 'top1')],
    'linear, cached': [('probe', 'linear'), ('joints', 'linear')],
    'linear, joints apart': [('probe-joints', 'linear')],
    '1-NN': [('probe', '1nn'), ('joints', '1nn')],
    '1-NN, joints apart': [('probe-joints', '1nn')],
    'fine-tune': [('finetune', 'top1')],
    'fine-tune, mirror images': [('finetune-mirror', 'top1')],
    'the same, 3 times the steps': [('finetune-mirror-long', 'top1')],
    # Those that somebody has measured become columns.
    **{f'{share} % labels': [(f'semi{share}', 'top1')] for share in range(1, 100)},
    'supervised': [('supervised', 'top1'), ('joints', 'svm')],
}
# Each part of them has a table of its own, and the rows that have a figure there.
FROZEN = tuple(c for c in COLUMNS if c.startswith(('linear', '1-NN')))
PARTS = {
    'frozen encoder': FROZEN,
    'trained with labels': tuple(c for c in COLUMNS if c not in FROZEN),
}
METHODS = {'stgcnpp': 'STGCN++', 'mae': 'MAE', 'mamp': 'MAMP', 'fdmae': 'FDMAE'}
# Rows without a pre-training config, which stand before the methods.
REFERENCES = {'joints': 'Joints, no encoder', 'untrained': 'No pre-training'}
TITLES = {
    ('nw_ucla', 'xview'): 'NW-UCLA, cross-view',
    ('utd_mhad', 'xsub'): 'UTD-MHAD, cross-subject',
    ('msr_action3d', 'xsub'): 'MSR-Action3D, cross-subject',
    ('msr_action3d', 'as'): 'MSR-Action3D, action sets AS1 to AS3',
    ('sbu', 'fold'): 'SBU, folds',
    ('ntu60_3d', 'xsub'): 'NTU RGB+D 60, cross-subject',
    ('ntu60_3d', 'xview'): 'NTU RGB+D 60, cross-view',
    ('ntu120_3d', 'xsub'): 'NTU RGB+D 120, cross-subject',
    ('ntu120_3d', 'xset'): 'NTU RGB+D 120, cross-setup',
    ('pku_mmd1', 'xsub'): 'PKU-MMD I, cross-subject',
    ('pku_mmd1', 'xview'): 'PKU-MMD I, cross-view',
    ('pku_mmd2', 'xsub'): 'PKU-MMD II, cross-subject',
    ('pku_mmd2', 'xview'): 'PKU-MMD II, cross-view',
    ('pooled', 'pool'): 'four small sets together',
    ('synthetic', 'xview'): 'the synthetic set, cross-view',
}


def main(argv: Sequence[str] | None = None) -> int:
    """Writes or checks.

    Returns:
        Exit status: 0, or 1 where ``--check`` found a difference.
    """
    parser = tool_parser(__doc__)
    parser.add_argument('--check', action='store_true', help='change nothing')
    parser.add_argument(
        '--records', type=Path, help='folder of records; default: configs/results'
    )
    parser.add_argument(
        '--out',
        type=Path,
        help='write the tables to this file alone; LaTeX where it ends in .tex, '
        'otherwise Markdown',
    )
    args = parser.parse_args(argv)
    if (args.records is None) != (args.out is None) or (args.out and args.check):
        parser.error('--records goes with --out, and neither with --check')
    if not (args.out or (ROOT / 'README.md').exists()):
        parser.error('outside of a source tree give --records and --out')
    folder = args.records or CONFIGS / 'results'
    records = [read_record(path) for path in sorted(folder.glob('*.json'))]
    if not records:
        parser.error(f'{folder} holds no record (*.json)')
    published = yaml.safe_load((CONFIGS / 'published.yml').read_text(encoding='utf-8'))
    configs = pretraining_configs()
    changed = {path.stem for path in (CONFIGS / 'ablations').glob('*.py')}
    measured, unused = figures(records)
    # Ablations have tables of their own there, and no row in those of the methods.
    methods = comparable(f for f in measured if args.out or f.row not in changed)
    ablated = {} if args.out else ablations(measured, changed)
    shown = {f for group in [methods, *ablated.values()] for f in group}
    if missing := len(set(measured) - shown):
        lacking = 'figures of folds or draws that another row of their column lacks'
        unused[lacking] += missing
    values = grouped(methods)
    if args.out:
        # A row is named by its config, which need not be in this tree.
        configs |= {row: key for key, row, _ in values if not reference(row)}
        form = latex if args.out.suffix == '.tex' else markdown
        found = tables(values, published, configs, empty_rows=False, form=form)
        own = [text for key, text in found.items() if key in places(values)]
        return write({args.out: '\n'.join(own)}, unused, check=False)
    used = {name for f in measured for name in f.row.split(SUM)}
    for row in (
        {name for name in used if not reference(name)} - configs.keys() - changed
    ):
        unused[f'records of config {row!r}, which configs does not have'] += 1
    readme, page = ROOT / 'README.md', ROOT / 'docs' / 'benchmarks.md'
    every = tables(values, published, configs)
    run = {key for key, row, _ in values if not reference(row)}
    short = tables(values, published, configs, empty_rows=False)
    in_readme = [text for key, text in short.items() if key in run]
    in_page = [*every.values(), *ablation_tables(ablated)]
    wanted = {
        readme: insert(readme.read_text(encoding='utf-8'), in_readme),
        page: insert(page.read_text(encoding='utf-8'), in_page),
        CONFIGS / 'metafile.yml': metafile(values, configs),
    }
    return write(wanted, unused, args.check)


def write(wanted: dict[Path, str], unused: Counter[str], check: bool) -> int:
    """Writes files, or says which differ; returns the exit status."""
    for reason, number in unused.items():
        print(f'in no table: {number} {reason}', file=sys.stderr)
    status = 0
    for path, text in wanted.items():
        if path.exists() and path.read_text(encoding='utf-8') == text:
            continue
        name = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
        if check:
            print(
                f'{name} and the records disagree: run python tools/benchmark_table.py',
                file=sys.stderr,
            )
            status = 1
        else:
            with written_whole(path) as part:
                part.write_text(text, encoding='utf-8')
            print(f'written: {name}')
    return status


def pretraining_configs() -> dict[str, Key]:
    """Data set and split of every METHOD_DATASET config, by its name."""
    found = {}
    for path in sorted(CONFIGS.glob('*.py')):
        cfg = Config.fromfile(path)
        if cfg.get('protocol', 'pretrain') not in ('pretrain', 'supervised'):
            continue  # of a benchmark, as a user may have one here
        if not cfg.get('train_dataloader'):
            continue
        dataset = unrepeated(cfg.train_dataloader.dataset)
        found[path.stem] = (Path(dataset.ann_file).stem, family(dataset.get('split')))
    return found


def family(split: str | None) -> str:
    """The protocol of a split: xview of xview_val, fold of fold3_train."""
    return (split or '').rpartition('_')[0].rstrip('0123456789')


def comparable(figures: Iterable[Figure]) -> list[Figure]:
    """Figures without folds and draws that another row of their column has not.

    Folds, and draws of labelled clips, differ by more than methods do, so that a mean
    over five would not compare with one of them.
    """
    figures = list(figures)
    parts = defaultdict(lambda: defaultdict(set))  # column -> row -> folds and draws
    for figure in figures:
        parts[figure.key, figure.column][figure.row].add(part_of(figure))
    common = {
        column: set.intersection(*rows.values()) for column, rows in parts.items()
    }
    return [
        figure
        for figure in figures
        if part_of(figure) in common[figure.key, figure.column]
    ]


def part_of(figure: Figure) -> tuple[str | None, str]:
    """Fold, if it is of one, and draw."""
    return figure.split if numbered(figure.split) else None, figure.draw


def grouped(figures: Iterable[Figure]) -> Values:
    """Values by where they were measured, config and column."""
    values = defaultdict(list)
    for figure in figures:
        values[figure.key, figure.row, figure.column].append(figure.value)
    return values


def numbered(split: str | None) -> bool:
    """Whether a split is one of several, as fold3_val."""
    return (split or '').rpartition('_')[0] != family(split)


def reference(row: str) -> bool:
    """Whether a row stands beside the methods, and is none."""
    return row.partition('_')[0] in REFERENCES


def places(values: Values) -> set[Key]:
    """Where there is a record."""
    return {key for key, _, _ in values}


def titles(values: Values) -> dict[Key, str]:
    """Titles of the known data sets, and of others that have a record."""
    others = sorted(places(values) - TITLES.keys())
    return {**TITLES, **{key: ', '.join(filter(None, key)) for key in others}}


def markdown(
    title: str, corner: str, heads: list[str], rows: dict[str, list[str]]
) -> str:
    """A table with a title; ``rows`` has the cells of each row by its label."""
    lines = [
        f'**{title}**\n',
        f'| {corner} | {" | ".join(heads)} |',
        f'|---|{"---|" * len(heads)}',
        *(f'| {label} | {" | ".join(cells)} |' for label, cells in rows.items()),
    ]
    return '\n'.join(lines) + '\n'


def latex(title: str, corner: str, heads: list[str], rows: dict[str, list[str]]) -> str:
    """The same for LaTeX with the package booktabs."""
    lines = [
        r'\begin{table}',
        r'\centering',
        rf'\caption{{{escaped(title)}}}',
        rf'\begin{{tabular}}{{l{"c" * len(heads)}}}',
        r'\toprule',
        tex_row([corner, *heads]),
        r'\midrule',
        *(tex_row([label, *cells]) for label, cells in rows.items()),
        r'\bottomrule',
        r'\end{tabular}',
        r'\end{table}',
    ]
    return '\n'.join(lines) + '\n'


def tex_row(cells: list[str]) -> str:
    """A line of the table."""
    return ' & '.join(map(escaped, cells)) + r' \\'


def escaped(text: str) -> str:
    """Markdown of a cell or a title as LaTeX."""
    text = re.sub(r'[&%$#_{}]', r'\\\g<0>', text)
    text = re.sub('`([^`]*)`', r'\\texttt{\1}', text)
    return text.replace('±', r'$\pm$').replace(NONE, '--')


def tables(
    values: Values,
    published: list[dict],
    configs: dict[str, Key],
    empty_rows: bool = True,
    form: Form = markdown,
) -> dict[Key, str]:
    """The tables of all data sets that have a figure, in Markdown or another form.

    References come first, then the configs of the data set, then those that were
    pre-trained on another and measured on this one. Without ``empty_rows``, a config
    that nobody has run or published a figure of has no row.
    """
    found = {}
    for key, title in titles(values).items():
        known = [p for p in published if (p['dataset'], p['split']) == key]
        if known or key in places(values):
            run = {name for where, name, _ in values if where == key}
            shown = run | {p.get('config') for p in known}
            own = {
                name
                for name, where in configs.items()
                if where == key
                and (name in shown or (empty_rows and not is_variation(name)))
            }
            own |= {row for row in run if SUM in row and not reference(row)}
            ours = [
                *sorted(filter(reference, run), key=rank),
                *sorted(own, key=rank),
                *sorted((run & configs.keys()).difference(own), key=rank),
            ]
            found[key] = table(title, ours, known, of(key, values), form)
    return found


def of(key: Key, values: Values) -> dict[tuple[str, str], list[float]]:
    """The values of one data set, by config and column."""
    return {
        (config, column): found
        for (where, config, column), found in values.items()
        if where == key
    }


def ablations(
    figures: Sequence[Figure], changed: set[str]
) -> dict[tuple[Key, str], list[Figure]]:
    """What is compared with each config of which an ablation in ``changed`` was run.

    Returns:
        dict: Data set and config -> figures of the config and of its ablations.
    """
    rows = defaultdict(set)
    for figure in figures:
        if figure.row in changed:
            base = figure.row.rpartition('_')[0]
            rows[figure.key, base].update((base, figure.row))
    order = list(titles(grouped(figures)))
    return {
        (key, base): comparable(
            figure
            for figure in figures
            if figure.key == key and figure.row in rows[key, base]
        )
        for key, base in sorted(rows, key=lambda at: (order.index(at[0]), at[1]))
    }


def ablation_tables(found: dict[tuple[Key, str], list[Figure]]) -> list[str]:
    """A table for each of :func:`ablations`, in Markdown."""
    texts = []
    for (key, base), figures in found.items():
        values = grouped(figures)
        here = of(key, values)
        rows = [base, *sorted({figure.row for figure in figures} - {base})]
        heads = [c for c in COLUMNS if any((row, c) in here for row in rows)]
        cells = {
            'none' if row == base else f'`{row.rpartition("_")[2]}`': [
                summary(here.get((row, column))) for column in heads
            ]
            for row in rows
        }
        title = f'Ablations of `{base}`: {titles(values)[key]}'
        texts.append(markdown(title, 'change', heads, cells))
    return texts


def is_variation(config: str) -> bool:
    """Whether a config is none of METHOD_DATASET and METHOD_DATASET_small."""
    return config.removesuffix('_small').count('_') > 1


def rank(config: str) -> tuple[str, int]:
    """Sorts configs by size and data set, then as METHODS."""
    method, _, rest = config.partition('_')
    return rest, [*REFERENCES, *METHODS, method].index(method)


def figures(records: list[dict]) -> tuple[list[Figure], Counter[str]]:
    """What all runs have measured.

    Returns:
        tuple: The figures, and how many records there are of what has no column.
    """
    found, unused, seen = [], Counter(), {}
    for record in records:
        if record['protocol'] == 'pretrain':
            continue  # says how long it took; nothing is measured
        first = seen.setdefault(identity(record), record)
        if first is not record:
            same = first['metrics'] == record['metrics']
            others = '' if same else ' with other figures, as of other options'
            unused[f'records of runs that another record has{others}'] += 1
            continue
        used = False
        split, draw = record['split'], draw_of(record)
        key = (record['dataset'], family(split))
        row, metrics = row_of(record), record['metrics']
        for column, measures in COLUMNS.items():
            for protocol, metric in measures:
                if record['protocol'] == protocol and metric in metrics:
                    value = metrics[metric]
                    found.append(Figure(key, row, column, split, draw, value))
                    used = True
        unused[f'records of protocol {record["protocol"]!r}'] += not used
    return found, +unused


def identity(record: dict) -> tuple:
    """What two records of one run have in common."""
    start = record['start'] or {}
    return (
        row_of(record),
        *(record[key] for key in ('protocol', 'dataset', 'split', 'seed')),
        *(start.get(key) for key in ('seed', 'epochs')),
        draw_of(record),
        *(
            (s['seed'], s['start'] and s['start']['seed'])
            for s in record.get('streams', ())
        ),
    )


def draw_of(record: dict) -> str:
    """The draw of labelled clips; that of the configs is 0."""
    draw = re.search(r'draw_seed=(\d+)', record.get('command') or '')
    return draw[1] if draw else '0'


def row_of(record: dict) -> str:
    """The pre-training config of a record, or the name of its reference.

    Of summed scores those of all streams.
    """
    if streams := record.get('streams'):
        return SUM.join(
            row_of({**record, **stream, 'streams': None}) for stream in streams
        )
    if record['start']:
        return record['start']['config']
    if record['protocol'] == 'supervised':
        return record['config']
    reference = 'joints' if record['protocol'] == 'joints' else 'untrained'
    return f'{reference}_{record["config"].partition("_")[2]}'


def table(
    title: str,
    ours: list[str],
    published: list[dict],
    values: dict[tuple[str, str], list[float]],
    form: Form = markdown,
) -> str:
    """One data set: a row for each of our configs and each published method.

    What has a figure in another part alone has no row in this one.
    """
    theirs = {}
    for entry in published:
        row = entry.get('config', entry['method'])
        theirs[row, entry['column']] = f'{entry["top1"]:.1f}'
    names = [*ours, *dict.fromkeys(p['method'] for p in published if 'config' not in p)]
    figures = theirs.keys() | values.keys()
    known = {row for row, _ in figures}
    parts = []
    for part, columns in PARTS.items():
        here = {row for row, column in figures if column in columns}
        rows = [row for row in names if row in here or row not in known]
        heads, cells = [], {row: [] for row in rows}
        for column in columns:
            if any((row, column) in theirs for row in rows):
                heads.append(f'{column}, published')
                for row in rows:
                    cells[row].append(theirs.get((row, column), NONE))
            if any((row, column) in values for row in rows):
                heads.append(f'{column}, ours')
                for row in rows:
                    cells[row].append(summary(values.get((row, column))))
        if heads:
            labelled = {
                label_of(row) if row in ours else row: cells[row] for row in rows
            }
            parts.append(form(f'{title}: {part}', 'method', heads, labelled))
    text = '\n'.join(parts)
    if published:
        sources = dict.fromkeys(f'{p["method"]}: {p["source"]}' for p in published)
        comment = '% ' if form is latex else ''
        text += f'\n{comment}Sources: {"; ".join(sources)}.\n'
    return text


def label_of(row: str) -> str:
    """What a row of our own is called: its method, and the config or configs."""
    method = row.partition('_')[0]
    names = row.split(SUM)
    if reference(row):
        names = [name.partition('_')[2] for name in names]
    first, *others = names
    summed = SUM.join([first, *(name.removeprefix(first) for name in others)])
    return f'{REFERENCES.get(method) or METHODS.get(method, method)}, `{summed}`'


def summary(values: list[float] | None) -> str:
    """Mean, sample standard deviation and number of runs."""
    if not values:
        return NONE
    if len(values) == 1:
        return f'{values[0]:.1f} (1)'
    mean, spread = statistics.mean(values), statistics.stdev(values)
    return f'{mean:.1f} ± {spread:.1f} ({len(values)})'


def metafile(values: Values, configs: dict[str, Key]) -> str:
    """What MIM reads: every pre-training config, with its results."""
    models, named = [], titles(values)
    collections = dict.fromkeys(METHODS.values())
    for name, key in configs.items():
        if key not in named:  # a data set of the user's own, not run yet
            continue
        method = name.partition('_')[0]
        collection = METHODS.get(method, method)
        collections[collection] = None
        results = [
            dict(
                Task=f'Skeleton-based Action Recognition, {column}',
                # MIM keeps one number of a name for each data set, whatever the task.
                Dataset=f'{title}, {column}',
                Metrics={
                    'Top 1 Accuracy': round(statistics.mean(found), 2),
                    'Runs': len(found),
                },
            )
            for where, title in named.items()
            for column in COLUMNS
            if (found := values.get((where, name, column)))
        ]
        models.append(
            dict(
                Name=name,
                Config=f'configs/{name}.py',
                **{'In Collection': collection},
                Metadata={'Training Data': named[key]},
                Results=results,
            )
        )
    content = dict(Collections=[dict(Name=m) for m in collections], Models=models)
    head = '# Written by tools/benchmark_table.py from configs/results.\n'
    return head + yaml.safe_dump(content, sort_keys=False, allow_unicode=True)


def insert(text: str, tables: Iterable[str]) -> str:
    """Puts the tables between their marks."""
    before, mark, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (mark and end):
        raise ValueError(f'The page must hold the lines {BEGIN!r} and {END!r}.')
    inside = ''.join(f'\n{table}' for table in tables)
    return f'{before}{BEGIN}{inside}\n{END}{after}'


if __name__ == '__main__':
    sys.exit(main())
