/** What every page has around it: the ward's numbers, the highest alarm, the keys. */
import { counts, describe, inOrder, MARKS, rank, TONES } from "../alarms.js";
import { dress, el, icon, say, show } from "../dom.js";
import { knows, label, language, text } from "../i18n.js";
import { elapsed } from "../present.js";
import { millis } from "../protocol.js";
import { clock, day } from "../time.js";
import { alarmChips, demoChip } from "./parts.js";

/** Key → page. Only keys that do something are shown. */
const PAGES = [
  ["F1", "wall"],
  ["F4", "bed"],
  ["F5", "alarms"],
  ["F6", "handover"],
  ["F7", "infusions"],
  ["F8", "tasks"],
  ["F9", "statistics"],
  ["F11", "nodes"],
];
const TOLD_MS = 6000;

export class Shell {
  constructor(app) {
    this.app = app;
    this.main = el("main.pages");
    this.root = el("div.station", { hidden: true }, this.#top(), this.#banner(), this.main, this.#keys());
    this.toast = el("div.toast", { hidden: true, role: "status" });
    this.root.append(this.toast);
  }

  show() {
    this.root.hidden = false;
  }

  #top() {
    this.ward = el("b.ward-name");
    this.demo = demoChip(true);
    this.bedCount = el("b");
    this.bedTotal = el("i");
    this.alarmCount = alarmChips();
    this.infusionCount = el("b");
    this.endingCount = el("b.warn");
    this.taskCount = el("b");
    this.overdueCount = el("b.warn");
    this.nodes = health("top.nodes");
    this.broker = health("top.broker");
    this.his = health("top.his");
    this.unassigned = health("top.unassigned");
    this.soundChip = el("button.sound-chip", { type: "button", onclick: () => this.app.showStart() }, icon("bell"), el("span"));
    this.person = el("button.person", { type: "button", onclick: () => this.app.showStart() });
    this.time = el("b.clock");
    this.date = el("span.date");
    return el(
      "header.top",
      null,
      el("span.logo", null, icon("pulse")),
      el("div.ward", null, this.ward, this.demo, el("span.sub", { text: "top.station" })),
      group("top.beds", this.bedCount, this.bedTotal),
      group("top.alarms", this.alarmCount.root),
      group("top.infusions", this.infusionCount, el("i", { text: "top.ending" }), this.endingCount),
      group("top.tasks", this.taskCount, el("i", { text: "top.overdue" }), this.overdueCount),
      el("span.fill"),
      el("div.healths", null, this.nodes.root, this.broker.root, this.his.root, this.unassigned.root),
      this.soundChip,
      this.person,
      this.#switches(),
      el("div.moment", null, this.time, this.date),
    );
  }

  #switches() {
    const tongue = (tag, name) =>
      el("button", { type: "button", "data-lang": tag, onclick: () => this.app.switchLanguage(tag) }, name);
    return el(
      "div.switches",
      null,
      el("span.segments", { role: "group", hint: "top.language" }, tongue("zh", "中文"), tongue("en", "EN")),
      el("button.theme", { type: "button", hint: "top.theme", onclick: () => this.app.switchTheme() }, "◐"),
    );
  }

  #banner() {
    this.bannerMark = el("b.mark");
    this.bannerBed = el("b");
    this.bannerName = el("b");
    this.bannerDetail = el("b");
    this.bannerTime = el("b.time");
    this.line = el(
      "div.banner-line",
      { role: "alert" },
      this.bannerMark,
      this.bannerBed,
      this.bannerName,
      this.bannerDetail,
      el("span.fill"),
      this.bannerTime,
    );
    this.nextCount = alarmChips();
    this.next = el("div.banner-next", null, el("span", { text: "banner.next" }), this.nextCount.root);
    this.ackButton = el(
      "button.banner-key",
      { type: "button", onclick: () => this.app.acknowledge() },
      el("span", { text: "banner.acknowledge" }),
      el("kbd", null, "F2"),
    );
    this.pauseWords = el("span");
    this.pauseButton = el(
      "button.banner-key",
      { type: "button", onclick: () => this.app.pauseAudio() },
      this.pauseWords,
      el("kbd", null, "F3"),
    );
    return el("div.banner", null, this.line, this.next, this.ackButton, this.pauseButton);
  }

  #keys() {
    this.buttons = PAGES.map(([key, page]) =>
      el(
        "button.key",
        { type: "button", "data-page": page, onclick: () => this.app.goTo(page) },
        el("kbd", null, key),
        el("span", { text: `page.${page}` }),
      ),
    );
    this.pauseState = el("div.pause-state", { hidden: true }, icon("bell"), el("span", { text: "keys.paused" }), el("b"));
    return el(
      "footer.keys",
      null,
      ...this.buttons,
      el("div.secondary", { role: "note" }, el("b", { text: "secondary.title" }), el("span", { text: "secondary.text" })),
      this.pauseState,
    );
  }

  /** @returns {Function|undefined} what a key does here */
  keyAction(key) {
    const { app } = this;
    const page = PAGES.find(([name]) => name === key)?.[1];
    if (page) return () => app.goTo(page);
    const onBed = app.page === "bed";
    return {
      F2: () => app.acknowledge(),
      F3: () => app.pauseAudio(),
      Escape: () => app.goTo("wall"),
      ...(onBed ? { ArrowLeft: () => app.step(-1), ArrowRight: () => app.step(1) } : {}),
      ...(onBed ? { ArrowUp: () => app.step(-1), ArrowDown: () => app.step(1) } : {}),
    }[key];
  }

  mark(page) {
    for (const button of this.buttons) button.classList.toggle("on", button.dataset.page === page);
  }

  draw(now) {
    const { store } = this.app;
    const { ward } = store.state;
    say(this.ward, label(ward?.display));
    show(this.demo, store.isDemo());
    this.#drawCounts(now);
    this.#drawHealth();
    this.#drawBanner(now);
    this.#drawSession();
    say(this.time, clock(now, ward?.zone, language()));
    say(this.date, day(now, ward?.zone, language()));
  }

  #drawCounts(now) {
    const { store } = this.app;
    const beds = Object.values(store.state.beds);
    const infusions = store.infusions(now);
    const tasks = store.tasks();
    const ending = infusions.filter((one) => one.word === "near-end" || one.word === "empty").length;
    const overdue = tasks.filter((task) => task.status === "overdue").length;
    say(this.bedCount, String(beds.filter((bed) => bed.occupied).length));
    say(this.bedTotal, `/ ${store.beds().length}`);
    this.alarmCount.draw(counts(store.alarms()));
    say(this.infusionCount, String(infusions.length));
    this.#part(this.endingCount, ending);
    say(this.taskCount, String(tasks.length));
    this.#part(this.overdueCount, overdue);
  }

  #part(number, count) {
    say(number, String(count));
    show(number, count > 0);
    show(number.previousElementSibling, count > 0);
  }

  #drawHealth() {
    const known = this.app.store.state.health;
    const told = known?.nodes_total !== undefined;
    show(this.nodes.root.parentElement, told);
    if (!told) return;
    this.nodes.draw(known.nodes_online < known.nodes_total ? "warn" : "ok", `${known.nodes_online}/${known.nodes_total}`);
    this.broker.draw(known.broker ? "ok" : "bad", "");
    const his = known.his?.state ?? "off";
    this.his.draw({ ok: "ok", error: "bad" }[his] ?? "none", his === "off" ? text("top.off") : "");
    this.unassigned.draw("warn", String(known.unassigned));
    show(this.unassigned.root, known.unassigned > 0);
  }

  #drawBanner(now) {
    const { store } = this.app;
    const waiting = inOrder(store.unacknowledged());
    const first = waiting[0];
    dress(this.line, `banner-line ${first ? `fill-${TONES[first.priority]} flash-${TONES[first.priority]}` : ""}`);
    say(this.bannerMark, first ? MARKS[first.priority] : "");
    say(this.bannerBed, first ? this.#place(first) : "");
    const words = first ? describe(first) : { name: text(this.#quietWords()), detail: "" };
    say(this.bannerName, words.name);
    say(this.bannerDetail, words.detail);
    say(this.bannerTime, first ? elapsed(now - millis(first.started_at)) : "");
    this.nextCount.draw(counts(waiting.slice(1)));
    show(this.next, waiting.length > 1);
    show(this.ackButton, Boolean(first));
    this.#drawPause(waiting);
  }

  #place(alarm) {
    const name = this.app.store.bed(alarm.bed)?.name ?? "";
    return alarm.bed ? text("banner.bed", { bed: alarm.bed, name }) : text("banner.ward");
  }

  #quietWords() {
    return this.app.store.alarms().some((alarm) => rank(alarm) > 0) ? "banner.all-seen" : "banner.none";
  }

  #drawPause(waiting) {
    const left = this.app.pause.left(Date.now());
    const time = `${Math.floor(left / 60000)}:${String(Math.floor((left % 60000) / 1000)).padStart(2, "0")}`;
    say(this.pauseWords, left ? text("banner.resume") : text("banner.pause"));
    show(this.pauseButton, left > 0 || waiting.length > 0);
    show(this.pauseState, left > 0);
    say(this.pauseState.lastElementChild, time);
  }

  #drawSession() {
    const { person, sound, start } = this.app;
    say(this.person, person?.name ?? "");
    show(this.person, Boolean(person));
    const words = !sound.allowed ? "sound.blocked" : start.soundHeard() ? "" : "sound.unchecked";
    show(this.soundChip, Boolean(words));
    say(this.soundChip.lastElementChild, words ? text(words) : "");
    for (const button of this.root.querySelectorAll("[data-lang]")) {
      button.setAttribute("aria-pressed", String(button.dataset.lang === language()));
    }
  }

  /** Says for a few seconds why something could not be done. */
  tell(problem) {
    const key = `problem.${problem.code}`;
    say(this.toast, knows(key) ? text(key) : text("problem.other", { code: problem.code }));
    show(this.toast, true);
    clearTimeout(this.toldTimer);
    this.toldTimer = setTimeout(() => show(this.toast, false), TOLD_MS);
  }
}

function group(key, ...parts) {
  return el(`div.count.${key.replace(".", "-")}`, null, el("span", { text: key }), ...parts);
}

/** A lamp with its word: never colour alone. */
function health(key) {
  const value = el("b");
  const root = el("span.health", null, el("i.lamp"), el("span", { text: key }), value);
  return {
    root,
    draw(state, words) {
      dress(root, `health ${state}`);
      say(value, words || { ok: "✓", bad: "✕" }[state] || "");
    },
  };
}
