/** The composition root: worker → store → views, the page's clock, keys and sounds. */
import * as api from "./api.js";
import { AudioPause, inOrder, isAcknowledged } from "./alarms.js";
import { loadTexts, language, setLanguage, translate } from "./i18n.js";
import { Sound } from "./sound.js";
import { Store } from "./store.js";
import { theme, toggleTheme } from "./theme.js";
import { AlarmsPage } from "./views/alarms.js";
import { BedPage } from "./views/bed.js";
import { HandoverPage } from "./views/handover.js";
import { InfusionsPage } from "./views/infusions.js";
import { NodesPage } from "./views/nodes.js";
import { Shell } from "./views/shell.js";
import { StartPage } from "./views/start.js";
import { StatisticsPage } from "./views/statistics.js";
import { TasksPage } from "./views/tasks.js";
import { Veil } from "./views/veil.js";
import { WallPage } from "./views/wall.js";

const PHASE_MS = 250; // half a period of the 2 Hz flash of high priority; medium is eight of them per period

class App {
  constructor() {
    this.store = new Store();
    this.sound = new Sound();
    this.pause = new AudioPause();
    this.person = null;
    this.worker = null;
    this.page = "";
    this.openBed = "";
    this.dirty = false;
    this.pages = {
      wall: new WallPage(this),
      bed: new BedPage(this),
      alarms: new AlarmsPage(this),
      handover: new HandoverPage(this),
      infusions: new InfusionsPage(this),
      tasks: new TasksPage(this),
      statistics: new StatisticsPage(this),
      nodes: new NodesPage(this),
    };
    this.shell = new Shell(this);
    this.start = new StartPage(this);
    this.veil = new Veil(this);
  }

  async run() {
    await loadTexts();
    theme();
    document.body.append(this.start.root, this.shell.root, this.veil.root);
    for (const page of Object.values(this.pages)) this.shell.main.append(page.root);
    translate(document.body);
    this.#listen();
    this.sound.try();
    const session = await this.#session();
    if (session) this.enter(session);
    else this.showStart();
    if (session?.locked) this.start.lock();
    await document.fonts.ready;
    document.body.dataset.ready = "yes";
  }

  /** @returns {Promise<object|null>} who is signed in: by a one-time code in the address, or by the cookie */
  async #session() {
    const code = new URLSearchParams(location.hash.slice(1)).get("code");
    if (code) history.replaceState(null, "", location.pathname + location.search); // a used code is not left to copy
    try {
      return code ? await api.openWithCode(code) : await api.me();
    } catch (problem) {
      if (problem.status !== 401 || code) this.start.refuse(problem);
      return null;
    }
  }

  /** Goes live as this person. */
  enter(session) {
    this.person = session.practitioner;
    this.start.hide();
    this.shell.show();
    if (!this.worker) this.#connect();
    this.goTo(this.page || "wall");
  }

  showStart() {
    this.start.show();
  }

  async leave() {
    await api.signOut().catch(() => null); // the server may be away; this screen forgets the person all the same
    location.reload();
  }

  #connect() {
    this.store.heard(NaN); // the silence counts from here until the first snapshot
    this.worker = new Worker(new URL("./feed.worker.js", import.meta.url), { type: "module" });
    this.worker.onmessage = (event) => this.#hear(event.data);
    for (const page of [this.pages.wall, this.pages.bed]) page.giveCanvas(this.worker);
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const asked = new URLSearchParams(location.search);
    const query = new URLSearchParams();
    // Without a ward the server shows its first one; a screen's name makes the ward miss it when it falls silent.
    for (const name of ["ward", "screen"]) if (asked.get(name)) query.set(name, asked.get(name));
    this.worker.postMessage({ do: "open", url: `${scheme}://${location.host}/ws/central?${query}` });
  }

  #hear(message) {
    const { store } = this;
    if (message.is === "link") {
      store.link = message;
      if (message.code === 4401 || message.code === 4403) this.#sessionOver();
    } else if (message.is === "screen") {
      this.shell.tell({ code: "screen-unknown" });
    } else if (message.is === "lanes") {
      store.lanes = message.lanes;
    } else {
      store.heard(message.now);
      if (message.is === "full") store.replace(message.state);
      if (message.is === "changes") store.apply(message.changes);
      this.worker.postMessage({ do: message.is === "heard" ? "alive" : "took" });
    }
    this.redraw();
  }

  async #sessionOver() {
    const session = await api.me().catch((problem) => problem);
    if (session.status === 401) location.reload();
  }

  #listen() {
    addEventListener("keydown", (event) => this.#key(event));
    addEventListener("resize", () => this.pages[this.page]?.arrange?.());
    addEventListener("pointerdown", () => this.sound.enable(), { once: true });
    document.addEventListener("visibilitychange", () => this.redraw());
    setInterval(() => this.#tick(), PHASE_MS);
  }

  #key(event) {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const shown = this.start.root.hidden ? this.shell : this.start;
    const action = shown.keyAction(event.key, event.target);
    if (!action) return;
    event.preventDefault();
    action();
  }

  /** Four times a second: one flashing phase for the whole page, the veil, the sound, and once a second the ages. */
  #tick() {
    const phase = Math.floor(performance.now() / PHASE_MS);
    document.body.classList.toggle("off-h", phase % 2 === 1);
    document.body.classList.toggle("off-m", phase % 8 >= 4);
    if (!this.worker) return;
    const veiled = this.veil.check();
    const waiting = this.store.unacknowledged();
    const paused = this.pause.check(Date.now(), waiting) > 0;
    const loudest = inOrder(waiting)[0]?.priority ?? "";
    this.sound.keep(veiled ? "Lo" : paused ? "" : loudest);
    if (phase % 4 === 0) this.redraw();
  }

  /** Draws once per frame at most, however many messages came. */
  redraw() {
    if (this.dirty || !this.page) return;
    this.dirty = true;
    const draw = () => {
      this.dirty = false;
      this.#draw();
    };
    if (document.hidden) setTimeout(draw, 500);
    else requestAnimationFrame(draw);
  }

  #draw() {
    if (!this.store.ready) return;
    const now = this.store.now();
    this.shell.draw(now);
    this.pages[this.page].draw(now);
  }

  goTo(page, bed) {
    if (bed) this.openBed = bed;
    if (page === "bed" && !this.openBed) this.openBed = this.#firstBed();
    this.page = page;
    for (const [name, view] of Object.entries(this.pages)) view.root.hidden = name !== page;
    this.shell.mark(page);
    this.#draw(); // in the same step: the bed that was open before is never seen under the new one's name
    this.pages[page].arrange?.();
  }

  #firstBed() {
    const { store } = this;
    const alarmed = inOrder(store.alarms())[0]?.bed;
    return alarmed || store.beds().find((id) => store.bed(id)?.occupied) || store.beds()[0] || "";
  }

  /** Moves the bed page to the neighbour. */
  step(by) {
    const beds = this.store.beds();
    const at = beds.indexOf(this.openBed);
    this.goTo("bed", beds[(at + by + beds.length) % beds.length]);
  }

  /** Acknowledges one alarm, by default the one in the banner. */
  async acknowledge(alarm = inOrder(this.store.unacknowledged())[0]) {
    if (!alarm || isAcknowledged(alarm)) return;
    try {
      await api.acknowledge(alarm.id);
      this.store.acknowledgedHere(alarm.id);
      this.redraw();
    } catch (problem) {
      if (problem.code === "session-locked") this.start.lock();
      else this.shell.tell(problem);
    }
  }

  pauseAudio() {
    this.pause.toggle(Date.now(), this.store.unacknowledged());
    this.redraw();
  }

  switchLanguage(tag = language() === "zh" ? "en" : "zh") {
    setLanguage(tag);
    translate(document.body);
    this.start.draw();
    this.redraw();
    this.pages[this.page]?.arrange?.();
  }

  switchTheme() {
    toggleTheme();
    this.pages[this.page]?.arrange?.();
  }
}

const app = new App();
app.run();
