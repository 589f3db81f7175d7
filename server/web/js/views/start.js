/** Before the wall: is everything there, does somebody hear it, who is it. */
import * as api from "../api.js";
import { el, icon, say, show } from "../dom.js";
import { knows, language, text } from "../i18n.js";
import { clock, day } from "../time.js";

const SOUND_KEY = "wardlink.sound";
const NUMERALS = '600 16px "Barlow Semi Condensed"';
const ORDER = ["Hi", "Me", "Lo"];
const TONE = { Hi: "hi", Me: "me", Lo: "lo" };
const MARK = { Hi: "***", Me: "**", Lo: "*" };

export class StartPage {
  constructor(app) {
    this.app = app;
    this.checks = ["server", "live", "screen", "fonts", "sound"].map((name) => new Check(name));
    this.time = el("b.clock");
    this.date = el("span.date");
    this.result = {};
    this.mode = "pin"; // what is typed: a PIN, a password, or a new PIN with a code
    this.locked = false;
    this.root = el(
      "div.start",
      { hidden: true },
      this.#head(),
      el("div.start-main", null, el("div.start-left", null, this.#checkPanel(), this.#soundPanel()), this.#signPanel()),
      this.#foot(),
    );
  }

  /** @returns {boolean} whether someone has confirmed, since this page was opened, that alarms can be heard */
  soundHeard() {
    return sessionStorage.getItem(SOUND_KEY) === "heard";
  }

  show() {
    this.root.hidden = false;
    this.draw();
    this.#probe();
    this.timer ??= setInterval(() => this.#probe(), 5000);
    this.clockTimer ??= setInterval(() => this.#drawClock(), 500);
    if (!this.locked) (this.app.person ? this.heard : this.badge).focus();
  }

  /** The server has locked the session: the ward goes on underneath, acts wait for PIN or password. */
  lock() {
    this.locked = true;
    if (this.mode === "new-pin") this.#choose("pin");
    this.show();
    this.pin.focus();
  }

  hide() {
    this.locked = false;
    this.root.hidden = true;
    clearInterval(this.timer);
    clearInterval(this.clockTimer);
    this.timer = undefined;
    this.clockTimer = undefined;
    this.app.shell.show();
  }

  /** @returns {Function|undefined} what a key does here; letters typed into a field are only letters */
  keyAction(key, target) {
    if (target instanceof HTMLInputElement) return undefined;
    return {
      p: () => this.#play(),
      h: () => this.#judge("heard"),
      n: () => this.#judge("not-heard"),
      F5: () => this.#probe(),
    }[key];
  }

  #head() {
    return el(
      "header.start-head",
      null,
      el("span.logo", null, icon("pulse")),
      el("div", null, el("h1", { text: "start.title" }), el("span", null, "Wardlink")),
      el("span.fill"),
      el("div.moment", null, this.time, this.date),
    );
  }

  #checkPanel() {
    return el("section.start-panel.checks", null, el("h2", { text: "start.checks" }), ...this.checks.map((check) => check.root));
  }

  #soundPanel() {
    this.cards = ORDER.map((priority) => {
      const state = el("span");
      const root = el(`div.sound-card.${TONE[priority]}`, null, el(`b.chip.fill-${TONE[priority]}`, null, MARK[priority]), el("b", { text: `priority.${priority}` }), state);
      return { priority, root, state };
    });
    const button = (key, key2, action, look = "") => el(`button.big${look}`, { type: "button", onclick: action }, el("span", { text: key }), el("kbd", null, key2));
    this.heard = button("sound.heard", "H", () => this.#judge("heard"), ".primary");
    this.volume = el("input", { type: "range", min: "45", max: "100", value: "70", hint: "sound.volume" });
    this.volume.addEventListener("input", () => {
      this.app.sound.volume = Number(this.volume.value) / 100;
    });
    return el(
      "section.start-panel",
      null,
      el("h2", null, el("span", { text: "sound.title" }), el("i", { text: "sound.note" })),
      el("div.sound-cards", null, ...this.cards.map((card) => card.root)),
      el(
        "div.sound-actions",
        null,
        button("sound.play", "P", () => this.#play()),
        this.heard,
        button("sound.not-heard", "N", () => this.#judge("not-heard")),
        el("label.volume", null, el("span", { text: "sound.volume" }), this.volume),
      ),
    );
  }

  #signPanel() {
    this.badge = el("input", { id: "badge", autocomplete: "off", spellcheck: "false", maxlength: "200", required: true });
    this.pin = el("input", { id: "pin", type: "password", autocomplete: "off", inputmode: "numeric", maxlength: "64", required: true });
    this.refusal = el("p.refusal", { role: "alert", hidden: true });
    this.code = el("input", { id: "pin-code", autocomplete: "off", spellcheck: "false", maxlength: "64" });
    this.submit = el("button.big.primary", { type: "submit" });
    const mode = (name) => el("button", { type: "button", "data-mode": name, text: `start.by-${name}`, onclick: () => this.#choose(name) });
    this.modes = el("span.segments.sign-modes", null, mode("pin"), mode("password"), mode("new-pin"));
    this.hint = el("div.badge-hint", null, icon("badge"), el("b", { text: "start.scan" }));
    this.badgeLabel = el("label", { for: "badge" }, el("span", { text: "start.badge" }), this.badge);
    this.codeLabel = el("label", { for: "pin-code" }, el("span", { text: "start.code" }), this.code);
    this.pinWord = el("span");
    this.pad = this.#keypad();
    this.form = el(
      "form.sign-form",
      { onsubmit: (event) => this.#signIn(event) },
      this.modes,
      this.hint,
      this.badgeLabel,
      this.codeLabel,
      el("label", { for: "pin" }, this.pinWord, this.pin),
      this.pad,
      this.submit,
    );
    this.signedIn = el(
      "div.signed-in",
      { hidden: true },
      (this.name = el("b")),
      el("button.big.primary", { type: "button", text: "start.enter", onclick: () => this.hide() }),
      this.#passwordForm(),
      el("button.big", { type: "button", text: "start.sign-out", onclick: () => this.app.leave() }),
    );
    this.badge.addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return; // a badge scanner types the badge and ends with Enter
      event.preventDefault();
      this.pin.focus();
    });
    return el("section.start-panel.sign", null, el("h2", { text: "start.sign-in" }), this.refusal, this.form, this.signedIn, el("p.sign-note", { text: "start.note" }));
  }

  #passwordForm() {
    this.ownPin = el("input", { id: "own-pin", type: "password", autocomplete: "off", maxlength: "64", required: true });
    this.password = el("input", { id: "new-password", type: "password", autocomplete: "new-password", maxlength: "256", required: true });
    return el(
      "form.sign-form.own-password",
      { onsubmit: (event) => this.#setPassword(event) },
      el("label", { for: "own-pin" }, el("span", { text: "start.own-pin" }), this.ownPin),
      el("label", { for: "new-password" }, el("span", { text: "start.new-password" }), this.password),
      el("button.big", { type: "submit", text: "start.set-password" }),
    );
  }

  #choose(mode) {
    this.mode = mode;
    this.pin.value = "";
    show(this.refusal, false);
    this.draw();
    (this.locked || this.badge.value ? this.pin : this.badge).focus();
  }

  #keypad() {
    const press = (digit) => () => {
      this.pin.value += digit;
    };
    const keys = ["1", "2", "3", "4", "5", "6", "7", "8", "9"].map((digit) => el("button", { type: "button", onclick: press(digit) }, digit));
    const clear = el("button", { type: "button", text: "start.clear", onclick: () => (this.pin.value = "") });
    const back = el("button", { type: "button", hint: "start.back", onclick: () => (this.pin.value = this.pin.value.slice(0, -1)) }, "⌫");
    return el("div.keypad", null, ...keys, clear, el("button", { type: "button", onclick: press("0") }, "0"), back);
  }

  #foot() {
    const tongue = (tag, name) => el("button", { type: "button", "data-lang": tag, onclick: () => this.app.switchLanguage(tag) }, name);
    return el(
      "footer.start-foot",
      null,
      el("b", { text: "secondary.title" }),
      el("span", { text: "secondary.long" }),
      el("span.fill"),
      el("span.segments", null, tongue("zh", "中文"), tongue("en", "EN")),
      el("button.theme", { type: "button", hint: "top.theme", onclick: () => this.app.switchTheme() }, "◐"),
    );
  }

  draw() {
    const { person } = this.app;
    const entering = !person || this.locked;
    show(this.form, entering);
    show(this.signedIn, !entering);
    say(this.name, person?.name ?? "");
    this.#drawForm();
    for (const button of this.root.querySelectorAll("[data-lang]")) {
      button.setAttribute("aria-pressed", String(button.dataset.lang === language()));
    }
    this.#drawSound();
    this.#drawClock();
    for (const check of this.checks) check.draw();
  }

  /** Which fields there are: the badge before anybody is in, the code for a new PIN, the keypad for PINs. */
  #drawForm() {
    const { mode, locked } = this;
    show(this.badgeLabel, !locked);
    show(this.hint, !locked);
    show(this.codeLabel, mode === "new-pin");
    show(this.pad, mode !== "password");
    this.badge.required = !locked;
    this.code.required = mode === "new-pin";
    this.pin.setAttribute("inputmode", mode === "password" ? "text" : "numeric");
    say(this.pinWord, text(`start.is-${mode}`));
    say(this.submit, text(locked ? "start.unlock" : mode === "new-pin" ? "start.set-pin" : "start.sign-in"));
    for (const button of this.modes.children) {
      button.setAttribute("aria-pressed", String(button.dataset.mode === mode));
      show(button, !locked || button.dataset.mode !== "new-pin");
    }
  }

  #drawClock() {
    const zone = this.app.store.state.ward?.zone;
    say(this.time, clock(Date.now(), zone, language()));
    say(this.date, day(Date.now(), zone, language()));
  }

  #drawSound() {
    const judged = sessionStorage.getItem(SOUND_KEY);
    for (const { state, priority } of this.cards) {
      say(state, this.playing === priority ? text("sound.playing") : judged ? text(`sound.is-${judged}`) : text("sound.waiting"));
    }
    const words = judged ? `sound.is-${judged}` : "sound.unchecked";
    this.#check("sound").set(judged === "heard" ? "ok" : "warn", this.app.sound.allowed || judged ? words : "sound.blocked");
  }

  #check(name) {
    return this.checks.find((check) => check.name === name);
  }

  async #play() {
    await this.app.sound.enable();
    for (const priority of ORDER) {
      this.playing = priority;
      this.#drawSound();
      this.app.sound.play(priority);
      await new Promise((done) => setTimeout(done, priority === "Hi" ? 3200 : 1200));
    }
    this.playing = "";
    this.#drawSound();
  }

  #judge(verdict) {
    sessionStorage.setItem(SOUND_KEY, verdict);
    this.#drawSound();
    this.app.redraw();
  }

  async #probe() {
    const started = performance.now();
    try {
      await api.health();
      this.#check("server").set("ok", "check.server-ok", { ms: Math.round(performance.now() - started) });
    } catch (problem) {
      this.#check("server").set("bad", "check.server-bad", { code: problem.code });
    }
    const { store } = this.app;
    const live = store.ready && store.silence() < 3000;
    this.#check("live").set(live ? "ok" : "wait", live ? "check.live-ok" : "check.live-wait", { n: store.beds().length });
    const able = typeof OffscreenCanvas === "function";
    this.#check("screen").set(able ? "ok" : "bad", able ? "check.screen-ok" : "check.screen-bad", { w: innerWidth, h: innerHeight });
    const fonts = (await document.fonts.load(NUMERALS)).length > 0;
    this.#check("fonts").set(fonts ? "ok" : "warn", fonts ? "check.fonts-ok" : "check.fonts-bad");
    this.#drawSound();
  }

  async #signIn(event) {
    event.preventDefault();
    this.submit.disabled = true;
    show(this.refusal, false);
    try {
      await this.#send(this.badge.value.trim(), this.pin.value);
    } catch (problem) {
      this.refuse(problem);
    } finally {
      this.pin.value = "";
      this.submit.disabled = false;
    }
  }

  async #send(badge, secret) {
    if (this.locked) {
      await api.unlock(secret, this.mode);
      this.hide();
    } else if (this.mode === "new-pin") {
      await api.setPin(badge, this.code.value.trim(), secret);
      this.code.value = "";
      this.#choose("pin");
      this.#tell("start.pin-set");
    } else {
      const enter = this.mode === "password" ? api.signInWithPassword : api.signIn;
      const session = await enter(badge, secret);
      this.badge.value = "";
      this.app.enter(session);
    }
  }

  async #setPassword(event) {
    event.preventDefault();
    try {
      await api.setPassword(this.ownPin.value, this.password.value);
      this.#tell("start.password-set");
    } catch (problem) {
      this.refuse(problem);
    } finally {
      this.ownPin.value = "";
      this.password.value = "";
    }
  }

  /** Says why nobody is signed in, and what to do. */
  refuse(problem) {
    const key = `problem.${problem.code}`;
    this.#tell(knows(key) ? key : "problem.other", { code: problem.code });
  }

  #tell(key, params) {
    say(this.refusal, text(key, params));
    show(this.refusal, true);
  }
}

/** One line of the self-check: a sign, what was looked at, what was found. */
class Check {
  constructor(name) {
    this.name = name;
    this.state = "wait";
    this.found = ["check.waiting", {}];
    this.sign = el("i.check-sign");
    this.words = el("span");
    this.root = el("div.check", null, this.sign, el("b", { text: `check.${name}` }), this.words);
  }

  set(state, key, params = {}) {
    this.state = state;
    this.found = [key, params];
    this.draw();
  }

  draw() {
    this.sign.className = `check-sign ${this.state}`;
    say(this.sign, { ok: "✓", warn: "!", bad: "✕", wait: "·" }[this.state]);
    say(this.words, text(...this.found));
  }
}
