/** One bed on the wall. What a bed has decides its shape; empty, offline, without devices and stale never look alike. */
import { describe, isAcknowledged, leading, MARKS, TONES } from "../alarms.js";
import { dress, el, say, show } from "../dom.js";
import { language, text } from "../i18n.js";
import { LARGE_SLOTS, SMALL_SLOTS, WAVES } from "../parameters.js";
import { byUrgency, elapsed, hasLarge, hasSmall, isOffline, numerics, tileKind } from "../present.js";
import { millis } from "../protocol.js";
import { clock, hourMinute } from "../time.js";
import { DripPanel } from "./drip_panel.js";
import { DripStrip } from "./drip_strip.js";
import { alarmLook, bedTags, demoChip } from "./parts.js";

const LANES = 2;
const NOTES = { empty: "tile.empty", offline: "tile.offline", "no-device": "tile.no-device" };

export class Tile {
  constructor(app, bed) {
    this.app = app;
    this.bed = bed;
    this.shape = "";
    this.laneKey = null;
    this.tagKey = null;
    this.number = el("b.bed-no", null, bed);
    this.lanes = el("div.lanes");
    this.cells = new Map([...LARGE_SLOTS, ...SMALL_SLOTS].map((slot) => [slot, new Cell(slot, LARGE_SLOTS.includes(slot))]));
    this.large = el("div.large", null, ...LARGE_SLOTS.map((slot) => this.cells.get(slot).root));
    this.small = el("div.small", null, ...SMALL_SLOTS.map((slot) => this.cells.get(slot).root));
    this.note = el("div.note", null, el("b"), el("span"));
    this.panel = new DripPanel(app);
    this.strip = new DripStrip(app);
    this.body = el("div.tile-body", null, this.lanes, this.note, this.large, this.small, this.panel.root);
    this.root = el("article.tile", { "data-bed": bed, tabindex: "0" }, this.#head(), this.body, this.strip.root);
    const open = () => app.goTo("bed", bed);
    this.root.addEventListener("click", open);
    this.root.addEventListener("keydown", (event) => event.key === "Enter" && open());
  }

  #head() {
    this.alarm = el("span.alarm-words", null, el("b.mark"), el("b.alarm-name"), el("span.alarm-detail"));
    this.who = el("span.who");
    this.about = el("span.about");
    this.tags = el("span.tags");
    this.news = el("span.news");
    this.since = el("b.since");
    this.demo = demoChip();
    this.tasks = el("b.task-count");
    return el(
      "header.tile-head",
      null,
      this.number,
      this.alarm,
      this.who,
      this.about,
      this.tags,
      el("span.fill"),
      this.news,
      this.since,
      this.demo,
      this.tasks,
    );
  }

  draw(now) {
    const { store } = this.app;
    const bed = store.bed(this.bed);
    const { vitals, alarms } = store.of(this.bed);
    const shown = numerics(bed, vitals, now);
    const infusions = byUrgency(store.infusionsOf(this.bed, now));
    const known = Object.keys(shown).length > 0 || infusions.length > 0;
    const kind = tileKind(bed, known);
    const first = leading(alarms);
    this.#drawHead(bed, kind, first, now);
    this.#drawBody(kind, shown, infusions, now);
    this.#dressTile(kind, first);
  }

  #dressTile(kind, first) {
    const tone = first ? TONES[first.priority] : "";
    const seen = first && isAcknowledged(first) ? " seen" : "";
    dress(this.root, `tile ${kind}${tone ? ` alarm-${tone} flash-${tone}${seen}` : ""}`);
  }

  #drawHead(bed, kind, first, now) {
    const occupied = kind !== "empty";
    show(this.alarm, Boolean(first));
    if (first) {
      const words = describe(first);
      const [mark, name, detail] = this.alarm.children;
      say(mark, `${isAcknowledged(first) ? "✓ " : ""}${MARKS[first.priority]}`);
      say(name, words.name);
      say(detail, words.detail);
    }
    say(this.since, first ? elapsed(now - millis(first.started_at)) : "");
    say(this.who, occupied ? (bed.name ?? "") : "");
    say(this.about, occupied && !first ? aboutWords(bed) : "");
    this.#drawTags(occupied && !first ? bedTags(bed) : []);
    this.#drawNews(occupied && !first ? bed : null);
    show(this.demo, Boolean(bed?.demo) && occupied);
    const due = (bed?.tasks_due ?? 0) + (bed?.tasks_overdue ?? 0);
    say(this.tasks, due ? String(due) : "");
    this.tasks.title = text("tile.tasks", { n: due });
    this.tasks.classList.toggle("overdue", (bed?.tasks_overdue ?? 0) > 0);
    show(this.tasks, occupied && due > 0 && !first);
  }

  #drawTags(tags) {
    const key = `${language()}|${tags.map(([name]) => name).join()}`;
    if (key === this.tagKey) return;
    this.tagKey = key;
    this.tags.replaceChildren(...tags.map(([name, look]) => el(`i.tag.${look.replace(" ", ".")}`, null, text(name))));
  }

  #drawNews(bed) {
    const score = bed?.news2;
    show(this.news, Boolean(score));
    if (!score) return;
    const old = isOffline(bed); // the score of values that no longer come is not a score
    dress(this.news, `news ${old ? "unknown" : score.tier}`);
    say(this.news, `NEWS ${old ? "–" : score.total}`);
  }

  #drawBody(kind, shown, infusions, now) {
    const lanes = kind === "live" ? this.#chosenLanes() : [];
    const numbers = Object.keys(shown).length > 0;
    const withDrip = infusions.length > 0;
    const panel = !numbers && withDrip && kind !== "empty";
    this.#drawLanes(lanes);
    show(this.lanes, lanes.length > 0);
    const { alarms } = this.app.store.of(this.bed);
    const waiting = new Set(alarms.filter((alarm) => !isAcknowledged(alarm)).map((alarm) => alarm.params?.code));
    for (const [slot, cell] of this.cells) cell.draw(shown[slot], waiting, this.app.store.state.ward?.zone);
    show(this.large, hasLarge(shown));
    show(this.small, hasSmall(shown));
    this.#drawNote(kind);
    this.panel.draw(panel ? infusions[0] : null);
    this.strip.draw(kind === "empty" ? null : infusions, panel, isOffline(this.app.store.bed(this.bed)), now);
    this.shape = [kind, panel, hasSmall(shown), numbers, withDrip, this.laneKey].join();
  }

  #drawNote(kind) {
    show(this.note, kind !== "live");
    if (kind === "live") return;
    const [words, more] = this.note.children;
    const { node } = this.app.store.bed(this.bed) ?? {};
    const { zone } = this.app.store.state.ward ?? {};
    say(words, text(NOTES[kind]));
    const since = kind === "offline" ? text("tile.since", { time: clock(millis(node?.since), zone, language()) }) : "";
    say(more, kind === "no-device" ? text("tile.no-device-do") : since);
  }

  #chosenLanes() {
    const order = Object.keys(WAVES);
    const place = (lane) => (order.indexOf(lane.code) + order.length + 1) % (order.length + 1);
    return [...this.app.store.lanesOf(this.bed)].sort((a, b) => place(a) - place(b)).slice(0, LANES);
  }

  #drawLanes(lanes) {
    const key = `${language()}|${lanes.map((lane) => lane.id).join()}`;
    if (key === this.laneKey) return;
    this.laneKey = key;
    this.lanes.replaceChildren(...lanes.map(laneRow));
  }
}

function aboutWords(bed) {
  const sex = bed.sex === "male" || bed.sex === "female" ? text(`sex.${bed.sex}`) : "";
  const age = bed.age === null || bed.age === undefined ? "" : text("tile.age", { age: bed.age });
  return [sex, age].filter(Boolean).join(" ");
}

function laneRow(lane) {
  const wave = WAVES[lane.code];
  const name = wave ? text(wave.name) : lane.code.replace(/^MDC_/, "").slice(0, 4);
  const look = wave?.colour ?? "t2";
  return el("div.lane-row", null, el(`i.c-${look}`, null, name), el("div.lane", { "data-lane": lane.id, "data-code": lane.code }));
}

/** One number of a tile. */
class Cell {
  constructor(slot, large) {
    this.name = el("i");
    this.value = el("b.n");
    this.when = el("span.when");
    this.root = large
      ? el(`div.cell.cell-${slot}`, { hidden: true }, this.name, this.when, this.value)
      : el(`div.cell.cell-${slot}`, { hidden: true }, this.name, this.value, this.when);
  }

  /** @param {Set<string>} waiting codes with an alarm nobody has acknowledged: only those flash */
  draw(shown, waiting, zone) {
    show(this.root, Boolean(shown));
    if (!shown) return;
    dress(this.root, `${this.#base()} c-${shown.colour} ${shown.state}${alarmLook(shown, waiting)}`);
    say(this.name, text(`parameter.${shown.name}`));
    say(this.value, shown.shown);
    const old = shown.state === "stale";
    const mean = shown.mean ? `·(${shown.mean})` : "";
    const time = shown.spot ? hourMinute(shown.at, zone, language()) + mean : clock(shown.at, zone, language());
    say(this.when, shown.spot || old ? time : shown.state === "doubtful" ? "?" : "");
  }

  #base() {
    this.classes ??= this.root.className;
    return this.classes;
  }
}
