/** F6: the sheet of a shift. Who to see first, what is open, what to watch; given by one nurse, taken by another. */
import * as api from "../api.js";
import { el, keepInOrder, say, show } from "../dom.js";
import { knows, language, text } from "../i18n.js";
import { hourMinute } from "../time.js";
import { bedTags } from "./parts.js";

const HOURS = [8, 12];
const AGE_MS = 60_000;

export class HandoverPage {
  constructor(app) {
    this.app = app;
    this.hours = HOURS[0];
    this.sheet = null;
    this.asked = 0;
    this.given = null; // the handover this page has given, until somebody takes it
    this.notes = new Map(); // stay → what is being written; a redraw never takes it away
    this.rows = new Map();
    this.span = el("span.sub");
    this.spans = HOURS.map((hours) =>
      el("button", { type: "button", "data-hours": hours, text: `hand.span-${hours}`, onclick: () => this.#choose(hours) }),
    );
    this.give = el("button.stat-file", { type: "button", text: "hand.give", onclick: () => this.#give() });
    this.signed = el("span.hand-signed", { role: "status" });
    this.trouble = el("p.none-line.stat-trouble", { hidden: true, role: "status" });
    this.list = el("div.hand-rows");
    this.none = el("p.none-line", { text: "hand.none" });
    this.root = el(
      "section.page.handover", { hidden: true },
      el(
        "div.stat-head", null, el("h2", { text: "page.handover" }), this.span, el("span.fill"), this.signed,
        el("span.segments", { role: "group", hint: "hand.span" }, ...this.spans), this.give,
      ),
      this.trouble,
      el(
        "div.hand-table", null,
        el("div.hand-head", null, ...COLUMNS.map((name) => el(`span.hand-${name}`, { text: `hand.${name}` }))),
        this.list, this.none,
      ),
    );
  }

  #choose(hours) {
    this.hours = hours;
    this.asked = 0;
    this.app.redraw();
  }

  draw(now) {
    if (now - this.asked > AGE_MS) this.#ask(now);
    for (const button of this.spans) {
      button.setAttribute("aria-pressed", String(Number(button.dataset.hours) === this.hours));
    }
    if (this.sheet) this.#fill();
  }

  async #ask(now) {
    this.asked = now;
    const hours = this.hours;
    try {
      const sheet = await api.handover(this.app.store.state.ward?.id, now - hours * 3_600_000, now);
      if (hours !== this.hours) return;
      this.sheet = sheet;
      show(this.trouble, false);
    } catch (problem) {
      this.#tell(problem);
    }
    this.app.redraw();
  }

  #tell(problem) {
    const key = `problem.${problem.code}`;
    say(this.trouble, knows(key) ? text(key) : text("problem.other", { code: problem.code }));
    show(this.trouble, true);
  }

  #fill() {
    const { zone } = this.app.store.state.ward ?? {};
    const [from, to] = [this.sheet.since, this.sheet.until].map((at) => hourMinute(Date.parse(at), zone, language()));
    say(this.span, text("hand.period", { from, to, count: this.sheet.patients.length }));
    const patients = [...this.sheet.patients].sort((a, b) => concern(b) - concern(a));
    const byId = new Map(patients.map((one) => [one.encounter_id, one]));
    keepInOrder(this.list, this.rows, [...byId.keys()], (id) => this.#row(id));
    for (const [id, row] of this.rows) this.#fillRow(row, byId.get(id));
    show(this.none, patients.length === 0);
    this.give.disabled = patients.length === 0 || Boolean(this.given);
    say(this.signed, this.given ? text("hand.given", { name: this.app.person?.name ?? "" }) : "");
  }

  #row(id) {
    const row = Object.fromEntries(COLUMNS.map((name) => [name, el(`span.hand-${name}`)]));
    row.input = el("textarea", {
      rows: 2, maxlength: 1000, "aria-label": text("hand.note"),
      oninput: (event) => this.notes.set(id, event.target.value),
    });
    row.note.append(row.input);
    row.root = el("div.hand-row", { onclick: (event) => this.#open(event, id) }, ...COLUMNS.map((name) => row[name]));
    return row;
  }

  #open(event, id) {
    if (event.target.tagName === "TEXTAREA") return;
    const bed = this.sheet.patients.find((one) => one.encounter_id === id)?.bed;
    if (bed) this.app.goTo("bed", bed);
  }

  #fillRow(row, one) {
    const bed = this.app.store.bed(one.bed);
    row.root.className = `hand-row${concern(one) ? " concern" : ""}`;
    say(row.bed, one.bed);
    row.name.replaceChildren(
      el("b", null, bed?.name ?? ""),
      el("span.hand-tags", null, ...bedTags(bed).map(([key, kind]) => el(`i.tag.${kind.split(" ").join(".")}`, { text: key }))),
      ...(one.is_new ? [el("i.tag.new", { text: "hand.new" })] : []),
    );
    say(row.diagnosis, one.diagnosis || "–");
    row.orders.replaceChildren(...counted([["new-orders", one.new_orders], ["stopped-orders", one.stopped_orders]]));
    row.tasks.replaceChildren(...counted([["open-tasks", one.open_tasks], ["not-done", one.not_done, "warn"], ["infusions", one.running_infusions]]));
    row.alarms.replaceChildren(...alarmWords(one.alarms));
    say(row.fluids, text("hand.in-out", { in: Math.round(one.intake_ml), out: Math.round(one.output_ml) }));
    row.care.replaceChildren(...careWords(one));
    if (document.activeElement !== row.input) row.input.value = this.notes.get(one.encounter_id) ?? "";
  }

  /** Gives the shift over: what is written beside each patient goes with it. */
  async #give() {
    const notes = Object.fromEntries([...this.notes].filter(([, words]) => words.trim()));
    try {
      this.given = await api.giveHandover(this.app.store.state.ward?.id, {
        id: crypto.randomUUID(), since: this.sheet.since, until: this.sheet.until, notes,
      });
      show(this.trouble, false);
    } catch (problem) {
      this.#tell(problem);
    }
    this.app.redraw();
  }
}

const COLUMNS = ["bed", "name", "diagnosis", "orders", "tasks", "alarms", "fluids", "care", "note"];

/** How much of a concern a patient is: what is open and grave first, then what was not done, then new ones. */
function concern(one) {
  return 100 * one.critical_values.length + 20 * one.care.length + 10 * one.not_done.length + 5 * Number(one.is_new) + one.stopped_orders.length;
}

function counted(parts) {
  const found = parts.filter(([, ids]) => ids.length > 0);
  return found.length ? found.map(([key, ids, tone]) => el(`i.hand-count${tone ? `.${tone}` : ""}`, null, text(`hand.${key}`, { count: ids.length }))) : ["–"];
}

function alarmWords(alarms) {
  const known = Object.entries(alarms).sort(([, a], [, b]) => b - a);
  if (!known.length) return ["–"];
  return known.slice(0, 3).map(([name, count]) => {
    const words = name.startsWith("limit-") ? text(`stat.${name}`) : knows(`alarm.${name}`) ? text(`alarm.${name}`) : name;
    return el("i.hand-count", null, `${words} × ${count}`);
  });
}

function careWords(one) {
  const parts = [
    ...one.critical_values.map(() => el("i.hand-count.warn", null, text("alarm.critical-value"))),
    ...one.care.map((item) => el("i.hand-count.warn", null, knows(`alarm.${item.name}`) ? text(`alarm.${item.name}`) : text(`care-item.${item.name}`))),
    ...Object.entries(one.assessments).map(([scale, total]) => el("i.hand-count", null, `${text(`scale.${scale}`)} ${total}`)),
  ];
  return parts.length ? parts : ["–"];
}
