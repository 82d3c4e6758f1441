/** Markdown's syntax tree as DOM nodes. */

import { h, icon } from "./dom.js";
import { parseMarkdown } from "./markdown.js";
import { channelName, displayName, isThread, roleName, state } from "../state/store.js";
import { timestamp } from "./timestamps.js";

/**
 * Renders text with Discord's markdown.
 * @param {string} source
 * @returns {Node[]}
 */
export function renderMarkdown(source) {
  return parseMarkdown(source).map(renderNode);
}

/** @typedef {import("./markdown.js").MarkdownNode} MarkdownNode */

/** @type {Record<string, (node: MarkdownNode) => Node>} */
const RENDERERS = {
  text: (node) => document.createTextNode(node.text ?? ""),
  paragraph: (node) => h("p", null, ...inside(node)),
  heading: (node) => h(`h${(node.level ?? 1) + 2}`, { class: `md-h${node.level}` }, ...inside(node)),
  subtext: (node) => h("p", { class: "md-subtext" }, ...inside(node)),
  quote: (node) => h("blockquote", null, ...inside(node)),
  list: renderList,
  fence: (node) => h("pre", { tabindex: "0" }, h("code", { data: { language: node.kind } }, node.text ?? "")),
  code: (node) => h("code", { class: "md-code" }, node.text ?? ""),
  bold: (node) => h("strong", null, ...inside(node)),
  italic: (node) => h("em", null, ...inside(node)),
  underline: (node) => h("u", null, ...inside(node)),
  strike: (node) => h("s", null, ...inside(node)),
  spoiler: (node) =>
    h(
      "span",
      {
        class: "spoiler",
        role: "button",
        tabindex: "0",
        "aria-label": "Spoiler",
        data: { action: "spoiler" },
      },
      h("span", null, ...inside(node)),
    ),
  link: (node) => externalLink(node.url ?? "", ...inside(node)),
  mention: renderMention,
  command: (node) =>
    h(
      "button",
      { type: "button", class: "mention", data: { action: "fill", text: `/${node.text} ` } },
      `/${node.text}`,
    ),
  time: (node) => timestamp(node.seconds ?? 0, node.style ?? "f"),
};

/** @param {MarkdownNode} node @returns {Node} */
function renderNode(node) {
  return RENDERERS[node.type](node);
}

/** @param {MarkdownNode} node @returns {Node[]} */
function inside(node) {
  return (node.children ?? []).map(renderNode);
}

/** @param {MarkdownNode} node @returns {Node} */
function renderList(node) {
  const items = (node.items ?? []).map((item) => h("li", null, ...item.map(renderNode)));
  return h(node.ordered ? "ol" : "ul", { start: node.ordered ? node.start : null }, ...items);
}

/** @param {MarkdownNode} node @returns {Node} */
function renderMention(node) {
  const id = node.id ?? "";
  if (node.kind === "everyone") return h("span", { class: "mention" }, node.text ?? "");
  if (node.kind === "channel") return channelMention(id);
  if (node.kind === "role") return h("span", { class: "mention" }, `@${roleName(id)}`);
  return h(
    "span",
    { class: id === state.me ? "mention mention-me" : "mention" },
    `@${displayName(state.users.get(id))}`,
  );
}

/** @param {string} id */
function channelMention(id) {
  const sign = isThread(state.channels.get(id)) ? icon("thread") : "#";
  return h("a", { class: "mention", href: `#channel/${id}` }, sign, channelName(id));
}

/**
 * Where a link to a message at Discord leads on this page: to its channel.
 * @param {string} url
 * @returns {string} Empty if it leads elsewhere.
 */
function channelOnPage(url) {
  const id = /^https:\/\/discord\.com\/channels\/\d+\/(\d+)/.exec(url)?.[1] ?? "";
  return state.channels.has(id) ? `#channel/${id}` : "";
}

/**
 * A link out of the page, but for one to a message that is on it. Only http and https addresses become links.
 * @param {string} url
 * @param {...(Node | string)} children
 * @returns {HTMLElement}
 */
export function externalLink(url, ...children) {
  if (!/^https?:\/\//i.test(url)) return h("span", null, ...children);
  const here = channelOnPage(url);
  if (here) return h("a", { href: here }, ...children);
  return h("a", { href: url, target: "_blank", rel: "noreferrer noopener" }, ...children);
}
