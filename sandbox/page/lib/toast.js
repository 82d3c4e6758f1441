/** Short notices that go away by themselves. */

import { byId, h } from "./dom.js";

const SHOWN_FOR = 4500;

/**
 * Shows a notice for a few seconds; screen readers say it.
 * @param {string} text
 * @param {"info" | "error"} [kind]
 */
export function toast(text, kind = "info") {
  const node = h("div", { class: `toast toast-${kind}`, data: { testid: "toast" } }, text);
  byId("toasts").append(node);
  setTimeout(() => node.remove(), SHOWN_FOR);
}
