/** F5: every current alarm on a page of its own. */
import { el } from "../dom.js";
import { AlarmList } from "./alarm_list.js";

export class AlarmsPage {
  constructor(app) {
    this.list = new AlarmList(app, true);
    this.root = el("section.page.list-page", { hidden: true }, el("h2", { text: "page.alarms" }), this.list.root);
  }

  draw(now) {
    this.list.draw(now);
  }
}
