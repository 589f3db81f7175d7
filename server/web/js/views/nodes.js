/** F11, for engineers: every bedside node, those with trouble first, and what the chosen one listens to. No names. */
import * as api from "../api.js";
import { dress, el, keepInOrder, say, show } from "../dom.js";
import { knows, language, text } from "../i18n.js";
import { elapsed } from "../present.js";
import { clock } from "../time.js";

const AGE_MS = 5_000;
const MANY_WAIT = 100; // rows in an outbox above which a node is behind, not merely between two acknowledgements
const GOOD = new Set(["streaming", "ready", "searching"]);

export class NodesPage {
  constructor(app) {
    this.app = app;
    this.nodes = [];
    this.asked = 0;
    this.chosen = "";
    this.rows = new Map();
    this.cards = ["online", "devices", "waiting", "versions"].map((name) => card(name));
    this.trouble = el("p.none-line.stat-trouble", { hidden: true, role: "status" });
    this.list = el("div.node-rows");
    this.none = el("p.none-line", { text: "node.none" });
    this.title = el("b");
    this.facts = el("div.node-facts");
    this.devices = el("div.node-devices");
    this.root = el(
      "section.page.nodes", { hidden: true },
      el("div.stat-head", null, el("h2", { text: "page.nodes" }), el("span.sub", { text: "node.order" })),
      this.trouble,
      el("div.node-cards", null, ...this.cards.map(({ root }) => root)),
      el(
        "div.node-body", null,
        el("div.hand-table", null, el("div.node-head", null, ...COLUMNS.map((name) => el(`span.node-${name}`, { text: `node.${name}` }))), this.list, this.none),
        el("aside.stat-panel.node-side", null, el("h3", null, this.title), this.facts, this.devices),
      ),
    );
  }

  draw(now) {
    if (now - this.asked > AGE_MS) this.#ask(now);
    this.#fill(now);
  }

  async #ask(now) {
    this.asked = now;
    try {
      this.nodes = (await api.nodes()).nodes;
      show(this.trouble, false);
    } catch (problem) {
      const key = `problem.${problem.code}`;
      say(this.trouble, knows(key) ? text(key) : text("problem.other", { code: problem.code }));
      show(this.trouble, true);
    }
    this.app.redraw();
  }

  #fill(now) {
    const nodes = [...this.nodes].sort((a, b) => rank(a) - rank(b) || a.id.localeCompare(b.id));
    const byId = new Map(nodes.map((node) => [node.id, node]));
    keepInOrder(this.list, this.rows, [...byId.keys()], (id) => this.#row(id));
    for (const [id, row] of this.rows) this.#fillRow(row, byId.get(id), now);
    show(this.none, nodes.length === 0);
    this.#fillCards(nodes);
    const chosen = byId.get(this.chosen) ?? nodes[0];
    if (chosen) this.#fillSide(chosen, now);
  }

  #row(id) {
    const row = Object.fromEntries(COLUMNS.map((name) => [name, el(`span.node-${name}`)]));
    row.chip = el("span.state-chip");
    row.state.append(row.chip);
    row.root = el("button.node-row", { type: "button", onclick: () => this.#choose(id) }, ...COLUMNS.map((name) => row[name]));
    return row;
  }

  #choose(id) {
    this.chosen = id;
    this.app.redraw();
  }

  #fillRow(row, node, now) {
    const word = condition(node);
    dress(row.root, `node-row ${word}${node.id === this.chosen ? " on" : ""}`);
    say(row.node, node.id);
    say(row.bed, node.beds.join(" ") || "–");
    dress(row.chip, `state-chip tone-${TONES[word]}`);
    say(row.chip, text(`node.is-${word}`));
    say(row.seen, node.seen ? text("node.ago", { time: elapsed(now - Date.parse(node.seen)) }) : text("node.never"));
    say(row.waiting, String(node.waiting));
    const states = Object.values(node.devices);
    say(row.devices, `${states.filter((state) => GOOD.has(state)).length} / ${states.length}`);
    say(row.version, node.version || "–");
  }

  #fillCards(nodes) {
    const online = nodes.filter((node) => node.state === "online").length;
    const devices = nodes.flatMap((node) => (node.state === "online" ? Object.values(node.devices) : []));
    const good = devices.filter((state) => GOOD.has(state)).length;
    const waiting = nodes.reduce((sum, node) => sum + node.waiting, 0);
    const versions = new Set(nodes.map((node) => node.version).filter(Boolean));
    const parts = [
      [`${online} / ${nodes.length}`, online < nodes.length],
      [`${good} / ${devices.length}`, good < devices.length],
      [String(waiting), waiting > MANY_WAIT],
      [[...versions].sort().join(" · ") || "–", versions.size > 1],
    ];
    parts.forEach(([words, warns], index) => {
      say(this.cards[index].value, words);
      dress(this.cards[index].root, `stat-card${warns ? " missed" : " met"}`);
    });
  }

  #fillSide(node, now) {
    const { zone } = this.app.store.state.ward ?? {};
    say(this.title, node.id);
    const at = (moment) => (moment ? clock(Date.parse(moment), zone, language()) : "–");
    this.facts.replaceChildren(
      fact("node.state", text(`node.is-${condition(node)}`)),
      fact("node.help", text(`node.do-${condition(node)}`)),
      fact("node.since", at(node.since)),
      fact("node.heard", node.seen ? `${at(node.seen)} · ${text("node.ago", { time: elapsed(now - Date.parse(node.seen)) })}` : text("node.never")),
      fact("node.waiting", String(node.waiting)),
    );
    const known = Object.entries(node.devices).sort(([a], [b]) => a.localeCompare(b));
    this.devices.replaceChildren(
      ...known.map(([uid, state]) =>
        el("div.node-device", null, el("b", { title: uid }, uid), el(`i.${GOOD.has(state) ? "ok" : "warn"}`, null, knows(`session.${state}`) ? text(`session.${state}`) : state)),
      ),
    );
  }
}

const COLUMNS = ["node", "bed", "state", "seen", "waiting", "devices", "version"];
const TONES = { offline: "lo", never: "lo", foreign: "warn", behind: "warn", device: "warn", well: "ok" };
const ORDER = Object.keys(TONES);

/** @returns {string} the one word for how a node is, the gravest first */
function condition(node) {
  if (node.state === "never-seen") return "never";
  if (node.state !== "online") return "offline";
  if (!node.beds.length) return "foreign";
  if (node.waiting > MANY_WAIT) return "behind";
  return Object.values(node.devices).every((state) => GOOD.has(state)) ? "well" : "device";
}

const rank = (node) => ORDER.indexOf(condition(node));

function card(name) {
  const value = el("b.n");
  return { value, root: el("div.stat-card", null, el("span.stat-name", { text: `node.card-${name}` }), el("div.stat-value", null, value)) };
}

function fact(key, words) {
  return el("div.node-fact", null, el("span", { text: key }), el("b", null, words));
}
