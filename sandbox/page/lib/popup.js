/** Lists that float beside the control that opened them; keys and clicks outside close them. */

const GAP = 6;
const EDGE = 8;

/** @type {{close: () => void} | null} The one popup that is open. */
let open = null;

/**
 * Shows a popup beside a control (or at a point) and moves the focus into it.
 * @param {HTMLElement} anchor Gets the focus back.
 * @param {HTMLElement} popup
 * @param {{items: string, at?: {x: number, y: number}, onDismiss?: () => void}} options
 *   `items`: selector of what the arrow keys walk; `onDismiss`: instead of closing on a click outside.
 * @returns {{close: () => void}}
 */
export function placeBeside(anchor, popup, options) {
  open?.close();
  (anchor.closest("dialog") ?? document.body).append(popup);
  anchor.setAttribute("aria-expanded", "true");
  position(popup, options.at ? pointRect(options.at) : anchor.getBoundingClientRect());
  const outside = (/** @type {Event} */ event) => {
    if (!popup.contains(/** @type {Node} */ (event.target))) (options.onDismiss ?? close)();
  };
  function close() {
    if (open !== handle) return;
    open = null;
    document.removeEventListener("pointerdown", outside, true);
    window.removeEventListener("resize", close);
    popup.remove();
    anchor.setAttribute("aria-expanded", "false");
    if (anchor.isConnected) anchor.focus();
  }
  const handle = { close };
  open = handle;
  document.addEventListener("pointerdown", outside, true);
  window.addEventListener("resize", close);
  popup.addEventListener("keydown", (event) => walk(event, popup, options.items, close));
  focusFirst(popup, options.items);
  return handle;
}

/** @param {{x: number, y: number}} point */
function pointRect({ x, y }) {
  return new DOMRect(x, y, 0, 0);
}

/** @param {HTMLElement} popup @param {DOMRect} anchor */
function position(popup, anchor) {
  popup.style.minWidth = `${Math.max(anchor.width, 200)}px`;
  const { width, height } = popup.getBoundingClientRect();
  const left = Math.min(anchor.left, window.innerWidth - width - EDGE);
  const below = anchor.bottom + GAP;
  const fitsBelow = below + height <= window.innerHeight - EDGE;
  const top = fitsBelow ? below : Math.max(EDGE, anchor.top - GAP - height);
  popup.style.left = `${Math.max(EDGE, left)}px`;
  popup.style.top = `${top}px`;
}

/** @param {HTMLElement} popup @param {string} selector */
function focusFirst(popup, selector) {
  const items = itemsOf(popup, selector);
  const chosen = items.find(
    (item) => item.getAttribute("aria-selected") === "true" || item.getAttribute("aria-checked") === "true",
  );
  (chosen ?? items[0] ?? popup).focus();
}

/** @param {HTMLElement} popup @param {string} selector @returns {HTMLElement[]} */
function itemsOf(popup, selector) {
  return [...popup.querySelectorAll(selector)].map((item) => /** @type {HTMLElement} */ (item));
}

/** @param {KeyboardEvent} event @param {HTMLElement} popup @param {string} selector @param {() => void} close */
function walk(event, popup, selector, close) {
  const items = itemsOf(popup, selector);
  const at = items.indexOf(/** @type {HTMLElement} */ (document.activeElement));
  /** @type {Record<string, () => void>} */
  const keys = {
    ArrowDown: () => items[(at + 1) % items.length]?.focus(),
    ArrowUp: () => items.at(at <= 0 ? -1 : at - 1)?.focus(),
    Home: () => items[0]?.focus(),
    End: () => items.at(-1)?.focus(),
    Enter: () => items[at]?.click(),
    " ": () => items[at]?.click(),
    Escape: close,
    Tab: close,
  };
  const act = keys[event.key] ?? typeAhead(event.key, items, at);
  if (!act) return;
  event.preventDefault();
  event.stopPropagation();
  act();
}

/** @param {string} key @param {HTMLElement[]} items @param {number} at */
function typeAhead(key, items, at) {
  if (key.length !== 1) return undefined;
  const rotated = [...items.slice(at + 1), ...items.slice(0, at + 1)];
  const found = rotated.find((item) => item.textContent?.trim().toLowerCase().startsWith(key.toLowerCase()));
  return found ? () => found.focus() : undefined;
}
