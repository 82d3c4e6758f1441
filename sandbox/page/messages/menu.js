/** The context menu of a message: its apps' commands, and copying. */

import { messageCommands } from "../state/commands.js";
import { h, icon } from "../lib/dom.js";
import { errorText, runCommand } from "../state/interactions.js";
import { placeBeside } from "../lib/popup.js";
import { state } from "../state/store.js";
import { toast } from "../lib/toast.js";

/** @typedef {import("../state/types.js").Message} Message */

/**
 * Opens a message's menu.
 * @param {HTMLElement} anchor The message or its button; gets the focus back.
 * @param {Message} message
 * @param {{x: number, y: number}} [at] The pointer's place; without it, beside the anchor.
 */
export function openMessageMenu(anchor, message, at = undefined) {
  const menu = h("div", {
    class: "popup menu",
    role: "menu",
    tabindex: "-1",
    "aria-label": "Message",
    data: { testid: "context-menu" },
  });
  const run = (/** @type {() => void} */ action) => () => {
    popup.close();
    action();
  };
  const commands = messageCommands(state.commands);
  menu.append(
    ...(commands.length > 0 ? [h("div", { class: "menu-heading", id: "menu-apps" }, "Apps")] : []),
    ...commands.map((command) =>
      item(
        command.name,
        `menu-item-${command.name}`,
        run(() => void useOn(command, message)),
        state.bot.name,
      ),
    ),
    ...(commands.length > 0 ? [h("div", { class: "menu-line", role: "separator" })] : []),
    item(
      "Copy text",
      "menu-item-copy-text",
      run(() => void copy(message.content, "Text")),
    ),
    item(
      "Copy message ID",
      "menu-item-copy-id",
      run(() => void copy(message.id, "Message ID")),
    ),
  );
  const popup = placeBeside(anchor, menu, { items: "[role=menuitem]", at });
}

/** @param {string} label @param {string} testid @param {() => void} onClick @param {string} [note] */
function item(label, testid, onClick, note = "") {
  return h(
    "button",
    {
      type: "button",
      class: "popup-item",
      role: "menuitem",
      tabindex: "-1",
      data: { testid },
      on: { click: onClick },
    },
    h("span", { class: "popup-text" }, label),
    note ? h("span", { class: "popup-note" }, note) : icon("right"),
  );
}

/** @param {import("../state/types.js").Command} command @param {Message} message */
async function useOn(command, message) {
  const data = { id: command.id, name: command.name, type: 3, target_id: message.id };
  try {
    await runCommand(message.channel_id, command.name, data);
  } catch (error) {
    toast(errorText(error), "error");
  }
}

/** @param {string} text @param {string} what */
async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
    toast(`${what} copied`);
  } catch (error) {
    if (!(error instanceof DOMException)) throw error;
    toast("The browser did not allow copying", "error");
  }
}
