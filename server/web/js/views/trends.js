/** A bed's numbers over the last minutes as this page has seen them; one row per number, one time axis. */
import { svg } from "../dom.js";
import { language, text } from "../i18n.js";
import { hourMinute } from "../time.js";
import { pathOf } from "./curve.js";

const SPANS_MIN = [5, 15, 30, 60]; // the shortest one that holds what has been seen
const EDGE = { left: 62, right: 64, top: 10, bottom: 28 };
const TICKS = 5;
const LARGEST_ROW = 150;

export class Trends {
  constructor() {
    this.root = svg("svg", { class: "trends", role: "img" });
    this.key = "";
    this.rows = [];
  }

  /**
   * @param {Array<{name: string, colour: string, shown: string, state: string, lo: number|null, hi: number|null}>} numbers
   * @param {(code: string) => Array<{t: number, value: number}>} seen
   */
  draw(numbers, seen, now, zone) {
    const { clientWidth: width, clientHeight: height } = this.root;
    const names = numbers.map((one) => one.code).join();
    const key = [names, language(), width, height, Math.floor(now / 5000)].join("|");
    if (key === this.key || width < 200 || height < 60) return;
    this.key = key;
    const oldest = Math.min(now, ...numbers.map((one) => seen(one.code)[0]?.t ?? now));
    const span = 60000 * (SPANS_MIN.find((minutes) => now - oldest <= minutes * 60000) ?? SPANS_MIN.at(-1));
    const row = Math.min(LARGEST_ROW, (height - EDGE.top - EDGE.bottom) / Math.max(1, numbers.length));
    const place = { from: now - span, to: now, row, right: width - EDGE.right, foot: EDGE.top + row * numbers.length };
    place.x = (t) => EDGE.left + ((place.right - EDGE.left) * (t - place.from)) / span;
    this.root.setAttribute("aria-label", text("trends.title"));
    const rows = numbers.flatMap((one, index) => trendRow(one, seen(one.code), EDGE.top + index * row, place));
    this.root.replaceChildren(...(numbers.length ? timeAxis(place, zone) : []), ...rows);
  }
}

function timeAxis({ from, to, x, foot }, zone) {
  return Array.from({ length: TICKS + 1 }, (_, index) => {
    const t = from + ((to - from) * index) / TICKS;
    return [
      svg("line", { class: "trend-grid", x1: x(t), x2: x(t), y1: EDGE.top, y2: foot }),
      svg("text", { x: x(t), y: foot + 18, "text-anchor": "middle" }, hourMinute(t, zone, language())),
    ];
  }).flat();
}

function trendRow(one, points, top, { from, row, right, x }) {
  const shown = points.filter((point) => point.t >= from);
  const values = [...shown.map((point) => point.value), ...[one.lo, one.hi].map(Number).filter(Number.isFinite)].filter(Number.isFinite);
  const lo = Math.min(...values);
  const hi = Math.max(...values);
  const room = Math.max(hi - lo, 4);
  const y = (value) => top + row - 14 - ((value - (hi + lo) / 2 + room / 2) / room) * (row - 28);
  const parts = [
    svg("line", { class: "trend-base", x1: EDGE.left, x2: right, y1: top + row, y2: top + row }),
    svg("text", { class: `trend-name c-${one.colour}`, x: 8, y: top + row / 2 + 5 }, text(`parameter.${one.name}`)),
  ];
  for (const limit of [one.lo, one.hi]) {
    if (limit === null || limit === undefined) continue;
    parts.push(svg("line", { class: "trend-limit", x1: EDGE.left, x2: right, y1: y(limit), y2: y(limit) }));
    parts.push(svg("text", { class: "trend-limit-name", x: EDGE.left - 6, y: y(limit) + 4, "text-anchor": "end" }, String(limit)));
  }
  parts.push(svg("path", { class: `trend-line c-${one.colour}`, d: pathOf(shown, x, y), fill: "none" }));
  if (one.state === "live") {
    parts.push(svg("text", { class: `trend-now c-${one.colour}`, x: right + 8, y: top + row / 2 + 8 }, one.shown));
  }
  return parts;
}
