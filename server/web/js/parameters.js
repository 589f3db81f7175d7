/** How each measured code is shown: its short name, its colour, its place on a tile, and when it is old. */

const S = 1000;
const H = 3600 * S;

/**
 * `slot`: where on a tile (the first of a slot that is present wins) · `staleMs`: age after which the number no longer
 * describes the patient now · `spot`: measured now and then, always shown with its time.
 */
export const PARAMETERS = {
  MDC_ECG_HEART_RATE: { name: "hr", colour: "hr", slot: "rate", staleMs: 10 * S },
  MDC_ECG_CARD_BEAT_RATE: { name: "hr", colour: "hr", slot: "rate", staleMs: 10 * S },
  MDC_PULS_OXIM_PULS_RATE: { name: "pr", colour: "hr", slot: "rate", staleMs: 10 * S },
  MDC_PULS_RATE: { name: "pr", colour: "hr", slot: "rate", staleMs: 10 * S },
  MDC_PULS_RATE_NON_INV: { name: "pr", colour: "hr", slot: "rate", staleMs: 8 * H, spot: true },
  MDC_PULS_OXIM_SAT_O2: { name: "spo2", colour: "spo2", slot: "spo2", staleMs: 10 * S },
  MDC_RESP_RATE: { name: "rr", colour: "resp", slot: "resp", staleMs: 10 * S },
  MDC_TTHOR_RESP_RATE: { name: "rr", colour: "resp", slot: "resp", staleMs: 10 * S },
  MDC_PRESS_BLD_NONINV_SYS: { name: "nibp", colour: "nibp", slot: "nibp", staleMs: 8 * H, spot: true },
  MDC_TEMP_BODY: { name: "temp", colour: "temp", slot: "temp", staleMs: 8 * H, spot: true },
  MDC_TEMP_AXILLA: { name: "temp", colour: "temp", slot: "temp", staleMs: 8 * H, spot: true },
  MDC_TEMP_EAR: { name: "temp", colour: "temp", slot: "temp", staleMs: 8 * H, spot: true },
  MDC_TEMP_ORAL: { name: "temp", colour: "temp", slot: "temp", staleMs: 8 * H, spot: true },
  MDC_TEMP_RECT: { name: "temp", colour: "temp", slot: "temp", staleMs: 8 * H, spot: true },
  MDC_TEMP: { name: "temp", colour: "temp", slot: "temp", staleMs: 8 * H, spot: true },
  MDC_CONC_GLU_GEN: { name: "glu", colour: "glu", slot: "glu", staleMs: 8 * H, spot: true },
  MDC_CONC_GLU_CAPILLARY_WHOLEBLOOD: { name: "glu", colour: "glu", slot: "glu", staleMs: 8 * H, spot: true },
};

export const DIASTOLIC = "MDC_PRESS_BLD_NONINV_DIA";
export const MEAN = "MDC_PRESS_BLD_NONINV_MEAN";

/** Slots of a tile, in reading order; the first two are large. */
export const LARGE_SLOTS = ["rate", "spo2"];
export const SMALL_SLOTS = ["nibp", "resp", "temp", "glu"];

/** Waveform code → its short name and colour, in the order of preference for a tile's lanes. */
export const WAVES = {
  MDC_ECG_ELEC_POTL_II: { name: "wave.ecg2", colour: "hr" },
  MDC_ECG_ELEC_POTL_I: { name: "wave.ecg1", colour: "hr" },
  MDC_ECG_ELEC_POTL_V5: { name: "wave.ecgv5", colour: "hr" },
  MDC_PULS_OXIM_PLETH: { name: "wave.pleth", colour: "spo2" },
  MDC_TTHOR_RESP_IMPED: { name: "wave.resp", colour: "resp" },
  MDC_IMPED_TTHOR: { name: "wave.resp", colour: "resp" },
};

/** A drip silent for this long shows neither a rate nor a time left, in milliseconds. */
export const FLOW_STALE_MS = 10 * S;

/** UCUM unit → how it is printed. */
export const UNITS = {
  "%": "%",
  "/min": "/min",
  "mm[Hg]": "mmHg",
  Cel: "°C",
  "mmol/L": "mmol/L",
  "mL/h": "ml/h",
  mL: "ml",
  "{gtt}/min": "gtt/min",
  "{gtt}": "gtt",
  min: "min",
  kg: "kg",
};
