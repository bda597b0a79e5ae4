import argparse

import pytest

from fdmae_mm.apis.options import ConfigOptions


@pytest.fixture
def parse():
    parser = argparse.ArgumentParser()
    parser.add_argument('--cfg-options', nargs='+', action=ConfigOptions)
    return lambda *settings: parser.parse_args(['--cfg-options', *settings]).cfg_options


@pytest.mark.parametrize(
    ('text', 'value'),
    [
        ('3', 3),
        ('1e-4', 1e-4),
        ('True', True),
        ('None', None),
        ('adam', 'adam'),
        ('1,2', [1, 2]),
        ('0.1, 0.2', [0.1, 0.2]),
        ('[(1, 2), a]', [(1, 2), 'a']),
        ('a=b', 'a=b'),
        # MMEngine makes other values of these.
        ('runs/run 1/a.pth', 'runs/run 1/a.pth'),
        ('runs/lr=1,wd=2/a.pth', 'runs/lr=1,wd=2/a.pth'),
        ('my tables', 'my tables'),
        ('"1,2"', '1,2'),
        ("'[a]'", '[a]'),
    ],
)
def test_value_of_a_setting(parse, text, value):
    found = parse(f'x.y={text}')
    assert found == {'x.y': value}
    assert type(found['x.y']) is type(value)


def test_settings_add_up():
    parser = argparse.ArgumentParser()
    parser.add_argument('--cfg-options', nargs='+', action=ConfigOptions)
    line = ['--cfg-options', 'a=1', 'b=2', '--cfg-options', 'b=3']
    assert parser.parse_args(line).cfg_options == dict(a=1, b=3)


def test_a_setting_without_a_value_is_named(parse, capsys):
    with pytest.raises(SystemExit):
        parse('train_cfg.max_epochs')
    assert 'train_cfg.max_epochs: expected KEY=VALUE' in capsys.readouterr().err
