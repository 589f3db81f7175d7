/** Infusions by time left, short form for the wall's column. */
import { dress, el, keepInOrder, say, show, width } from "../dom.js";
import { byUrgency, fractionLeft, infusionTone, ml } from "../present.js";
import { drugName, timeLeft } from "./parts.js";

export class InfusionList {
  constructor(app) {
    this.app = app;
    this.rows = new Map();
    this.list = el("div.rows");
    this.none = el("p.none-line", { text: "infusions.none" });
    this.root = el("div.list.infusion-list", null, this.list, this.none);
  }

  draw(now) {
    const infusions = byUrgency(this.app.store.infusions(now));
    const byId = new Map(infusions.map((one) => [one.id, one]));
    keepInOrder(this.list, this.rows, [...byId.keys()], () => this.#row());
    for (const [id, row] of this.rows) this.#drawRow(row, byId.get(id));
    show(this.none, infusions.length === 0);
    return infusions.length;
  }

  #row() {
    const row = { bed: el("b.row-bed"), drug: el("span.row-words"), fill: el("i"), left: el("b"), time: el("b.row-left.n") };
    row.root = el("div.infusion-row", null, row.bed, row.drug, el("span.mini-bag", null, row.fill, row.left), row.time);
    return row;
  }

  #drawRow(row, one) {
    dress(row.root, `infusion-row tone-${infusionTone(one.word)}${one.bound ? " bound" : ""}`);
    say(row.bed, one.bed);
    say(row.drug, drugName(one));
    row.drug.title = drugName(one);
    width(row.fill, fractionLeft(one));
    say(row.left, `${one.bound ? "≤ " : ""}${ml(one.remaining)} / ${ml(one.volume)}`);
    say(row.time, timeLeft(one));
  }
}
