import json

import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib import rcParams

from fdmae_mm.visualization import plot_bands, plot_curves, read_scalars

CONFIG = """model = dict(heads=dict(frequency=dict(
    band_edges=(0, 0.0625, 0.5), windows=(16, 8))))
clip_grad = dict(max_norm=inf)
"""


def write(work_dir, records, time='20260101_000000', end='\n'):
    folder = work_dir / time / 'vis_data'
    folder.mkdir(parents=True)
    text = '\n'.join(json.dumps(record) for record in records) + end
    (folder / 'scalars.json').write_text(text)
    return work_dir


def step(n, **scalars):
    return dict(scalars, epoch=1, iter=n, step=n)


def test_seeds_are_mean_and_sample_deviation(tmp_path):
    runs = [
        write(tmp_path / 'mae_s0', [step(1, loss=4.0), step(2, loss=2.0)]),
        write(tmp_path / 'mae_s1', [step(1, loss=8.0), step(2, loss=2.0)]),
        write(tmp_path / 'other', [step(1, loss=1.0)]),
    ]
    figure, curves = plot_curves(runs, ['loss'], smooth=0)
    curve, other = curves['loss']['mae'], curves['loss']['other']
    assert curve.steps.tolist() == [1, 2]
    assert curve.raw.tolist() == [[4, 2], [8, 2]]
    assert curve.mean.tolist() == [6, 2]
    np.testing.assert_allclose(curve.spread, [8**0.5, 0])
    assert other.mean.tolist() == [1] and other.spread.tolist() == [0]
    assert [text.get_text() for text in figure.legends[0].texts] == ['mae', 'other']
    band, _ = figure.axes[0].collections
    assert band.get_paths()[0].vertices[:, 1].max() == pytest.approx(6 + 8**0.5)


def test_seeds_are_compared_where_all_have_logged(tmp_path):
    a = write(tmp_path / 'a_seed0', [step(1, loss=1.0), step(3, loss=5.0)])
    b = write(tmp_path / 'a_seed1', [step(2, loss=9.0), step(3, loss=7.0)])
    _, curves = plot_curves([a, b], ['loss'])
    assert curves['loss']['a'].steps.tolist() == [3]
    assert curves['loss']['a'].mean.tolist() == [6]


def test_a_chain_of_the_grid_is_named_by_run_and_part(tmp_path):
    runs = [
        write(tmp_path / f'mae_x_s{seed}' / part, [step(1, loss=1.0)])
        for seed in (0, 1)
        for part in ('pretrain', 'finetune')
    ]
    _, curves = plot_curves(runs, ['loss'])
    assert {name: len(c.raw) for name, c in curves['loss'].items()} == {
        'mae_x/pretrain': 2,
        'mae_x/finetune': 2,
    }


def test_runs_that_are_not_told_apart_are_refused(tmp_path):
    runs = [
        write(tmp_path / run / 'pretrain', [step(1, loss=1.0)]) for run in ('a', 'b')
    ]
    with pytest.raises(
        ValueError, match=r"b/pretrain: another run is called 'pretrain"
    ):
        plot_curves(runs, ['loss'])


def test_smoothing_keeps_the_mean_and_removes_a_zigzag(tmp_path):
    # Steps of an optimizer, logged at every fiftieth.
    zigzag = [step(50 * n, loss=float(n % 2), lr=0.5) for n in range(101)]
    run = write(tmp_path / 'a', zigzag)
    _, curves = plot_curves([run], ['loss', 'lr'], smooth=2)
    inner = curves['loss']['a'].mean[10:-10]
    np.testing.assert_allclose(inner, 0.5, atol=1e-3)
    np.testing.assert_allclose(curves['lr']['a'].mean, 0.5)
    other = [step(50 * n, loss=float(1 - n % 2)) for n in range(101)]
    _, curves = plot_curves([run, write(tmp_path / 'a_s1', other)], ['loss'], smooth=2)
    assert curves['loss']['a'].spread[10:-10].max() < 1e-3


def test_a_later_start_replaces_the_steps_that_it_repeats(tmp_path):
    validation = dict(acc=0.5, step=1)  # an epoch: no 'iter'
    first = [step(1, loss=1.0), step(2, loss=2.0), validation, step(3, loss=3.0)]
    run = write(tmp_path / 'a', first)
    write(run, [step(2, loss=20.0)], time='20260102_000000')
    assert [r.get('loss') for r in read_scalars(run)] == [1, None, 20]
    _, curves = plot_curves([run], ['loss', 'acc'], smooth=0)
    assert curves['loss']['a'].mean.tolist() == [1, 20]
    assert curves['loss']['a'].unit == 'step' and curves['acc']['a'].unit == 'epoch'


def test_a_line_that_is_being_written_is_left_out(tmp_path):
    run = write(tmp_path / 'a', [step(1, loss=1.0)], end='\n{"loss": 0.')
    assert len(read_scalars(run)) == 1


def test_bad_logs_are_named(tmp_path):
    run = write(tmp_path / 'a', [step(1, loss=1.0)], end='\nnonsense\n')
    with pytest.raises(ValueError, match=r"scalars.json, line 2: .* found 'nonsense'"):
        read_scalars(run)
    with pytest.raises(FileNotFoundError, match='is no work directory'):
        read_scalars(tmp_path / 'b')
    run = write(tmp_path / 'c', [step(1, loss=1.0)])
    with pytest.raises(ValueError, match=r"c has not logged 'top1'. It has \['loss'\]"):
        plot_curves([run], ['top1'])


def test_bands_come_low_first_with_their_frequencies(tmp_path):
    low, high = 'frequency_w16_band0', 'frequency_w8_band1'
    run = write(
        tmp_path / 'a',
        [step(1, **{high: 0.9, low: 0.5}), step(2, **{high: 0.8, low: 0.1})],
    )
    next(run.glob('*/vis_data')).joinpath('config.py').write_text(CONFIG)
    figure, curves = plot_bands([run], smooth=0)
    assert list(curves) == [low, high]
    assert curves[low]['a'].mean.tolist() == [0.5, 0.1]
    titles = [ax.get_title().split('\n')[0] for ax in figure.axes]
    assert titles == ['0 to 1/16 cycles a frame', '1/16 to 1/2 cycles a frame']
    drawn = [line.get_ydata().tolist() for line in figure.axes[0].lines]
    assert drawn == [[0.5, 0.1], [0.5, 0.1]]  # as logged, and smoothed


def test_bands_are_ordered_by_number_and_then_by_window(tmp_path):
    keys = ['frequency_w16_band2', 'frequency_w8_band2', 'frequency_w8_band10']
    run = write(tmp_path / 'a', [step(1, **dict.fromkeys(keys[::-1], 0.5))])
    assert list(plot_bands([run])[1]) == keys


def test_validations_are_not_smoothed(tmp_path):
    run = write(tmp_path / 'a', [{'acc/top1': 0.2 * n, 'step': n} for n in range(1, 4)])
    curve = plot_curves([run], ['acc/top1'])[1]['acc/top1']['a']
    assert curve.unit == 'epoch'
    np.testing.assert_allclose(curve.mean, [0.2, 0.4, 0.6])


def test_validations_are_counted_as_they_were_logged(tmp_path):
    runs = [write(tmp_path / n, [{'acc/top1': 0.5, 'step': 30}]) for n in ('a', 'b')]
    for run, by_epoch in zip(runs, ('False', 'True'), strict=True):
        config = next(run.glob('*/vis_data')) / 'config.py'
        config.write_text(
            f'default_hooks = dict(logger=dict(log_metric_by_epoch={by_epoch}))'
        )
    figures, curves = zip(*(plot_curves([r], ['acc/top1']) for r in runs), strict=True)
    assert curves[0]['acc/top1']['a'].unit == 'step'
    assert curves[1]['acc/top1']['b'].unit == 'epoch'
    labels = [figure.axes[0].get_xlabel() for figure in figures]
    assert labels == ['optimizer step', 'epoch']
    with pytest.raises(ValueError, match='was logged a by step, b by epoch, and has'):
        plot_curves(runs, ['acc/top1'])
    # Of several starts the last one counts.
    write(runs[0], [{'acc/top1': 0.6, 'step': 1}], time='20260102_000000')
    (runs[0] / '20260102_000000' / 'vis_data' / 'config.py').write_text('a = 1')
    assert plot_curves(runs[:1], ['acc/top1'])[1]['acc/top1']['a'].unit == 'epoch'


def test_times_are_those_of_training_steps(tmp_path):
    """MMEngine logs them after a validation too, at the number of the epoch."""
    records = [step(n, time=0.1) for n in (1, 2)] + [dict(time=9.0, step=1)]
    curve = plot_curves([write(tmp_path / 'a', records)], ['time'], 0)[1]['time']['a']
    assert curve.steps.tolist() == [1, 2] and curve.mean.tolist() == [0.1, 0.1]


def test_bands_of_other_edges_have_no_title_of_one(tmp_path):
    key, runs = 'frequency_w16_band0', []
    for name, edge in (('a', '1 / 16'), ('b', '1 / 4')):
        runs.append(write(tmp_path / name, [step(1, **{key: 0.5})]))
        config = next(runs[-1].glob('*/vis_data')) / 'config.py'
        config.write_text(CONFIG.replace('0.0625', str(eval(edge))))
    titles = [plot_bands(each)[0].axes[0].get_title() for each in (runs[:1], runs)]
    assert titles[0].startswith('0 to 1/16 cycles a frame')
    assert titles[1] == 'band 0, window of 16 frames'


def test_bands_of_a_run_without_them_are_refused(tmp_path):
    run = write(tmp_path / 'mae_s0', [step(1, loss=1.0)])
    with pytest.raises(ValueError, match='No log of mae has errors of bands'):
        plot_bands([run])


def test_a_plot_leaves_no_trace_in_matplotlib(tmp_path):
    before, figures = dict(rcParams), plt.get_fignums()
    plot_curves([write(tmp_path / 'a', [step(1, loss=1.0)])], ['loss'])
    assert dict(rcParams) == before and plt.get_fignums() == figures
