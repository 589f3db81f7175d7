/** The page's HTTP calls. The session is a cookie; a failure is a problem document with a stable code. */

const BASE = "/api/v1";

export class Problem extends Error {
  constructor(status, code, detail) {
    super(detail || code);
    this.status = status;
    this.code = code;
  }
}

async function call(method, path, body, options = {}) {
  const headers = { ...(body ? { "Content-Type": "application/json" } : {}), ...options.headers };
  let answer;
  try {
    answer = await fetch(`${BASE}${path}`, {
      method,
      headers,
      credentials: options.credentials ?? "same-origin",
      body: body ? JSON.stringify(body) : undefined,
      signal: AbortSignal.timeout(options.timeoutMs ?? 8000),
    });
  } catch (failure) {
    throw new Problem(0, failure.name === "TimeoutError" ? "timeout" : "unreachable", failure.message);
  }
  if (answer.status === 204) return null;
  const type = answer.headers.get("Content-Type") ?? "";
  const content = type.includes("json") ? await answer.json() : null;
  if (!answer.ok) throw new Problem(answer.status, content?.code ?? `http-${answer.status}`, content?.detail);
  return content;
}

export const me = () => call("GET", "/me");
export const health = () => call("GET", "/health", undefined, { timeoutMs: 3000 });
export const openWithCode = (code) => call("POST", "/sessions/one-time", { code });
/** Signs a person in with badge and password; the answer sets this screen's cookie. */
export const signInWithPassword = (badge, password) => call("POST", "/sessions/web", { badge, password });

/** Opens this screen's locked session again; `by` is "pin" or "password". */
export const unlock = (secret, by) => call("POST", "/sessions/current/unlock", { secret, by });

/** Sets a new PIN with the code from the ward's manager. */
export const setPin = (badge, code, pin) => call("POST", "/pins", { badge, code, pin });

/** Sets the password of who is signed in; the PIN proves that it is them. */
export const setPassword = (pin, password) => call("POST", "/me/password", { pin, password });

export const signOut = () => call("DELETE", "/sessions/current");
export const acknowledge = (alarm) => call("POST", `/alarms/${encodeURIComponent(alarm)}/acknowledge`, {});

const span = (since, until) =>
  new URLSearchParams({ since: new Date(since).toISOString(), until: new Date(until).toISOString() });

/** The ward's figures from `since` to `until` (milliseconds). */
export const statistics = (ward, since, until) =>
  call("GET", `/wards/${encodeURIComponent(ward)}/statistics?${span(since, until)}`, undefined, { timeoutMs: 20_000 });

/** The address of the same figures as a table to keep. */
export const statisticsFile = (ward, since, until) =>
  `${BASE}/wards/${encodeURIComponent(ward)}/statistics.csv?${span(since, until)}`;

export const nodes = () => call("GET", "/nodes");

/** The sheet of a shift. */
export const handover = (ward, since, until) =>
  call("GET", `/wards/${encodeURIComponent(ward)}/handover?${span(since, until)}`);

/** Hands the shift over. */
export const giveHandover = (ward, given) => call("POST", `/wards/${encodeURIComponent(ward)}/handover`, given);

/**
 * Signs a person in with badge and PIN. The badge's own session lives only until it has been exchanged for this
 * screen's cookie, so that no token ever rests in the page.
 */
export async function signIn(badge, pin) {
  const { token } = await call("POST", "/sessions", { badge, pin, handheld: "" }, { credentials: "omit" });
  const bearer = { credentials: "omit", headers: { Authorization: `Bearer ${token}` } };
  const { code } = await call("POST", "/sessions/one-time-codes", {}, bearer);
  const opened = await openWithCode(code);
  await call("DELETE", "/sessions/current", undefined, bearer);
  return opened;
}
