/** F1: every bed of the ward at a glance, and beside it what waits. */
import { el, keepInOrder } from "../dom.js";
import { language } from "../i18n.js";
import { arrange } from "../grid.js";
import { WaveCanvas } from "./canvas.js";
import { Side } from "./side.js";
import { BedStrip } from "./strip.js";
import { Tile } from "./tile.js";

const PX_PER_S = 44; // at scale 1

export class WallPage {
  constructor(app) {
    this.app = app;
    this.tiles = new Map();
    this.grid = el("div.grid");
    this.area = el("div.grid-area", null, this.grid);
    this.side = new Side(app);
    this.strip = new BedStrip(app, this.area);
    this.root = el("section.page.wall", { hidden: true }, el("div.wall-main", null, this.area, this.strip.root), this.side.root);
    this.waves = new WaveCanvas("wall", this.area);
    this.shape = "";
  }

  giveCanvas(worker) {
    this.waves.giveTo(worker);
  }

  draw(now) {
    const beds = this.app.store.beds();
    keepInOrder(this.grid, this.tiles, beds, (bed) => new Tile(this.app, bed));
    for (const tile of this.tiles.values()) tile.draw(now);
    this.side.draw(now);
    this.strip.draw();
    const shape = [beds.length, language(), ...[...this.tiles.values()].map((tile) => tile.shape)].join("|");
    if (shape === this.shape) return;
    this.shape = shape;
    this.arrange();
  }

  /** Chooses the grid for the room there is, then tells the worker where the lanes have come to lie. */
  arrange() {
    if (this.root.hidden) return;
    const count = this.app.store.beds().length;
    const { columns, rowHeight, scale, scrolls } = arrange(count, this.area.clientWidth, this.area.clientHeight);
    const { style } = this.grid;
    style.gridTemplateColumns = `repeat(${columns}, minmax(0, 1fr))`;
    style.gridAutoRows = `${rowHeight}px`;
    style.setProperty("--s", scale.toFixed(3));
    this.area.classList.toggle("scrolls", scrolls);
    this.grid.classList.toggle("roomy", scale >= 1.2);
    this.pending ??= requestAnimationFrame(() => {
      this.pending = null;
      if (this.root.hidden) this.waves.sleep();
      else this.waves.place(this.grid.querySelectorAll(".lane"), Math.round(PX_PER_S * Math.max(1, scale)), scale > 1.2 ? 1.8 : 1.4);
    });
  }
}
