/** The body of a tile whose bed has a drip and no vital signs: the drip, large. */
import { dress, el, say, show } from "../dom.js";
import { language, text } from "../i18n.js";
import { infusionTone } from "../present.js";
import { hourMinute } from "../time.js";
import { bag, bullet, deviation, rates, timeLeft } from "./parts.js";

export class DripPanel {
  constructor(app) {
    this.app = app;
    this.time = el("b.panel-time.n");
    this.end = el("span.panel-end");
    this.measured = el("b.n");
    this.ordered = el("span.panel-ordered");
    this.bullet = bullet();
    this.deviation = el("b.deviation");
    this.bag = bag();
    this.root = el(
      "div.panel",
      { hidden: true },
      el("div.panel-left", null, el("i", { text: "panel.left" }), this.time, this.end),
      el(
        "div.panel-rate",
        null,
        el("i", { text: "panel.rate" }),
        el("div.panel-numbers", null, this.measured, this.ordered),
        el("div.panel-bullet", null, this.bullet.root, this.deviation),
      ),
      el("div.panel-bag", null, el("i", { text: "panel.bag" }), this.bag.root),
    );
  }

  draw(one) {
    show(this.root, Boolean(one));
    if (!one) return;
    const { zone } = this.app.store.state.ward ?? {};
    const { measured, ordered } = rates(one);
    dress(this.root, `panel tone-${infusionTone(one.word)}${one.bound ? " bound" : ""}`);
    say(this.time, timeLeft(one));
    this.time.classList.toggle("word", one.minutes === null);
    say(this.end, one.minutes === null ? "" : text("panel.end", { time: hourMinute(one.endAt, zone, language()) }));
    say(this.measured, measured);
    say(this.ordered, `/ ${ordered} ${text("unit.gtt_min")}`);
    say(this.deviation, deviation(one));
    this.bullet.draw(one);
    this.bag.draw(one);
  }
}
