/** The list above the composer: commands while a slash is typed, choices while an option is filled in. */

import { byId, h } from "../lib/dom.js";

/**
 * @typedef {object} Suggestion
 * @property {string} label
 * @property {string} [detail]
 * @property {string} [note] Shown at the right.
 * @property {() => Node} [mark] Draws a small picture before the label.
 * @property {string} testid
 * @property {() => void} pick
 */

const panel = byId("suggestions");
const list = byId("suggestion-list");
const title = byId("suggestions-title");

/** @type {Suggestion[]} */
let items = [];
let active = -1;
let moved = false;
/** @type {HTMLElement | null} The field the list belongs to. */
let owner = null;

/**
 * Shows a list for a text field.
 * @param {HTMLElement} field
 * @param {string} heading
 * @param {Suggestion[]} suggestions With none the heading is shown alone.
 * @param {number} [preselect] Which item is active at first; -1 for none.
 */
export function showSuggestions(field, heading, suggestions, preselect = 0) {
  owner = field;
  items = suggestions;
  active = Math.min(preselect, items.length - 1);
  moved = false;
  title.textContent = heading;
  list.replaceChildren(...items.map(renderItem));
  panel.hidden = false;
  field.setAttribute("aria-controls", list.id);
  field.setAttribute("aria-expanded", "true");
  markActive();
}

/**
 * Hides the list.
 * @param {HTMLElement} [field] Only if it belongs to this field.
 */
export function hideSuggestions(field) {
  if (field && field !== owner) return;
  owner?.setAttribute("aria-expanded", "false");
  owner?.removeAttribute("aria-activedescendant");
  owner = null;
  items = [];
  active = -1;
  panel.hidden = true;
}

/**
 * @returns {boolean} Whether there is something to choose.
 */
export function hasSuggestions() {
  return items.length > 0;
}

/**
 * @returns {boolean} Whether Enter would choose something.
 */
export function hasActive() {
  return active >= 0;
}

/**
 * @returns {boolean} Whether the active item was selected with the arrow keys.
 */
export function wasMoved() {
  return moved;
}

/**
 * Moves the choice up or down, around the ends.
 * @param {-1 | 1} step
 */
export function moveActive(step) {
  const from = active < 0 && step < 0 ? 0 : active;
  active = (from + step + items.length) % items.length;
  moved = true;
  markActive();
}

/** Accepts the active suggestion. */
export function pickActive() {
  items[active]?.pick();
}

/** @param {Suggestion} item @param {number} index */
function renderItem(item, index) {
  const row = h(
    "div",
    { class: "suggestion", role: "option", id: `suggestion-${index}`, data: { testid: item.testid } },
    h("span", { class: "suggestion-label" }, item.mark?.(), item.label),
    item.detail ? h("span", { class: "suggestion-detail" }, item.detail) : null,
    item.note ? h("span", { class: "suggestion-note" }, item.note) : null,
  );
  row.addEventListener("pointerdown", (event) => event.preventDefault());
  row.addEventListener("click", () => item.pick());
  return row;
}

function markActive() {
  [...list.children].forEach((row, index) => row.setAttribute("aria-selected", String(index === active)));
  const row = list.children[active];
  if (row) {
    row.scrollIntoView({ block: "nearest" });
    owner?.setAttribute("aria-activedescendant", row.id);
  } else owner?.removeAttribute("aria-activedescendant");
}
