/**
 * Alarm sounds after IEC 60601-1-8 as its users print it: ten pulses for high, three for medium, two for low.
 *
 * A screen is a secondary alarm: when the browser has not allowed sound, the page says so instead of staying silent.
 */

/** Pulse starts within one burst, in seconds; the rests make the 3-2 3-2 rhythm of a high priority alarm. */
const HIGH = [0, 0.2, 0.4, 0.75, 0.95, 1.75, 1.95, 2.15, 2.5, 2.7];
export const BURSTS = {
  Hi: { starts: HIGH, pulse: 0.12, restMs: 2900, notes: [523, 523, 523, 659, 784], volume: 1 },
  Me: { starts: [0, 0.25, 0.5], pulse: 0.17, restMs: 3200, notes: [523, 494, 440], volume: 0.8 },
  Lo: { starts: [0, 0.3], pulse: 0.17, restMs: 16500, notes: [440, 392], volume: 0.6 },
};
const HARMONICS = [1, 0.6, 0.45, 0.35, 0.25];
const EDGE_S = 0.012;

export class Sound {
  constructor() {
    this.context = null;
    this.playing = "";
    this.nextAt = 0;
    this.volume = 0.7;
  }

  /** @returns {boolean} whether the browser lets sound out */
  get allowed() {
    return this.context?.state === "running";
  }

  /** Must be called from a click or key, where browsers allow it. */
  async enable() {
    this.context ??= new AudioContext();
    if (this.context.state !== "running") await this.context.resume();
    return this.allowed;
  }

  /** Asks for sound without a click: kiosks allow that, other browsers stay suspended. */
  try() {
    this.context ??= new AudioContext();
  }

  /** Keeps the given priority sounding; "" is silence. Called several times a second. */
  keep(priority) {
    const now = performance.now();
    if (priority !== this.playing) {
      this.playing = priority;
      this.nextAt = now;
    }
    if (!priority || !this.allowed || now < this.nextAt) return;
    this.nextAt = now + this.play(priority);
  }

  /** Plays one burst. @returns {number} milliseconds until the next one is due */
  play(priority) {
    const burst = BURSTS[priority];
    const from = this.context.currentTime + 0.02;
    burst.starts.forEach((start, index) => {
      this.#pulse(from + start, burst.pulse, burst.notes[index % burst.notes.length], burst.volume);
    });
    return (burst.starts.at(-1) + burst.pulse) * 1000 + burst.restMs;
  }

  #pulse(at, seconds, hertz, volume) {
    const gain = this.context.createGain();
    const peak = (this.volume * volume) / HARMONICS.length;
    gain.gain.setValueAtTime(0, at);
    gain.gain.linearRampToValueAtTime(peak, at + EDGE_S);
    gain.gain.setValueAtTime(peak, at + seconds - EDGE_S);
    gain.gain.linearRampToValueAtTime(0, at + seconds);
    gain.connect(this.context.destination);
    HARMONICS.forEach((share, index) => {
      const oscillator = this.context.createOscillator();
      oscillator.frequency.value = hertz * (index + 1);
      const level = this.context.createGain();
      level.gain.value = share;
      oscillator.connect(level).connect(gain);
      oscillator.start(at);
      oscillator.stop(at + seconds);
    });
  }
}
