/** The wall's right column: alarms, infusions by time left, tasks. */
import { el, say, show } from "../dom.js";
import { AlarmList } from "./alarm_list.js";
import { InfusionList } from "./infusion_list.js";
import { TaskList } from "./task_list.js";

/** Up to so many infusions get two lines each. */
const ROOMY_INFUSIONS = 6;

export class Side {
  constructor(app) {
    this.app = app;
    this.parts = [
      new Panel("side.alarms", new AlarmList(app)),
      new Panel("side.infusions", new InfusionList(app)),
      new Panel("side.tasks", new TaskList(app)),
    ];
    this.root = el("aside.side", null, ...this.parts.map((part) => part.root));
  }

  draw(now) {
    const infusions = Object.keys(this.app.store.state.infusions).length;
    this.root.classList.toggle("many", infusions > ROOMY_INFUSIONS);
    for (const part of this.parts) part.draw(now);
  }
}

/** A titled list; what does not fit is counted, never silently cut. */
class Panel {
  constructor(title, list) {
    this.list = list;
    this.count = el("i");
    this.more = el("span.more-below", { hidden: true });
    this.root = el(
      "section.side-panel",
      null,
      el("h2", null, el("span", { text: title }), this.count, this.more),
      list.root,
    );
  }

  draw(now) {
    const count = this.list.draw(now);
    say(this.count, count ? String(count) : "");
    const { root } = this.list;
    const last = [...root.children].filter((row) => row.offsetTop + row.offsetHeight - root.offsetTop > root.clientHeight + 2);
    show(this.more, last.length > 0);
    say(this.more, `↓ ${last.length}`);
  }
}
