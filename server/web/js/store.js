/** The page's copy of the ward, indexed by bed, and the server's clock. */
import { isShown, isAcknowledged } from "./alarms.js";
import { History } from "./history.js";
import { infusion } from "./present.js";
import { applyDelta, emptyState } from "./protocol.js";

const SHOWN_TASKS = new Set(["pending", "due", "overdue", "running", "paused", "error"]);

export class Store {
  constructor() {
    this.state = emptyState();
    this.lanes = [];
    this.history = new History();
    this.ready = false;
    this.heardMono = -Infinity;
    this.heardWall = 0;
    this.offset = 0; // server time − this screen's monotonic clock, in milliseconds
    this.link = { up: false, attempts: 0, retryInMs: 0 };
    this.waitingHere = new Map(); // alarm id → until when its acknowledgement from this screen is awaited
    this.#index();
  }

  /** @returns {number} the server's clock, in epoch milliseconds; this screen's own clock may be wrong */
  now() {
    return performance.now() + this.offset;
  }

  /** Something came from the server just now; `serverNow` is its clock when it said so. */
  heard(serverNow) {
    this.heardMono = performance.now();
    this.heardWall = Date.now();
    if (Number.isFinite(serverNow)) this.offset = serverNow - performance.now();
  }

  /**
   * @returns {number} milliseconds without a word from the server. Both clocks are asked: the monotonic one stops
   *   while a machine sleeps, the wall clock may jump; the longer silence is believed.
   */
  silence() {
    return Math.max(performance.now() - this.heardMono, Date.now() - this.heardWall);
  }

  replace(state) {
    this.state = { ...emptyState(), ...state };
    this.ready = true;
    this.waitingHere.clear();
    this.#index();
    for (const vital of Object.values(this.state.vitals)) this.history.vital(vital);
    for (const raw of Object.values(this.state.infusions)) this.history.flow(raw);
  }

  apply(changes) {
    for (const [kind, key, value] of changes) {
      applyDelta(this.state, kind, key, value);
      if (kind === "vital" && value) this.history.vital(value);
      if (kind === "infusion") this.history.flow(value ?? { id: key, gone: true });
      if (kind === "alarm") this.waitingHere.delete(key);
    }
    this.#index();
  }

  #index() {
    this.byBed = new Map();
    const entry = (bed) => {
      if (!this.byBed.has(bed)) this.byBed.set(bed, { vitals: new Map(), infusions: [], alarms: [], tasks: [] });
      return this.byBed.get(bed);
    };
    for (const vital of Object.values(this.state.vitals)) entry(vital.bed).vitals.set(vital.code, vital);
    for (const raw of Object.values(this.state.infusions)) entry(raw.bed).infusions.push(raw);
    for (const alarm of Object.values(this.state.alarms)) {
      if (isShown(alarm, this.bed(alarm.bed))) entry(alarm.bed).alarms.push(alarm);
    }
    for (const task of Object.values(this.state.tasks)) {
      if (SHOWN_TASKS.has(task.status)) entry(task.bed).tasks.push(task);
    }
  }

  /** @returns {string[]} the ward's beds in the order of the ward */
  beds() {
    return this.state.ward?.beds ?? Object.keys(this.state.beds).sort();
  }

  bed(id) {
    return id ? this.state.beds[id] : undefined;
  }

  of(bed) {
    return this.byBed.get(bed) ?? { vitals: new Map(), infusions: [], alarms: [], tasks: [] };
  }

  /** The server has taken an acknowledgement; its delta is on the way, and the next F2 means the next alarm. */
  acknowledgedHere(alarm) {
    this.waitingHere.set(alarm, performance.now() + 3000);
  }

  lanesOf(bed) {
    return this.lanes.filter((lane) => lane.bed === bed);
  }

  alarms() {
    return [...this.byBed.values()].flatMap((entry) => entry.alarms);
  }

  unacknowledged() {
    const now = performance.now();
    return this.alarms().filter(
      (alarm) => !isAcknowledged(alarm) && !((this.waitingHere.get(alarm.id) ?? 0) > now),
    );
  }

  /** @returns {object[]} every infusion as it may be shown at this moment */
  infusions(now = this.now()) {
    return Object.values(this.state.infusions).map((raw) => infusion(this.bed(raw.bed), raw, now));
  }

  infusionsOf(bed, now = this.now()) {
    return this.of(bed).infusions.map((raw) => infusion(this.bed(bed), raw, now));
  }

  tasks() {
    return [...this.byBed.values()].flatMap((entry) => entry.tasks);
  }

  isDemo() {
    return this.state.ward?.generation === "Demo" || Object.values(this.state.beds).some((bed) => bed.demo);
  }
}
