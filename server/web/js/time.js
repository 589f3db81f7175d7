/** Clock texts in the ward's own zone, whatever the zone of the screen's machine is. */

const formats = new Map();

function format(zone, language, parts) {
  const key = `${zone}|${language}|${JSON.stringify(parts)}`;
  if (!formats.has(key)) {
    const options = { timeZone: zone || undefined, hourCycle: "h23", ...parts };
    formats.set(key, new Intl.DateTimeFormat(language === "zh" ? "zh-CN" : "en-GB", options));
  }
  return formats.get(key);
}

/** `14:06:32` */
export function clock(ms, zone, language) {
  if (!Number.isFinite(ms)) return "–";
  return format(zone, language, { hour: "2-digit", minute: "2-digit", second: "2-digit" }).format(ms);
}

/** `14:06` */
export function hourMinute(ms, zone, language) {
  if (!Number.isFinite(ms)) return "–";
  return format(zone, language, { hour: "2-digit", minute: "2-digit" }).format(ms);
}

/** `2026-11-25 Wed` */
export function day(ms, zone, language) {
  const date = format(zone, "sv", { year: "numeric", month: "2-digit", day: "2-digit" });
  const parts = Object.fromEntries(date.formatToParts(ms).map(({ type, value }) => [type, value]));
  const weekday = format(zone, language, { weekday: language === "zh" ? "long" : "short" }).format(ms);
  return `${parts.year}-${parts.month}-${parts.day} ${weekday}`;
}
