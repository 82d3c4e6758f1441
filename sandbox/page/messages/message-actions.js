/** What clicks and keys do inside the message list, for all messages at once. */

import { fillComposer } from "../composer/composer.js";
import { byId } from "../lib/dom.js";
import { useComponent } from "../state/interactions.js";
import { showPicture } from "./lightbox.js";
import { noteBroken, retryMedia } from "./media.js";
import { openMessageMenu } from "./menu.js";
import { controlOf } from "./message.js";
import { dismissMessage, focusMessage, focusNeighbour, redrawAll } from "./messages.js";
import { openSelect, selectOptions } from "./select-menu.js";
import { loadOlder } from "../state/session.js";
import { findMessage, setPending, state, timeline } from "../state/store.js";

/** How long a finger rests on a message to open its menu, in milliseconds. */
const LONG_PRESS = 500;

const list = byId("message-list");

/** @type {Record<string, (target: HTMLElement, article: HTMLElement) => void>} */
const ACTIONS = {
  press: (target, article) =>
    withControl(target, article, (message, control) => void useComponent(message, control)),
  select: (target, article) =>
    withControl(target, article, (message, control) => openSelectOf(target, message, control)),
  menu: (target, article) => openMenuOf(article, target),
  spoiler: (target) => target.classList.toggle("revealed"),
  dismiss: (_target, article) => dismissMessage(article.dataset.messageId ?? ""),
  "dismiss-pending": (_target, article) => setPending(article.dataset.key ?? "", null),
  enlarge: (target) => showPicture(target.dataset.url ?? "", target.dataset.alt ?? ""),
  fill: (target) => fillComposer(target.dataset.text ?? ""),
  jump: (target) => void jumpTo(target.dataset.messageId ?? ""),
  "retry-media": (target) => {
    retryMedia(target.dataset.url ?? "");
    redrawAll();
  },
};

/** Starts listening. */
export function startMessageActions() {
  list.addEventListener("click", onClick);
  list.addEventListener("contextmenu", onContextMenu);
  list.addEventListener("keydown", onKey);
  list.addEventListener(
    "error",
    (event) => noteBroken(/** @type {Element} */ (event.target)) && redrawAll(),
    true,
  );
  startLongPress();
}

/** @param {EventTarget | null} target @returns {HTMLElement | null} */
function articleOf(target) {
  return /** @type {HTMLElement} */ (target).closest("article.message");
}

/** @param {MouseEvent} event */
function onClick(event) {
  const target = /** @type {HTMLElement | null} */ (
    /** @type {Element} */ (event.target).closest("[data-action]")
  );
  const article = articleOf(event.target);
  if (!target || !article || target.getAttribute("aria-disabled") === "true") return;
  const hiding = target.parentElement?.closest(".spoiler:not(.revealed)");
  if (hiding) return void hiding.classList.add("revealed");
  ACTIONS[target.dataset.action ?? ""]?.(target, article);
}

/** @param {HTMLElement} article */
function messageOf(article) {
  return findMessage(state.current, article.dataset.messageId ?? "");
}

/**
 * @param {HTMLElement} target
 * @param {HTMLElement} article
 * @param {(message: import("../state/types.js").Message, control: import("../state/types.js").Component) => void} act
 */
function withControl(target, article, act) {
  const message = messageOf(article);
  const control = message && controlOf(message, target.dataset.customId ?? "");
  if (message && control) act(message, control);
}

/** @param {HTMLElement} trigger @param {import("../state/types.js").Message} message @param {import("../state/types.js").Component} select */
function openSelectOf(trigger, message, select) {
  const current = selectOptions(select)
    .filter((option) => option.default)
    .map((option) => option.value);
  openSelect(trigger, select, current, (values) => void useComponent(message, select, values));
}

/** @param {HTMLElement} article @param {HTMLElement} anchor @param {{x: number, y: number}} [at] */
function openMenuOf(article, anchor, at = undefined) {
  const message = messageOf(article);
  const { left, top } = article.getBoundingClientRect();
  const beside = anchor === article ? { x: left + 80, y: top + 28 } : undefined;
  if (message) openMessageMenu(anchor, message, at ?? beside);
}

/** Text fields, links and media keep the browser's own menu. @param {MouseEvent} event */
function onContextMenu(event) {
  const article = articleOf(event.target);
  const keepsOwn = /** @type {Element} */ (event.target).closest("a, video");
  if (!article?.dataset.messageId || keepsOwn) return;
  event.preventDefault();
  focusMessage(article);
  const byPointer = event.clientX > 0 || event.clientY > 0;
  openMenuOf(
    article,
    article,
    byPointer && event.button === 2 ? { x: event.clientX, y: event.clientY } : undefined,
  );
}

/** @param {KeyboardEvent} event */
function onKey(event) {
  const target = /** @type {HTMLElement} */ (event.target);
  const isArticle = target.matches("article");
  /** @type {Record<string, () => void>} */
  const onArticle = {
    ArrowUp: () => focusNeighbour(target, -1),
    ArrowDown: () => focusNeighbour(target, 1),
    Enter: () => openMenuOf(target, target),
  };
  const act = isArticle ? onArticle[event.key] : undefined;
  const reveals = target.matches(".spoiler") && (event.key === "Enter" || event.key === " ");
  if (!act && !reveals) return;
  event.preventDefault();
  if (act) act();
  else target.classList.toggle("revealed");
}

function startLongPress() {
  let timer = 0;
  const stop = () => clearTimeout(timer);
  list.addEventListener(
    "touchstart",
    (event) => {
      const article = articleOf(event.target);
      const { clientX: x, clientY: y } = event.touches[0];
      if (/** @type {Element} */ (event.target).closest("button, a, video") || !article) return;
      timer = setTimeout(() => openMenuOf(article, article, { x, y }), LONG_PRESS);
    },
    { passive: true },
  );
  for (const name of ["touchend", "touchmove", "touchcancel"])
    list.addEventListener(name, stop, { passive: true });
}

/**
 * Scrolls to a message of the open channel and lets it light up; older history is loaded until it is there.
 * @param {string} messageId
 */
export async function jumpTo(messageId) {
  const channelId = state.current;
  while (!nodeOf(messageId) && !timeline(channelId).complete) {
    await loadOlder(channelId);
    redrawAll();
  }
  const node = nodeOf(messageId);
  if (!node || state.current !== channelId) return;
  node.scrollIntoView({ block: "center" });
  node.classList.add("flash");
  node.addEventListener("animationend", () => node.classList.remove("flash"), { once: true });
  focusMessage(node);
}

/** @param {string} messageId @returns {HTMLElement | null} */
function nodeOf(messageId) {
  return list.querySelector(`[data-message-id="${CSS.escape(messageId)}"]`);
}
