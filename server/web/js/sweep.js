/**
 * Draws every waveform of a view on one canvas, left to right, over what it drew one sweep ago.
 *
 * Only the newest few pixels are drawn per frame, so cost grows with pixels and not with beds.
 * A lane plays a little behind its newest sample, never ahead of it: nothing is ever invented,
 * and a missing piece stays a gap.
 */

const KEEP_S = 24; // longest sweep on any view, in seconds
const GAP_PX = 14; // cleared ahead of the pen, so that new and old never touch
const MARGIN_MS = 80; // on top of the slowest recent frame
const RECENT_FRAMES = 8;
const GIVE_UP_MS = 3000; // silence after which a trace is old and turns grey
const BLANK_MS = 10000; // and after which it is taken off the screen
const AUTO_GAIN = new Set(["MDC_PULS_OXIM_PLETH"]);

/** One waveform: its newest samples, and where its pen stands. */
export class Lane {
  constructor(about) {
    this.about = about;
    this.size = Math.ceil(about.rate_hz * KEEP_S);
    this.ring = new Float32Array(this.size).fill(NaN);
    this.newest = -1; // index of the newest sample: sample time × rate
    this.fedAt = -Infinity;
    this.lags = [];
    this.range = null;
  }

  /** Stores one frame. Old or repeated samples are ignored; a hole before it becomes a gap. */
  feed(frame, at) {
    const { rate_hz: rate, gain, offset } = this.about;
    const first = Math.round((frame.t0 / 1000) * rate);
    const last = first + frame.samples.length - 1;
    if (last <= this.newest || !frame.samples.length) return;
    this.#clearHole(first);
    for (let i = Math.max(0, this.newest + 1 - first); i < frame.samples.length; i += 1) {
      this.ring[(first + i) % this.size] = frame.samples[i] * gain + offset;
    }
    this.newest = last;
    this.fedAt = at;
    this.lags.push(at - frame.t0); // first sample's age on arrival: playing so far behind never runs dry
    if (this.lags.length > RECENT_FRAMES) this.lags.shift();
    if (AUTO_GAIN.has(this.about.code)) this.#adaptRange();
  }

  #clearHole(first) {
    if (this.newest < 0) return;
    const hole = Math.min(first - this.newest - 1, this.size);
    for (let i = 1; i <= hole; i += 1) this.ring[(this.newest + i) % this.size] = NaN;
  }

  #adaptRange() {
    let lo = Infinity;
    let hi = -Infinity;
    const seen = Math.min(this.size, Math.ceil(this.about.rate_hz * 4));
    for (let i = 0; i < seen; i += 1) {
      const value = this.ring[(this.newest - i + this.size) % this.size];
      if (value < lo) lo = value;
      if (value > hi) hi = value;
    }
    if (!(hi > lo)) return;
    const slack = (hi - lo) * 0.12;
    const wanted = { lo: lo - slack, hi: hi + slack };
    const held = this.range ?? wanted;
    this.range = { lo: held.lo + (wanted.lo - held.lo) * 0.3, hi: held.hi + (wanted.hi - held.hi) * 0.3 };
  }

  /** @returns {number} index the pen should have reached at this moment; never past the newest sample */
  target(at) {
    if (this.newest < 0) return -1;
    const lag = Math.max(...this.lags) + MARGIN_MS;
    return Math.min(this.newest, Math.floor(((at - lag) / 1000) * this.about.rate_hz));
  }

  /** @returns {number} the value of a sample, NaN when it is missing or no longer kept */
  value(index) {
    if (index < 0 || index > this.newest || index <= this.newest - this.size) return NaN;
    return this.ring[index % this.size];
  }

  /** @returns {{lo: number, hi: number}} what the box's bottom and top stand for */
  scale() {
    if (this.range) return this.range;
    const { lo, hi } = this.about;
    return lo === null || lo === undefined || hi === null || hi === undefined || hi <= lo ? { lo: -1, hi: 1 } : { lo, hi };
  }

  /** @returns {"live"|"old"|"blank"} */
  freshness(at) {
    const silent = at - this.fedAt;
    if (silent > BLANK_MS) return "blank";
    return silent > GIVE_UP_MS ? "old" : "live";
  }
}

/** All lanes, and the views they are drawn on. */
export class Sweeps {
  constructor() {
    this.lanes = new Map();
    this.views = new Map();
    this.active = null;
  }

  /** Takes the server's list of lanes; a lane that is described as before keeps its samples. */
  describe(list) {
    const next = new Map();
    for (const about of list) {
      const held = this.lanes.get(about.id);
      next.set(about.id, held && sameLane(held.about, about) ? held : new Lane(about));
    }
    this.lanes = next;
    this.redraw();
  }

  feed(frame, at) {
    this.lanes.get(frame.lane)?.feed(frame, at);
  }

  adopt(view, canvas) {
    const context = canvas.getContext("2d", { desynchronized: false });
    this.views.set(view, { canvas, context, boxes: [], drawn: new Map(), pxPerS: 48, old: "#5b6b78" });
  }

  /** Says where each lane is drawn: boxes in CSS pixels of the canvas. */
  layout({ view, width, height, ratio, boxes, pxPerS, old, active }) {
    const held = this.views.get(view);
    if (!held) return;
    held.canvas.width = Math.max(1, Math.round(width * ratio));
    held.canvas.height = Math.max(1, Math.round(height * ratio));
    Object.assign(held, { boxes, pxPerS, old, ratio });
    held.context.setTransform(ratio, 0, 0, ratio, 0, 0);
    if (active) this.active = view;
    this.redraw();
  }

  redraw() {
    const view = this.views.get(this.active);
    if (!view) return;
    view.drawn.clear();
    view.context.clearRect(0, 0, view.canvas.width, view.canvas.height);
  }

  run() {
    const step = () => {
      const view = this.views.get(this.active);
      if (view) drawView(view, this.lanes, performance.now());
      requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  }
}

function sameLane(a, b) {
  return ["bed", "code", "unit", "rate_hz", "gain", "offset", "lo", "hi"].every((key) => a[key] === b[key]);
}

function drawView(view, lanes, at) {
  for (const box of view.boxes) {
    const lane = lanes.get(box.lane);
    if (lane) drawBox(view, box, lane, at);
  }
}

function drawBox(view, box, lane, at) {
  const fresh = lane.freshness(at);
  const drawn = view.drawn.get(box.lane) ?? { pen: -1, fresh };
  if (fresh !== drawn.fresh) drawn.pen = -1; // the whole trace changes colour, so it is drawn again
  drawn.fresh = fresh;
  view.drawn.set(box.lane, drawn);
  if (fresh === "blank") {
    if (drawn.pen !== -2) view.context.clearRect(box.x, box.y, box.w, box.h);
    drawn.pen = -2;
    return;
  }
  const to = lane.target(at);
  const span = Math.floor((box.w / view.pxPerS) * lane.about.rate_hz);
  if (drawn.pen < 0 || to - drawn.pen > span || to < drawn.pen - span) {
    view.context.clearRect(box.x, box.y, box.w, box.h);
    drawn.pen = to - span + Math.ceil((GAP_PX / view.pxPerS) * lane.about.rate_hz);
  }
  if (to > drawn.pen) stroke(view, box, lane, drawn.pen, to, fresh === "old" ? view.old : box.colour);
  drawn.pen = Math.max(drawn.pen, to);
}

/** Clears ahead of the pen, then draws the samples `from`…`to`. */
function stroke(view, box, lane, from, to, colour) {
  const { context, pxPerS } = view;
  const pxPerSample = pxPerS / lane.about.rate_hz;
  const { lo, hi } = lane.scale();
  const x = (index) => (index * pxPerSample) % box.w;
  const y = (value) => box.y + box.h - 1 - ((Math.min(hi, Math.max(lo, value)) - lo) / (hi - lo)) * (box.h - 2);
  clearAhead(context, box, x(from + 1), (to - from) * pxPerSample + GAP_PX);
  context.strokeStyle = colour;
  context.lineWidth = box.line ?? 1.4;
  context.lineJoin = "round";
  context.beginPath();
  let joined = false;
  let before = -1;
  for (let index = from; index <= to; index += 1) {
    const value = lane.value(index);
    const across = x(index);
    if (Number.isNaN(value) || across < before) joined = false;
    if (!Number.isNaN(value)) {
      if (joined) context.lineTo(box.x + across, y(value));
      else context.moveTo(box.x + across, y(value));
      joined = true;
    }
    before = across;
  }
  context.stroke();
}

function clearAhead(context, box, start, width) {
  const end = Math.min(width, box.w);
  context.clearRect(box.x + start, box.y, Math.min(end, box.w - start), box.h);
  if (start + end > box.w) context.clearRect(box.x, box.y, start + end - box.w, box.h);
}
