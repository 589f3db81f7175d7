/** Tasks that wait, overdue first, then by the planned time. */
import { dress, el, keepInOrder, say, show } from "../dom.js";
import { knows, label, language, text } from "../i18n.js";
import { millis } from "../protocol.js";
import { hourMinute } from "../time.js";

const FIRST = { error: 0, overdue: 1, due: 2 };

export class TaskList {
  constructor(app) {
    this.app = app;
    this.rows = new Map();
    this.list = el("div.rows");
    this.none = el("p.none-line", { text: "tasks.none" });
    this.root = el("div.list.task-list", null, this.list, this.none);
  }

  draw() {
    const tasks = this.app.store.tasks().filter((task) => task.status !== "running");
    tasks.sort(
      (a, b) =>
        (FIRST[a.status] ?? 3) - (FIRST[b.status] ?? 3) ||
        (millis(a.planned_at) || Infinity) - (millis(b.planned_at) || Infinity) ||
        a.id.localeCompare(b.id),
    );
    const byId = new Map(tasks.map((task) => [task.id, task]));
    keepInOrder(this.list, this.rows, [...byId.keys()], () => this.#row());
    for (const [id, row] of this.rows) this.#drawRow(row, byId.get(id));
    show(this.none, tasks.length === 0);
    return tasks.length;
  }

  #row() {
    const row = { time: el("b.row-due.n"), bed: el("b.row-bed"), words: el("span.row-words"), state: el("span.row-state"), kind: el("i.kind") };
    row.root = el("div.task-row", null, row.time, row.bed, row.words, row.state, row.kind);
    return row;
  }

  #drawRow(row, task) {
    const { zone } = this.app.store.state.ward ?? {};
    dress(row.root, `task-row ${task.status}`);
    say(row.time, task.planned_at ? hourMinute(millis(task.planned_at), zone, language()) : text("tasks.prn"));
    say(row.bed, task.bed);
    say(row.words, label(task.text));
    row.words.title = label(task.text);
    say(row.state, text(`task.${task.status}`));
    say(row.kind, knows(`kind.${task.kind}`) ? text(`kind.${task.kind}`) : task.kind);
  }
}
