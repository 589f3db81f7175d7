/** F8: every task that waits on a page of its own. */
import { el } from "../dom.js";
import { TaskList } from "./task_list.js";

export class TasksPage {
  constructor(app) {
    this.list = new TaskList(app);
    this.root = el("section.page.list-page", { hidden: true }, el("h2", { text: "page.tasks" }), this.list.root);
  }

  draw(now) {
    this.list.draw(now);
  }
}
