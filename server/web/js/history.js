/** What this page has seen since it was opened: enough for short curves; the server keeps the record. */
import { millis } from "./protocol.js";

const STEP_MS = 5000;
const MAX_POINTS = 2880; // four hours at one point per step
const MAX_SERIES = 600;

/** Points in time order, at most one per step. */
export class Series {
  constructor() {
    this.points = [];
  }

  /** @param {number} t epoch ms */
  add(t, value) {
    const last = this.points.at(-1);
    if (!Number.isFinite(t) || (last && t <= last.t)) return;
    if (last && t - last.t < STEP_MS && this.points.length > 1 && t - this.points.at(-2).t < STEP_MS) {
      this.points.pop(); // the newest point moves along until its step is over
    }
    this.points.push({ t, ...value });
    if (this.points.length > MAX_POINTS) this.points.shift();
  }

  since(t) {
    return this.points.filter((point) => point.t >= t);
  }
}

export class History {
  constructor() {
    this.openedAt = NaN;
    this.series = new Map();
  }

  vital(vital) {
    const value = Number(vital.value);
    if (vital.value === null || !Number.isFinite(value) || vital.validity === "Inv") return;
    this.#of(`${vital.bed}/${vital.code}`).add(millis(vital.effective), { value });
  }

  /** Only what was measured goes in: a silent drip leaves a gap. */
  flow(raw) {
    if (raw.gone) {
      this.series.delete(`flow/${raw.id}`);
      return;
    }
    if (raw.flow === "stale" || raw.flow === "unknown" || raw.remaining_ml === null) return;
    this.#of(`flow/${raw.id}`).add(millis(raw.effective), {
      remaining: raw.remaining_ml,
      rate: raw.measured_gtt_min,
    });
  }

  ofVital(bed, code) {
    return this.series.get(`${bed}/${code}`)?.points ?? [];
  }

  ofFlow(id) {
    return this.series.get(`flow/${id}`)?.points ?? [];
  }

  #of(key) {
    if (!this.series.has(key)) {
      if (this.series.size >= MAX_SERIES) this.series.delete(this.series.keys().next().value);
      this.series.set(key, new Series());
    }
    return this.series.get(key);
  }
}
