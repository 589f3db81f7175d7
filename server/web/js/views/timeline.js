/** The next three hours: when each drip will end, so that bag changes can be planned together. */
import { el, keepInOrder, say } from "../dom.js";
import { language } from "../i18n.js";
import { infusionTone } from "../present.js";
import { hourMinute } from "../time.js";

const SPAN_MIN = 180;
const TICK_MIN = 15;
const ROWS = 3;
const CLOSE_MIN = 5;

export class Timeline {
  constructor(app) {
    this.app = app;
    this.marks = new Map();
    this.ticks = Array.from({ length: SPAN_MIN / TICK_MIN + 1 }, (_, index) => {
      const tick = el("span.tick.n");
      tick.style.left = `${(100 * index * TICK_MIN) / SPAN_MIN}%`;
      return tick;
    });
    this.lane = el("div.timeline-marks");
    this.root = el(
      "section.timeline",
      null,
      el("h2", null, el("span", { text: "timeline.title" }), el("i", { text: "timeline.note" })),
      el("div.timeline-body", null, el("div.timeline-soon", { text: "timeline.soon" }), this.lane, el("div.timeline-ticks", null, ...this.ticks)),
    );
  }

  draw(infusions, now) {
    const { zone } = this.app.store.state.ward ?? {};
    this.ticks.forEach((tick, index) => say(tick, hourMinute(now + index * TICK_MIN * 60000, zone, language())));
    const timed = infusions.filter((one) => one.minutes !== null && one.minutes <= SPAN_MIN);
    keepInOrder(this.lane, this.marks, timed.map((one) => one.id), () => ({ root: el("b.timeline-mark") }));
    const rowEnds = Array(ROWS).fill(-Infinity);
    for (const one of [...timed].sort((a, b) => a.minutes - b.minutes)) {
      const free = rowEnds.findIndex((end) => one.minutes - end > CLOSE_MIN);
      const row = free >= 0 ? free : rowEnds.indexOf(Math.min(...rowEnds));
      rowEnds[row] = one.minutes;
      const { root } = this.marks.get(one.id);
      root.className = `timeline-mark row-${row} tone-${infusionTone(one.word)}`;
      root.style.left = `${(100 * one.minutes) / SPAN_MIN}%`;
      say(root, one.bed);
    }
  }
}

