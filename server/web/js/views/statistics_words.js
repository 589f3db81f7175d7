/** Rules of the bedside check in words, and the few things the figures say are worth doing. */
import { text } from "../i18n.js";

const FAMILIES = ["PT", "MED", "ORD", "TIME", "DOSE", "ROUTE", "SAFE", "WIT", "BLD", "SPC", "SKT", "INF", "PRN", "SYS"];
const GRAVE = 0.3; // one bed with more than this share of all alarms is worth a look

/** @returns {string} the family of a rule in words, with its code */
export function cause(code) {
  const family = code.split("-", 1)[0];
  return FAMILIES.includes(family) ? `${text(`rule.${family}`)} · ${code}` : code;
}

/** @returns {string[]} at most three, from the numbers alone; each names what it counted */
export function things(of) {
  const found = [];
  const { scan_compliance: scanned } = of;
  if (scanned.of >= 5 && scanned.percent < of.compliance_target) {
    found.push(text("thing.compliance", { missed: scanned.of - scanned.count, of: scanned.of }));
  }
  for (const code of of.to_review) found.push(text("thing.review", { code }));
  const [bed] = of.alarms.top_beds;
  if (bed && of.alarms.total >= 10 && bed.count > GRAVE * of.alarms.total) {
    found.push(text("thing.bed", { bed: bed.name, count: bed.count, total: of.alarms.total }));
  }
  const short = of.alarms.unanswered_short;
  if (short.of >= 10 && short.percent > 20) found.push(text("thing.short", { count: short.count, of: short.of }));
  const late = of.delays.slice(10).reduce((sum, count) => sum + count, 0);
  if (late >= 3) found.push(text("thing.late", { count: late }));
  return found.slice(0, 3);
}
