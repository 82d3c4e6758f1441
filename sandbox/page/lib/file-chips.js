/** Files that were picked and not yet sent. */

import { fileSize, h, icon, iconButton } from "./dom.js";

/**
 * A file's name and size, with a small picture of it if it is one.
 * @param {File} file
 * @returns {HTMLElement[]}
 */
export function describeFile(file) {
  const text = h(
    "span",
    { class: "file-text" },
    h("span", { class: "file-name" }, file.name),
    h("small", null, fileSize(file.size)),
  );
  if (!file.type.startsWith("image/"))
    return [/** @type {HTMLElement} */ (/** @type {unknown} */ (icon("file"))), text];
  const url = URL.createObjectURL(file);
  const image = h("img", {
    class: "file-thumb",
    src: url,
    alt: "",
    on: { load: () => URL.revokeObjectURL(url) },
  });
  return [image, text];
}

/**
 * A file with a button that takes it away again.
 * @param {File} file
 * @param {() => void} onRemove
 * @returns {HTMLElement}
 */
export function fileChip(file, onRemove) {
  const remove = iconButton("close", `Remove ${file.name}`, { on: { click: onRemove } });
  return h("div", { class: "tray-file", data: { testid: "file-chip" } }, ...describeFile(file), remove);
}
