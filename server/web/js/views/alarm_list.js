/** Current alarms, the first to act on first; acknowledging is one press. */
import { describe, inOrder, isAcknowledged, MARKS, TONES } from "../alarms.js";
import { dress, el, keepInOrder, say, show } from "../dom.js";
import { text } from "../i18n.js";
import { elapsed } from "../present.js";
import { millis } from "../protocol.js";

export class AlarmList {
  /** @param {boolean} page whether it has a page to itself, with room for names and words on the button */
  constructor(app, page = false) {
    this.app = app;
    this.page = page;
    this.rows = new Map();
    this.list = el("div.rows");
    this.none = el("p.none-line", { text: "alarms.none" });
    this.root = el("div.list.alarm-list", null, this.list, this.none);
  }

  draw(now) {
    const alarms = inOrder(this.app.store.alarms());
    const byId = new Map(alarms.map((alarm) => [alarm.id, alarm]));
    keepInOrder(this.list, this.rows, [...byId.keys()], (id) => this.#row(id));
    for (const [id, row] of this.rows) this.#drawRow(row, byId.get(id), now);
    show(this.none, alarms.length === 0);
    return alarms.length;
  }

  #row(id) {
    const row = {
      mark: el("b.mark"),
      bed: el("b.row-bed"),
      who: el("span.row-who", { hidden: !this.page }),
      name: el("b.row-name"),
      detail: el("span.row-detail"),
      ack: el("button.ack", { type: "button", onclick: () => this.app.acknowledge(this.app.store.state.alarms[id]) }),
      seen: el("span.seen-by"),
      time: el("span.row-time.n"),
    };
    const words = el("span.row-words", null, row.name, row.detail);
    row.root = el("div.alarm-row", null, row.bed, row.mark, row.who, words, row.ack, row.seen, row.time);
    return row;
  }

  #drawRow(row, alarm, now) {
    const seen = isAcknowledged(alarm);
    const words = describe(alarm);
    dress(row.root, `alarm-row ${TONES[alarm.priority]}${seen ? " seen" : ""}`);
    say(row.mark, MARKS[alarm.priority]);
    say(row.bed, alarm.bed || "—");
    say(row.name, words.name);
    say(row.detail, words.detail);
    show(row.ack, !seen);
    say(row.ack, text(this.page ? "banner.acknowledge" : "alarms.unseen"));
    say(row.who, this.app.store.bed(alarm.bed)?.name ?? "");
    row.ack.title = text("banner.acknowledge");
    show(row.seen, seen);
    say(row.seen, seen ? `✓ ${alarm.acknowledged_by || ""}` : "");
    say(row.time, elapsed(now - millis(alarm.started_at)));
  }
}
