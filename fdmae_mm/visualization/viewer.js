'use strict';
// Data: `page`, written by viewer.py. What is shown: `state`; a change of it is drawn by
// draw() (skeletons), charts() or, after another clip was chosen, by both.

const page = JSON.parse(document.getElementById('payload').textContent);
const $ = id => document.getElementById(id);
const ALL = -1;
const HOME = page.dims === 3 ? {yaw: 0.5, pitch: 0.15, zoom: 1} : {yaw: 0, pitch: 0, zoom: 1};
const state = {clip: null, frame: 0, joint: page.joint, person: ALL, playing: false, ...HOME};
const canvases = [...document.querySelectorAll('canvas')].filter(
  canvas => page.reconstructed || canvas.dataset.view === 'original');
let colors;

// ---- data

const bytes = text => Uint8Array.from(atob(text), c => c.charCodeAt(0));

function decode(entry) {
  const [persons, frames, joints, dims] = entry.shape;
  // Little-endian, as every machine with a browser is.
  const values = text => text && Float32Array.from(
    new Int16Array(bytes(text).buffer), v => v * entry.step);
  const bits = entry.mask && bytes(entry.mask);
  const index = (m, t, v) => (m * frames + t) * joints + v;
  const clip = {
    entry, persons, frames,
    original: values(entry.original),
    reconstructed: values(entry.reconstructed),
    // A joint of zeros was not measured.
    point(source, m, t, v) {
      const p = source.subarray(index(m, t, v) * dims, (index(m, t, v) + 1) * dims);
      return p.some(x => x !== 0) ? p : null;
    },
    hidden(m, t, v) {
      const i = index(m, t, v);
      return Boolean(bits && bits[i >> 3] >> (7 - (i & 7)) & 1);
    },
  };
  clip.box = box(clip, joints);
  return clip;
}

// To x right, y up, z towards the reader, whatever axis is up in the data.
const upright = p => page.axes.map(([axis, sign]) => sign * p[axis]).concat(page.dims === 2 ? [0] : []);

function box(clip, joints) {
  const low = [Infinity, Infinity, Infinity], high = [-Infinity, -Infinity, -Infinity];
  for (let m = 0; m < clip.persons; m++)
    for (let t = 0; t < clip.frames; t++)
      for (let v = 0; v < joints; v++) {
        const p = clip.point(clip.original, m, t, v);
        if (p) upright(p).forEach((x, i) => {
          low[i] = Math.min(low[i], x);
          high[i] = Math.max(high[i], x);
        });
      }
  const center = low.map((x, i) => (x + high[i]) / 2);
  const half = low.map((x, i) => (high[i] - x) / 2);
  return {center, floor: low[1], half, radius: Math.hypot(...half)};
}

const shownPersons = () => state.person === ALL ? [...Array(state.clip.persons).keys()] : [state.person];
const chartPerson = () => Math.max(state.person, 0);

// ---- skeletons

// A projection of data coordinates to pixels of a canvas.
function camera(canvas) {
  const {center, half, radius} = state.clip.box;
  const [w, h] = [canvas.clientWidth, canvas.clientHeight];
  const wide = Math.hypot(half[0], half[2]);
  const scale = 0.44 * state.zoom * Math.min(w / (wide || 1), h / ((half[1] + 0.15 * wide * (page.dims - 2)) || 1));
  const [cy, sy, cp, sp] = [Math.cos(state.yaw), Math.sin(state.yaw), Math.cos(state.pitch), Math.sin(state.pitch)];
  return world => {
    const [x, y, z] = world.map((value, i) => value - center[i]);
    const right = x * cy - z * sy, away = x * sy + z * cy;
    const up = y * cp - away * sp, near = y * sp + away * cp;
    const k = scale / (1 - Math.min(near / (5 * radius || 1), 0.5)); // mild perspective
    return [w / 2 + k * right, 0.48 * h - k * up];
  };
}

function line(context, color, width, ends) {
  context.strokeStyle = color;
  context.lineWidth = width;
  context.beginPath();
  for (const [from, to] of ends) {
    context.moveTo(...from);
    context.lineTo(...to);
  }
  context.stroke();
}

function mark(context, shape, color, [x, y], r) {
  context.beginPath();
  if (shape === 'circle') context.arc(x, y, r, 0, 7);
  else [[0, -1], [1, 0], [0, 1], [-1, 0]].forEach(([i, j], n) => context[n ? 'lineTo' : 'moveTo'](x + 1.3 * r * i, y + 1.3 * r * j));
  context.closePath();
  context.fillStyle = context.strokeStyle = color;
  if (shape === 'hollow') {
    context.lineWidth = 1.3;
    context.stroke();
  } else context.fill();
}

function drawFloor(context, project) {
  const {center: [x, , z], floor, half} = state.clip.box;
  const size = 1.15 * Math.max(half[0], half[2], half[1] / 2);
  const at = (i, j) => project([x + size * i, floor, z + size * j]);
  const ticks = [-1, -0.5, 0, 0.5, 1];
  line(context, colors.grid, 1, ticks.flatMap(i => [[at(i, -1), at(i, 1)], [at(-1, i), at(1, i)]]));
}

function drawSkeleton(context, project, source, m, color, width) {
  const joint = v => state.clip.point(source, m, state.frame, v);
  const bones = page.edges.map(([a, b]) => [joint(a), joint(b)]).filter(([a, b]) => a && b);
  line(context, color, width, bones.map(ends => ends.map(p => project(upright(p)))));
}

function drawView(canvas) {
  const {clip, frame} = state, view = canvas.dataset.view;
  const ratio = window.devicePixelRatio || 1;
  canvas.width = canvas.clientWidth * ratio; // clears it, too
  canvas.height = canvas.clientHeight * ratio;
  const context = canvas.getContext('2d');
  context.scale(ratio, ratio);
  context.font = '12px system-ui, sans-serif';
  if (!clip.persons) {
    context.fillStyle = colors.quiet;
    context.fillText('Nobody is in this clip.', 12, 24);
    return;
  }
  const project = camera(canvas);
  if (page.dims === 3) drawFloor(context, project);
  const source = view === 'reconstructed' ? clip.reconstructed : clip.original;
  for (const m of shownPersons()) {
    if (view !== 'original') drawSkeleton(context, project, clip.original, m, colors.faint, 1.5);
    if (view !== 'masked') drawSkeleton(context, project, source, m, colors[view === 'original' ? 'original' : 'predicted'], 2.2);
    page.joints.forEach((name, v) => {
      const p = clip.point(source, m, frame, v);
      if (!p) return;
      const at = project(upright(p)), hidden = clip.hidden(m, frame, v) && view !== 'original';
      if (!hidden) mark(context, 'circle', colors.original, at, 3.4);
      else mark(context, view === 'masked' ? 'hollow' : 'diamond', colors.predicted, at, 3.2);
      if (v !== state.joint) return;
      context.strokeStyle = colors.chosen;
      context.lineWidth = 2.5;
      context.beginPath();
      context.arc(...at, 8, 0, 7);
      context.stroke();
      const width = context.measureText(name).width;
      const left = at[0] + 12 + width > canvas.clientWidth;
      const place = [left ? at[0] - 12 - width : at[0] + 12, at[1] + 4];
      context.lineWidth = 3;
      context.strokeStyle = colors.panel;
      context.strokeText(name, ...place);
      context.fillStyle = colors.text;
      context.fillText(name, ...place);
    });
  }
}

function draw() {
  const {clip, frame} = state;
  canvases.forEach(drawView);
  $('scrub').value = frame;
  $('counter').value = `${frame} / ${clip.frames - 1}`;
  $('cursor').style.setProperty('--at', (frame + 0.5) / clip.frames);
}

// ---- charts

// Plotly reads some HTML in text: names are shown as they are.
const plain = text => text.replace(/&/g, '&amp;').replace(/</g, '&lt;');

// x, y, z of the chosen joint over frames, null where it was not measured.
function series(source) {
  const {clip, joint} = state, points = [];
  for (let t = 0; t < clip.frames; t++) points.push(clip.point(source, chartPerson(), t, joint));
  return [...Array(page.dims).keys()].map(c => points.map(p => p && p[c]));
}

// Power of the orthonormal DCT-II of a clip's coordinates or motion, one number a
// coefficient, summed over coordinates. Motion is the next frame minus this one, 0 last.
function spectrum(coordinates) {
  const T = coordinates[0].length, power = Array(T).fill(0);
  for (const values of coordinates) {
    const signal = page.signal === 'motion' ? values.map((x, t) => t + 1 < T ? values[t + 1] - x : 0) : values;
    for (let k = 0; k < T; k++) {
      const sum = signal.reduce((s, x, t) => s + x * Math.cos(Math.PI * k * (2 * t + 1) / (2 * T)), 0);
      power[k] += sum * sum * (k ? 2 : 1) / T;
    }
  }
  return power;
}

// Power inside each band; coefficient k sits at k / (2 T) cycles a frame, and a band
// holds its lower edge.
const bandPower = power => page.bands.slice(1).map((high, b) => power.reduce((sum, x, k) => {
  const edge = value => 2 * power.length * value - 1e-6;
  return sum + (k >= edge(page.bands[b]) && k < edge(high) ? x : 0);
}, 0));

const axis = (title, more) => ({
  title: {text: title, standoff: 6}, gridcolor: colors.line, zeroline: false, linecolor: colors.line, ...more});
const chartLayout = more => ({
  margin: {l: 52, r: 12, t: 8, b: 40}, paper_bgcolor: 'rgba(0,0,0,0)', plot_bgcolor: 'rgba(0,0,0,0)',
  font: {color: colors.text, size: 12, family: 'system-ui, sans-serif'},
  legend: {orientation: 'h', x: 1, xanchor: 'right', y: 1, yanchor: 'bottom'}, ...more});
const chartOptions = {responsive: true, displayModeBar: false};

function styled(source) {
  const original = source === 'original';
  const color = colors[original ? 'original' : 'predicted'];
  return {name: source, mode: 'lines', line: {color, width: 2, dash: original ? 'solid' : '4px,2px'}};
}

function chartSources() {
  return ['original', 'reconstructed'].filter(source => state.clip[source]);
}

function drawTrajectories() {
  const {clip, joint} = state, traces = [], shapes = [];
  for (const source of chartSources())
    series(source === 'original' ? clip.original : clip.reconstructed).forEach((y, c) =>
      traces.push({...styled(source), y, yaxis: c ? `y${c + 1}` : 'y', showlegend: c === 0}));
  for (let t = 0; t < clip.frames; t++) {
    if (!clip.hidden(chartPerson(), t, joint)) continue;
    const start = t;
    while (t + 1 < clip.frames && clip.hidden(chartPerson(), t + 1, joint)) t++;
    shapes.push({type: 'rect', yref: 'paper', y0: 0, y1: 1, x0: start - 0.5, x1: t + 0.5,
      fillcolor: colors.faint, opacity: 0.28, line: {width: 0}, layer: 'below'});
  }
  const letters = ['x', 'y', 'z'].slice(0, page.dims), yaxes = {};
  letters.forEach((letter, c) => {
    yaxes[c ? `yaxis${c + 1}` : 'yaxis'] = axis(letter, {nticks: 4, fixedrange: true});
  });
  const masked = shapes.length ? ', masked stretches shaded' : '';
  const person = clip.persons > 1 ? ` of person ${chartPerson() + 1}` : '';
  $('trajectories-title').textContent = `Trajectory of ${page.joints[joint]}${person}${masked}`;
  Plotly.react('trajectories', traces, chartLayout({
    ...yaxes, shapes, hovermode: 'x', dragmode: false, showlegend: chartSources().length > 1,
    margin: {l: 60, r: 12, t: 26, b: 40, autoexpand: false}, // #cursor relies on it
    grid: {rows: page.dims, columns: 1, subplots: letters.map((_, c) => [c ? `xy${c + 1}` : 'xy']), ygap: 0.14},
    xaxis: axis('frame', {range: [-0.5, clip.frames - 0.5], fixedrange: true}),
  }), chartOptions);
  $('trajectories').removeAllListeners('plotly_click');
  $('trajectories').on('plotly_click', event => { play(false); setFrame(event.points[0].x); });
}

// Whole powers of ten around positive numbers, as exponents.
function decades(values) {
  const logs = values.filter(x => x > 0).map(Math.log10);
  const low = logs.reduce((a, b) => Math.min(a, b), Infinity), high = logs.reduce((a, b) => Math.max(a, b), -Infinity);
  return logs.length ? [Math.floor(low), Math.ceil(high + 1e-9)] : [-1, 0];
}

function drawSpectrum() {
  // The sum below takes frames times frames; a long recording would block the page.
  const short = state.clip.frames <= 1000;
  $('spectrum').hidden = !short;
  if (!short) {
    $('spectrum-title').textContent = 'Spectrum of clips of up to 1000 frames';
    $('spectrum-bands').textContent = '';
    return;
  }
  const {clip, joint} = state, shapes = [], annotations = [], powers = [], traces = [];
  for (const source of chartSources()) {
    const coordinates = series(source === 'original' ? clip.original : clip.reconstructed)
      .map(values => values.map(x => x || 0));
    powers.push(spectrum(coordinates));
    traces.push({...styled(source), x: powers.at(-1).map((_, k) => k / (2 * clip.frames)), y: powers.at(-1)});
  }
  if (page.bands) {
    const [before, after] = powers.map(bandPower);
    page.bands.slice(1).forEach((high, b) => {
      shapes.push({type: 'line', yref: 'paper', y0: 0, y1: 1, x0: high, x1: high, line: {color: colors.quiet, width: 1, dash: 'dot'}});
      annotations.push({x: (page.bands[b] + high) / 2, y: 1, yref: 'paper', yanchor: 'bottom', showarrow: false,
        text: `${b}<br>${before[b] > 0 ? Math.round(100 * after[b] / before[b]) : '–'} %`, font: {size: 11, color: colors.quiet}});
    });
  }
  $('spectrum-title').textContent = `Spectrum of its ${page.signal === 'motion' ? 'motion' : 'coordinates'}`;
  $('spectrum-bands').textContent = page.bands ? '% of the power by band' : '';
  Plotly.react('spectrum', traces, chartLayout({
    shapes, annotations, showlegend: powers.length > 1, margin: {l: 60, r: 12, t: 40, b: 64},
    legend: {orientation: 'h', x: 0.5, xanchor: 'center', y: -0.2, yanchor: 'top'},
    xaxis: axis('cycles a frame', {range: [0, 0.5]}),
    yaxis: axis('DCT power', {type: 'log', exponentformat: 'power', dtick: 1, range: decades(powers.flat())}),
  }), chartOptions);
}

function drawScores() {
  const {scores, label} = state.clip.entry;
  const rows = [...scores].reverse();
  Plotly.react('scores', [{
    type: 'bar', orientation: 'h', x: rows.map(([, score]) => score), y: rows.map((_, i) => i), cliponaxis: false,
    marker: {color: rows.map(([known]) => known === label ? colors.original : colors.faint)},
    text: rows.map(([, score]) => score.toFixed(2)), textposition: 'outside', hoverinfo: 'skip',
  }], chartLayout({
    margin: {l: 8, r: 40, t: 8, b: 40},
    xaxis: axis('score (true class in blue)', {range: [0, 1], tickformat: '.1f'}),
    yaxis: {automargin: true, tickvals: rows.map((_, i) => i),
      ticktext: rows.map(([known]) => plain(page.classes[known]) + (known === label ? ' ✓ ' : ' '))},
  }), chartOptions);
}

function charts() {
  if (!window.Plotly) return; // drawn once it has come
  const {persons, entry: {scores}} = state.clip;
  for (const id of ['trajectories', 'spectrum']) $(id).parentElement.hidden = !persons;
  $('scores').parentElement.hidden = !scores;
  if (persons) drawTrajectories(), drawSpectrum();
  if (scores) drawScores();
}

// ---- choices

function fill(select, options, value) {
  select.replaceChildren(...options.map(([key, text]) => {
    const option = document.createElement('option');
    option.value = key;
    option.textContent = text;
    return option;
  }));
  select.value = options.some(([key]) => String(key) === String(value)) ? value : options[0][0];
}

function fillClasses() {
  const clips = splitClips(), counts = new Map();
  for (const i of clips) counts.set(page.clips[i].label, (counts.get(page.clips[i].label) || 0) + 1);
  const rows = [...counts].sort(([a], [b]) => a - b).map(([label, count]) => [label, `${page.classes[label]} (${count})`]);
  fill($('class'), [[ALL, `all (${clips.length})`], ...rows], $('class').value);
  fillClips();
}

const splitClips = () => $('split').value === String(ALL)
  ? page.clips.map((_, i) => i) : page.splits[$('split').value][1];

function fillClips() {
  const label = Number($('class').value);
  const chosen = splitClips().filter(i => label === ALL || page.clips[i].label === label);
  fill($('clip'), chosen.map(i => [i, page.clips[i].name]), $('clip').value);
  chooseClip();
}

function chooseClip() {
  state.clip = decode(page.clips[Number($('clip').value)]);
  state.frame = 0;
  state.person = Math.min(state.person, state.clip.persons - 1);
  $('what').textContent = page.classes[state.clip.entry.label];
  $('scrub').max = state.clip.frames - 1;
  const persons = [...Array(state.clip.persons).keys()].map(m => [m, m + 1]);
  fill($('person'), persons.length === 1 ? [[ALL, 1]] : [[ALL, 'all'], ...persons], state.person);
  draw();
  charts();
}

function moveClip(by) {
  const select = $('clip'), count = select.options.length;
  select.selectedIndex = (select.selectedIndex + by + count) % count;
  chooseClip();
}

function setFrame(frame) {
  state.frame = Math.max(0, Math.min(state.clip.frames - 1, frame));
  draw();
}

function chooseJoint(joint) {
  state.joint = joint;
  $('joint').value = joint;
  draw();
  charts();
}

let due = 0;
function play(on) {
  state.playing = on;
  $('play').textContent = on ? 'Pause' : 'Play';
  due = 0;
  if (on) requestAnimationFrame(tick);
}

function tick(now) {
  if (!state.playing) return;
  const interval = 1000 / Number($('speed').value);
  due ||= now + interval;
  if (now >= due) {
    // A slow machine skips frames and keeps the pace.
    const steps = 1 + Math.floor((now - due) / interval);
    due += steps * interval;
    setFrame((state.frame + steps) % state.clip.frames);
  }
  requestAnimationFrame(tick);
}

// ---- pointer and keys

function turn(dx, dy) {
  if (page.dims === 2) return;
  state.yaw += dx;
  state.pitch = Math.max(-1.5, Math.min(1.5, state.pitch + dy));
  canvases.forEach(drawView);
}

function zoom(factor) {
  state.zoom = Math.max(0.3, Math.min(8, state.zoom * factor));
  canvases.forEach(drawView);
}

function jointAt(canvas, x, y) {
  const project = camera(canvas), {clip, frame} = state;
  const source = canvas.dataset.view === 'reconstructed' ? clip.reconstructed : clip.original;
  let best = null, nearest = 18;
  for (const m of shownPersons())
    page.joints.forEach((_, v) => {
      const p = clip.point(source, m, frame, v);
      if (!p) return;
      const [px, py] = project(upright(p)), distance = Math.hypot(px - x, py - y);
      if (distance < nearest) [best, nearest] = [v, distance];
    });
  return best;
}

function listen(canvas) {
  let from = null, moved = 0;
  canvas.addEventListener('pointerdown', event => {
    from = [event.offsetX, event.offsetY];
    moved = 0;
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener('pointermove', event => {
    if (!from) return;
    const [dx, dy] = [event.offsetX - from[0], event.offsetY - from[1]];
    from = [event.offsetX, event.offsetY];
    moved += Math.hypot(dx, dy);
    turn(-0.01 * dx, 0.01 * dy);
  });
  canvas.addEventListener('pointerup', event => {
    const joint = from && moved < 4 ? jointAt(canvas, event.offsetX, event.offsetY) : null;
    from = null;
    if (joint !== null) chooseJoint(joint);
  });
  canvas.addEventListener('pointercancel', () => { from = null; });
  canvas.addEventListener('wheel', event => {
    if (!event.ctrlKey) return; // a plain wheel scrolls the page
    event.preventDefault();
    zoom(Math.exp(-0.002 * event.deltaY));
  }, {passive: false});
  canvas.addEventListener('keydown', event => {
    const turns = {ArrowLeft: [-0.1, 0], ArrowRight: [0.1, 0], ArrowUp: [0, -0.1], ArrowDown: [0, 0.1]};
    if (turns[event.key] && page.dims === 3) turn(...turns[event.key]);
    else if (event.key === '+' || event.key === '=') zoom(1.15);
    else if (event.key === '-') zoom(1 / 1.15);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  new ResizeObserver(() => state.clip && drawView(canvas)).observe(canvas);
}

document.addEventListener('keydown', event => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  // Lists, the slider and buttons have keys of their own.
  if (event.target.closest('select, input') || (event.key === ' ' && event.target.closest('button'))) return;
  const actions = {
    ' ': () => play(!state.playing), n: () => moveClip(1), p: () => moveClip(-1),
    ArrowLeft: () => setFrame(state.frame - 1), ArrowRight: () => setFrame(state.frame + 1),
  };
  if (!actions[event.key]) return;
  event.preventDefault();
  actions[event.key]();
});

function readColors() {
  const style = getComputedStyle(document.documentElement);
  const names = ['original', 'predicted', 'chosen', 'faint', 'grid', 'line', 'panel', 'text', 'quiet'];
  colors = Object.fromEntries(names.map(name => [name, style.getPropertyValue(`--${name}`).trim()]));
}

function open() {
  readColors();
  for (const figure of document.querySelectorAll('.model')) figure.hidden = !page.reconstructed;
  $('orbit-help').hidden = page.dims === 2;
  $('note').textContent = page.note;
  canvases.forEach(listen);
  fill($('speed'), [2, 5, 10, 15, 30, 60].map(rate => [rate, `${rate} frames/s`]), 15);
  fill($('joint'), page.joints.map((name, v) => [v, name]), state.joint);
  fill($('split'), [[ALL, 'all'], ...page.splits.map(([name], i) => [i, name])], ALL);
  $('split').addEventListener('change', fillClasses);
  $('class').addEventListener('change', fillClips);
  $('clip').addEventListener('change', chooseClip);
  $('previous').addEventListener('click', () => moveClip(-1));
  $('next').addEventListener('click', () => moveClip(1));
  $('play').addEventListener('click', () => play(!state.playing));
  $('scrub').addEventListener('input', () => { play(false); setFrame(Number($('scrub').value)); });
  $('person').addEventListener('change', () => { state.person = Number($('person').value); draw(); charts(); });
  $('joint').addEventListener('change', () => chooseJoint(Number($('joint').value)));
  $('reset').addEventListener('click', () => { Object.assign(state, HOME); canvases.forEach(drawView); });
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => { readColors(); draw(); charts(); });
  fillClasses();
  performance.mark('first-frame');
  addEventListener('load', charts);
}

open();
