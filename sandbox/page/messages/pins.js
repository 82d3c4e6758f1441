/** The pinned messages of the open channel, in a list beside the button at the top. */

import { fetchPins } from "../state/api.js";
import { byId, h } from "../lib/dom.js";
import { errorText } from "../state/interactions.js";
import { renderMarkdown } from "../lib/markdown-view.js";
import { jumpTo } from "./message-actions.js";
import { avatar } from "../lib/people.js";
import { placeBeside } from "../lib/popup.js";
import { displayName, state } from "../state/store.js";
import { messageTime } from "../lib/timestamps.js";
import { toast } from "../lib/toast.js";

/**
 * @typedef {import("../state/types.js").Message} Message
 * @typedef {import("../state/types.js").Component} Component
 */

const TEXT_DISPLAY = 10;

/** Wires the button. */
export function startPins() {
  byId("open-pins").addEventListener("click", () => void openPins());
}

async function openPins() {
  const channelId = state.current;
  try {
    const pinned = await fetchPins(channelId);
    if (state.current === channelId) showPins(pinned);
  } catch (error) {
    toast(errorText(error), "error");
  }
}

/** @param {Message[]} pinned */
function showPins(pinned) {
  const jump = (/** @type {string} */ messageId) => {
    popup.close();
    void jumpTo(messageId);
  };
  const list = h(
    "div",
    {
      class: "popup menu pins",
      role: "menu",
      tabindex: "-1",
      "aria-label": "Pinned messages",
      data: { testid: "pins" },
    },
    h("div", { class: "menu-heading" }, "Pinned messages"),
    ...(pinned.length > 0
      ? pinned.map((message) => drawPin(message, () => jump(message.id)))
      : [h("p", { class: "pins-empty" }, "Nothing is pinned here yet.")]),
  );
  const popup = placeBeside(byId("open-pins"), list, { items: "[role=menuitem]" });
}

/** @param {Message} message @param {() => void} onClick */
function drawPin(message, onClick) {
  const author = state.users.get(message.author.id) ?? message.author;
  return h(
    "button",
    {
      type: "button",
      class: "popup-item pin",
      role: "menuitem",
      tabindex: "-1",
      data: { testid: "pin-item" },
      on: { click: onClick },
    },
    avatar(author, "small"),
    h(
      "span",
      { class: "popup-text" },
      h("b", null, displayName(author)),
      h("small", null, messageTime(message.timestamp)),
      h("span", { class: "markdown pin-text" }, ...renderMarkdown(textOf(message))),
    ),
  );
}

/** What a message says in words, wherever it says it. @param {Message} message @returns {string} */
function textOf(message) {
  const embeds = (message.embeds ?? []).flatMap((embed) => [embed.title ?? "", embed.description ?? ""]);
  const said = [message.content, ...embeds, ...textsIn(message.components ?? [])].filter(Boolean);
  return said.join("\n") || "A message without words";
}

/** @param {Component[]} components @returns {string[]} */
function textsIn(components) {
  return components.flatMap((component) =>
    component.type === TEXT_DISPLAY ? [component.content ?? ""] : textsIn(component.components ?? []),
  );
}
