/** Dark for the wall, light for a bright desk; the colours themselves live in css/tokens.css. */

const KEPT_AS = "wardlink.theme";

/** Applies the theme asked for in the address, kept from last time, or dark. */
export function theme() {
  const asked = new URLSearchParams(location.search).get("theme") ?? localStorage.getItem(KEPT_AS);
  document.documentElement.dataset.theme = asked === "light" ? "light" : "dark";
}

export function toggleTheme() {
  const next = document.documentElement.dataset.theme === "light" ? "dark" : "light";
  document.documentElement.dataset.theme = next;
  localStorage.setItem(KEPT_AS, next);
}

/** @returns {string} the value of a colour token, for what is drawn on canvases */
export function colour(token) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${token}`).trim();
}
