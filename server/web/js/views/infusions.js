/** F7: every drip of the ward, the one to act on first; last those whose time is not known. */
import { dress, el, keepInOrder, say, show } from "../dom.js";
import { language, text } from "../i18n.js";
import { byUrgency, elapsed, infusionTone } from "../present.js";
import { hourMinute } from "../time.js";
import { bag, bullet, demoChip, deviation, dropIcon, drugName, lastHeard, rates, timeLeft } from "./parts.js";
import { sparkline } from "./curve.js";
import { Timeline } from "./timeline.js";

const COLUMNS = ["left", "bed", "name", "drug", "bag", "rate", "numbers", "state", "recent", "end", "age"];
const RECENT_MS = 30 * 60000;
const UNKNOWN_GROUP = 5;
const MARKED = { hi: "*** ", me: "** ", lo: "* " };

export class InfusionsPage {
  constructor(app) {
    this.app = app;
    this.rows = new Map();
    this.chips = el("div.board-chips");
    this.timeline = new Timeline(app);
    this.body = el("div.board-rows");
    this.none = el("p.none-line", { text: "infusions.none" });
    const heads = COLUMNS.map((name) => el(`span.col-${name}`, { text: `board.${name}` }));
    this.root = el(
      "section.page.board",
      { hidden: true },
      this.chips,
      this.timeline.root,
      el("div.board-table", null, el("div.board-head", null, ...heads), this.body, this.none),
    );
  }

  draw(now) {
    const infusions = byUrgency(this.app.store.infusions(now));
    this.#drawChips(infusions);
    this.timeline.draw(infusions, now);
    const byId = new Map(infusions.map((one) => [one.id, one]));
    keepInOrder(this.body, this.rows, [...byId.keys()], () => new Row(this.app));
    let unknown = false;
    for (const one of infusions) {
      const first = one.group === UNKNOWN_GROUP && !unknown;
      unknown ||= first;
      this.rows.get(one.id).draw(one, first, now);
    }
    show(this.none, infusions.length === 0);
  }

  #drawChips(infusions) {
    const words = ["free-flow", "no-flow", "empty", "near-end", "slow", "fast", "paused", "waiting", "sensor-lost", "stale"];
    const counted = words.map((word) => [word, infusions.filter((one) => one.word === word).length]).filter(([, n]) => n);
    const key = `${language()}|${infusions.length}|${counted.join("|")}`;
    if (key === this.chipKey) return;
    this.chipKey = key;
    const beds = new Set(infusions.map((one) => one.bed)).size;
    const all = el("span.board-chip.all", null, el("b", null, String(infusions.length)), text("board.all", { beds }));
    const rest = counted.map(([word, n]) =>
      el(`span.board-chip.tone-${infusionTone(word)}`, null, el("b", null, String(n)), text(`flow.${word}`)),
    );
    this.chips.replaceChildren(all, ...rest, el("span.fill"), el("span.board-sort", null, text("board.sorted")));
  }
}

class Row {
  constructor(app) {
    this.app = app;
    this.left = el("b.col-left.n");
    this.bed = el("b.col-bed");
    this.name = el("span");
    this.demo = demoChip();
    this.drop = dropIcon();
    this.drug = el("b");
    this.bag = bag();
    this.bullet = bullet();
    this.measured = el("b.n");
    this.ordered = el("i");
    this.deviation = el("span.deviation");
    this.state = el("b.state-chip");
    this.recent = sparkline(120, 22);
    this.end = el("b");
    this.device = el("span");
    this.age = el("span.n");
    this.heading = el("p.unknown-heading", null, el("b", { text: "board.unknown" }), el("span", { text: "board.unknown-do" }));
    const cells = el(
      "div.board-row",
      { tabindex: "0", onclick: () => app.goTo("bed", this.bed.textContent) },
      this.left,
      this.bed,
      el("span.col-name", null, this.name, this.demo),
      el("span.col-drug", null, this.drop.root, this.drug),
      el("span.col-bag", null, this.bag.root),
      el("span.col-rate", null, this.bullet.root),
      el("span.col-numbers", null, el("span", null, this.measured, this.ordered), this.deviation),
      el("span.col-state", null, this.state),
      el("span.col-recent", null, this.recent.root),
      el("span.col-end", null, this.end),
      el("span.col-age", null, this.device, this.age),
    );
    this.row = cells;
    this.root = el("div", null, this.heading, cells);
  }

  draw(one, heading, now) {
    const { store } = this.app;
    const bed = store.bed(one.bed);
    const { zone } = store.state.ward ?? {};
    const tone = infusionTone(one.word);
    const { measured, ordered } = rates(one);
    show(this.heading, heading);
    dress(this.row, `board-row tone-${tone}${one.bound ? " bound" : ""}`);
    say(this.left, timeLeft(one));
    say(this.bed, one.bed);
    say(this.name, bed?.name ?? "");
    show(this.demo, Boolean(bed?.demo));
    this.drop.draw(one);
    say(this.drug, drugName(one));
    this.drug.title = drugName(one);
    this.bag.draw(one);
    this.bullet.draw(one);
    say(this.measured, measured);
    say(this.ordered, ` / ${ordered}`);
    say(this.deviation, deviation(one));
    dress(this.state, `state-chip tone-${tone}`);
    say(this.state, `${MARKED[tone] ?? ""}${text(`flow.${one.word}`)}`);
    const points = store.history.ofFlow(one.id).map(({ t, rate }) => ({ t, value: rate }));
    this.recent.draw(points, now - RECENT_MS, now);
    say(this.end, one.minutes === null ? (one.live ? "—" : lastHeard(one, zone)) : hourMinute(one.endAt, zone, language()));
    say(this.device, text("board.drip"));
    say(this.age, Number.isNaN(one.at) ? "–" : ageWords(now - one.at));
  }
}

function ageWords(ms) {
  return ms < 10000 ? `${Math.max(0, ms / 1000).toFixed(1)} s` : elapsed(ms);
}
