/** The plain charts of the statistics page, in SVG: lines, stacked columns, columns of a histogram. */
import { svg } from "../dom.js";

const EDGE = { left: 40, right: 86, top: 12, bottom: 24 };

/** An empty drawing that is filled anew whenever its numbers or its size change. */
export class Chart {
  constructor(label) {
    this.root = svg("svg", { class: "chart", role: "img" });
    this.label = label;
    this.key = "";
  }

  /** @param {string} key what is drawn: the same key at the same size draws nothing @param {Function} make (place) → parts */
  draw(key, words, make) {
    const { clientWidth: width, clientHeight: height } = this.root;
    const wanted = `${key}|${width}|${height}`;
    if (width < 80 || height < 60 || wanted === this.key) return;
    this.key = wanted;
    this.root.setAttribute("aria-label", words);
    const place = {
      left: EDGE.left, right: width - EDGE.right, top: EDGE.top, foot: height - EDGE.bottom,
    };
    this.root.replaceChildren(...make(place));
  }
}

const between = (from, to, share) => from + (to - from) * share;

/** Horizontal rules with their numbers. */
export function rules(place, levels, y, words = String) {
  return levels.flatMap((level) => [
    svg("line", { class: "rule", x1: place.left, x2: place.right, y1: y(level), y2: y(level) }),
    svg("text", { class: "axis", x: place.left - 6, y: y(level) + 4, "text-anchor": "end" }, words(level)),
  ]);
}

/** A scale from values to pixels, upwards. */
export function upwards(place, lowest, highest) {
  return (value) => between(place.foot, place.top, (value - lowest) / (highest - lowest || 1));
}

/** A target or a limit: a dashed line with its words at the end. */
export function target(place, y, words) {
  return [
    svg("line", { class: "target", x1: place.left, x2: place.right, y1: y, y2: y }),
    svg("text", { class: "target-words", x: place.right + 4, y: y + 4 }, words),
  ];
}

/** A few names under the drawing: the first, the last, and what fits between. */
export function feet(place, names) {
  const step = Math.max(1, Math.ceil(names.length / Math.max(2, Math.floor((place.right - place.left) / 70))));
  return names.flatMap((name, index) => {
    if (index % step && index !== names.length - 1) return [];
    if (index !== names.length - 1 && names.length - 1 - index < step) return [];
    const x = between(place.left, place.right, (index + 0.5) / names.length);
    return [svg("text", { class: "axis", x, y: place.foot + 16, "text-anchor": "middle" }, name)];
  });
}

/** One line over equal steps; a step without a value is a gap. */
export function line(place, values, y, kind) {
  let path = "";
  let joined = false;
  values.forEach((value, index) => {
    if (value === null) {
      joined = false;
      return;
    }
    const x = between(place.left, place.right, (index + 0.5) / values.length);
    path += `${joined ? "L" : "M"}${x.toFixed(1)} ${y(value).toFixed(1)}`;
    joined = true;
  });
  const dots = values.flatMap((value, index) => {
    const x = between(place.left, place.right, (index + 0.5) / values.length);
    return value === null ? [] : [svg("circle", { class: `dot ${kind}`, cx: x, cy: y(value), r: 2.5 })];
  });
  return [svg("path", { class: `line ${kind}`, d: path, fill: "none" }), ...dots];
}

/** Columns of parts on each other: `columns[i]` = [[kind, value], …], the lowest first. */
export function stacks(place, columns, y) {
  const step = (place.right - place.left) / columns.length;
  const width = Math.min(46, step * 0.8);
  return columns.flatMap((parts, index) => {
    let sum = 0;
    const x = place.left + step * (index + 0.5) - width / 2;
    return parts.map(([kind, value]) => {
      const [top, foot] = [y(sum + value), y(sum)];
      sum += value;
      return svg("rect", { class: `part ${kind}`, x, y: top, width, height: Math.max(0, foot - top) });
    });
  });
}

/** Words at the end of a series, so that nobody has to look up a legend. */
export function ending(place, y, words, kind) {
  return svg("text", { class: `series ${kind}`, x: place.right + 4, y: y + 4 }, words);
}
