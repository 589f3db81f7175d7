/** The page's two languages, switched live. Texts live in i18n/*.json and nowhere else. */

export const LANGUAGES = ["zh", "en"];
const KEPT_AS = "wardlink.language";

const catalogs = {};
let current = "zh";

/** Loads both catalogs, so that switching never waits for the network. */
export async function loadTexts() {
  const loaded = await Promise.all(LANGUAGES.map((tag) => fetch(`i18n/${tag}.json`).then((answer) => answer.json())));
  LANGUAGES.forEach((tag, index) => {
    catalogs[tag] = loaded[index];
  });
  const asked = new URLSearchParams(location.search).get("lang") ?? localStorage.getItem(KEPT_AS);
  setLanguage(LANGUAGES.includes(asked) ? asked : "zh");
}

export function language() {
  return current;
}

export function setLanguage(tag) {
  current = tag;
  localStorage.setItem(KEPT_AS, tag);
  document.documentElement.lang = tag === "zh" ? "zh-CN" : "en";
  document.title = text("title");
}

export function knows(key) {
  return key in catalogs[current];
}

/**
 * @param {string} key
 * @param {Object<string, string|number>} [params] values for the {names} in the text
 */
export function text(key, params = {}) {
  const pattern = catalogs[current]?.[key] ?? key;
  return pattern.replace(/\{(\w+)\}/g, (whole, name) => params[name] ?? whole);
}

/** @returns {string} a bilingual label from the server in the current language */
export function label(both) {
  return both?.[current] || both?.zh || both?.en || "";
}

/** Writes the text of every element that carries `data-text` (and `data-hint` for its tooltip). */
export function translate(root) {
  for (const element of root.querySelectorAll("[data-text]")) element.textContent = text(element.dataset.text);
  for (const element of root.querySelectorAll("[data-hint]")) {
    element.title = text(element.dataset.hint);
    element.setAttribute("aria-label", element.title);
  }
}
