/** Small pieces that several pages share. */
import { TONES } from "../alarms.js";
import { dress, el, icon, say, show, width } from "../dom.js";
import { label, language, text } from "../i18n.js";
import { duration, fractionLeft, infusionTone, ml, number, UNKNOWN } from "../present.js";
import { clock } from "../time.js";

/** Three numbers on the alarm colours; a priority without alarms is left out. */
export function alarmChips() {
  const chips = ["Hi", "Me", "Lo"].map((priority, index) => [priority, el(`b.chip.fill-${["hi", "me", "lo"][index]}`)]);
  const none = el("b.none", null, "0");
  const root = el("span.chips", null, ...chips.map(([, chip]) => chip), none);
  return {
    root,
    draw(counted) {
      for (const [priority, chip] of chips) {
        say(chip, String(counted[priority]));
        show(chip, counted[priority] > 0);
      }
      show(none, !counted.Hi && !counted.Me && !counted.Lo);
    },
  };
}

/** 演示 / DEMO: on everything that did not come from a real patient. */
export function demoChip(large = false) {
  return el(`span.demo${large ? ".wide" : ""}`, { text: "demo", hidden: true });
}

const LIMIT = 2; // a bullet's right end: twice the ordered rate

/** Ordered rate as a tick in the middle, ±10 % as a band, the measured rate as a bar with a dot. */
export function bullet() {
  const bar = el("i.bullet-bar");
  const dot = el("i.bullet-dot");
  const root = el("span.bullet", { "aria-hidden": "true" }, el("i.bullet-band"), bar, el("i.bullet-tick"), dot);
  return {
    root,
    draw(one) {
      const ratio = one.rate === null || !one.ordered ? null : one.rate / one.ordered;
      const at = ratio === null ? 0 : Math.min(1, ratio / LIMIT);
      dress(root, `bullet tone-${infusionTone(one.word)}${ratio !== null && ratio >= LIMIT ? " over" : ""}`);
      width(bar, at);
      dot.style.left = `${(at * 100).toFixed(1)}%`;
      show(dot, ratio !== null);
    },
  };
}

/** The bag: how much is left of how much; hatched with `≤` when it can only be less than that. */
export function bag() {
  const fill = el("i.bag-fill");
  const left = el("b");
  const total = el("i");
  const root = el("span.bag", null, el("span.bag-bar", null, fill), el("span.bag-words", null, left, total));
  return {
    root,
    draw(one) {
      dress(root, `bag tone-${infusionTone(one.word)}${one.bound ? " bound" : ""}`);
      width(fill, fractionLeft(one));
      const known = one.remaining !== null && one.remaining !== undefined;
      say(left, known ? `${one.bound ? "≤ " : ""}${ml(one.remaining)}` : "–");
      say(total, ` / ${ml(one.volume)} ml`);
    },
  };
}

/** What stands where the time left would: the time, or the word for why there is none. */
export function timeLeft(one) {
  if (one.minutes !== null) return duration(one.minutes);
  if (!one.live && (one.word === "stale" || one.word === "sensor-lost")) return UNKNOWN;
  return text(`flow.${one.word}`);
}

/** `63 / 60`: measured against ordered, in drops per minute. */
export function rates(one) {
  return { measured: one.rate === null ? "–" : number(one.rate), ordered: number(one.ordered) };
}

/** `+5 %` when the drip is heard and something was ordered. */
export function deviation(one) {
  if (one.deviation === null || one.deviation === undefined) return "";
  const rounded = Math.round(one.deviation);
  return `${rounded > 0 ? "+" : rounded < 0 ? "−" : "±"}${Math.abs(rounded)} %`;
}

export function drugName(one) {
  return label(one.drug);
}

/** Drop icon in the colour of the infusion's state. */
export function dropIcon() {
  const root = el("span.drop", null, icon("drop"));
  return { root, draw: (one) => dress(root, `drop tone-${infusionTone(one.word)}`) };
}

/** Last time a silent drip was heard. */
export function lastHeard(one, zone) {
  return Number.isNaN(one.at) ? text("flow.never") : text("flow.last", { time: clock(one.at, zone, language()) });
}

/** @param {Set<string>} waiting codes whose alarm nobody has acknowledged: only those flash
 * @returns {string} classes of a number that is outside its limits */
export function alarmLook(shown, waiting) {
  const tone = TONES[shown.alarm] ?? "";
  if (!tone) return "";
  return ` fill-${tone}${shown.codes.some((code) => waiting.has(code)) ? ` flash-${tone}` : ""}`;
}

/** Care level, risks and allergies as small tags. */
export function bedTags(bed) {
  const tags = [];
  if (bed?.care_level) tags.push([`care.${bed.care_level}`, `care ${bed.care_level}`]);
  for (const risk of bed?.risks ?? []) tags.push([`risk.${risk}`, "risk"]);
  if (bed?.allergy === "known") tags.push(["allergy.known", "allergy"]);
  return tags;
}
