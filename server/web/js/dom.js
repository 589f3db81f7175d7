/** The few helpers with which the views build and change the page. No HTML is ever parsed from data. */
import { text } from "./i18n.js";

/**
 * @param {string} spec `tag.class.class`
 * @param {Object|null} [attributes] attributes, `on…` listeners, `text` for a catalog key, `data` for data attributes
 * @param {...(Node|string|null)} children
 */
export function el(spec, attributes, ...children) {
  const [tag, ...classes] = spec.split(".");
  const element = document.createElement(tag || "div");
  if (classes.length) element.className = classes.join(" ");
  for (const [name, value] of Object.entries(attributes ?? {})) assign(element, name, value);
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

function assign(element, name, value) {
  if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
  else if (name === "text") {
    element.dataset.text = value; // so that a change of language finds it again
    element.textContent = text(value);
  } else if (name === "hint") {
    element.dataset.hint = value;
    element.title = text(value);
    element.setAttribute("aria-label", element.title);
  }
  else if (value === true) element.setAttribute(name, "");
  else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
}

const SVG = "http://www.w3.org/2000/svg";

/** @returns {SVGElement} */
export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

const ICONS = {
  drop: "M8 1.2C8 1.2 3.2 7 3.2 10.1a4.8 4.8 0 0 0 9.6 0C12.8 7 8 1.2 8 1.2Z",
  badge: "M2.5 3h11v10h-11zM6 8.2a1.7 1.7 0 1 0 0-3.4 1.7 1.7 0 0 0 0 3.4ZM3.8 11c.4-1.6 4-1.6 4.4 0ZM9.5 6h2.8v1H9.5ZM9.5 8.5h2.8v1H9.5Z",
  bell: "M8 1.5a4 4 0 0 0-4 4v3L2.5 11v1h11v-1L12 8.5v-3a4 4 0 0 0-4-4Zm-1.6 11.5a1.6 1.6 0 0 0 3.2 0Z",
  pulse: "M1 8.5h3l1.5-4 3 8 2-5.5 1 1.5h3.5",
};

/** @returns {SVGElement} a 16 × 16 icon in the colour of the text */
export function icon(name) {
  const stroke = name === "pulse" || name === "badge";
  const path = svg("path", {
    d: ICONS[name],
    fill: stroke ? "none" : "currentColor",
    stroke: stroke ? "currentColor" : "none",
    "stroke-width": name === "badge" ? "1" : "1.7",
    "stroke-linejoin": "round",
    "stroke-linecap": "round",
  });
  return svg("svg", { viewBox: "0 0 16 16", class: `icon icon-${name}`, "aria-hidden": "true" }, path);
}

/** Writes a text only when it changed, so that an unchanged ward costs no layout. */
export function say(element, words) {
  if (element.textContent !== words) element.textContent = words;
}

export function show(element, visible) {
  if (element.hidden === visible) element.hidden = !visible;
}

/** Sets the whole class name only when it changed. */
export function dress(element, classes) {
  if (element.className !== classes) element.className = classes;
}

export function width(element, fraction) {
  const value = `${(fraction * 100).toFixed(1)}%`;
  if (element.style.width !== value) element.style.width = value;
}

/**
 * Makes the children of a list match the keys given, in order, keeping the elements that stay.
 * @param {Map<string, object>} held key → what `make` returned (with its `root`)
 */
export function keepInOrder(parent, held, keys, make) {
  const wanted = new Set(keys);
  for (const [key, part] of held) {
    if (!wanted.has(key)) {
      part.root.remove();
      held.delete(key);
    }
  }
  keys.forEach((key, index) => {
    if (!held.has(key)) held.set(key, make(key));
    const { root } = held.get(key);
    if (parent.children[index] !== root) parent.insertBefore(root, parent.children[index] ?? null);
  });
}
