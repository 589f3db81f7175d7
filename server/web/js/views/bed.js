/** F4: one bed. Waves and numbers, its drips with expected against measured volume, its alarms and tasks. */
import { describe, inOrder, isAcknowledged, leading, MARKS, TONES } from "../alarms.js";
import { dress, el, keepInOrder, say, show } from "../dom.js";
import { label, language, text } from "../i18n.js";
import { LARGE_SLOTS, SMALL_SLOTS, UNITS, WAVES } from "../parameters.js";
import { byUrgency, elapsed, infusionTone, numerics, tileKind } from "../present.js";
import { millis } from "../protocol.js";
import { clock, hourMinute } from "../time.js";
import { WaveCanvas } from "./canvas.js";
import { FlowCurve, sparkline } from "./curve.js";
import { Trends } from "./trends.js";
import { alarmLook, bag, bedTags, bullet, demoChip, deviation, dropIcon, drugName, lastHeard, rates, timeLeft } from "./parts.js";

const PX_PER_S = 62;
const HOUR_MS = 3600000;
const DRIPS = 3;

export class BedPage {
  constructor(app) {
    this.app = app;
    this.railChips = new Map();
    this.rail = el("nav.bed-rail", { hint: "bed.rail" });
    this.head = new BedHead();
    this.wavesArea = el("div.bed-waves");
    this.noWaves = el("p.none-line", { text: "bed.no-waves" });
    this.lanes = el("div.bed-lanes");
    this.wavesArea.append(this.lanes, this.noWaves);
    this.numbers = [...LARGE_SLOTS, ...SMALL_SLOTS].map((slot) => [slot, new BedNumber(app)]);
    this.noNumbers = el("p.none-line", { text: "bed.no-numbers" });
    this.drips = Array.from({ length: DRIPS }, () => new BedDrip(app));
    this.noDrips = el("p.none-line", { text: "strip.none" });
    this.trends = new Trends();
    this.alarms = el("div.bed-alarms");
    this.tasks = el("div.bed-tasks");
    this.root = el("section.page.bed-page", { hidden: true }, this.rail, this.#centre(), this.#right());
    this.waves = new WaveCanvas("bed", this.wavesArea);
    this.shape = "";
  }

  #centre() {
    const column = el("div.bed-numbers", null, ...this.numbers.map(([, cell]) => cell.root), this.noNumbers);
    const trends = el("section.side-panel.bed-trends", null, el("h2", null, el("span", { text: "trends.title" }), el("i", { text: "trends.note" })), this.trends.root);
    return el("div.bed-centre", null, this.head.root, el("div.bed-live", null, el("div.bed-charts", null, this.wavesArea, trends), column));
  }

  #right() {
    const panel = (name, title, ...parts) => el(`section.side-panel.${name}`, null, el("h2", null, el("span", { text: title })), ...parts);
    return el(
      "div.bed-right",
      null,
      panel("bed-drips", "bed.drips", ...this.drips.map((drip) => drip.root), this.noDrips),
      panel("bed-of-alarms", "bed.alarms", this.alarms),
      panel("bed-of-tasks", "bed.tasks", this.tasks),
    );
  }

  giveCanvas(worker) {
    this.waves.giveTo(worker);
  }

  draw(now) {
    const { store, openBed } = this.app;
    const bed = store.bed(openBed);
    const { vitals, alarms, tasks } = store.of(openBed);
    const shown = numerics(bed, vitals, now);
    const infusions = byUrgency(store.infusionsOf(openBed, now));
    const lanes = tileKind(bed, true) === "live" ? store.lanesOf(openBed) : [];
    const dripOnly = infusions.length > 0 && !lanes.length && !Object.keys(shown).length;
    this.root.classList.toggle("drip-only", dripOnly);
    this.#drawRail(now);
    this.head.draw(openBed, bed, leading(alarms), now);
    const waiting = new Set(alarms.filter((alarm) => !isAcknowledged(alarm)).map((alarm) => alarm.params?.code));
    for (const [slot, cell] of this.numbers) cell.draw(shown[slot], waiting, openBed, now);
    const drawn = Object.values(shown).filter((one) => !one.spot);
    this.trends.draw(drawn, (code) => store.history.ofVital(openBed, code), now, store.state.ward?.zone);
    show(this.noNumbers, Object.keys(shown).length === 0);
    this.drips.forEach((drip, index) => drip.draw(infusions[index], now));
    show(this.noDrips, infusions.length === 0);
    this.#drawAlarms(inOrder(alarms), now);
    this.#drawTasks(tasks);
    this.#drawLanes(lanes);
  }

  #drawRail(now) {
    const { store, openBed } = this.app;
    keepInOrder(this.rail, this.railChips, store.beds(), (bed) => {
      const part = { rate: el("b.c-hr.n"), spo2: el("b.c-spo2.n"), no: el("b.rail-no", null, bed) };
      part.root = el("button.rail-bed", { type: "button", onclick: () => this.app.goTo("bed", bed) }, part.no, part.rate, part.spo2);
      return part;
    });
    for (const [id, part] of this.railChips) {
      const first = leading(store.of(id).alarms);
      const tone = first ? TONES[first.priority] : "";
      const shown = numerics(store.bed(id), store.of(id).vitals, now);
      const live = (one) => (one && one.state === "live" ? one.shown : "–");
      dress(part.root, `rail-bed${id === openBed ? " on" : ""}${store.bed(id)?.occupied ? "" : " empty"}`);
      dress(part.no, `rail-no${tone ? ` fill-${tone}${isAcknowledged(first) ? "" : ` flash-${tone}`}` : ""}`);
      say(part.rate, live(shown.rate));
      say(part.spo2, live(shown.spo2));
    }
  }

  #drawAlarms(alarms, now) {
    const rows = alarms.map((alarm) => {
      const words = describe(alarm);
      const seen = isAcknowledged(alarm);
      const by = seen ? `✓ ${alarm.acknowledged_by}` : text("alarms.unseen");
      return [`alarm-row ${TONES[alarm.priority]}${seen ? " seen" : ""}`, [MARKS[alarm.priority], `${words.name} ${words.detail}`, by, elapsed(now - millis(alarm.started_at))]];
    });
    fillRows(this.alarms, rows, "alarms.none");
  }

  #drawTasks(tasks) {
    const { zone } = this.app.store.state.ward ?? {};
    const ordered = [...tasks].sort((a, b) => (millis(a.planned_at) || Infinity) - (millis(b.planned_at) || Infinity));
    const rows = ordered.map((task) => [
      `task-row ${task.status}`,
      [task.planned_at ? hourMinute(millis(task.planned_at), zone, language()) : text("tasks.prn"), label(task.text), text(`task.${task.status}`)],
    ]);
    fillRows(this.tasks, rows, "tasks.none");
  }

  #drawLanes(lanes) {
    const shape = [this.app.openBed, language(), ...lanes.map((lane) => lane.id)].join("|");
    show(this.noWaves, lanes.length === 0);
    this.wavesArea.style.flexBasis = `${Math.min(70, 12 + 24 * lanes.length)}%`;
    if (shape === this.shape) return;
    this.shape = shape;
    this.lanes.replaceChildren(
      ...lanes.map((lane) => {
        const wave = WAVES[lane.code];
        const name = wave ? text(wave.name) : lane.code;
        return el("div.bed-lane", null, el(`i.c-${wave?.colour ?? "t2"}`, null, name), el("div.lane", { "data-lane": lane.id, "data-code": lane.code }));
      }),
    );
    this.arrange();
  }

  arrange() {
    this.pending ??= requestAnimationFrame(() => {
      this.pending = null;
      if (this.root.hidden) this.waves.sleep();
      else this.waves.place(this.lanes.querySelectorAll(".lane"), PX_PER_S, 2);
    });
  }
}

/** Rewrites a short list only when its words changed. */
function fillRows(parent, rows, none) {
  const key = JSON.stringify([language(), rows]);
  if (parent.dataset.key === key) return;
  parent.dataset.key = key;
  const made = rows.map(([look, cells]) => el(`div.${look.replaceAll(" ", ".")}`, null, ...cells.map((cell) => el("span", null, cell))));
  parent.replaceChildren(...(made.length ? made : [el("p.none-line", null, text(none))]));
}

class BedHead {
  constructor() {
    this.no = el("b.head-no");
    this.name = el("b.head-name");
    this.about = el("span");
    this.tags = el("span.tags");
    this.news = el("span.news");
    this.demo = demoChip(true);
    this.state = el("span.head-state");
    this.root = el("header.bed-head", null, this.no, this.name, this.about, this.tags, this.demo, el("span.fill"), this.state, this.news);
  }

  draw(id, bed, first, now) {
    const tone = first ? TONES[first.priority] : "";
    dress(this.no, `head-no${tone ? ` fill-${tone}${isAcknowledged(first) ? "" : ` flash-${tone}`}` : ""}`);
    say(this.no, id);
    say(this.name, bed?.occupied ? (bed.name ?? "") : text("tile.empty"));
    const sex = bed?.sex === "male" || bed?.sex === "female" ? text(`sex.${bed.sex}`) : "";
    const age = bed?.age === null || bed?.age === undefined ? "" : text("tile.age", { age: bed.age });
    say(this.about, bed?.occupied ? `${sex} ${age}` : "");
    const tags = bed?.occupied ? bedTags(bed) : [];
    const key = `${language()}|${tags.join()}`;
    if (key !== this.tagKey) {
      this.tagKey = key;
      this.tags.replaceChildren(...tags.map(([name, look]) => el(`i.tag.${look.replace(" ", ".")}`, null, text(name))));
    }
    show(this.demo, Boolean(bed?.demo));
    const offline = bed?.node?.state === "offline";
    show(this.news, Boolean(bed?.news2));
    dress(this.news, `news ${offline ? "unknown" : (bed?.news2?.tier ?? "")}`);
    say(this.news, bed?.news2 ? `NEWS2 ${offline ? "–" : bed.news2.total}` : "");
    say(this.state, offline ? `${text("tile.offline")} · ${elapsed(now - millis(bed.node.since))}` : "");
  }
}

class BedNumber {
  constructor(app) {
    this.app = app;
    this.name = el("b.number-name");
    this.unit = el("i");
    this.when = el("span.when");
    this.value = el("b.n.number-value");
    this.hi = el("i.n");
    this.lo = el("i.n");
    this.spark = sparkline(90, 30);
    this.root = el(
      "div.bed-number",
      { hidden: true },
      el("div.number-words", null, this.name, this.unit, this.when),
      this.value,
      el("div.number-limits", null, this.hi, this.spark.root, this.lo),
    );
  }

  draw(shown, waiting, bed, now) {
    show(this.root, Boolean(shown));
    if (!shown) return;
    const { zone } = this.app.store.state.ward ?? {};
    dress(this.root, `bed-number c-${shown.colour} ${shown.state}${alarmLook(shown, waiting)}`);
    say(this.name, text(`parameter.${shown.name}`));
    say(this.unit, UNITS[shown.unit] ?? shown.unit ?? "");
    say(this.value, shown.shown);
    this.value.classList.toggle("long", shown.shown.length > 4);
    say(this.when, shown.spot || shown.state === "stale" ? clock(shown.at, zone, language()) : "");
    say(this.hi, limit(shown.hi));
    say(this.lo, limit(shown.lo));
    this.spark.draw(this.app.store.history.ofVital(bed, shown.code), now - HOUR_MS, now);
  }
}

function limit(value) {
  return value === null || value === undefined ? "" : String(value);
}

class BedDrip {
  constructor(app) {
    this.app = app;
    this.drop = dropIcon();
    this.drug = el("b.drug");
    this.time = el("b.time-left.n");
    this.order = el("span");
    this.measured = el("b.n");
    this.deviation = el("b.deviation");
    this.curve = new FlowCurve();
    this.seenFrom = el("i.curve-note");
    this.bag = bag();
    this.bullet = bullet();
    this.root = el(
      "div.bed-drip",
      { hidden: true },
      el("div.drip-line", null, this.drop.root, this.drug, this.time),
      el("div.drip-line", null, this.order, el("span.fill"), this.measured, this.deviation),
      el("div.drip-line", null, this.bag.root, this.bullet.root),
      this.curve.root,
      this.seenFrom,
    );
  }

  draw(one, now) {
    show(this.root, Boolean(one));
    if (!one) return;
    const { store } = this.app;
    const { zone } = store.state.ward ?? {};
    const { measured, ordered } = rates(one);
    this.drop.draw(one);
    dress(this.root, `bed-drip tone-${infusionTone(one.word)}${one.bound ? " bound" : ""}`);
    say(this.drug, drugName(one));
    say(this.time, timeLeft(one));
    say(this.order, text("bed.order", { gtt: ordered, ml: one.orderedMlH ?? "–" }));
    say(this.measured, one.live ? text("bed.measured", { gtt: measured }) : lastHeard(one, zone));
    say(this.deviation, deviation(one));
    this.bag.draw(one);
    this.bullet.draw(one);
    const seen = store.history.ofFlow(one.id);
    this.curve.draw(one, seen, now, zone);
    say(this.seenFrom, seen.length ? text("curve.since", { time: hourMinute(seen[0].t, zone, language()) }) : text("curve.none"));
  }
}
