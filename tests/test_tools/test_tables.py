"""From records to tables, and the grid that makes the records."""

import json
import os
import runpy
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import yaml
from mmengine.config import Config

from fdmae_mm.evaluation import read_scores

ROOT = Path(__file__).parents[2]
CONFIGS = ROOT / 'configs'


@pytest.fixture(scope='module')
def tool():
    return runpy.run_path(str(ROOT / 'tools' / 'benchmark_table.py'))


@pytest.fixture(scope='module')
def configs(tool):
    return tool['pretraining_configs']()


NW_UCLA = ('nw_ucla', 'xview')


def record(config, seed, protocol='probe', split='xview_val', **metrics):
    return dict(
        config='linear_nw-ucla_small',
        protocol=protocol,
        dataset='nw_ucla',
        split=split,
        seed=seed,
        start=dict(config=config, seed=seed, epochs=15, seconds=9),
        metrics=metrics,
        epochs=0,
        seconds=1,
        command='probe.py',
        device='CPU, 1 threads',
        versions={},
        revision='abc',
        date='2026-11-22',
    )


def runs(tool, records):
    """Values of all runs, and how many records have no column."""
    found, unused = tool['figures'](records)
    return tool['grouped'](found), unused


def test_cells_are_means_of_the_runs(tool):
    values, unused = runs(
        tool,
        [
            record('mae_a', 0, **{'linear': 60, '1nn': 50}),
            record('mae_a', 1, linear=64),
            record('mae_a', 0, protocol='finetune', top1=80),
            # Where settings are chosen is another place than where they are tested.
            record('mae_a', 0, split='xview_dev_val', linear=99),
            record('mae_a', 0, protocol='pretrain', loss=1),
            # What the tables have no column for is named.
            record('mae_a', 0, protocol='probe, 1 views', linear=99),
        ],
    )
    assert unused == {"records of protocol 'probe, 1 views'": 1}
    found = tool['of'](NW_UCLA, values)
    assert tool['summary'](found['mae_a', 'linear, cached']) == '62.0 ± 2.8 (2)'
    assert tool['summary'](found['mae_a', '1-NN']) == '50.0 (1)'
    assert tool['summary'](found['mae_a', 'fine-tune']) == '80.0 (1)'
    assert tool['summary'](found.get(('mae_a', 'linear'))) == '–'


def test_a_run_counts_once(tool):
    """A grid names a chain by its splits, so that one run may have two records."""
    one = record('mae_a', 0, linear=60)
    again = dict(one, command='probe.py --work-dir=elsewhere', date='2026-11-23')
    others = [
        dict(one, seed=1),
        dict(one, start=dict(one['start'], epochs=5)),
        dict(one, start=dict(one['start'], seed=1)),
    ]
    values, unused = runs(tool, [one, again, *others])
    assert values[NW_UCLA, 'mae_a', 'linear, cached'] == [60] * 4
    assert unused == {'records of runs that another record has': 1}
    _, unused = runs(tool, [one, dict(one, metrics=dict(linear=61))])
    (reason,) = unused
    assert reason.endswith('another record has with other figures, as of other options')
    sums = [
        dict(
            one,
            streams=[
                dict(config='', seed=seed, start=dict(config=config, seed=seed))
                for config, seed in (('mae_a', 0), ('mae_a_bone', other))
            ],
        )
        for other in (0, 1)
    ]
    _, unused = runs(tool, sums)
    assert not unused
    draws = [
        dict(
            record('mae_a', 0, protocol='semi10', top1=60),
            command=f'train.py --cfg-options train_dataloader.dataset.draw_seed={draw}',
        )
        for draw in (0, 1)
    ]
    values, _ = runs(tool, draws)
    assert values[NW_UCLA, 'mae_a', '10 % labels'] == [60, 60]
    unnamed = dict(draws[0], command='train.py semi10_a')  # the draw of the config
    values, unused = runs(tool, [*draws, unnamed])
    assert values[NW_UCLA, 'mae_a', '10 % labels'] == [60, 60] and unused
    values, unused = runs(tool, [record('mae_a', 0, protocol='semi25', top1=70)])
    assert values[NW_UCLA, 'mae_a', '25 % labels'] == [70] and not unused


def test_summed_scores_have_a_row_of_their_own(tool):
    def run(name, seed, **fields):
        return record(f'fdmae_{name}', seed, protocol='finetune', top1=70) | fields

    def summed(seed, top1):
        streams = [
            dict(config='', seed=seed, start=dict(config=f'fdmae_{name}', seed=seed))
            for name in ('a', 'a_bone')
        ]
        return run('a', seed, streams=streams, metrics=dict(top1=top1))

    records = [run('a', 0), run('a_bone', 0), summed(0, 80), summed(1, 90)]
    values, unused = runs(tool, records)
    assert not unused
    configs = {'fdmae_a': NW_UCLA, 'fdmae_a_bone': NW_UCLA}
    text = tool['tables'](values, [], configs)[NW_UCLA]
    rows = [line.split(' | ') for line in text.splitlines() if 'FDMAE' in line]
    assert [
        (row[0].removeprefix('| '), row[-1].removesuffix(' |')) for row in rows
    ] == [
        ('FDMAE, `fdmae_a`', '70.0 (1)'),
        ('FDMAE, `fdmae_a + _bone`', '85.0 ± 7.1 (2)'),
        ('FDMAE, `fdmae_a_bone`', '70.0 (1)'),
    ]
    # Without pre-training it is a reference, as each of its streams.
    for stream in records[2]['streams']:
        stream['start'] = None
    records[2]['streams'][0]['config'] = 'finetune_a'
    records[2]['streams'][1]['config'] = 'finetune_a_bone'
    text = tool['tables'](runs(tool, records[2:3])[0], [], configs)[NW_UCLA]
    assert '| No pre-training, `a + _bone` |' in text


def test_folds_that_a_row_lacks_are_left_out(tool):
    def fold(config, number, linear):
        return record(config, 0, split=f'fold{number}_val', linear=linear)

    def splits(*records):
        found, _ = tool['figures'](records)
        return [figure.split for figure in tool['comparable'](found)]

    joints, mae = 'joints_sbu_small', 'mae_sbu_small'
    one = fold(joints, 1, 70), fold(joints, 2, 90), fold(mae, 1, 80)
    whole = record(mae, 0, linear=60)
    assert splits(*one, whole) == ['fold1_val', 'fold1_val', 'xview_val']
    assert splits(fold(joints, 1, 70), fold(mae, 2, 80)) == []
    other = dict(fold(mae, 2, 60), dataset='other')
    assert splits(*one, other) == ['fold1_val', 'fold1_val', 'fold2_val']
    # Of a file without splits.
    assert splits(record(mae, 0, split=None, linear=60)) == [None]
    assert tool['family'](None) == ''


def test_draws_that_a_row_lacks_are_left_out(tool):
    def draw(config, number, top1):
        found = record(config, 0, protocol='semi10', top1=top1)
        return dict(found, command=f'train.py x.py --cfg-options a.draw_seed={number}')

    one = draw('mae_set', 0, 40), draw('mae_set', 1, 60), draw('fdmae_set', 1, 70)
    found, _ = tool['figures'](one)
    values = [figure.value for figure in tool['comparable'](found)]
    assert values == [60, 70]
    found, _ = tool['figures'](one[:2])
    assert len(tool['comparable'](found)) == 2


def test_folds_are_those_of_a_column(tool):
    def fold(config, number, protocol, **metrics):
        return record(config, 0, protocol, f'fold{number}_val', **metrics)

    def folds(*records):
        found, _ = tool['figures'](records)
        return [
            (figure.row, figure.column, int(figure.split[4]))
            for figure in tool['comparable'](found)
        ]

    # An interrupted grid: both rows are probed on two folds, one is fine-tuned on two.
    probes = [
        fold(config, n, 'probe', linear=60) for config in ('a', 'b') for n in (1, 2)
    ]
    tuned = [
        fold(config, n, 'finetune', top1=80)
        for config, n in (('a', 1), ('a', 2), ('b', 2))
    ]
    linear = 'linear, cached'
    both = [('a', linear, 1), ('a', linear, 2), ('b', linear, 1), ('b', linear, 2)]
    assert folds(*probes, *tuned) == [
        *both,
        ('a', 'fine-tune', 2),
        ('b', 'fine-tune', 2),
    ]
    # Joints without an encoder stand beside probes, and beside what is supervised.
    joints = [
        fold('_s', n, 'joints', linear=65, svm=82) | dict(start=None) for n in (1, 2)
    ]
    scratch = fold('scratch', 2, 'supervised', top1=90)
    assert folds(*probes, *joints, scratch) == [
        *both,
        ('joints_nw-ucla_small', linear, 1),
        ('joints_nw-ucla_small', linear, 2),
        ('joints_nw-ucla_small', 'supervised', 2),
        ('scratch', 'supervised', 2),
    ]


def test_what_is_trained_from_scratch_has_a_row_of_its_own(tool, configs):
    found = record('stgcnpp_nw-ucla_small', 0, protocol='supervised', top1=80)
    found.update(config='stgcnpp_nw-ucla_small', start=None)
    values, _ = runs(tool, [found])
    text = tool['tables'](values, [], configs)
    assert '| STGCN++, `stgcnpp_nw-ucla_small` | 80.0 (1) |' in text[NW_UCLA]


def test_references_stand_before_the_methods(tool, configs):
    """What joints give without an encoder, and what an encoder without pre-training."""
    joints = record('', 0, protocol='joints', linear=65, svm=82, **{'1nn': 70})
    probed = record('', 0, linear=58)
    tuned = record('', 0, protocol='finetune', top1=81)
    tuned['config'] = 'finetune_nw-ucla_small'
    for reference in (joints, probed, tuned):
        reference['start'] = None
    ours = record('mae_nw-ucla_small', 0, linear=76)
    values, unused = runs(tool, [ours, tuned, probed, joints])
    assert not unused
    text = tool['tables'](values, [], configs, empty_rows=False)[NW_UCLA]
    assert text == (
        '**NW-UCLA, cross-view: frozen encoder**\n'
        '\n'
        '| method | linear, cached, ours | 1-NN, ours |\n'
        '|---|---|---|\n'
        '| Joints, no encoder, `nw-ucla_small` | 65.0 (1) | 70.0 (1) |\n'
        '| No pre-training, `nw-ucla_small` | 58.0 (1) | – |\n'
        '| MAE, `mae_nw-ucla_small` | 76.0 (1) | – |\n'
        '\n'
        '**NW-UCLA, cross-view: trained with labels**\n'
        '\n'
        '| method | fine-tune, ours | supervised, ours |\n'
        '|---|---|---|\n'
        '| Joints, no encoder, `nw-ucla_small` | – | 82.0 (1) |\n'
        '| No pre-training, `nw-ucla_small` | 81.0 (1) | – |\n'
    )
    assert 'untrained' not in tool['metafile'](values, configs)


def test_references_alone_make_no_table_of_the_readme(tool, clone):
    found = record('', 0, protocol='joints', svm=12.3)
    found.update(dataset='mine', split='xsub_val', start=None)
    (clone / 'configs' / 'results' / 'mine.json').write_text(json.dumps(found))
    assert tool['main']([]) == 0
    assert '12.3 (1)' in (clone / 'docs' / 'benchmarks.md').read_text()
    assert '12.3 (1)' not in (clone / 'README.md').read_text()


def test_the_readme_has_no_empty_rows(tool, configs):
    published = dict(
        dataset='nw_ucla', split='xview', column='linear', top1=9, source='A'
    )
    entries = [
        dict(published, method='MAMP', config='mamp_nw-ucla'),
        dict(published, method='Other'),
    ]
    values, _ = runs(tool, [record('mae_nw-ucla_small', 0, linear=76)])
    text = tool['tables'](values, entries, configs, empty_rows=False)[NW_UCLA]
    rows = [line for line in text.splitlines() if line.startswith('|')]
    assert rows[2:] == [
        '| MAMP, `mamp_nw-ucla` | 9.0 | – |',
        '| MAE, `mae_nw-ucla_small` | – | 76.0 (1) |',
        '| Other | 9.0 | – |',
    ]
    full = tool['tables'](values, entries, configs)[NW_UCLA]
    assert '| MAE, `mae_nw-ucla` | – | – |' in full


def test_a_config_stands_in_the_table_of_every_set_it_was_measured_on(tool, configs):
    values, _ = runs(tool, [record('fdmae_msr-action3d_small', 0, linear=60)])
    found = tool['tables'](values, [], configs)
    assert list(found) == [NW_UCLA]
    last = found[NW_UCLA].splitlines()[-1]
    assert last == '| FDMAE, `fdmae_msr-action3d_small` | 60.0 (1) |'


def test_ablations_have_a_table_with_what_they_change(tool):
    base = 'fdmae_nw-ucla_small'
    found, _ = tool['figures'](
        [
            record(f'{base}_no-ema', 0, linear=60),
            record(f'{base}_no-ema', 1, linear=64),
            record(base, 0, **{'linear': 70, '1nn': 50}),
            record('mae_nw-ucla_small', 0, linear=1),
        ]
    )
    (text,) = tool['ablation_tables'](tool['ablations'](found, {f'{base}_no-ema'}))
    assert text.splitlines() == [
        '**Ablations of `fdmae_nw-ucla_small`: NW-UCLA, cross-view**',
        '',
        '| change | linear, cached | 1-NN |',
        '|---|---|---|',
        '| none | 70.0 (1) | 50.0 (1) |',
        '| `no-ema` | 62.0 ± 2.8 (2) | – |',
    ]


def test_table_keeps_published_and_ours_apart(tool):
    published = [
        dict(method='MAMP', column='linear', top1=84.9, source='A', config='mamp_a'),
        dict(method='Other', column='linear', top1=70, source='B'),
    ]
    text = tool['table'](
        'A set', ['mae_a', 'mamp_a'], published, {('mae_a', 'linear'): [61.0]}
    )
    rows = [line for line in text.splitlines() if line.startswith('|')]
    assert rows == [
        '| method | linear, published | linear, ours |',
        '|---|---|---|',
        '| MAE, `mae_a` | – | 61.0 (1) |',
        '| MAMP, `mamp_a` | 84.9 | – |',
        '| Other | 70.0 | – |',
    ]
    assert text.endswith('Sources: MAMP: A; Other: B.\n')


def test_every_pretraining_config_has_a_title_and_stands_in_the_metafile(tool, configs):
    assert set(configs.values()) <= set(tool['TITLES'])
    models = yaml.safe_load(tool['metafile']({}, configs))['Models']
    assert [m['Config'] for m in models] == [
        f'configs/{p.name}' for p in sorted(CONFIGS.glob('*.py'))
    ]


def test_tables_agree_with_the_records(tool):
    """What CI holds the repository to."""
    assert tool['main'](['--check']) == 0


def test_no_config_with_a_record_says_that_it_was_not_run():
    records = [json.loads(p.read_text()) for p in (CONFIGS / 'results').glob('*.json')]
    run = {r['config'] for r in records}
    run |= {r['start']['config'] for r in records if r['start']}
    stale = [
        path.name
        for path in CONFIGS.rglob('*.py')
        if path.stem in run and 'Not run here yet' in path.read_text()
    ]
    assert run and not stale


def test_variations_that_were_not_run_have_no_row(tool, monkeypatch):
    monkeypatch.setitem(tool['TITLES'], ('a', 'xsub'), 'A set')
    names = ['mae_a_small', 'mae_a_small_bone', 'mae_a_small_motion']
    values = {(('a', 'xsub'), 'mae_a_small_motion', 'linear'): [50.0]}
    found = tool['tables'](values, [], dict.fromkeys(names, ('a', 'xsub')))
    rows = found['a', 'xsub'].split('`')[1::2]
    assert rows == ['mae_a_small', 'mae_a_small_motion']


@pytest.fixture
def clone(tool, tmp_path, monkeypatch):
    """Configs, records and pages that a test may change."""
    for name in ('configs', 'docs'):
        shutil.copytree(ROOT / name, tmp_path / name)
    shutil.copy(ROOT / 'README.md', tmp_path)
    names = tool['main'].__globals__
    monkeypatch.setitem(names, 'ROOT', tmp_path)
    monkeypatch.setitem(names, 'CONFIGS', tmp_path / 'configs')
    return tmp_path


def test_check_notices_a_new_record(tool, clone, capsys):
    found = record('fdmae_nw-ucla_small', 99, **{'linear': 1.5, '1nn': 2.5})
    path = clone / 'configs' / 'results' / 'new.json'
    path.write_text(json.dumps(found))
    assert tool['main'](['--check']) == 1
    assert 'README.md and the records disagree' in capsys.readouterr().err
    assert tool['main']([]) == 0
    assert tool['main'](['--check']) == 0
    path.write_text('{}')
    with pytest.raises(ValueError, match=r'new\.json is no result record'):
        tool['main']([])


def test_an_ablation_of_one_fold_takes_none_from_the_methods(tool, clone, capsys):
    results = clone / 'configs' / 'results'
    for path in results.glob('*'):
        path.unlink()
    base, ablation = 'fdmae_sbu_small', 'fdmae_sbu_small_no-frequency'
    for i, (row, fold) in enumerate([(base, 1), (base, 2), (ablation, 2)]):
        found = record(row, 0, split=f'fold{fold}_val', linear=50 + 10 * i)
        (results / f'{i}.json').write_text(json.dumps(dict(found, dataset='sbu')))
    assert tool['main']([]) == 0
    assert 'in no table' not in capsys.readouterr().err
    page = (clone / 'docs' / 'benchmarks.md').read_text()
    assert '| FDMAE, `fdmae_sbu_small` | 55.0 ± 7.1 (2) |' in page
    assert '| none | 60.0 (1) |\n| `no-frequency` | 70.0 (1) |' in page


def test_what_is_in_no_table_is_told(tool, clone, capsys):
    results = clone / 'configs' / 'results'
    for path in results.glob('*'):
        path.unlink()
    folds = ('mae_sbu_small', 1), ('fdmae_sbu_small', 1), ('fdmae_sbu_small', 2)
    for i, (row, fold) in enumerate(folds):
        found = record(row, 0, split=f'fold{fold}_val', linear=50 + i)
        (results / f'{i}.json').write_text(json.dumps(dict(found, dataset='sbu')))
    gone = record('mae_gone', 0, linear=60)
    (results / 'gone.json').write_text(json.dumps(gone))
    assert tool['main']([]) == 0
    lacking = 'figures of folds or draws that another row of their column lacks'
    assert capsys.readouterr().err.splitlines() == [
        f'in no table: 1 {lacking}',
        "in no table: 1 records of config 'mae_gone', which configs does not have",
    ]


def test_a_page_without_a_place_for_tables_is_left_alone(tool, clone):
    readme = clone / 'README.md'
    text = readme.read_text().replace('<!-- end of tables -->\n', '')
    readme.write_text(text)
    with pytest.raises(ValueError, match='The page must hold the lines'):
        tool['main']([])
    assert readme.read_text() == text


def test_data_sets_of_a_users_own(tool, clone):
    """Their configs change nothing; their records make a table."""
    configs = clone / 'configs'
    mine = (configs / 'fdmae_nw-ucla_small.py').read_text()
    mine += '\ntrain_dataloader = dict(dataset=dict(dataset=dict('
    (configs / 'fdmae_mine.py').write_text(
        f"{mine}ann_file='data/mine.pkl', split='xsub_train')))\n"
    )
    (configs / 'finetune_mine.py').write_text('')
    (configs / 'probe_mine.py').write_text(
        "_base_ = './benchmarks/finetune/finetune_nw-ucla_small.py'"
    )
    assert tool['main'](['--check']) == 0
    found = record('fdmae_mine', 0, split='xsub_val', linear=60)
    found['dataset'] = 'mine'
    (configs / 'results' / 'mine.json').write_text(json.dumps(found))
    assert tool['main']([]) == 0
    readme = (clone / 'README.md').read_text()
    assert '**mine, xsub: frozen encoder**' in readme
    assert '| FDMAE, `fdmae_mine` | 60.0 (1) |' in readme


def test_a_method_of_a_users_own_has_a_row(tool, clone):
    configs = clone / 'configs'
    shutil.copy(configs / 'mae_nw-ucla_small.py', configs / 'contrast_nw-ucla_small.py')
    found = record('contrast_nw-ucla_small', 0, linear=60)
    (configs / 'results' / 'mine.json').write_text(json.dumps(found))
    assert tool['main']([]) == 0
    row = '| contrast, `contrast_nw-ucla_small` | – | 60.0 (1) |'
    assert row in (clone / 'README.md').read_text()
    models = yaml.safe_load((configs / 'metafile.yml').read_text())
    assert dict(Name='contrast') in models['Collections']


def test_mim_reads_every_figure_of_a_model(tool, clone):
    """It keeps one of each name for a data set, whatever the task."""
    configs = clone / 'configs'
    for protocol, name in (('finetune', 'top1'), ('semi10', 'top1')):
        found = record('mae_nw-ucla_small', 0, protocol=protocol, **{name: 60})
        (configs / 'results' / f'{protocol}.json').write_text(json.dumps(found))
    assert tool['main']([]) == 0
    for model in yaml.safe_load((configs / 'metafile.yml').read_text())['Models']:
        sets = [result['Dataset'] for result in model['Results']]
        assert len(sets) == len(set(sets))
        if model['Name'] == 'mae_nw-ucla_small':
            assert len(sets) >= 2


def test_tables_of_other_records_go_into_a_file_of_their_own(
    tool, clone, tmp_path, capsys
):
    records, out = tmp_path / 'mine', tmp_path / 'tables' / 'mine.md'
    records.mkdir()
    with pytest.raises(SystemExit):
        tool['main'](['--records', str(records), '--out', str(out)])
    assert f'{records} holds no record' in capsys.readouterr().err
    found = dict(record('contrast_mine', 0, split='val', linear=60), dataset='mine')
    (records / 'a.json').write_text(json.dumps(found))
    assert tool['main'](['--records', str(records), '--out', str(out)]) == 0
    assert out.read_text() == (
        '**mine: frozen encoder**\n\n| method | linear, cached, ours |\n|---|---|\n'
        '| contrast, `contrast_mine` | 60.0 (1) |\n'
    )
    assert tool['main'](['--check']) == 0  # nothing else was written
    with pytest.raises(SystemExit):
        tool['main'](['--records', str(records)])
    assert '--records goes with --out' in capsys.readouterr().err


def test_tables_for_latex(tool, tmp_path):
    records, out = tmp_path / 'mine', tmp_path / 'mine.tex'
    records.mkdir()
    for seed, linear in enumerate((60, 64)):
        found = dict(record('mae_my_set', seed, split='val', linear=linear))
        found.update(dataset='R&D_set')
        (records / f'{seed}.json').write_text(json.dumps(found))
    found = record('fdmae_my_set', 0, protocol='semi10', split='val', top1=50)
    (records / 'b.json').write_text(json.dumps(dict(found, dataset='R&D_set')))
    assert tool['main'](['--records', str(records), '--out', str(out)]) == 0
    assert out.read_text() == (
        r"""\begin{table}
\centering
\caption{R\&D\_set: frozen encoder}
\begin{tabular}{lc}
\toprule
method & linear, cached, ours \\
\midrule
MAE, \texttt{mae\_my\_set} & 62.0 $\pm$ 2.8 (2) \\
\bottomrule
\end{tabular}
\end{table}

\begin{table}
\centering
\caption{R\&D\_set: trained with labels}
\begin{tabular}{lc}
\toprule
method & 10 \% labels, ours \\
\midrule
FDMAE, \texttt{fdmae\_my\_set} & 50.0 (1) \\
\bottomrule
\end{tabular}
\end{table}
"""
    )


def test_sources_of_published_figures_are_a_comment_in_latex(tool):
    entry = dict(method='X', column='linear', top1=86.1, source='a paper, 100 %')
    found = tool['table']('A', [], [entry], {}, tool['latex'])
    assert 'X & 86.1 \\\\\n' in found
    assert found.endswith('\n\n% Sources: X: a paper, 100 %.\n')


@pytest.fixture
def grid(tmp_path, tiny_config):
    """The grid on two tiny methods; the second fails."""
    tool = runpy.run_path(str(ROOT / 'tools' / 'grid.py'))
    configs = tmp_path / 'configs'
    (configs / 'benchmarks' / 'linear').mkdir(parents=True)
    single = 'train_cfg = dict(max_epochs=1)\n'
    shutil.move(
        tiny_config('fdmae_synthetic.py', extra=single), configs / 'fdmae_tiny.py'
    )
    broken = single + "optim_wrapper = dict(type='Missing')\n"
    shutil.move(tiny_config('mae_synthetic.py', extra=broken), configs / 'mae_tiny.py')
    shutil.move(
        tiny_config('benchmarks/linear/linear_synthetic.py', extra=LINEAR),
        configs / 'benchmarks' / 'linear' / 'linear_tiny.py',
    )
    tool['parse_args'].__globals__['CONFIGS'] = configs

    def run(*extra):
        return tool['main'](
            [
                '--methods=fdmae',
                '--datasets=tiny',
                '--protocols=probe',
                f'--work-dir={tmp_path / "work"}',
                f'--records={tmp_path / "results"}',
                '--jobs=1',
                *extra,
            ]
        )

    return run


def top1(path):
    """Accuracy in % of dumped scores."""
    scores, labels, _ = read_scores(path)
    return 100 * np.mean(scores.argmax(1) == labels)


LINEAR = """
model['backbone']['frozen_stages'] = 1
bank_dataloader = dict(num_workers=0, dataset=val_dataloader['dataset'])
eval_dataloader = dict(num_workers=0, dataset=val_dataloader['dataset'])
"""


def test_grid_does_not_pass_off_a_config_that_was_changed(grid, tmp_path, capsys):
    assert grid() == 0
    config = tmp_path / 'configs' / 'fdmae_tiny.py'
    text = config.read_text()
    config.write_text(f'{text}default_hooks = dict(logger=dict(interval=7))\n')
    assert grid() == 0  # it measures the same
    config.write_text(f'{text}optim_wrapper = dict(optimizer=dict(lr=0.5))\n')
    assert grid() == 1
    assert 'pretrain was run with' in capsys.readouterr().err
    config.write_text(text)
    assert grid() == 0
    # Nor do the records of other options take the place of those that are there.
    options = ['--cfg-options', 'optim_wrapper.optimizer.lr=0.5']
    assert grid(f'--work-dir={tmp_path / "other"}', *options) == 1
    assert 's0_pretrain.json is of a run with' in capsys.readouterr().err
    assert not (tmp_path / 'other' / 'fdmae_tiny_s0' / 'pretrain').exists()


def test_grid_does_not_pass_off_an_untrained_encoder_of_other_options(
    grid, tmp_path, capsys
):
    options = ['--methods=untrained', '--cfg-options']
    assert grid(*options, 'model.backbone.depth=1') == 0
    assert grid(*options, 'model.backbone.depth=1') == 0
    assert grid(*options, 'model.backbone.depth=2') == 1
    assert 'probe was run with' in capsys.readouterr().err
    assert grid(f'--work-dir={tmp_path / "other"}', *options, 'model.backbone.depth=2')
    assert 's0_probe.json is of a run with' in capsys.readouterr().err


def test_grid_goes_on_wherever_an_option_leads(
    grid, tmp_path, monkeypatch, synthetic_ann_file
):
    """Records have paths below the folder of the command without it."""
    monkeypatch.chdir(tmp_path)
    clips = shutil.copy(synthetic_ann_file, tmp_path / 'clips.pkl')
    option = f'train_dataloader.dataset.dataset.ann_file={clips}'
    options = ['--protocols', '--cfg-options', option]
    assert grid(*options) == 0
    assert grid(*options) == 0


def test_grid_leaves_records_and_goes_on_where_it_stopped(grid, tmp_path, capsys):
    # Of a run that was killed before its first line.
    log = tmp_path / 'work' / 'fdmae_tiny_s0' / 'pretrain' / 'log.txt'
    log.parent.mkdir(parents=True)
    log.touch()
    assert grid() == 0
    results = tmp_path / 'results'
    assert sorted(p.name for p in results.iterdir()) == [
        'fdmae_tiny_s0_pretrain.json',
        'fdmae_tiny_s0_probe.json',
    ]
    probed = json.loads((results / 'fdmae_tiny_s0_probe.json').read_text())
    assert probed['protocol'] == 'probe'
    assert probed['start']['config'] == 'fdmae_tiny'
    assert probed['config'] == 'linear_tiny'
    assert {'linear', '1nn'} <= set(probed['metrics'])
    dumped = tmp_path / 'work' / 'fdmae_tiny_s0' / 'probe' / 'linear.pkl'
    assert probed['metrics']['linear'] == pytest.approx(top1(dumped), abs=0.05)
    assert 'fdmae_tiny_s0 pretrain: ' in capsys.readouterr().out
    # Only what has no record is run again. A method may have benchmarks of its own.
    linear = tmp_path / 'configs' / 'benchmarks' / 'linear'
    shutil.copy(linear / 'linear_tiny.py', linear / 'linear_tiny_fdmae.py')
    (tmp_path / 'work' / 'fdmae_tiny_s0' / 'probe' / 'record.json').unlink()
    assert grid() == 0
    probed = json.loads((results / 'fdmae_tiny_s0_probe.json').read_text())
    assert probed['config'] == 'linear_tiny_fdmae'
    out = capsys.readouterr().out
    assert 'fdmae_tiny_s0 probe: ' in out
    assert 'pretrain: ' not in out
    assert grid('--protocols', 'probe-joints') == 0
    apart = json.loads((results / 'fdmae_tiny_s0_probe-joints.json').read_text())
    assert apart['protocol'] == 'probe-joints'
    assert apart['start'] == probed['start']
    # Its own checkpoint, wherever the folder is now.
    moved = shutil.move(tmp_path / 'work', tmp_path / 'moved')
    (moved / 'fdmae_tiny_s0' / 'probe' / 'record.json').unlink()
    assert grid('--work-dir', str(moved)) == 0
    shutil.move(moved, tmp_path / 'work')
    # Nor does what has its records need the weights.
    for weights in tmp_path.glob('work/fdmae_tiny_s0/pretrain/*.pth'):
        weights.unlink()
    assert grid() == 0
    # What was trained with other options is no result of these.
    other = 'optim_wrapper.optimizer.lr=1e-5'
    assert grid('--cfg-options', other) == 1
    assert f"{other}']: take another --work-dir" in capsys.readouterr().err


def test_grid_measures_what_stands_beside_the_methods(grid, tmp_path):
    assert grid('--methods', 'untrained', 'joints') == 0
    results = tmp_path / 'results'
    found = {path.name: json.loads(path.read_text()) for path in results.iterdir()}
    assert {name: record['protocol'] for name, record in found.items()} == {
        'joints_tiny_s0_probe.json': 'joints',
        'untrained_tiny_s0_probe.json': 'probe',
    }
    assert all(record['start'] is None for record in found.values())
    # Any protocol that trains begins at random weights.
    shutil.copy(
        tmp_path / 'configs' / 'benchmarks' / 'linear' / 'linear_tiny.py',
        tmp_path / 'configs' / 'benchmarks' / 'linear' / 'linear_other.py',
    )
    other = ['--methods=untrained', '--datasets=other', '--protocols', 'linear']
    assert grid(*other) == 0
    trained = json.loads((results / 'untrained_other_s0_linear.json').read_text())
    assert trained['start'] is None
    dumped = tmp_path / 'work' / 'untrained_other_s0' / 'linear' / 'scores.pkl'
    assert trained['metrics']['top1'] == pytest.approx(top1(dumped), abs=0.001)


@pytest.mark.parametrize(
    'options, message',
    [
        (['--methods=joints', '--protocols=finetune'], 'have probe alone'),
        (['--methods=untrained', '--ablations=no-ema'], "--ablations of ['untrained']"),
    ],
)
def test_grid_refuses_what_a_reference_has_not(grid, options, message, capsys):
    with pytest.raises(SystemExit):
        grid(*options)
    assert message in capsys.readouterr().err


def test_grid_goes_on_after_a_run_that_failed(grid, tmp_path, capsys):
    assert grid('--methods', 'mae', 'fdmae') == 1
    err = capsys.readouterr().err
    log = tmp_path / 'work' / 'mae_tiny_s0' / 'pretrain' / 'log.txt'
    assert f'failed, see {log}' in err
    assert 'Missing' in log.read_text()
    assert (tmp_path / 'results' / 'fdmae_tiny_s0_probe.json').exists()


def test_grid_checks_the_place_of_its_records_before_it_begins(grid, tmp_path, capsys):
    (tmp_path / 'file').touch()
    assert grid('--records', str(tmp_path / 'file' / 'results')) == 1
    assert 'results is no folder' in capsys.readouterr().err
    assert not (tmp_path / 'work').exists()


def test_grid_refuses_an_unknown_config_before_it_begins(grid, tmp_path, capsys):
    assert grid('--protocols', 'probe', 'fintune') == 1
    assert 'fintune_tiny.py' in capsys.readouterr().err
    knn = tmp_path / 'configs' / 'benchmarks' / 'knn' / 'knn_tiny.py'
    knn.parent.mkdir()
    knn.write_text('')
    assert grid('--protocols', 'knn') == 1
    assert f'{knn} trains nothing' in capsys.readouterr().err
    assert not (tmp_path / 'work').exists()


@pytest.mark.parametrize(
    ('named', 'found'),
    [(None, ['0', '1']), ('4,5', ['4', '5']), ('GPU-a,7', ['GPU-a', '7'])],
)
def test_grid_takes_the_gpus_it_was_given(monkeypatch, named, found):
    tool = runpy.run_path(str(ROOT / 'tools' / 'grid.py'))
    monkeypatch.setattr('torch.cuda.device_count', lambda: 2)
    monkeypatch.delenv('CUDA_VISIBLE_DEVICES', raising=False)
    if named:
        monkeypatch.setenv('CUDA_VISIBLE_DEVICES', named)
    assert tool['visible_devices']() == found


def test_an_installed_grid_keeps_its_records_out_of_the_package(capsys):
    tool = runpy.run_path(str(ROOT / 'tools' / 'grid.py'))
    tool['parse_args'].__globals__['ROOT'] = Path('site-packages/fdmae_mm/.mim')
    needed = ['--methods=fdmae', '--datasets=synthetic']
    with pytest.raises(SystemExit):
        tool['parse_args'](needed)
    assert '--records FOLDER is needed outside of a source' in capsys.readouterr().err
    assert tool['parse_args']([*needed, '--records=own']).records == Path('own')


def test_grid_finds_a_checkpoint_that_nothing_names(tmp_path):
    """The disk was full when the last one was to be named."""
    last_checkpoint = runpy.run_path(str(ROOT / 'tools' / 'grid.py'))['last_checkpoint']
    for name in 'epoch_9.pth', 'epoch_10.pth':
        (tmp_path / name).touch()
    (tmp_path / 'last_checkpoint').touch()
    assert last_checkpoint(tmp_path) == tmp_path / 'epoch_10.pth'
    (tmp_path / 'last_checkpoint').write_text('elsewhere/epoch_9.pth')
    assert last_checkpoint(tmp_path) == tmp_path / 'epoch_9.pth'


def test_grid_keeps_to_the_threads_that_it_was_lent(monkeypatch, tmp_path):
    monkeypatch.setenv('OMP_NUM_THREADS', '3')
    tool = runpy.run_path(str(ROOT / 'tools' / 'grid.py'))
    lent = []

    def run_chain(chain, args, slots, processes):
        lent.append(slots.get())

    tool['parse_args'].__globals__['run_chain'] = run_chain
    line = f'--methods mae --datasets synthetic --jobs 1 --records {tmp_path}'
    assert tool['main'](line.split()) == 0
    assert lent == [{'OMP_NUM_THREADS': '3'}]


def test_grid_has_a_run_on_each_gpu_and_all_methods_of_a_seed_first(
    monkeypatch, tmp_path
):
    monkeypatch.delenv('OMP_NUM_THREADS', raising=False)
    monkeypatch.setattr('os.sched_getaffinity', lambda _: range(6), raising=False)
    tool = runpy.run_path(str(ROOT / 'tools' / 'grid.py'))
    lent, names = [], []

    def run_chain(chain, args, slots, processes):
        names.append(chain.name)
        if len(lent) < 2:
            lent.append(slots.get())

    tool['parse_args'].__globals__['run_chain'] = run_chain
    tool['parse_args'].__globals__['visible_devices'] = lambda: ['4', '5']
    line = f'--methods mae fdmae --datasets synthetic --seeds 1 0 --records {tmp_path}'
    assert tool['main'](line.split()) == 0
    assert lent == [
        {'OMP_NUM_THREADS': '3', 'CUDA_VISIBLE_DEVICES': device} for device in '45'
    ]
    methods = [name.partition('_')[0] for name in names]
    assert sorted(methods[:2]) == sorted(methods[2:]) == ['fdmae', 'mae']


def test_grid_keeps_changed_methods_out_of_the_results(tmp_path, capsys):
    tool = runpy.run_path(str(ROOT / 'tools' / 'grid.py'))
    command = ['--methods=fdmae', '--datasets=nw-ucla_small', '--cfg-options', 'a=1']
    with pytest.raises(SystemExit):
        tool['parse_args'](command)
    assert 'give --records' in capsys.readouterr().err
    assert tool['parse_args']([*command, '--records=there']).cfg_options == ['a=1']
    own = [*command[:2], f'--configs={tmp_path}']
    # Nor does it take over what the shipped ones have trained.
    with pytest.raises(SystemExit):
        tool['parse_args']([*own, '--records=there'])
    assert '--configs: give --work-dir too' in capsys.readouterr().err
    own.append('--work-dir=elsewhere')
    with pytest.raises(SystemExit):
        tool['parse_args'](own)
    assert 'give --records' in capsys.readouterr().err
    assert tool['parse_args']([*own, '--records=there']).configs == tmp_path
    tool['parse_args']([*command[:2], f'--configs={CONFIGS}'])  # changes nothing
    with pytest.raises(SystemExit):
        tool['parse_args']([*command[:2], '--configs=nowhere', '--records=there'])
    assert '--configs nowhere is no folder' in capsys.readouterr().err


def test_grid_evaluates_the_encoder_that_its_options_have_trained(tmp_path):
    """Not the weights that its training began with."""
    tool = runpy.run_path(str(ROOT / 'tools' / 'grid.py'))
    width = 'model.backbone.embed_dims=16'
    start = 'model.backbone.init_cfg.checkpoint=start.pth'
    args = tool['parse_args'](
        [
            '--methods=mae',
            '--datasets=nw-ucla_small',
            '--protocols=probe',
            f'--records={tmp_path}',
            f'--work-dir={tmp_path}',
            '--cfg-options',
            width,
            start,
        ]
    )
    for method in ('mae', 'untrained'):
        chain = tool['Chain'](method, 'nw-ucla_small', 0, None, None)
        lines = dict(tool['commands'](chain, args))
        assert width in lines['probe'] and start not in lines['probe']
        if method == 'mae':
            assert {width, start} <= set(lines['pretrain'])


def test_runs_of_a_chain_have_its_seed_split_and_encoder(tmp_path):
    tool = runpy.run_path(str(ROOT / 'tools' / 'grid.py'))
    args = tool['parse_args'](
        [
            '--methods=fdmae',
            '--datasets=nw-ucla_small',
            *('--protocols', 'finetune', 'semi10', 'probe-joints'),
            '--draws=2',
            f'--records={tmp_path}',
            f'--work-dir={tmp_path}',
        ]
    )
    chain = tool['Chain']('fdmae', 'nw-ucla_small', 7, 'fold2', None)
    assert chain.name == 'fdmae_nw-ucla_small_fold2_s7'
    pretrain, *evaluations = tool['commands'](chain, args)
    names = ['finetune', 'semi10_draw0', 'semi10_draw1', 'probe-joints']
    assert [name for name, _ in evaluations] == names
    for name, line in (pretrain, *evaluations):
        assert 'randomness.seed=7' in line
        assert 'train_dataloader.dataset.dataset.split=fold2_train' in line
        assert ('--resume' in line) == (name != 'probe-joints')
    checkpoint = str(tmp_path / chain.name / 'pretrain' / 'last_checkpoint')
    for name, line in evaluations:
        assert 'model.backbone.encode_absent=False' in line
        if name == 'probe-joints':
            assert checkpoint in line and '--keep-joints' in line
        else:
            assert f'model.backbone.init_cfg.checkpoint={checkpoint}' in line
        if name.startswith('semi10'):
            draw = name.removeprefix('semi10_draw')
            assert f'train_dataloader.dataset.dataset.draw_seed={draw}' in line


def test_configs_of_ones_own_stand_before_the_shipped_ones(tmp_path):
    tool = runpy.run_path(str(ROOT / 'tools' / 'grid.py'))
    find = partial(tool['Chain'], seed=0, split=None, configs=tmp_path)
    names = (
        'contrast_nw-ucla_small.py',
        'ablations/fdmae_nw-ucla_small_no-ema.py',
        'benchmarks/semi/semi10_nw-ucla_small.py',
        'benchmarks/linear/linear_nw-ucla_small_contrast.py',
    )
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    own, ablation, semi, linear = (tmp_path / name for name in names)
    contrast = find('contrast', 'nw-ucla_small', ablation=None)
    fdmae = find('fdmae', 'nw-ucla_small', ablation='no-ema')
    assert contrast.config == own and fdmae.config == ablation
    assert tool['benchmark']('semi10', fdmae) == semi
    assert tool['benchmark']('probe', contrast) == linear
    shipped = CONFIGS / 'benchmarks' / 'linear' / 'linear_nw-ucla_small.py'
    assert tool['benchmark']('probe', fdmae) == shipped
    transfer = 'linear_nw-ucla-to-utd-mhad_small.py'
    assert (
        tool['benchmark']('probe-to-utd-mhad', fdmae)
        == CONFIGS / 'benchmarks' / 'transfer' / transfer
    )


# A grid whose runs leave their process number and sleep.
SLEEPING = """
import runpy
import signal
import sys
from pathlib import Path

# As in a terminal; a shell's background jobs ignore it.
signal.signal(signal.SIGINT, signal.default_int_handler)
tool = runpy.run_path(sys.argv.pop(1))
sleep = (
    "import os, time; "
    "print(os.getpid(), file=open('{}.part', 'w'), flush=True); "
    "os.rename('{}.part', '{}'); "
    "time.sleep(1000)"
)


def commands(chain, args):
    script = Path(f'sleep{chain.seed}.py')
    script.write_text(sleep.replace('{}', f'pid{chain.seed}'))
    yield 'pretrain', [str(script), str(chain.config), '--cfg-options']


tool['parse_args'].__globals__['commands'] = commands
sys.exit(tool['main']())
"""


def start_sleeping_grid(folder, *seeds):
    """Start a grid whose runs sleep, and wait until the first of them does."""
    (folder / 'sleeping.py').write_text(SLEEPING)
    line = (
        f'sleeping.py {ROOT / "tools" / "grid.py"} --methods fdmae --datasets '
        'synthetic --protocols --jobs 1 --records . --seeds'
    )
    command = [sys.executable, *line.split(), *seeds]
    grid = subprocess.Popen(command, cwd=folder)
    while not (folder / 'pid0').exists():
        assert grid.poll() is None
        time.sleep(0.1)
    return command, grid


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_grid_stops_its_runs(tmp_path, number):
    _, grid = start_sleeping_grid(tmp_path, '0', '1')
    grid.send_signal(number)
    assert grid.wait(timeout=60) != 0
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / 'pid0').read_text()), 0)
    assert not (tmp_path / 'pid1').exists()


def test_a_grid_keeps_off_a_chain_that_another_runs(tmp_path):
    command, first = start_sleeping_grid(tmp_path, '0')
    started = tmp_path / 'pid0'
    run = int(started.read_text())
    started.unlink()
    try:
        for left_behind in False, True:
            if left_behind:
                first.kill()
                first.wait()
            second = subprocess.run(
                command, cwd=tmp_path, capture_output=True, text=True
            )
            assert second.returncode == 1
            assert 'work_dirs/grid/fdmae_synthetic_s0 is in use' in second.stderr
            assert not started.exists()
    finally:
        first.kill()
        os.kill(run, signal.SIGKILL)


def test_an_ablation_has_a_folder_and_records_of_its_own(grid, tmp_path, capsys):
    assert grid('--ablations', 'no-ema') == 1
    missing = tmp_path / 'configs' / 'ablations' / 'fdmae_tiny_no-ema.py'
    assert str(missing) in capsys.readouterr().err
    missing.parent.mkdir()
    text = (tmp_path / 'configs' / 'fdmae_tiny.py').read_text()
    missing.write_text(f"{text}model['max_cells'] = 1\n")
    assert grid('--ablations', 'no-ema') == 0
    probed = tmp_path / 'results' / 'fdmae_tiny_no-ema_s0_probe.json'
    assert json.loads(probed.read_text())['start']['config'] == 'fdmae_tiny_no-ema'


def test_splits_are_put_into_every_loader():
    tool = runpy.run_path(str(ROOT / 'tools' / 'grid.py'))
    cfg = Config.fromfile(CONFIGS / 'benchmarks/linear/linear_nw-ucla_small.py')
    assert set(tool['split_options'](cfg, 'fold2')) == {
        'train_dataloader.dataset.dataset.split=fold2_train',
        'eval_dataloader.dataset.split=fold2_val',
        'val_dataloader.dataset.split=fold2_val',
        'test_dataloader.dataset.split=fold2_val',
        'bank_dataloader.dataset.split=fold2_train',
    }
    assert tool['split_options'](cfg, None) == []
    cfg.bank_dataloader.dataset.split = None
    with pytest.raises(ValueError, match='bank_dataloader has no split'):
        tool['split_options'](cfg, 'fold2')


@pytest.mark.parametrize('name', ['grid', 'benchmark_table'])
def test_commands_have_help(name, capsys):
    tool = runpy.run_path(str(ROOT / 'tools' / f'{name}.py'))
    with pytest.raises(SystemExit):
        tool['main'](['--help'])
    assert 'configs/results' in capsys.readouterr().out
