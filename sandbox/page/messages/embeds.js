/** Embeds of a message. */

import { h } from "../lib/dom.js";
import { externalLink, renderMarkdown } from "../lib/markdown-view.js";
import { mediaKey, renderMedia } from "./media.js";
import { messageTime } from "../lib/timestamps.js";

/**
 * @typedef {import("../state/types.js").Embed} Embed
 * @typedef {import("../state/types.js").Media} Media
 */

/**
 * Shows an embed; one that is only a picture or video shows just that.
 * @param {Embed} embed
 * @param {number} index Its place in the message.
 * @returns {HTMLElement}
 */
export function renderEmbed(embed, index) {
  const bare = bareMedia(embed);
  if (bare) return renderMedia(bare);
  const color = embed.color ?? 0;
  return h(
    "article",
    {
      class: "embed",
      style: color ? `--bar: ${cssColor(color)}` : null,
      data: { key: `embed-${index}`, testid: "embed" },
    },
    h("div", { class: "embed-main" }, ...embedParts(embed)),
    embed.thumbnail
      ? h("div", { class: "embed-thumbnail", data: { key: "thumbnail" } }, picture(embed.thumbnail))
      : null,
    embed.image ? h("div", { class: "embed-image", data: { key: "image" } }, picture(embed.image)) : null,
    embed.video ? h("div", { class: "embed-image", data: { key: "video" } }, renderMedia(embed.video)) : null,
    renderFooter(embed),
  );
}

/**
 * Addresses an embed shows itself, so that they are not shown a second time.
 * @param {Embed} embed
 * @returns {string[]}
 */
export function embeddedMedia(embed) {
  const shown = [embed.image, embed.thumbnail, embed.video].flatMap((media) => (media ? [media.url] : []));
  return [...shown, ...(bareMedia(embed) ? [embed.url ?? ""] : [])].map(mediaKey);
}

/**
 * Discord's colour number as CSS.
 * @param {number} color
 * @returns {string}
 */
export function cssColor(color) {
  return `#${color.toString(16).padStart(6, "0")}`;
}

/** @param {Embed} embed @returns {Media | null} */
function bareMedia(embed) {
  if (embed.type === "video" || embed.type === "gifv") return embed.video ?? null;
  if (embed.type === "image") return embed.image ?? embed.thumbnail ?? null;
  return null;
}

/** @param {Embed} embed */
function embedParts(embed) {
  return [
    embed.provider?.name ? h("div", { class: "embed-provider" }, embed.provider.name) : null,
    embed.author ? renderAuthor(embed.author) : null,
    embed.title ? h("div", { class: "embed-title" }, ...renderTitle(embed)) : null,
    embed.description
      ? h("div", { class: "markdown embed-description" }, ...renderMarkdown(embed.description))
      : null,
    embed.fields?.length ? h("div", { class: "embed-fields" }, ...embed.fields.map(renderField)) : null,
  ];
}

/** @param {NonNullable<Embed["author"]>} author */
function renderAuthor(author) {
  const name = author.url ? externalLink(author.url, author.name) : author.name;
  return h("div", { class: "embed-author" }, smallIcon(author.icon_url), name);
}

/** @param {Embed} embed */
function renderTitle(embed) {
  const title = renderMarkdown(embed.title ?? "");
  return embed.url ? [externalLink(embed.url, ...title)] : title;
}

/** @param {NonNullable<Embed["fields"]>[number]} field */
function renderField(field) {
  return h(
    "div",
    { class: field.inline ? "embed-field embed-field-inline" : "embed-field" },
    h("div", { class: "embed-field-name" }, ...renderMarkdown(field.name)),
    h("div", { class: "markdown" }, ...renderMarkdown(field.value)),
  );
}

/** @param {Embed} embed */
function renderFooter(embed) {
  const text = [embed.footer?.text, embed.timestamp ? messageTime(embed.timestamp) : ""]
    .filter(Boolean)
    .join(" · ");
  return text ? h("footer", { class: "embed-footer" }, smallIcon(embed.footer?.icon_url), text) : null;
}

/** @param {string | undefined} url */
function smallIcon(url) {
  return url ? h("img", { class: "embed-icon", src: url, alt: "" }) : null;
}

/** @param {Media} media An embed's picture; its address need not end like a picture's. */
function picture(media) {
  return renderMedia({ ...media, content_type: media.content_type ?? "image/*" });
}
