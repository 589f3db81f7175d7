/** Small charts in SVG: a sparkline, and a drip's expected against its measured volume. */
import { svg } from "../dom.js";
import { language, text } from "../i18n.js";
import { hourMinute } from "../time.js";

const GAP_MS = 30000; // two points further apart are not joined: nothing is known between them

/** Points → path data; a gap in the data is a gap in the line. */
export function pathOf(points, x, y) {
  let path = "";
  let before = null;
  for (const point of points) {
    const joined = before && point.t - before.t <= GAP_MS;
    path += `${joined ? "L" : "M"}${x(point.t).toFixed(1)} ${y(point.value).toFixed(1)}`;
    before = point;
  }
  return path;
}

/** A line without axes; its words stand beside it. */
export function sparkline(width, height) {
  const line = svg("path", { class: "spark-line", fill: "none" });
  const root = svg("svg", { class: "spark", viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", "aria-hidden": "true" }, line);
  return {
    root,
    draw(points, from, to) {
      const shown = points.filter((point) => point.t >= from && Number.isFinite(point.value));
      const values = shown.map((point) => point.value);
      const lo = Math.min(...values);
      const hi = Math.max(...values);
      const room = Math.max(hi - lo, Math.abs(hi) * 0.2, 1);
      const middle = (hi + lo) / 2;
      const x = (t) => (width * (t - from)) / (to - from);
      const y = (value) => height / 2 - ((value - middle) / room) * (height - 4);
      const path = shown.length > 1 ? pathOf(shown, x, y) : "";
      if (line.getAttribute("d") !== path) line.setAttribute("d", path);
    },
  };
}

const EDGE = { left: 44, right: 14, top: 14, bottom: 26 };

/** Remaining volume over time: the order's straight line with its ±10 % band, and what was measured. */
export class FlowCurve {
  constructor() {
    this.band = svg("path", { class: "curve-band" });
    this.expected = svg("path", { class: "curve-expected", fill: "none" });
    this.measured = svg("path", { class: "curve-measured", fill: "none" });
    this.ahead = svg("path", { class: "curve-ahead", fill: "none" });
    this.nowLine = svg("line", { class: "curve-now" });
    this.dot = svg("circle", { class: "curve-dot", r: 4 });
    this.axis = svg("g", { class: "curve-axis" });
    const layers = [this.axis, this.band, this.expected, this.ahead, this.measured, this.nowLine, this.dot];
    this.root = svg("svg", { class: "curve", role: "img" }, ...layers);
  }

  /** @param {object} one a presented infusion @param {Array<{t, remaining}>} seen what this page has seen of it */
  draw(one, seen, now, zone) {
    const { clientWidth: width, clientHeight: height } = this.root;
    if (width < 120 || height < 80) return;
    const start = Number.isFinite(one.startedAt) ? one.startedAt : now;
    const planned = (3600000 * one.volume) / Math.max(1, Number(one.orderedMlH) || 1);
    const end = Math.max(start + planned * 1.1, now + 60000, Number.isFinite(one.endAt) ? one.endAt : 0);
    const foot = height - EDGE.bottom;
    const x = (t) => EDGE.left + ((width - EDGE.left - EDGE.right) * (t - start)) / (end - start);
    const y = (volume) => EDGE.top + (foot - EDGE.top) * (1 - Math.max(0, volume) / (one.volume || 1));
    const place = { start, end, x, y, right: width - EDGE.right, foot };
    this.#drawOrder(one, planned, place);
    const points = seen.map(({ t, remaining }) => ({ t, value: remaining }));
    this.measured.setAttribute("d", pathOf(points, x, y));
    this.root.setAttribute("class", `curve${one.live ? "" : " bound"}`);
    this.#drawNow(one, points.at(-1), place, now);
    this.#drawAxis(one, place, zone);
  }

  /** The order's line, and the lines of a drip ten percent faster and slower. */
  #drawOrder(one, planned, { start, end, x, y }) {
    const at = (factor) => {
      const empty = Math.min(end, start + planned / factor);
      return `${x(empty).toFixed(1)} ${y(one.volume * (1 - (factor * (empty - start)) / planned)).toFixed(1)}`;
    };
    const origin = `${x(start).toFixed(1)} ${y(one.volume).toFixed(1)}`;
    this.band.setAttribute("d", `M${origin}L${at(1.1)}L${at(0.9)}Z`);
    this.expected.setAttribute("d", `M${origin}L${at(1)}`);
  }

  #drawNow(one, last, { x, y, foot }, now) {
    const line = { x1: x(now), x2: x(now), y1: EDGE.top, y2: foot };
    for (const [name, value] of Object.entries(line)) this.nowLine.setAttribute(name, value);
    this.dot.setAttribute("visibility", last ? "visible" : "hidden");
    // A projection only from a drip that is heard; past a silent one there is nothing to draw.
    const ahead = last && one.minutes !== null ? `M${x(last.t)} ${y(last.value)}L${x(one.endAt)} ${y(0)}` : "";
    this.ahead.setAttribute("d", ahead);
    if (!last) return;
    this.dot.setAttribute("cx", x(last.t));
    this.dot.setAttribute("cy", y(last.value));
  }

  #drawAxis(one, { start, end, x, y, right, foot }, zone) {
    const key = [language(), one.volume, right, foot, Math.round(start / 60000), Math.round(end / 60000)].join("|");
    if (key === this.axisKey) return;
    this.axisKey = key;
    const levels = [1, 0.5, 0].flatMap((share) => {
      const level = y(one.volume * share);
      return [
        svg("line", { x1: EDGE.left, x2: right, y1: level, y2: level }),
        svg("text", { x: EDGE.left - 6, y: level + 4, "text-anchor": "end" }, String(Math.round(one.volume * share))),
      ];
    });
    const times = [0, 0.25, 0.5, 0.75, 1].map((share) => {
      const t = start + (end - start) * share;
      const anchor = share === 0 ? "start" : share === 1 ? "end" : "middle";
      return svg("text", { x: x(t), y: foot + 18, "text-anchor": anchor }, hourMinute(t, zone, language()));
    });
    this.axis.replaceChildren(...levels, ...times);
    this.root.setAttribute("aria-label", text("curve.label"));
  }
}
