import base64
import json
import re
import shutil
import weakref
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from scipy.fft import dct

from fdmae_mm.apis import find_config, load_model
from fdmae_mm.datasets.annotation import save_annotation
from fdmae_mm.datasets.layouts import SkeletonLayout, get_layout
from fdmae_mm.models.heads import scale_bands
from fdmae_mm.visualization import view, viewer
from fdmae_mm.visualization.viewer import (
    ViewedClip,
    _axes,
    _band_edges,
    _class_names,
    _layout,
    _note,
    _select,
    _spread,
    payload,
    reconstruct_clips,
    score_clips,
    write_page,
)

# Hips below shoulders, a hand in front of them; +y is up.
LAYOUT = SkeletonLayout(
    name='five',
    joints=('left_hip', 'right_hip', 'left_shoulder', 'right_shoulder', 'right_hand'),
    edges=((1, 0), (2, 0), (3, 1), (4, 3)),
    parts=dict(
        torso=(), left_arm=(2,), right_arm=(3, 4), left_leg=(0,), right_leg=(1,)
    ),
    left_right=((0, 1), (2, 3)),
    center=0,
    shoulders=(3, 2),
    hips=(1, 0),
)
BODY = np.array([[-1, 0, 2], [1, 0, 2], [-1, 2, 2], [1, 2, 2], [1, 1, 1]], float)
FRAMES = 6


def body(persons=1):
    """Persons 4 m apart, whose hands go up by 0.25 m a frame; (M, 6, 5, 3)."""
    x = np.tile(BODY, (persons, FRAMES, 1, 1))
    x[..., 0] += 4 * np.arange(persons)[:, None, None]
    x[:, :, 4, 1] += 0.25 * np.arange(FRAMES)
    return x


# ---- what is on the page


def decoded(entry, key):
    values = np.frombuffer(base64.b64decode(entry[key]), '<i2')
    return values.reshape(entry['shape']) * entry['step']


def test_payload_by_hand():
    clip = ViewedClip('a', 1, np.array([[[[3.2767, 0.5, -1], [0, 0, 0]]]]))
    layout = get_layout(dict(name='two', joints=['a', 'b'], edges=[[1, 0]]))
    page = payload([clip], layout, ['x', 'y'], dict(train=['b'], test=['b', 'a']))
    (entry,) = page['clips']
    assert entry['step'] == pytest.approx(1e-4)
    raw = base64.b64decode(entry['original'])
    assert np.frombuffer(raw, '<i2').tolist() == [32767, 5000, -10000, 0, 0, 0]
    assert entry.keys() == {'name', 'label', 'shape', 'step', 'original'}
    assert page['splits'] == [['test', [0]]]
    assert page['edges'] == [[1, 0]]
    assert not page['reconstructed']


def test_payload_round_trip():
    rng = np.random.default_rng(0)
    original, completed = rng.normal(size=(2, 2, 7, 5, 3))
    original[:, :, 2] = 0
    mask = rng.random((2, 7, 5)) < 0.6
    scores = np.array([0.1, 0.5, 0.0, 0.2, 0.15, 0.05])
    clip = ViewedClip('a', 0, original, mask, completed, scores)
    (entry,) = payload([clip], LAYOUT, 'abcdef', {}, ((0, 0.25, 0.5), 'joint'))['clips']
    for key, values in (('original', original), ('reconstructed', completed)):
        assert np.abs(decoded(entry, key) - values).max() <= 0.51 * entry['step']
    assert (decoded(entry, 'original')[:, :, 2] == 0).all()
    bits = np.unpackbits(np.frombuffer(base64.b64decode(entry['mask']), np.uint8))
    np.testing.assert_array_equal(bits[: mask.size].reshape(mask.shape), mask)
    assert entry['scores'] == [[1, 0.5], [3, 0.2], [4, 0.15], [0, 0.1], [5, 0.05]]


def test_the_root_of_relative_joints_is_shown():
    # The centre, a hip, of the first person; the other is not relative to it.
    original = body(persons=2)
    original[0] -= original[0, :, :1]
    original[:, 2] = 0
    completed = original * 9
    mask = np.zeros(original.shape[:3], bool)
    clip = ViewedClip('a', 0, original, mask, completed)
    (entry,) = payload([clip], LAYOUT, ['x'], {})['clips']
    for key, values in (('original', original), ('reconstructed', completed)):
        found = decoded(entry, key)
        seen = found.any(axis=-1)
        assert not seen[:, 2].any() and np.delete(seen, 2, axis=1).all()
        assert np.abs(found - values).max() <= 1.01 * entry['step']


def test_payload_refuses_another_layout():
    with pytest.raises(ValueError, match=r"a has 5 joints, layout 'coco' 17"):
        payload([ViewedClip('a', 0, body())], get_layout('coco'), ['x'], {})


@pytest.mark.parametrize(
    ('turned', 'expected'),
    [
        (lambda x: x, [(0, 1), (1, 1), (2, 1)]),
        (lambda x: x[..., [2, 0, 1]], [(1, 1), (2, 1), (0, 1)]),  # z up
        (lambda x: x * [1, -1, -1], [(0, 1), (1, -1), (2, -1)]),  # y down
        (lambda x: x[..., :2], [(0, 1), (1, 1)]),
        (lambda x: x[..., :2] * [1, -1], [(0, 1), (1, -1)]),  # an image
    ],
)
def test_bodies_are_shown_upright_and_not_mirrored(turned, expected):
    x = turned(body())
    axes = _axes([ViewedClip('a', 0, x)], LAYOUT)
    assert axes == expected
    index, signs = zip(*axes, strict=True)
    np.testing.assert_array_equal((x[..., index] * signs)[..., :2], body()[..., :2])
    if len(axes) == 3:
        rotation = np.eye(3)[list(index)] * np.array(signs)[:, None]
        assert np.linalg.det(rotation) == pytest.approx(1)


def test_without_hips_and_shoulders_the_spine_tells_what_is_up():
    layout = replace(LAYOUT, hips=None, shoulders=None, spine=(0, 2))
    for sign in (1, -1):
        clip = ViewedClip('a', 0, body() * [1, sign, sign])
        assert _axes([clip], layout) == [(0, 1), (1, sign), (2, sign)]


def test_layout_is_that_of_the_joints_that_are_drawn():
    # A pre-training model shows what it takes, a classifier what it was given.
    loaded = SimpleNamespace(
        source_layout=get_layout('coco'), layout=get_layout('h36m')
    )
    dataset = SimpleNamespace(metainfo=dict(layout='sbu'))
    assert _layout(None, loaded, None, dataset).name == 'h36m'
    assert _layout(None, None, loaded, dataset).name == 'coco'
    assert _layout(None, None, None, dataset).name == 'sbu'
    assert _layout('openpose', loaded, None, dataset).name == 'openpose'


def test_a_class_without_a_name_has_its_number():
    clips = [ViewedClip('a', 0, body()), ViewedClip('b', 3, body())]
    names = ['wave', 'class 1', 'class 2', 'class 3']
    assert _class_names(clips, ['wave']) == names


def test_what_the_heads_predict_is_told():
    target = SimpleNamespace(signal_name='motion')
    heads = dict(time=SimpleNamespace(target=target))
    bands = dict(type='FrequencyHead', band_edges=(0, 0.5), signal='joint')
    cfg = Config(dict(model=dict(heads=dict(frequency=bands))))
    loaded = SimpleNamespace(cfg=cfg, model=SimpleNamespace(heads=heads))
    assert _note(loaded, 'time').startswith('It predicts motion')
    assert _band_edges(loaded) == ((0, 0.5), 'joint')


def test_clips_are_spread_over_groups():
    assert _spread('aaabbc', 4) == [0, 1, 3, 5]
    assert _spread('aab', 9) == [0, 1, 2]


class Clips:
    """Forty clips of two classes, and how many joints of them are held at once."""

    ann_file = 'a.pkl'

    def __init__(self):
        self.given, self.most = [], 0

    def __len__(self):
        return 40

    def get_data_info(self, index):
        keypoint = np.zeros((1, 1, 1, 3))
        self.given.append(weakref.ref(keypoint))
        self.most = max(self.most, sum(x() is not None for x in self.given))
        return dict(frame_dir=str(index), label=index % 2, keypoint=keypoint)


@pytest.mark.parametrize(
    ('splits', 'names', 'expected'),
    [
        (None, None, [0, 1, 20, 21]),
        (['test'], None, [20, 21, 22, 23]),
        (None, ['7', '3'], [7, 3]),
    ],
)
def test_joints_of_other_clips_are_not_held(splits, names, expected):
    in_split = dict(
        train=[str(i) for i in range(20)], test=[str(i) for i in range(20, 40)]
    )
    clips = Clips()
    chosen = _select(clips, in_split, splits, names, 4)
    assert [clip['frame_dir'] for clip in chosen] == [str(i) for i in expected]
    assert clips.most <= len(expected) + 2


# ---- from models


@pytest.fixture(scope='module')
def models(tmp_path_factory, synthetic_ann_file):
    """Tiny configs of pre-training and fine-tuning with checkpoints, untrained."""
    init_default_scope('mmaction')
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp('models')
    size = 'dict(embed_dims=8, depth=1, num_heads=2)'
    models = dict(
        fdmae_synthetic=f'dict(backbone={size}, decoder={size})',
        finetune_synthetic=f'dict(backbone={size}, '
        'cls_head=dict(in_channels=8, hidden_dims=8))',
    )
    paths = {}
    for name, model in models.items():
        config, weights = folder / f'{name}.py', folder / f'{name}.pth'
        config.write_text(
            f'_base_ = {str(find_config(name))!r}\nmodel = {model}\n'
            f'eval_dataloader = dict(dataset=dict(ann_file={synthetic_ann_file!r}))\n'
        )
        model = MODELS.build(Config.fromfile(config).model)
        torch.save(dict(state_dict=model.state_dict()), weights)
        paths[name] = config, weights
    return paths


def read_page(path):
    text = path.read_text(encoding='utf-8')
    found = re.search(r'<script type="application/json".*?>(.*?)</script>', text)
    return json.loads(found[1])


def test_view_of_both_models(models, tmp_path):
    view(
        tmp_path / 'page.html',
        *models['fdmae_synthetic'],
        classifier=models['finetune_synthetic'],
        num_clips=7,
    )
    page = read_page(tmp_path / 'page.html')
    cfg = Config.fromfile(models['fdmae_synthetic'][0])
    split = cfg.eval_dataloader.dataset.split
    assert [name for name, _ in page['splits']] == [split]
    assert page['bands'] == pytest.approx(list(cfg.model.heads.frequency.band_edges))
    assert page['signal'] == cfg.model.heads.frequency.get('signal', 'motion')
    assert page['note'].startswith("The target of the head 'time' is normalised")
    assert 'motion' not in page['note']
    assert len({entry['label'] for entry in page['clips']}) == 7
    for entry in page['clips']:
        shape = entry['shape'][:3]
        bits = np.unpackbits(np.frombuffer(base64.b64decode(entry['mask']), np.uint8))
        mask = bits[: np.prod(shape)].reshape(shape).astype(bool)
        assert mask.mean() == pytest.approx(0.9)
        # The head describes joints: those that were seen stay where they are.
        change = np.abs(decoded(entry, 'original') - decoded(entry, 'reconstructed'))
        assert change[~mask].max() == 0
        assert change[mask].mean() > 0.01
        assert len(entry['scores']) == 5


def test_a_mask_depends_on_the_clip_alone(models, synthetic_annotation):
    loaded = load_model(*models['fdmae_synthetic'], device='cpu')
    samples = synthetic_annotation['annotations'][:3]
    before = np.random.get_state()[1].copy()
    three = list(reconstruct_clips(loaded, samples))
    (last,) = reconstruct_clips(loaded, samples[2:])
    np.testing.assert_array_equal(three[2].mask, last.mask)
    np.testing.assert_allclose(three[2].reconstructed, last.reconstructed, atol=1e-5)
    assert (three[0].mask != three[1].mask[: len(three[0].mask)]).any()
    np.testing.assert_array_equal(np.random.get_state()[1], before)


def test_scores_are_those_of_the_classifier(models, synthetic_annotation):
    loaded = load_model(*models['finetune_synthetic'], device='cpu')
    samples = synthetic_annotation['annotations'][:2]
    scores = score_clips(loaded, samples)
    np.testing.assert_allclose(scores.sum(1), 1, rtol=1e-5)
    inputs = torch.stack([loaded.pipeline(dict(s))['inputs'] for s in samples])
    logits = loaded.model.cls_head(loaded.model.backbone(inputs.flatten(0, 1)))
    np.testing.assert_allclose(scores, logits.softmax(1).detach(), rtol=1e-4)


def test_a_classifier_alone_shows_the_recording(models, tmp_path, synthetic_annotation):
    out, annotation = tmp_path / 'page.html', synthetic_annotation['annotations'][0]
    view(out, *models['finetune_synthetic'], names=[annotation['frame_dir']])
    (entry,) = read_page(out)['clips']
    assert entry['name'] == annotation['frame_dir']
    here = annotation['keypoint'].any(axis=(1, 2, 3))
    recorded = annotation['keypoint'][here]
    assert np.abs(decoded(entry, 'original') - recorded).max() <= 0.51 * entry['step']
    assert 'reconstructed' not in entry
    assert len(entry['scores']) == 5


def test_clips_of_a_file_with_the_classes_of_a_model(
    models, tmp_path, synthetic_annotation
):
    config, weights = models['finetune_synthetic']
    names = [f'action {k}' for k in range(20)]
    meta = dict(dataset_meta=dict(classes=names))
    torch.save(dict(torch.load(weights), meta=meta), tmp_path / 'named.pth')
    clips = synthetic_annotation['annotations'][5:7]
    path = tmp_path / 'own.pkl'
    save_annotation(dict(synthetic_annotation, annotations=clips, split={}), path)
    view(tmp_path / 'page.html', config, tmp_path / 'named.pth', ann_file=path)
    page = read_page(tmp_path / 'page.html')
    shown = [entry['name'] for entry in page['clips']]
    assert shown == [clip['frame_dir'] for clip in clips]
    assert page['classes'] == names


@pytest.mark.parametrize('kind', ['PoseDataset', 'ConcatDataset'])
def test_data_sets_of_others_are_viewed(models, tmp_path, kind):
    config, weights = models['fdmae_synthetic']
    cfg = Config.fromfile(config)
    part = cfg.eval_dataloader.dataset
    if kind == 'PoseDataset':
        part = {key: part[key] for key in ('ann_file', 'pipeline', 'split')}
        cfg.eval_dataloader.dataset = dict(type=kind, **part)
    else:
        cfg.eval_dataloader.dataset = dict(type=kind, datasets=[part, part])
    cfg.dump(tmp_path / 'others.py')
    view(tmp_path / 'page.html', tmp_path / 'others.py', weights, num_clips=3)
    view(tmp_path / 'own.html', config, weights, num_clips=3)
    found, own = (read_page(tmp_path / f'{name}.html') for name in ('page', 'own'))
    assert found['clips'] == own['clips'] and found['splits'] == own['splits']


def test_strip_for_a_paper(models, tmp_path):
    view(tmp_path / 'clip.png', *models['fdmae_synthetic'])
    assert (tmp_path / 'clip.png').read_bytes().startswith(b'\x89PNG')


def test_animation_of_a_clip(models, tmp_path, monkeypatch, synthetic_annotation):
    calls = []
    monkeypatch.setattr(viewer, 'save_animation', lambda *a, **k: calls.append((a, k)))
    annotation = synthetic_annotation['annotations'][5]
    name = annotation['frame_dir']
    view(tmp_path / 'clip.gif', *models['fdmae_synthetic'], names=[name])
    (((original, mask, completed, layout, out), titles),) = calls
    assert original.shape == completed.shape == (32, 25, 3)
    assert mask.mean() == pytest.approx(0.9)
    assert layout.name == 'nturgb+d'
    assert out == tmp_path / 'clip.gif'
    action = synthetic_annotation['metainfo']['classes'][annotation['label']]
    assert titles['title'] == f'{name}: {action}'
    head, foot = (layout.joints.index(joint) for joint in ('head', 'left_foot'))
    assert (original[:, head, 1] > original[:, foot, 1]).all()  # drawn upright


@pytest.mark.parametrize(
    ('out', 'arguments', 'message'),
    [
        ('page.mp4', {}, 'must end in .html, .gif'),
        ('clip.gif', {}, 'needs config and weights of a pre-training model'),
        ('page.html', dict(splits=['nope']), r"no split \['nope'\]. It has \['xsub"),
        ('page.html', dict(names=['nope']), r"no clips \['nope'\]. Its first is"),
        ('page.html', dict(num_clips=0), 'num_clips=0 must be at least 1'),
        ('page.html', dict(layout='coco'), "25 joints, layout 'coco' 17"),
        ('page.html', dict(layout='mine'), "'mine' is unknown.* give a .json file"),
        ('page.html', dict(config='knn_synthetic'), 'weights=None go together'),
    ],
)
def test_bad_input(tmp_path, synthetic_ann_file, out, arguments, message):
    with pytest.raises(ValueError, match=message):
        view(tmp_path / out, ann_file=synthetic_ann_file, **arguments)
    assert not list(tmp_path.iterdir())


def test_models_that_do_not_fit(models, tmp_path, synthetic_annotation):
    out = tmp_path / 'page.html'
    with pytest.raises(ValueError, match='is a pre-training config, no classifier'):
        view(out, classifier=models['fdmae_synthetic'])
    with pytest.raises(ValueError, match='are both classifiers'):
        view(
            out, *models['finetune_synthetic'], classifier=models['finetune_synthetic']
        )
    with pytest.raises(KeyError, match=r"'nope': the model has .* \['time'\]"):
        view(out, *models['fdmae_synthetic'], head='nope')
    bone = dict(type='SkeletonStream', layout='nturgb+d', stream='bone')
    cfg = Config.fromfile(models['fdmae_synthetic'][0])
    cfg.eval_dataloader.dataset.pipeline.insert(1, bone)
    loaded = load_model(cfg, models['fdmae_synthetic'][1], device='cpu')
    with pytest.raises(ValueError, match="stream 'bone', which is no skeleton"):
        list(reconstruct_clips(loaded, synthetic_annotation['annotations'][:1]))


# ---- in a browser

EVIL = '</script><script>window.hacked = 1</script>'
CLASSES = ['wave', '<b>bold</b> & more']


def reconstructed_clip(name, label, persons=1):
    """The hand of person 1 is hidden in frames 1, 2 and 5, and completed lower."""
    x = body(persons)
    mask = np.zeros(x.shape[:3], bool)
    mask[0, [1, 2, 5], 4] = True
    completed = x.copy()
    completed[..., 4, 1] /= 2
    return ViewedClip(name, label, x, mask, completed, np.array([0.3, 0.7]))


@pytest.fixture(scope='module')
def browser(tmp_path_factory):
    webdriver = pytest.importorskip('selenium.webdriver', reason='needs selenium')
    chromium, driver = shutil.which('chromium'), shutil.which('chromedriver')
    if not (chromium and driver):
        pytest.skip('needs Chromium: apt-get install chromium chromium-driver')
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (
        'headless',
        'no-sandbox',
        'disable-gpu',
        'disable-quic',
        'no-first-run',
        'disable-background-networking',
        'disable-component-update',
        'disable-sync',
        'window-size=1280,900',
        f'user-data-dir={tmp_path_factory.mktemp("chromium")}',
    ):
        options.add_argument(f'--{flag}')
    options.set_capability(
        'goog:loggingPrefs', {'browser': 'ALL', 'performance': 'ALL'}
    )
    chrome = webdriver.Chrome(options, webdriver.chrome.service.Service(driver))
    chrome.implicitly_wait(10)
    # What the start page of the browser has asked for.
    chrome.get('about:blank')
    chrome.get_log('performance')
    yield chrome
    chrome.quit()


@pytest.fixture(scope='module')
def opened(browser, tmp_path_factory):
    """The page of four clips, opened once."""
    clips = [
        reconstructed_clip('first', 0),
        reconstructed_clip('second', 1),
        reconstructed_clip(EVIL, 1),
        reconstructed_clip('pair', 0, persons=2),
    ]
    splits = dict(train=['first', EVIL], test=['second', 'pair'])
    page = payload(clips, LAYOUT, CLASSES, splits, ((0, 0.25, 0.5), 'joint'), EVIL)
    path = tmp_path_factory.mktemp('page') / 'page.html'
    write_page(page, path)
    browser.get(path.as_uri())
    return browser


@pytest.fixture
def page(opened):
    """The page as it was opened; at the end no error may stand on the console."""
    opened.execute_script(
        'play(false); Object.assign(state, HOME, {person: ALL, joint: 4});'
        "$('split').value = $('class').value = ALL; $('joint').value = 4;"
        "$('clip').replaceChildren(); fillClasses(); scrollTo(0, 0);"
    )
    yield opened
    assert opened.get_log('browser') == []


def get(browser, element):
    return browser.find_element('id', element)


def counter(browser):
    return get(browser, 'counter').text


def choose(browser, element, text):
    from selenium.webdriver.support.select import Select

    Select(get(browser, element)).select_by_visible_text(text)


def options(browser, element):
    return [option.text for option in get(browser, element).find_elements('xpath', '*')]


def keys(browser, *pressed):
    from selenium.webdriver.common.action_chains import ActionChains

    ActionChains(browser).send_keys(*pressed).perform()


def pictures(browser):
    return browser.execute_script('return canvases.map(canvas => canvas.toDataURL())')


def test_page_opens_without_network(opened):
    events = [
        json.loads(e['message'])['message'] for e in opened.get_log('performance')
    ]
    urls = [
        event['params']['request']['url']
        for event in events
        if event['method'] == 'Network.requestWillBeSent'
    ]
    assert urls[0].startswith('file:')
    assert all(url.startswith(('data:', 'blob:')) for url in urls[1:]), urls
    assert opened.get_log('browser') == []
    # All three skeletons are drawn, each in its own way.
    assert len(set(pictures(opened))) == 3
    assert opened.find_elements('css selector', '#trajectories svg')


def test_it_plays_and_pauses(page):
    from selenium.webdriver.support.wait import WebDriverWait

    assert counter(page) == '0 / 5'
    get(page, 'play').click()
    seen = set()

    def three_frames(_):
        seen.add(counter(page))
        return len(seen) >= 3

    WebDriverWait(page, 10, 0.01).until(three_frames)
    assert get(page, 'play').text == 'Pause'
    get(page, 'play').click()
    stopped = counter(page)
    page.execute_async_script('setTimeout(arguments[0], 200)')
    assert counter(page) == stopped


def test_scrubbing_and_keys(page):
    before = pictures(page)
    get(page, 'scrub').send_keys('\ue014', '\ue014')  # arrow right
    assert counter(page) == '2 / 5'
    assert all(new != old for new, old in zip(pictures(page), before, strict=True))
    page.execute_script('document.activeElement.blur()')
    keys(page, '\ue012')  # arrow left
    assert counter(page) == '1 / 5'
    keys(page, 'n')
    assert page.execute_script('return state.clip.entry.name') == 'second'
    assert counter(page) == '0 / 5'
    keys(page, 'p', 'p')
    assert page.execute_script('return state.clip.entry.name') == 'pair'
    keys(page, ' ')
    assert get(page, 'play').text == 'Pause'


def test_clips_by_split_and_class(page):
    assert options(page, 'split') == ['all', 'train', 'test']
    assert options(page, 'clip') == ['first', 'second', EVIL, 'pair']
    choose(page, 'class', f'{CLASSES[1]} (2)')
    assert options(page, 'clip') == ['second', EVIL]
    assert get(page, 'what').text == CLASSES[1]
    choose(page, 'split', 'train')
    assert options(page, 'class') == ['all (2)', 'wave (1)', f'{CLASSES[1]} (1)']
    assert options(page, 'clip') == [EVIL]
    choose(page, 'class', 'all (2)')
    choose(page, 'clip', 'first')
    get(page, 'next').click()
    assert page.execute_script('return state.clip.entry.name') == EVIL
    get(page, 'next').click()
    assert page.execute_script('return state.clip.entry.name') == 'first'


def test_names_are_text(page):
    choose(page, 'clip', EVIL)
    assert page.execute_script('return window.hacked') is None
    assert page.find_element('css selector', 'h1').text == EVIL
    assert page.title == EVIL
    ticks = page.find_elements('css selector', '#scores .ytick text')
    # Plotly writes a space as a hard one.
    texts = [tick.text.replace('\xa0', ' ').strip() for tick in ticks]
    assert texts == ['wave', '<b>bold</b> & more ✓']


def test_trajectory_of_a_joint(page):
    lines = page.execute_script("return $('trajectories').data.map(trace => trace.y)")
    hand = 1 + 0.25 * np.arange(FRAMES)
    np.testing.assert_allclose(lines[1], hand, atol=1e-3)
    np.testing.assert_allclose(lines[4], hand / 2, atol=1e-3)
    shaded = page.execute_script(
        "return $('trajectories').layout.shapes.map(shape => [shape.x0, shape.x1])"
    )
    assert shaded == [[0.5, 2.5], [4.5, 5.5]]
    choose(page, 'joint', 'left_hip')
    assert get(page, 'trajectories-title').text == 'Trajectory of left_hip'
    lines = page.execute_script("return $('trajectories').data.map(trace => trace.y)")
    np.testing.assert_allclose(lines[0], -1, atol=1e-3)
    assert not page.execute_script("return $('trajectories').layout.shapes.length")


def test_joint_is_chosen_by_a_click(page):
    from selenium.webdriver.common.action_chains import ActionChains

    canvas = page.find_element('css selector', 'canvas[data-view=reconstructed]')
    x, y = page.execute_script(
        'const [canvas] = arguments, shoulder = [-1, 2, 2];'
        'const [x, y] = camera(canvas)(upright(shoulder));'
        'return [x - canvas.clientWidth / 2, y - canvas.clientHeight / 2]',
        canvas,
    )
    mouse = ActionChains(page)
    mouse.move_to_element_with_offset(canvas, round(x) + 2, round(y)).click().perform()
    assert page.execute_script('return page.joints[state.joint]') == 'left_shoulder'
    assert get(page, 'trajectories-title').text == 'Trajectory of left_shoulder'


def test_orbit_is_shared(page):
    from selenium.webdriver.common.action_chains import ActionChains

    canvas = page.find_element('css selector', 'canvas[data-view=original]')
    before = pictures(page)
    ActionChains(page).drag_and_drop_by_offset(canvas, 60, 20).perform()
    turned = pictures(page)
    assert all(new != old for new, old in zip(turned, before, strict=True))
    canvas.send_keys('\ue012')
    assert all(new != old for new, old in zip(pictures(page), turned, strict=True))
    assert counter(page) == '0 / 5'
    get(page, 'reset').click()
    assert pictures(page) == before


def test_persons(page):
    assert options(page, 'person') == ['1']
    choose(page, 'clip', 'pair')
    assert options(page, 'person') == ['all', '1', '2']
    both = pictures(page)
    choose(page, 'person', '2')
    assert all(new != old for new, old in zip(pictures(page), both, strict=True))
    lines = page.execute_script("return $('trajectories').data.map(trace => trace.y)")
    np.testing.assert_allclose(lines[0], 5, atol=1e-3)
    assert 'of person 2' in get(page, 'trajectories-title').text


def test_spectrum_and_its_bands(page):
    drawn = page.execute_script(
        "return $('spectrum').data.map(trace => [trace.x, trace.y])"
    )
    hand = 1 + 0.25 * np.arange(FRAMES)
    still = [2 * FRAMES, 0, 0, 0, 0, 0]  # x = z = 1
    for (x, y), signal in zip(drawn, (hand, hand / 2), strict=True):
        np.testing.assert_allclose(x, np.arange(FRAMES) / (2 * FRAMES))
        power = dct(signal, norm='ortho') ** 2 + still
        np.testing.assert_allclose(y, power, rtol=2e-3, atol=1e-6)
    rng = np.random.default_rng(0)
    values = rng.normal(size=48)
    motion = np.append(np.diff(values), 0)
    power = dct(motion, norm='ortho') ** 2
    edges = [0, 1 / 16, 1 / 8, 1 / 2]
    found, bands = page.execute_script(
        'Object.assign(page, {signal: "motion", bands: arguments[1]});'
        'const power = spectrum([arguments[0]]), shares = bandPower(power);'
        'Object.assign(page, {signal: "joint", bands: [0, 0.25, 0.5]});'
        'return [power, shares]',
        values.tolist(),
        edges,
    )
    np.testing.assert_allclose(found, power, rtol=1e-6, atol=1e-9)
    expected = [power[low:high].sum() for low, high in scale_bands(48, edges)]
    np.testing.assert_allclose(bands, expected, rtol=1e-6)


def test_narrow_window_does_not_scroll_sideways(page):
    size = dict(width=390, height=800, deviceScaleFactor=1, mobile=True)
    page.execute_cdp_cmd('Emulation.setDeviceMetricsOverride', size)
    wide = page.execute_script('return document.documentElement.scrollWidth')
    page.execute_cdp_cmd('Emulation.clearDeviceMetricsOverride', {})
    assert wide == 390


def test_flat_layout_and_an_empty_clip(browser, tmp_path):
    flat = body()[..., :2]
    clips = [
        dict(frame_dir='flat', label=0, keypoint=flat.astype('f4'), total_frames=6),
        dict(frame_dir='nobody', label=1, keypoint=0 * flat, total_frames=6),
    ]
    save_annotation(dict(split={}, annotations=clips), tmp_path / 'flat.pkl')
    out = tmp_path / 'page.html'
    view(out, ann_file=tmp_path / 'flat.pkl', layout=LAYOUT)
    browser.get(out.as_uri())
    assert options(browser, 'class') == ['all (2)', 'class 0 (1)', 'class 1 (1)']
    (before,) = pictures(browser)
    keys(browser, '\ue014')
    assert counter(browser) == '1 / 5'
    assert pictures(browser) != [before]
    get(browser, 'next').click()
    assert browser.execute_script('return state.clip.persons') == 0
    assert not get(browser, 'trajectories').is_displayed()
    get(browser, 'previous').click()
    assert get(browser, 'trajectories').is_displayed()
    assert len(browser.execute_script("return $('trajectories').data")) == 2
    assert browser.get_log('browser') == []


def test_a_long_recording_has_no_spectrum(browser, tmp_path):
    # Its sum takes frames times frames, and would block the page.
    clips = [
        dict(frame_dir=name, label=0, keypoint=keypoint, total_frames=frames)
        for name, frames in (('long', 1002), ('short', 6))
        for keypoint in [np.tile(body(), (1, frames // 6, 1, 1)).astype('f4')]
    ]
    save_annotation(dict(split={}, annotations=clips), tmp_path / 'long.pkl')
    out = tmp_path / 'page.html'
    view(out, ann_file=tmp_path / 'long.pkl', layout=LAYOUT)
    browser.get(out.as_uri())
    assert not get(browser, 'spectrum').is_displayed()
    assert 'up to 1000 frames' in get(browser, 'spectrum-title').text
    get(browser, 'next').click()
    assert get(browser, 'spectrum').is_displayed()
    assert get(browser, 'spectrum-title').text == 'Spectrum of its motion'
    assert browser.get_log('browser') == []
