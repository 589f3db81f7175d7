/**
 * What is shown of what is known: pure functions from the ward's state and the server's clock to words and numbers.
 *
 * The rules a ward relies on are here: an old value looks old, a silent drip has no countdown, and Demo values never
 * appear on a patient that is not a demo patient.
 */
import { DIASTOLIC, FLOW_STALE_MS, LARGE_SLOTS, MEAN, PARAMETERS, SMALL_SLOTS } from "./parameters.js";
import { millis } from "./protocol.js";

const UNRELIABLE = new Set(["Inv", "NA", "Oflw", "Uflw", "Calib"]);
const COUNTED_FLOWS = new Set(["flowing", "slow", "fast", "near-end"]);

/** Filler for what is not known; never an invented number. */
export const UNKNOWN = "– –";

/** @returns {boolean} whether a value of this generation may appear on this bed */
export function mayShow(bed, generation) {
  return generation !== "Demo" || Boolean(bed?.demo);
}

/** @returns {boolean} whether the bed's node answers; a bed without a node is not offline */
export function isOffline(bed) {
  return bed?.node?.state === "offline";
}

/**
 * One numeric of a bed.
 * @returns {{shown: string, state: "live"|"stale"|"none"|"doubtful", at: number, alarm: string}|null} null when there
 *   is no such value or it may not be shown here
 */
export function numeric(bed, vital, now) {
  const parameter = PARAMETERS[vital?.code];
  if (!parameter || !mayShow(bed, vital.generation)) return null;
  const at = millis(vital.effective);
  const unusable = vital.value === null || UNRELIABLE.has(vital.validity);
  const old = !(now - at <= parameter.staleMs) || (!parameter.spot && isOffline(bed));
  const state = unusable ? "none" : old ? "stale" : vital.validity === "Qst" ? "doubtful" : "live";
  return {
    ...parameter,
    code: vital.code,
    codes: [vital.code],
    unit: vital.unit,
    lo: vital.lo,
    hi: vital.hi,
    at,
    state,
    shown: unusable ? UNKNOWN : String(vital.value),
    alarm: state === "live" || state === "doubtful" ? (vital.alarm ?? "") : "",
  };
}

/**
 * The numerics of a bed by slot; blood pressure joins its two or three codes.
 * @param {Map<string, object>} vitals code → vital of this bed
 */
export function numerics(bed, vitals, now) {
  const bySlot = {};
  for (const code of Object.keys(PARAMETERS)) {
    const shown = vitals.has(code) ? numeric(bed, vitals.get(code), now) : null;
    if (!shown) continue;
    const held = bySlot[shown.slot];
    const better = held && (shown.spot && held.spot ? shown.at > held.at : held.state !== "live" && shown.state === "live");
    if (!held || better) bySlot[shown.slot] = shown;
  }
  if (bySlot.nibp) bySlot.nibp = bloodPressure(bySlot.nibp, vitals);
  return bySlot;
}

function bloodPressure(systolic, vitals) {
  const part = (code) => {
    const vital = vitals.get(code);
    return vital && millis(vital.effective) === systolic.at && vital.value !== null ? vital : null;
  };
  const diastolic = part(DIASTOLIC);
  const mean = part(MEAN);
  const known = systolic.state !== "none";
  return {
    ...systolic,
    codes: [systolic.code, DIASTOLIC, MEAN],
    shown: known ? `${systolic.shown}/${diastolic ? diastolic.value : "–"}` : "–/–",
    mean: known && mean ? String(mean.value) : "",
    alarm: systolic.alarm || (systolic.state === "live" ? (diastolic?.alarm ?? "") : ""),
  };
}

export function hasLarge(bySlot) {
  return LARGE_SLOTS.some((slot) => bySlot[slot]);
}

export function hasSmall(bySlot) {
  return SMALL_SLOTS.some((slot) => bySlot[slot]);
}

/**
 * What kind of tile a bed gets; the four kinds without data never look alike.
 * @returns {"empty"|"offline"|"no-device"|"live"}
 */
export function tileKind(bed, known) {
  if (!bed?.occupied) return "empty";
  if (isOffline(bed)) return "offline";
  return known ? "live" : "no-device";
}

/**
 * One infusion as it may be shown now.
 * @returns {object} `word`: the state shown · `live`: whether the drip is heard · `minutes`: time left, or null when
 *   it must not be told · `rate`, `ordered`: drops per minute · `remaining`: mL, and `bound`: true when it can only
 *   be less than that
 */
export function infusion(bed, raw, now) {
  const at = millis(raw.effective);
  const heard = now - at <= FLOW_STALE_MS && !isOffline(bed) && !UNRELIABLE.has(raw.validity);
  const live = heard && raw.flow !== "stale" && raw.flow !== "unknown";
  const word = infusionWord(raw, live, isOffline(bed), Number.isNaN(at));
  const counted = live && raw.state === "running" && COUNTED_FLOWS.has(raw.flow);
  const minutes = counted && Number.isFinite(raw.time_left_min) ? raw.time_left_min : null;
  return {
    id: raw.id,
    bed: raw.bed,
    drug: raw.drug,
    at,
    live,
    word,
    minutes,
    endAt: minutes === null ? NaN : now + minutes * 60000,
    ordered: raw.ordered_gtt_min,
    orderedMlH: raw.rate_ml_h,
    rate: live ? raw.measured_gtt_min : null,
    rateMlH: live ? raw.measured_ml_h : null,
    lastRate: raw.measured_gtt_min,
    deviation: live && counted ? raw.deviation_percent : null,
    volume: Number(raw.volume_ml),
    remaining: raw.remaining_ml,
    bound: !live,
    startedAt: millis(raw.started_at),
    device: raw.device,
    group: infusionGroup(word, minutes),
  };
}

function infusionWord(raw, live, offline, neverHeard) {
  if (raw.state === "paused") return "paused";
  if (raw.state === "completed" || raw.state === "stopped-early") return raw.state;
  if (!live) return offline ? "stale" : neverHeard ? "waiting" : "sensor-lost";
  return raw.flow;
}

const GROUPS = { "free-flow": 0, "no-flow": 1, empty: 1, paused: 3, waiting: 3, stale: 5, "sensor-lost": 5 };

/** @returns {number} order on the board: act now, then by time left, last what cannot be timed */
function infusionGroup(word, minutes) {
  return GROUPS[word] ?? (minutes === null ? 4 : 2);
}

/** Infusions with the one to act on first. */
export function byUrgency(infusions) {
  return [...infusions].sort(
    (a, b) => a.group - b.group || (a.minutes ?? Infinity) - (b.minutes ?? Infinity) || a.bed.localeCompare(b.bed),
  );
}

/** @returns {"hi"|"me"|"lo"|"warn"|"info"|"ok"} how an infusion's state is coloured */
export function infusionTone(word) {
  if (word === "free-flow") return "hi";
  if (word === "no-flow" || word === "empty") return "me";
  if (word === "stale" || word === "sensor-lost") return "lo";
  if (word === "near-end" || word === "slow" || word === "fast") return "warn";
  return word === "flowing" ? "ok" : "info";
}

/** @returns {number} 0…1 of the bag that is left */
export function fractionLeft({ remaining, volume }) {
  if (remaining === null || remaining === undefined || !(volume > 0)) return 0;
  return Math.min(1, Math.max(0, remaining / volume));
}

/** `4 min`, `1h22`, `2d3h`: as short as a tile needs. */
export function duration(minutes) {
  const whole = Math.max(0, Math.round(minutes));
  if (whole < 1) return "<1 min";
  if (whole < 60) return `${whole} min`;
  if (whole < 24 * 60) return `${Math.floor(whole / 60)}h${String(whole % 60).padStart(2, "0")}`;
  return `${Math.floor(whole / 1440)}d${Math.floor((whole % 1440) / 60)}h`;
}

/** `00:48`, then `22 min`, then `3 h`: how long something has lasted. */
export function elapsed(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 600) return `${String(Math.floor(seconds / 60)).padStart(2, "0")}:${String(seconds % 60).padStart(2, "0")}`;
  return seconds < 7200 ? `${Math.floor(seconds / 60)} min` : `${Math.floor(seconds / 3600)} h`;
}

/** A number with at most so many decimals, or the filler. */
export function number(value, decimals = 0) {
  return value === null || value === undefined || Number.isNaN(Number(value)) ? "–" : Number(value).toFixed(decimals);
}

/** Millilitres: whole above ten, one decimal below, where a tenth still matters. */
export function ml(value) {
  return number(value, value !== null && Math.abs(value) < 10 ? 1 : 0);
}
