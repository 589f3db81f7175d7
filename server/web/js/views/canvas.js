/** One waveform canvas of one view: handed to the worker once, told where its lanes are whenever that changes. */
import { WAVES } from "../parameters.js";
import { colour } from "../theme.js";

export class WaveCanvas {
  /** @param {string} view its name at the worker @param {HTMLElement} area the element the canvas covers */
  constructor(view, area) {
    this.view = view;
    this.area = area;
    this.canvas = document.createElement("canvas");
    this.canvas.className = "waves";
    this.canvas.setAttribute("aria-hidden", "true");
    area.append(this.canvas);
    this.worker = null;
    this.told = "";
  }

  giveTo(worker) {
    this.worker = worker;
    const canvas = this.canvas.transferControlToOffscreen();
    worker.postMessage({ do: "canvas", view: this.view, canvas }, [canvas]);
  }

  /**
   * @param {Iterable<HTMLElement>} places elements with `data-lane` and `data-code`, inside the area
   * @param {number} pxPerS how fast the pen moves
   */
  place(places, pxPerS, line = 1.4) {
    if (!this.worker) return;
    const frame = this.area.getBoundingClientRect();
    const { scrollWidth: width, scrollHeight: height } = this.area;
    const boxes = [];
    for (const element of places) {
      const box = element.getBoundingClientRect();
      if (box.width < 20) continue;
      const x = Math.round(box.left - frame.left + this.area.scrollLeft);
      const y = Math.round(box.top - frame.top + this.area.scrollTop);
      const paint = colour(WAVES[element.dataset.code]?.colour ?? "t2");
      boxes.push({ lane: Number(element.dataset.lane), x, y, w: Math.floor(box.width), h: Math.floor(box.height), colour: paint, line });
    }
    const ratio = Math.min(2, window.devicePixelRatio || 1);
    const layout = { do: "layout", view: this.view, active: true, width, height, ratio, boxes, pxPerS, old: colour("t3") };
    const told = JSON.stringify(layout);
    if (told === this.told && this.wasActive) return;
    this.told = told;
    this.wasActive = true;
    this.canvas.style.width = `${width}px`;
    this.canvas.style.height = `${height}px`;
    this.worker.postMessage(layout);
  }

  /** The view is not shown: the next time it is, the worker must be told again. */
  sleep() {
    this.wasActive = false;
  }
}
