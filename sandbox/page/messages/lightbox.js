/** A picture over the whole page. */

import { h, iconButton } from "../lib/dom.js";
import { externalLink } from "../lib/markdown-view.js";

/**
 * Shows a picture large; Escape, the button or a click beside it closes.
 * @param {string} url
 * @param {string} alt
 */
export function showPicture(url, alt) {
  const close = () => dialog.close();
  const dialog = /** @type {HTMLDialogElement} */ (
    h(
      "dialog",
      { class: "lightbox", "aria-label": alt, data: { testid: "lightbox" } },
      h("img", { src: url, alt }),
      h(
        "div",
        { class: "lightbox-bar" },
        externalLink(url, "Open original"),
        iconButton("close", "Close", { on: { click: close } }),
      ),
    )
  );
  dialog.addEventListener("click", (event) => event.target === dialog && close());
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
