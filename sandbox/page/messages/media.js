/** Pictures, videos and files inside messages. */

import { fileSize, h, icon } from "../lib/dom.js";
import { externalLink } from "../lib/markdown-view.js";

/**
 * @typedef {object} MediaItem
 * @property {string} url
 * @property {string} [filename]
 * @property {string | null} [description] The alternative text.
 * @property {string | null} [content_type]
 * @property {number | null} [width]
 * @property {number | null} [height]
 * @property {number} [size] Bytes.
 * @property {boolean} [spoiler]
 */

const VIDEO = /\.(mp4|webm|mov|m4v)$/i;
const PICTURE = /\.(png|jpe?g|gif|webp)$/i;
const MAX_WIDTH = 520;
const MAX_HEIGHT = 380;

/** @type {Set<string>} Addresses that could not be loaded. */
const broken = new Set();

/**
 * An address without its query: signatures in it change, the file does not.
 * @param {string} url
 * @returns {string}
 */
export function mediaKey(url) {
  return url.split(/[?#]/)[0];
}

/**
 * @param {MediaItem} item
 * @returns {"video" | "picture" | "file"}
 */
function mediaKind(item) {
  const type = item.content_type ?? "";
  const path = item.filename ?? mediaKey(item.url);
  if (type.startsWith("video/") || (!type && VIDEO.test(path))) return "video";
  if (type.startsWith("image/") || (!type && PICTURE.test(path))) return "picture";
  return "file";
}

/**
 * Whether a bare link in a message is shown as what it leads to.
 * @param {string} url
 * @returns {boolean}
 */
export function isMediaLink(url) {
  return VIDEO.test(mediaKey(url)) || PICTURE.test(mediaKey(url));
}

/**
 * Notes that a picture or video failed to load.
 * @param {Element} node
 * @returns {boolean} Whether that was news.
 */
export function noteBroken(node) {
  const url = node.getAttribute("src");
  if (!url || broken.has(url) || node.closest(".composer, dialog")) return false;
  broken.add(url);
  return true;
}

/**
 * Forgets that an address failed, so that it is tried again.
 * @param {string} url
 */
export function retryMedia(url) {
  broken.delete(url);
}

/**
 * Shows one picture, video or file.
 * @param {MediaItem} item
 * @returns {HTMLElement}
 */
export function renderMedia(item) {
  const kind = mediaKind(item);
  if (kind === "file") return renderFile(item);
  if (broken.has(item.url)) return renderBroken(item, kind);
  const content = kind === "video" ? renderVideo(item) : renderPicture(item);
  return item.spoiler ? hide(content) : content;
}

/** @param {MediaItem} item @returns {string} */
function nameOf(item) {
  return item.filename ?? decodeURIComponent(mediaKey(item.url).split("/").at(-1) ?? "file");
}

/** @param {MediaItem} item @returns {string | null} A box of the right shape, so that nothing jumps while loading. */
function boxStyle(item) {
  if (!item.width || !item.height) return null;
  const scale = Math.min(1, MAX_WIDTH / item.width, MAX_HEIGHT / item.height);
  return `aspect-ratio: ${item.width} / ${item.height}; width: ${Math.round(item.width * scale)}px`;
}

/** @param {MediaItem} item */
function renderVideo(item) {
  const label = item.description || `Video ${nameOf(item)}`;
  const key = mediaKey(item.url);
  const attributes = {
    src: item.url,
    controls: true,
    playsinline: true,
    preload: "metadata",
    "aria-label": label,
  };
  const video = h("video", { ...attributes, data: { key, testid: "video" } });
  return h("div", { class: "media media-video", style: boxStyle(item), data: { key } }, video);
}

/** @param {MediaItem} item */
function renderPicture(item) {
  const alt = item.description || nameOf(item);
  return h(
    "button",
    {
      type: "button",
      class: "media media-picture",
      style: boxStyle(item),
      "aria-label": `Enlarge picture: ${alt}`,
      data: { key: mediaKey(item.url), action: "enlarge", url: item.url, alt },
    },
    h("img", { src: item.url, alt, loading: "lazy", data: { testid: "picture" } }),
  );
}

/** @param {MediaItem} item */
function renderFile(item) {
  return h(
    "div",
    { class: "file-card", data: { key: mediaKey(item.url) } },
    icon("file"),
    h(
      "div",
      null,
      externalLink(item.url, nameOf(item)),
      item.size ? h("small", null, fileSize(item.size)) : null,
    ),
    renderDownload(item),
  );
}

/** Saves the file under its name, also where the browser would show it. @param {MediaItem} item */
function renderDownload(item) {
  if (new URL(item.url, location.href).origin !== location.origin) return null;
  const label = `Download ${nameOf(item)}`;
  return h(
    "a",
    {
      class: "icon-button",
      href: item.url,
      download: nameOf(item),
      title: label,
      "aria-label": label,
      data: { testid: "file-download" },
    },
    icon("download"),
  );
}

/** @param {MediaItem} item @param {"video" | "picture"} kind */
function renderBroken(item, kind) {
  return h(
    "div",
    { class: "file-card file-broken", data: { key: `broken:${item.url}`, testid: "media-broken" } },
    icon("warning"),
    h(
      "div",
      null,
      h("span", null, `This ${kind} could not be loaded.`),
      externalLink(item.url, nameOf(item)),
    ),
    h(
      "button",
      { type: "button", class: "button button-2", data: { action: "retry-media", url: item.url } },
      "Try again",
    ),
  );
}

/** @param {HTMLElement} content */
function hide(content) {
  const { key } = content.dataset;
  return h(
    "div",
    {
      class: "spoiler spoiler-media",
      role: "button",
      tabindex: "0",
      "aria-label": "Spoiler",
      data: { action: "spoiler", key: `spoiler:${key}` },
    },
    content,
  );
}
