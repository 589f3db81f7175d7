/** All beds in one row at tablet width, so that no alarm hides below the fold. */
import { counts, isAcknowledged, leading, TONES } from "../alarms.js";
import { dress, el, keepInOrder, show } from "../dom.js";
import { text } from "../i18n.js";
import { alarmChips } from "./parts.js";

export class BedStrip {
  constructor(app, area) {
    this.app = app;
    this.area = area;
    this.chips = new Map();
    this.row = el("div.bed-chips");
    this.hiddenCount = alarmChips();
    this.off = el("div.off-screen", { hidden: true }, el("span", { text: "strip.off-screen" }), this.hiddenCount.root);
    this.root = el("nav.bed-strip", { hint: "strip.beds" }, this.row, this.off);
    area.addEventListener("scroll", () => this.draw(), { passive: true });
  }

  draw() {
    if (!this.root.offsetParent) return; // only at widths where the side column is a page of its own
    const { store } = this.app;
    keepInOrder(this.row, this.chips, store.beds(), (bed) => ({
      root: el("button.bed-chip", { type: "button", onclick: () => this.#reveal(bed) }, bed),
    }));
    for (const [bed, { root }] of this.chips) {
      const first = leading(store.of(bed).alarms);
      const tone = first ? TONES[first.priority] : "";
      const look = tone ? ` fill-${tone}${isAcknowledged(first) ? "" : ` flash-${tone}`}` : "";
      dress(root, `bed-chip${store.bed(bed)?.occupied ? "" : " empty"}${look}`);
    }
    const hidden = this.#offScreen().flatMap((bed) => store.of(bed).alarms);
    show(this.off, hidden.length > 0);
    this.hiddenCount.draw(counts(hidden));
    this.off.title = text("strip.off-screen");
  }

  #offScreen() {
    const view = this.area.getBoundingClientRect();
    const tiles = [...this.area.querySelectorAll(".tile")];
    const unseen = (box) => box.top + box.height / 2 > view.bottom || box.bottom - box.height / 2 < view.top;
    return tiles.filter((tile) => unseen(tile.getBoundingClientRect())).map((tile) => tile.dataset.bed);
  }

  #reveal(bed) {
    this.area.querySelector(`.tile[data-bed="${CSS.escape(bed)}"]`)?.scrollIntoView({ block: "center" });
  }
}
