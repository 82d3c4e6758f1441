/** Components of a message: rows of buttons and selects, and the layout components of version 2. */

import { h, icon } from "../lib/dom.js";
import { cssColor } from "./embeds.js";
import { renderMarkdown } from "../lib/markdown-view.js";
import { renderMedia } from "./media.js";
import { chosenLabels } from "./select-menu.js";

/**
 * @typedef {import("../state/types.js").Component} Component
 * @typedef {import("../state/types.js").Message} Message
 * @typedef {{message: Message, busy: boolean, waitingFor: Set<string>}} ComponentContext
 *   `busy`: an answer is awaited; `waitingFor`: custom ids that were pressed.
 */

/** @type {Record<number, (component: Component, context: ComponentContext, index: number) => HTMLElement>} */
const RENDERERS = {
  1: renderRow,
  2: renderButton,
  3: renderSelect,
  5: renderSelect,
  6: renderSelect,
  7: renderSelect,
  8: renderSelect,
  9: renderSection,
  10: (component) =>
    h(
      "div",
      { class: "markdown", data: { key: keyOf(component, 0) } },
      ...renderMarkdown(component.content ?? ""),
    ),
  11: (component, context) =>
    h("div", { class: "thumbnail" }, renderItem(component, component.media, context)),
  12: renderGallery,
  13: (component, context) => renderItem(component, component.file, context),
  14: renderSeparator,
  17: renderContainer,
};

/**
 * Shows a list of components.
 * @param {Component[]} components
 * @param {ComponentContext} context
 * @returns {HTMLElement[]}
 */
export function renderComponents(components, context) {
  return components.flatMap((component, index) => {
    const render = RENDERERS[component.type];
    return render ? [render(component, context, index)] : [];
  });
}

/**
 * Finds a button or select in a message.
 * @param {Component[]} components
 * @param {string} customId
 * @returns {Component | undefined}
 */
export function findComponent(components, customId) {
  for (const component of components) {
    if (component.custom_id === customId) return component;
    const nested = [...(component.components ?? []), ...(component.accessory ? [component.accessory] : [])];
    const found = findComponent(nested, customId);
    if (found) return found;
  }
  return undefined;
}

/** @param {Component} component @param {number} index */
function keyOf(component, index) {
  return `${component.type}:${component.custom_id ?? component.id ?? index}`;
}

/** @param {Component} row @param {ComponentContext} context @param {number} index */
function renderRow(row, context, index) {
  return h(
    "div",
    { class: "component-row", data: { key: keyOf(row, index) } },
    ...renderComponents(row.components ?? [], context),
  );
}

/** @param {import("../state/types.js").Emoji | undefined} emoji */
function renderEmoji(emoji) {
  if (!emoji?.name) return null;
  return h("span", { class: "emoji", "aria-hidden": "true" }, emoji.id ? `:${emoji.name}:` : emoji.name);
}

/** @param {Component} button @param {ComponentContext} context @param {number} index */
function renderButton(button, context, index) {
  const key = keyOf(button, index);
  const inner = [renderEmoji(button.emoji), button.label ? h("span", null, button.label) : null];
  if (button.url && /^https?:/i.test(button.url) && !button.disabled) {
    const link = { class: "button button-5", href: button.url, target: "_blank", rel: "noreferrer noopener" };
    return h("a", { ...link, data: { key, testid: "link-button" } }, ...inner, icon("external"));
  }
  return h(
    "button",
    {
      ...controlProps(button, context),
      class: `button button-${button.style ?? 2}`,
      data: { key, testid: "button", action: "press", customId: button.custom_id },
    },
    ...inner,
  );
}

/** @param {Component} control @param {ComponentContext} context */
function controlProps(control, context) {
  const waiting = context.waitingFor.has(control.custom_id ?? "");
  return {
    type: "button",
    disabled: Boolean(control.disabled),
    "aria-disabled": context.busy ? "true" : null,
    "aria-busy": waiting ? "true" : null,
    "aria-label": control.label ? null : control.emoji?.name,
  };
}

/** @param {Component} select @param {ComponentContext} context @param {number} index */
function renderSelect(select, context, index) {
  const chosen = chosenLabels(select);
  return h(
    "button",
    {
      ...controlProps(select, context),
      "aria-label": null,
      class: "select-trigger",
      "aria-haspopup": "listbox",
      "aria-expanded": "false",
      data: { key: keyOf(select, index), testid: "select", action: "select", customId: select.custom_id },
    },
    h("span", { class: chosen ? "" : "placeholder" }, chosen || select.placeholder || "Make a selection"),
    icon("chevron"),
  );
}

/** @param {Component} section @param {ComponentContext} context @param {number} index */
function renderSection(section, context, index) {
  return h(
    "div",
    { class: "section", data: { key: keyOf(section, index) } },
    h("div", { class: "section-text" }, ...renderComponents(section.components ?? [], context)),
    h(
      "div",
      { class: "section-accessory" },
      ...renderComponents(section.accessory ? [section.accessory] : [], context),
    ),
  );
}

/** @param {Component} gallery @param {ComponentContext} context @param {number} index */
function renderGallery(gallery, context, index) {
  const items = gallery.items ?? [];
  return h(
    "div",
    { class: "gallery", data: { key: `12:${index}`, count: items.length > 1 ? "many" : "one" } },
    ...items.map((item) => renderItem(item, item.media, context)),
  );
}

/**
 * @param {{description?: string | null, spoiler?: boolean, name?: string, size?: number}} item
 * @param {import("../state/types.js").Media | undefined} media
 * @param {ComponentContext} context
 */
function renderItem(item, media, context) {
  if (!media) return h("span", null);
  const url = resolveUrl(media.url, context.message);
  const known = context.message.attachments?.find((attachment) => attachment.url === url);
  return renderMedia({
    ...known,
    ...media,
    url,
    description: item.description,
    spoiler: item.spoiler,
    filename: item.name ?? known?.filename,
    size: item.size ?? known?.size,
  });
}

/** @param {string} url @param {Message} message */
function resolveUrl(url, message) {
  const name = /^attachment:\/\/(.+)$/.exec(url)?.[1];
  return message.attachments?.find((attachment) => attachment.filename === name)?.url ?? url;
}

/** @param {Component} separator @param {ComponentContext} _context @param {number} index */
function renderSeparator(separator, _context, index) {
  const look = separator.divider === false ? "separator-blank" : "";
  return h("div", {
    class: `separator ${look}`,
    role: "separator",
    data: { key: keyOf(separator, index), spacing: separator.spacing ?? 1 },
  });
}

/** @param {Component} container @param {ComponentContext} context @param {number} index */
function renderContainer(container, context, index) {
  const accent = container.accent_color;
  const style = accent === null || accent === undefined ? null : `--bar: ${cssColor(accent)}`;
  return h(
    "div",
    { class: "container", style, data: { key: `17:${index}` } },
    ...renderComponents(container.components ?? [], context),
  );
}
