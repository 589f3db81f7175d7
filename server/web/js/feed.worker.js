/**
 * Owns the socket, the parsing and the waveform canvases, so that a busy page never delays them.
 *
 * From the page: {do: "open", url} · {do: "took"} · {do: "alive"} · {do: "canvas", view, canvas} · {do: "layout", …} · {do: "retry"}.
 * To the page: {is: "full" | "changes" | "heard" | "link" | "lanes" | "screen", …}.
 */
import { LiveState, parseFrame } from "./protocol.js";
import { Sweeps } from "./sweep.js";

const RETRY_MS = [250, 500, 1000, 2000, 3000];
const ACK_WITHIN_MS = 30;
const SILENT_MS = 5000; // a socket that says nothing this long is given up and opened anew

const live = new LiveState();
const sweeps = new Sweeps();
let url = "";
let socket = null;
let attempts = 0;
let heardAt = 0;
let retryTimer = 0;
let pendingStates = 0;
let pendingFrames = 0;

function open() {
  clearTimeout(retryTimer);
  const opened = new WebSocket(url);
  socket = opened;
  opened.binaryType = "arraybuffer";
  heardAt = performance.now();
  opened.onopen = () => opened.send(JSON.stringify(live.hello()));
  opened.onmessage = (event) => opened === socket && receive(event.data);
  opened.onclose = (event) => opened === socket && lost(event.code);
}

function lost(code) {
  socket = null;
  pendingStates = 0;
  pendingFrames = 0;
  const wait = RETRY_MS[Math.min(attempts, RETRY_MS.length - 1)];
  attempts += 1;
  postMessage({ is: "link", up: false, attempts, code, retryInMs: wait });
  retryTimer = setTimeout(open, wait);
}

function receive(data) {
  heardAt = performance.now();
  if (typeof data === "string") receiveState(JSON.parse(data));
  else receiveFrame(data);
}

function receiveState(message) {
  const { full, changes, counted, now } = live.take(message);
  if (attempts > 0 || full) {
    attempts = 0;
    postMessage({ is: "link", up: true, resumed: message.t === "resume" });
  }
  if (full || message.t === "lanes" || message.lanes) {
    sweeps.describe(live.lanes);
    postMessage({ is: "lanes", lanes: live.lanes });
  }
  if (message.t === "screen") postMessage({ is: "screen", known: message.known });
  else if (full) postMessage({ is: "full", state: live.state, now, seq: live.seq });
  else if (changes.length) postMessage({ is: "changes", changes, now, seq: live.seq });
  else postMessage({ is: "heard", now });
  if (!counted) return;
  // The credit goes back when the page has taken the change in, not when it has arrived here:
  // a page that cannot keep up must slow the server down, not fill this worker's memory.
  pendingStates += 1;
  if (!full && !changes.length) acknowledgeStates();
}

function receiveFrame(buffer) {
  const frame = parseFrame(buffer);
  if (frame) sweeps.feed(frame, performance.now());
  pendingFrames += 1;
  if (pendingFrames === 1) setTimeout(acknowledgeFrames, ACK_WITHIN_MS); // lanes arrive together: one answer for all
}

function acknowledgeStates() {
  if (!pendingStates) return;
  send({ t: "ack", m: pendingStates, w: pendingFrames, seq: live.seq });
  pendingStates = 0;
  pendingFrames = 0;
}

function acknowledgeFrames() {
  if (!pendingFrames) return;
  send({ t: "ack", m: 0, w: pendingFrames, seq: live.seq });
  pendingFrames = 0;
}

function send(message) {
  if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
}

function checkSilence() {
  if (!socket || performance.now() - heardAt < SILENT_MS) return;
  const quiet = socket;
  lost(0);
  quiet.close();
}

const COMMANDS = {
  open: (message) => {
    url = message.url;
    open();
  },
  took: acknowledgeStates,
  alive: () => send({ t: "hb" }), // only the page says so: this worker goes on when the page hangs
  retry: () => {
    if (!socket && url) open();
  },
  canvas: (message) => sweeps.adopt(message.view, message.canvas),
  layout: (message) => sweeps.layout(message),
};

addEventListener("message", (event) => COMMANDS[event.data.do]?.(event.data));
setInterval(checkSilence, 250);
sweeps.run();
