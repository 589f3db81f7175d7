/**
 * The live protocol of /ws/central: what a screen keeps, and how one message changes it.
 *
 * Pure: no socket, no clock, no DOM. The worker owns the socket and calls this.
 */

/** Delta kind → the collection of the state it changes. */
const COLLECTIONS = {
  bed: "beds",
  vital: "vitals",
  infusion: "infusions",
  alarm: "alarms",
  task: "tasks",
};

const FRAME_HEADER_BYTES = 18;
const FRAME_TYPE_WAVE = 1;
const FRAME_VERSION = 1;

/**
 * A moment as the server writes it, as milliseconds since 1970 in UTC.
 * @param {number|string|null|undefined} moment milliseconds or RFC 3339 text
 * @returns {number} NaN when there is none
 */
export function millis(moment) {
  if (typeof moment === "number") return moment;
  return moment ? Date.parse(moment) : NaN;
}

/** @returns {object} a state with nothing in it, of the shape a snapshot has */
export function emptyState() {
  return { ward: null, beds: {}, vitals: {}, infusions: {}, alarms: {}, tasks: {}, health: null };
}

/** What one screen knows, and where in the server's sequence that is. */
export class LiveState {
  constructor() {
    this.epoch = null;
    this.seq = 0;
    this.lanes = [];
    this.state = emptyState();
  }

  /** @returns {object} the first message of a connection: resume from here, if the server still can */
  hello() {
    return { t: "hello", epoch: this.epoch, seq: this.seq, lanes: true };
  }

  /**
   * Takes one message in.
   * @param {object} message a parsed text message
   * @returns {{full: boolean, changes: Array, counted: boolean, now: number}}
   *   `full`: everything was replaced; `changes`: deltas in order; `counted`: costs a credit
   */
  take(message) {
    const now = millis(message.now);
    switch (message.t) {
      case "snap":
        this.#replace(message);
        return { full: true, changes: [], counted: true, now };
      case "resume":
      case "d":
        return { full: false, changes: this.#apply(message), counted: true, now };
      case "lanes":
        this.lanes = message.lanes;
        return { full: false, changes: [], counted: true, now };
      case "hb":
        return { full: false, changes: [], counted: false, now };
      default: // a newer server may send more; what is not understood is not guessed
        return { full: false, changes: [], counted: false, now: NaN };
    }
  }

  #replace(message) {
    this.epoch = message.epoch;
    this.seq = message.seq;
    this.lanes = message.lanes ?? [];
    this.state = { ...emptyState(), ...message.s };
  }

  #apply(message) {
    const fresh = message.d.filter(([seq]) => seq > this.seq);
    for (const [, kind, key, value] of fresh) applyDelta(this.state, kind, key, value);
    if (message.lanes) this.lanes = message.lanes;
    this.seq = Math.max(this.seq, message.seq);
    return fresh.map(([, kind, key, value]) => [kind, key, value]);
  }
}

/**
 * Changes one entry of a state; `null` removes it.
 * @param {object} state
 * @param {string} kind bed, vital, infusion, alarm, task, health, ward
 */
export function applyDelta(state, kind, key, value) {
  if (kind === "health" || kind === "ward") {
    state[kind] = value;
    return;
  }
  const collection = state[COLLECTIONS[kind]];
  if (!collection) return;
  if (value === null) delete collection[key];
  else collection[key] = value;
}

/**
 * Reads one binary waveform frame.
 * @param {ArrayBuffer} buffer
 * @returns {{lane: number, seq: number, t0: number, samples: Int16Array}|null} null when it is not one of ours
 */
export function parseFrame(buffer) {
  if (buffer.byteLength < FRAME_HEADER_BYTES) return null;
  const view = new DataView(buffer);
  if (view.getUint8(0) !== FRAME_TYPE_WAVE || view.getUint8(1) !== FRAME_VERSION) return null;
  const count = view.getUint16(16, true);
  if (buffer.byteLength < FRAME_HEADER_BYTES + 2 * count) return null;
  const samples = new Int16Array(count); // copied by hand: the wire is little-endian whatever the machine is
  for (let i = 0; i < count; i += 1) samples[i] = view.getInt16(FRAME_HEADER_BYTES + 2 * i, true);
  return { lane: view.getUint16(2, true), seq: view.getUint32(4, true), t0: view.getFloat64(8, true), samples };
}
