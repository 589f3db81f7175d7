/** The foot of a tile: what runs, how fast against the order, what is left and for how long. */
import { dress, el, say, show, width } from "../dom.js";
import { text } from "../i18n.js";
import { fractionLeft, infusionTone, ml } from "../present.js";
import { bag, bullet, deviation, dropIcon, drugName, lastHeard, rates, timeLeft } from "./parts.js";

export class DripStrip {
  constructor(app) {
    this.app = app;
    this.drop = dropIcon();
    this.drug = el("span.drug");
    this.more = el("b.more");
    this.measured = el("b");
    this.ordered = el("span");
    this.unit = el("i", { text: "unit.gtt_min" });
    this.left = el("b.remaining");
    this.silence = el("span.silence");
    this.time = el("b.time-left.n");
    this.bar = el("i.strip-bar-fill");
    this.bag = bag();
    this.bullet = bullet();
    this.deviation = el("b.deviation");
    this.rate = el("span.rate.n", null, this.measured, this.ordered, this.unit);
    this.line = el("div.strip-line", null, this.drop.root, this.drug, this.more, this.silence, this.rate, this.left, this.time);
    this.detail = el("div.strip-detail", null, this.bag.root, this.bullet.root, this.deviation);
    this.nothing = el("div.strip-none");
    this.root = el("footer.strip", null, this.line, this.detail, this.nothing, el("div.strip-bar", null, this.bar));
  }

  /**
   * @param {object[]|null} infusions of this bed, the most urgent first; null for an empty bed
   * @param {boolean} panel the tile's body shows the first one already
   */
  draw(infusions, panel) {
    const one = infusions?.[0];
    show(this.line, Boolean(one));
    show(this.detail, Boolean(one) && !panel);
    show(this.nothing, !one);
    show(this.bar.parentElement, Boolean(one));
    dress(this.root, `strip${one ? ` tone-${infusionTone(one.word)}` : " idle"}${one?.bound ? " bound" : ""}${panel ? " brief" : ""}`);
    if (one) this.#drawOne(one, infusions.length - 1, panel);
    else say(this.nothing, infusions ? text("strip.none") : "");
  }

  #drawOne(one, more, panel) {
    const { zone } = this.app.store.state.ward ?? {};
    const { measured, ordered } = rates(one);
    this.drop.draw(one);
    say(this.drug, drugName(one));
    this.drug.title = drugName(one);
    say(this.more, more > 0 ? `+${more}` : "");
    show(this.more, more > 0);
    say(this.measured, measured);
    say(this.ordered, `/${ordered}`);
    show(this.rate, one.live && !panel);
    say(this.left, one.remaining === null ? "" : `${one.bound ? "≤" : ""}${ml(one.remaining)} ml`);
    show(this.left, !panel);
    say(this.silence, one.live ? "" : lastHeard(one, zone));
    show(this.silence, !one.live);
    say(this.time, timeLeft(one));
    show(this.time, !panel);
    width(this.bar, fractionLeft(one));
    this.bag.draw(one);
    this.bullet.draw(one);
    say(this.deviation, deviation(one));
  }
}
