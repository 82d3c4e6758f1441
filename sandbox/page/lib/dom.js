/** Small helpers to build DOM nodes. Data only ever becomes text nodes and attributes, never markup. */

const SVG = "http://www.w3.org/2000/svg";

/** Outlines on a 24 by 24 grid, drawn with the current colour. */
const ICONS = {
  hash: "M9 4 7 20M17 4l-2 16M4 9h16M3.5 15h16",
  thread: "M4 5h16v11H10l-4 4v-4H4zM8 9h8M8 12.5h5",
  plus: "M12 5v14M5 12h14",
  send: "M5 12h13M12.5 5.5 19 12l-6.5 6.5",
  close: "M6 6l12 12M18 6 6 18",
  menu: "M4 7h16M4 12h16M4 17h16",
  more: "M6 12h.01M12 12h.01M18 12h.01",
  chevron: "M7 10l5 5 5-5",
  right: "M9.5 6l6 6-6 6",
  back: "M14.5 6l-6 6 6 6",
  file: "M7 3h7l4 4v14H7zM14 3v4h4",
  eye: "M3 12s3.5-6 9-6 9 6 9 6-3.5 6-9 6-9-6-9-6zM12 9.5a2.5 2.5 0 1 0 0 5 2.5 2.5 0 0 0 0-5z",
  reply: "M5 19v-4a5 5 0 0 1 5-5h9M15 5.5 19.5 10 15 14.5",
  external: "M9 6H5v13h13v-4M13 5h6v6M19 5l-9 9",
  check: "M5 12.5l4.5 4.5L19 7.5",
  swap: "M7 9l5-5 5 5M7 15l5 5 5-5",
  warning: "M12 4 2.8 20h18.4zM12 10v4.5M12 17.3h.01",
  picture: "M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4M15.5 9.5h.01",
  down: "M12 5v14M6 13l6 6 6-6",
  pin: "M9 4h6l-.7 6.5 3.2 3.5h-11l3.2-3.5zM12 14v6",
  download: "M12 4v10M7.5 10.5 12 15l4.5-4.5M5 19h14",
};

/**
 * Builds an element.
 * @param {string} tag
 * @param {Record<string, any> | null} [props] Attributes; `class`, `data` (dataset) and `on` (listeners) are special.
 * @param {...(Node | string | null | undefined | false | Array<any>)} children Falsy ones are left out.
 * @returns {HTMLElement}
 */
export function h(tag, props, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props ?? {})) setProp(node, name, value);
  node.append(...children.flat(Infinity).filter((child) => child || child === 0));
  return node;
}

/** @param {HTMLElement} node @param {string} name @param {any} value */
function setProp(node, name, value) {
  if (value === null || value === undefined || value === false) return;
  if (name === "data") {
    for (const [key, item] of Object.entries(value))
      if (item !== undefined && item !== null) node.dataset[key] = String(item);
    return;
  }
  if (name === "on") {
    for (const [event, listener] of Object.entries(value)) node.addEventListener(event, listener);
    return;
  }
  node.setAttribute(name, value === true ? "" : String(value));
}

/**
 * A decorative icon; the control around it carries the label.
 * @param {keyof typeof ICONS} name
 * @returns {SVGElement}
 */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

/**
 * A button that shows only an icon.
 * @param {keyof typeof ICONS} name
 * @param {string} label Said by screen readers and shown as the tooltip.
 * @param {Record<string, any>} [props]
 * @returns {HTMLElement}
 */
export function iconButton(name, label, props = {}) {
  const { class: extra = "", ...rest } = props;
  return h(
    "button",
    { type: "button", class: `icon-button ${extra}`.trim(), "aria-label": label, title: label, ...rest },
    icon(name),
  );
}

/**
 * The page's fixed element with this id.
 * @param {string} id
 * @returns {HTMLElement}
 */
export function byId(id) {
  const node = document.getElementById(id);
  if (!node) throw new Error(`index.html has no element #${id}`);
  return node;
}

let lastId = 0;

/**
 * An element id nobody else on the page has.
 * @param {string} prefix
 * @returns {string}
 */
export function uniqueId(prefix) {
  lastId += 1;
  return `${prefix}-${lastId}`;
}

/**
 * Bytes in words, such as "1.4 MB".
 * @param {number} bytes
 * @returns {string}
 */
export function fileSize(bytes) {
  if (bytes < 1024) return `${bytes} B`;
  if (bytes < 1024 ** 2) return `${Math.round(bytes / 1024)} KB`;
  return `${(bytes / 1024 ** 2).toFixed(1)} MB`;
}
