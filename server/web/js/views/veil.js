/** NOT LIVE: covers the page when the server has been silent, so that nobody trusts an old number. */
import { el, say, show } from "../dom.js";
import { language, text } from "../i18n.js";
import { elapsed } from "../present.js";
import { clock } from "../time.js";

/** Silence after which the screen is no longer live, in ms. A heartbeat comes each second; the limit is three. */
export const VEIL_AFTER_MS = 2400;

export class Veil {
  constructor(app) {
    this.app = app;
    this.since = el("b.veil-since");
    this.last = el("span");
    this.here = el("span");
    this.retry = el("span.veil-retry");
    this.root = el(
      "div.veil",
      { hidden: true, role: "alertdialog", "aria-live": "assertive", "aria-label": "NOT LIVE" },
      el(
        "div.veil-card",
        null,
        el("h1", { text: "veil.title" }),
        el("h2", { lang: "en" }, "NOT LIVE"),
        el("p.veil-times", null, this.since, this.last, el("i", null, "•"), this.here),
        el("p.veil-do", { text: "veil.do" }),
        el(
          "p.veil-links",
          null,
          el("span.veil-ok", { text: "veil.page" }),
          el("span.veil-bad", { text: "veil.server" }),
          this.retry,
        ),
      ),
    );
  }

  /** @returns {boolean} whether the veil is down */
  check() {
    const { store } = this.app;
    const silent = store.silence();
    const down = silent > VEIL_AFTER_MS;
    show(this.root, down);
    document.body.classList.toggle("not-live", down);
    if (down) this.#draw(silent);
    return down;
  }

  #draw(silent) {
    const { store } = this.app;
    const zone = store.state.ward?.zone;
    say(this.since, elapsed(silent));
    const last = store.ready ? clock(store.now() - silent, zone, language()) : "–";
    say(this.last, text("veil.last", { time: last }));
    say(this.here, text("veil.here", { time: clock(Date.now(), zone, language()) }));
    const { up, attempts, retryInMs } = store.link;
    say(this.retry, up ? text("veil.waiting") : text("veil.retry", { n: attempts, s: Math.ceil(retryInMs / 1000) }));
  }
}
