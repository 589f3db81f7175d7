/** F9: how the ward did. Counts and shares with what they are of; never a ranking of persons. */
import * as api from "../api.js";
import { dress, el, say, show } from "../dom.js";
import { knows, language, text } from "../i18n.js";
import { number } from "../present.js";
import { day as dayOf } from "../time.js";
import { Chart, ending, feet, line, rules, stacks, target, upwards } from "./charts.js";
import { cause, things } from "./statistics_words.js";

const SPANS = [1, 7, 30];
const AGE_MS = 60_000; // the figures are asked for again while the page is open
const PRIORITIES = ["Hi", "Me", "Lo"];
const FEW = 5; // a share of fewer is shown as its count

export class StatisticsPage {
  constructor(app) {
    this.app = app;
    this.days = 7;
    this.figures = null;
    this.before = null;
    this.asked = 0;
    this.trouble = el("p.none-line.stat-trouble", { hidden: true, role: "status" });
    this.span = el("span.sub");
    this.spans = SPANS.map((days) =>
      el("button", { type: "button", "data-days": days, text: `stat.span-${days}`, onclick: () => this.#choose(days) }),
    );
    this.file = el("a.stat-file", { text: "stat.file", download: "" });
    this.cards = CARDS.map((card) => this.#card(card));
    this.panels = PANELS.map((panel) => this.#panel(panel));
    this.root = el(
      "section.page.statistics",
      { hidden: true },
      el(
        "div.stat-head", null, el("h2", { text: "page.statistics" }), this.span, el("span.fill"),
        el("span.segments", { role: "group", hint: "stat.span" }, ...this.spans), this.file,
      ),
      this.trouble,
      el("div.stat-cards", null, ...this.cards.map(({ root }) => root)),
      el("div.stat-panels", null, ...this.panels.map(({ root }) => root)),
    );
  }

  #card({ key }) {
    const card = { value: el("b.n"), unit: el("i"), note: el("span.stat-note"), change: el("span.stat-change") };
    card.root = el(
      "div.stat-card", { "data-card": key }, el("span.stat-name", { text: `stat.${key}` }),
      el("div.stat-value", null, card.value, card.unit), el("div.stat-foot", null, card.change, card.note),
    );
    return card;
  }

  #panel({ key, chart }) {
    const panel = { body: chart ? new Chart(key) : { root: el("div.stat-rows") } };
    panel.none = el("p.none-line", { text: "stat.none" });
    panel.root = el(
      "section.stat-panel", { "data-panel": key },
      el("h3", null, el("span", { text: `stat.panel-${key}` }), el("i", { text: `stat.about-${key}` })),
      panel.body.root, panel.none,
    );
    return panel;
  }

  #choose(days) {
    this.days = days;
    this.asked = 0;
    this.app.redraw();
  }

  arrange() {
    this.app.redraw();
  }

  draw(now) {
    if (now - this.asked > AGE_MS) this.#ask(now);
    for (const button of this.spans) {
      button.setAttribute("aria-pressed", String(Number(button.dataset.days) === this.days));
    }
    if (this.figures) this.#fill();
  }

  /** Asks for the period and for the one before it, which the changes are measured against. */
  async #ask(now) {
    this.asked = now;
    const ward = this.app.store.state.ward?.id;
    const span = this.days * 86_400_000;
    const asked = this.days;
    try {
      const [figures, before] = await Promise.all([
        api.statistics(ward, now - span, now),
        api.statistics(ward, now - 2 * span, now - span),
      ]);
      if (asked !== this.days) return;
      Object.assign(this, { figures, before });
      this.file.href = api.statisticsFile(ward, now - span, now);
      show(this.trouble, false);
    } catch (problem) {
      const key = `problem.${problem.code}`;
      say(this.trouble, knows(key) ? text(key) : text("problem.other", { code: problem.code }));
      show(this.trouble, true);
    }
    this.app.redraw();
  }

  #fill() {
    const { zone } = this.app.store.state.ward ?? {};
    const period = this.figures.period;
    const [from, to] = [period.since, period.until].map((at) => dayOf(Date.parse(at), zone, language()).slice(0, 10));
    say(this.span, text("stat.period", { from, to }));
    CARDS.forEach((card, index) => this.#fillCard(this.cards[index], card));
    PANELS.forEach((panel, index) => this.#fillPanel(this.panels[index], panel));
  }

  #fillCard(card, { key, read, better, unit, good }) {
    const now = read(this.figures);
    const before = read(this.before);
    const few = now.of !== undefined && now.of < FEW;
    say(card.value, now.value === null ? "–" : few ? String(now.count) : number(now.value, now.decimals ?? 0));
    say(card.unit, now.value === null ? "" : few ? text("stat.of", { of: now.of }) : unit);
    const change = now.value === null || before.value === null || few ? 0 : now.value - before.value;
    const sign = Math.abs(change) < 0.05 ? "" : change > 0 ? "▲" : "▼";
    const tone = !sign ? "" : (change > 0) === (better === "more") ? "ok" : "warn";
    dress(card.change, `stat-change ${better === "either" ? "" : tone}`);
    show(card.change, Boolean(sign));
    say(card.change, sign && `${sign} ${number(Math.abs(change), now.decimals ?? 0)}`);
    say(card.note, now.note ?? "");
    const met = good === undefined || now.value === null || few ? "" : good(now.value) ? "met" : "missed";
    dress(card.root, `stat-card ${met}`);
  }

  #fillPanel(panel, { chart, rows, has }) {
    const filled = has(this.figures, this.app);
    show(panel.none, !filled);
    panel.body.root.toggleAttribute?.("hidden", !filled);
    if (!filled) return;
    if (chart) {
      const key = `${language()}|${JSON.stringify(this.figures.period)}|${document.documentElement.dataset.theme}`;
      panel.body.draw(key, panel.root.querySelector("h3").textContent, (place) => chart(place, this.figures));
    } else {
      panel.body.root.replaceChildren(...rows(this.figures).map(barRow));
    }
  }
}

/** A name, a bar of its share of the largest, its count. */
function barRow({ name, count, most, note = "", kind = "" }) {
  const bar = el(`i.stat-bar${kind ? `.${kind}` : ""}`);
  bar.style.width = `${most ? Math.max(1, (100 * count) / most) : 0}%`;
  const value = count === null ? null : el("b.n", null, String(count));
  return el("div.stat-row", null, el("span.stat-row-name", { title: name }, name), el("span.stat-row-bar", null, bar, value), el("i.stat-row-note", null, note));
}

const share = (one) => ({
  value: one.percent, decimals: 1, count: one.count, of: one.of, note: text("stat.share", { count: one.count, of: one.of }),
});

const CARDS = [
  { key: "compliance", unit: "%", better: "more", good: (value) => value >= 95, read: (of) => ({ ...share(of.scan_compliance), note: `${text("stat.goal", { goal: `≥ ${of.compliance_target}` })} · ${text("stat.share", of.scan_compliance)}` }) },
  { key: "near-misses", unit: "", better: "either", read: (of) => ({ value: of.near_misses, note: ["GIVE", "CHECK", "STOP"].map((word) => `${word} ${of.checks[word] ?? 0}`).join(" · ") }) },
  { key: "on-time", unit: "%", better: "more", read: (of) => share(of.on_time) },
  { key: "alarms-bed-day", unit: "", better: "less", read: (of) => ({ value: of.alarms.per_bed_day, decimals: 2, note: text("stat.alarms-note", { total: of.alarms.total, short: of.alarms.unanswered_short.count }) }) },
  { key: "response", unit: "s", better: "less", read: (of) => ({ value: of.alarms.response_s_median, decimals: 0, note: of.alarms.response_s_p90 === null ? "" : text("stat.p90", { seconds: number(of.alarms.response_s_p90) }) }) },
  { key: "infusions", unit: "%", better: "more", read: (of) => share(of.infusions_as_planned) },
];

const dayNames = (of) => of.days.map((one) => one.day.slice(5));
const top = (most, floor) => Math.max(floor, Math.ceil(most * 1.15));

function complianceChart(place, of) {
  const values = of.days.map((one) => one.scan_compliance.percent);
  const known = values.filter((value) => value !== null);
  const lowest = Math.min(90, Math.floor(Math.min(...known, 95) / 10) * 10);
  const y = upwards(place, lowest, 100);
  const last = known.at(-1);
  return [
    ...rules(place, [lowest, (lowest + 100) / 2, 100], y, (level) => `${number(level)} %`),
    ...target(place, y(of.compliance_target), text("stat.goal", { goal: `${of.compliance_target} %` })),
    ...line(place, values, y, "main"),
    ...feet(place, dayNames(of)),
    ...(last !== undefined && Math.abs(last - of.compliance_target) > 4 ? [ending(place, y(last), `${number(last, 1)} %`, "main")] : []),
  ];
}

function alarmsChart(place, of) {
  const columns = of.days.map((one) => PRIORITIES.map((priority) => [`p-${priority}`, (one.alarms[priority] ?? 0) / of.beds]));
  const sums = columns.map((parts) => parts.reduce((sum, [, value]) => sum + value, 0));
  const most = top(Math.max(...sums), 1);
  const y = upwards(place, 0, most);
  return [
    ...rules(place, [0, most / 2, most], y, (level) => number(level, 1)),
    ...stacks(place, columns, y),
    ...feet(place, dayNames(of)),
    ...PRIORITIES.map((priority, index) => ending(place, place.top + 14 + 18 * index, `${text(`stat.priority-${priority}`)} ${of.alarms.by_priority[priority] ?? 0}`, `p-${priority}`)),
  ];
}

const DELAY_EDGES = Array.from({ length: 13 }, (_, index) => -60 + 10 * index);
const delayName = (index) =>
  index === 0 ? "< −60" : index === 13 ? "≥ 60" : `${DELAY_EDGES[index - 1]}`.replace("-", "−");

function columnsChart(place, counts, names, kindOf) {
  const most = top(Math.max(...counts), 4);
  const y = upwards(place, 0, most);
  return [
    ...rules(place, [0, Math.round(most / 2), most], y),
    ...stacks(place, counts.map((count, index) => [[kindOf(index), count]]), y),
    ...feet(place, names),
  ];
}

const WITHIN_S = [15, 30, 60, 90, 120, 180];

function responseChart(place, of) {
  const y = upwards(place, 0, 100);
  const series = PRIORITIES.filter((priority) => of.responses[priority]?.at(-1));
  return [
    ...rules(place, [0, 50, 100], y, (level) => `${level} %`),
    ...series.flatMap((priority) => {
      const counts = of.responses[priority];
      const values = WITHIN_S.map((_, index) => (100 * counts[index]) / counts.at(-1));
      return line(place, values, y, `p-${priority}`);
    }),
    ...series.map((priority, index) => ending(place, place.top + 14 + 18 * index, text(`stat.priority-${priority}`), `p-${priority}`)),
    ...feet(place, WITHIN_S.map((seconds) => `${seconds} s`)),
  ];
}

function ranked(counts, nameOf) {
  const most = Math.max(...counts.map((one) => one.count), 1);
  return counts.slice(0, 7).map((one) => ({ name: nameOf(one.name), count: one.count, most }));
}

/** A limit's own text names what is outside it; counted over all of them it is just a value. */
const alarmName = (name) =>
  name.startsWith("limit-") ? text(`stat.${name}`) : knows(`alarm.${name}`) ? text(`alarm.${name}`) : name;

const PANELS = [
  { key: "compliance", has: (of) => of.days.some((one) => one.scan_compliance.percent !== null), chart: complianceChart },
  { key: "near-misses", has: (of) => of.near_miss_codes.length > 0, rows: (of) => ranked(of.near_miss_codes, cause).map((row) => ({ ...row, kind: "stop" })) },
  { key: "delays", has: (of) => of.delays.some(Boolean), chart: (place, of) => columnsChart(place, of.delays, of.delays.map((_, index) => delayName(index)), (index) => (index < 4 || index > 9 ? "outside" : "main")) },
  { key: "alarms", has: (of) => of.alarms.total > 0, chart: alarmsChart },
  { key: "responses", has: (of) => of.alarms.answered.count > 0, chart: responseChart },
  { key: "conditions", has: (of) => of.alarms.top_conditions.length > 0, rows: (of) => ranked(of.alarms.top_conditions, alarmName) },
  { key: "workload", has: (of) => of.administrations_by_hour.some(Boolean), chart: (place, of) => columnsChart(place, of.administrations_by_hour, of.administrations_by_hour.map((_, hour) => String(hour).padStart(2, "0")), () => "main") },
  { key: "beds", has: (of) => of.alarms.top_beds.length > 0, rows: (of) => ranked(of.alarms.top_beds, (bed) => text("bed.number", { bed })) },
  { key: "things", has: (of) => things(of).length > 0, rows: (of) => things(of).map((words, index) => ({ name: `${index + 1}  ${words}`, count: null, most: 0 })) },
];
