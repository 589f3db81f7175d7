/** Which alarms there are to show, in which order, in which words, and when the audio pause ends. Pure but for the texts. */
import { knows, label, text } from "./i18n.js";
import { PARAMETERS, UNITS } from "./parameters.js";
import { elapsed, mayShow, number } from "./present.js";
import { millis } from "./protocol.js";

const RANK = { Hi: 3, Me: 2, Lo: 1, None: 0 };
export const MARKS = { Hi: "***", Me: "**", Lo: "*", None: "" };
export const TONES = { Hi: "hi", Me: "me", Lo: "lo", None: "" };
export const PAUSE_MS = 120000;

export function rank(alarm) {
  return RANK[alarm?.priority] ?? 0;
}

export function isAcknowledged(alarm) {
  return Boolean(alarm.acknowledged_at) || alarm.signal === "acknowledged";
}

/** Latched alarms stay until someone has seen them, though the condition is over. */
export function isShown(alarm, bed) {
  if (!mayShow(bed ?? { demo: true }, alarm.generation)) return false;
  return rank(alarm) > 0 && (alarm.present || alarm.signal === "latched" || alarm.signal === "on");
}

/** Unacknowledged first, then by priority, then the newest of equals. */
export function inOrder(alarms) {
  return [...alarms].sort(
    (a, b) =>
      isAcknowledged(a) - isAcknowledged(b) ||
      rank(b) - rank(a) ||
      millis(b.started_at) - millis(a.started_at) ||
      a.id.localeCompare(b.id),
  );
}

/** @returns {object|undefined} the one alarm that gives a bed its colour */
export function leading(alarms) {
  return inOrder(alarms)[0];
}

/** @returns {{Hi: number, Me: number, Lo: number}} */
export function counts(alarms) {
  const found = { Hi: 0, Me: 0, Lo: 0 };
  for (const alarm of alarms) if (alarm.priority in found) found[alarm.priority] += 1;
  return found;
}

/**
 * The alarm in words.
 * @returns {{name: string, detail: string}} what is wrong; measured against the limit
 */
export function describe(alarm) {
  const params = alarm.params ?? {};
  const parameter = PARAMETERS[params.code];
  const subject = parameter ? text(`parameter.${parameter.name}`) : String(params.label ?? params.code ?? "");
  const key = `alarm.${alarm.condition}`;
  const name = knows(key) ? text(key, { subject }) : text("alarm.other", { condition: alarm.condition });
  const where = alarm.bed ? "" : String(params.node ?? params.handheld ?? label(params));
  const over = alarm.present ? "" : ` · ${text("alarm.over")}`;
  return { name: name.trim(), detail: `${detail(params)}${where}${over}` };
}

function detail(params) {
  const limit = params.limit ?? params.ordered;
  const drops = params.unit === "{gtt}/min" || params.ordered !== undefined;
  const unit = drops ? text("unit.gtt_min") : (UNITS[params.unit] ?? params.unit ?? "");
  const parts = [];
  if (present(params.measured) && present(limit)) {
    parts.push(`${short(params.measured)} ${Number(params.measured) < Number(limit) ? "<" : ">"} ${short(limit)}`);
  } else if (present(params.measured)) parts.push(short(params.measured));
  if (parts.length && unit) parts.push(unit);
  if (present(params.remaining_ml)) parts.push(`${number(params.remaining_ml, 0)} ml`);
  if (present(params.minutes)) parts.push(`· ${number(params.minutes, 0)} min`);
  if (present(params.silent_s)) parts.push(elapsed(params.silent_s * 1000));
  if (present(params.infused_ml)) parts.push(`${number(params.infused_ml, 0)} ml`);
  return parts.join(" ");
}

function present(value) {
  return value !== undefined && value !== null && value !== "";
}

function short(value) {
  const parsed = Number(value);
  if (!Number.isFinite(parsed)) return String(value);
  return String(Math.round(parsed * 10) / 10);
}

/** Silences the sound for two minutes; anything newly high, or higher than what was silenced, breaks through. */
export class AudioPause {
  constructor() {
    this.until = 0;
    this.heard = new Set();
    this.level = 0;
  }

  /** Starts the pause, or ends it when it runs. */
  toggle(now, waiting) {
    if (this.left(now) > 0) {
      this.until = 0;
      return;
    }
    this.until = now + PAUSE_MS;
    this.heard = new Set(waiting.map((alarm) => alarm.id));
    this.level = Math.max(0, ...waiting.map(rank));
  }

  /** @returns {number} milliseconds left; ends the pause when a new alarm must be heard */
  check(now, waiting) {
    const breaking = waiting.some(
      (alarm) => !this.heard.has(alarm.id) && (rank(alarm) > this.level || rank(alarm) === RANK.Hi),
    );
    if (breaking) this.until = 0;
    return this.left(now);
  }

  left(now) {
    return Math.max(0, this.until - now);
  }
}
