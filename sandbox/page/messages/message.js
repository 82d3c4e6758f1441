/** One message as DOM nodes. Nothing here listens: message-actions.js does, by `data-action`. */

import { avatar, badge } from "../lib/people.js";
import { findComponent, renderComponents } from "./components.js";
import { h, icon, iconButton } from "../lib/dom.js";
import { embeddedMedia, renderEmbed } from "./embeds.js";
import { bareLinks, parseMarkdown } from "../lib/markdown.js";
import { renderMarkdown } from "../lib/markdown-view.js";
import { isMediaLink, mediaKey, renderMedia } from "./media.js";
import { displayName, findMessage, mentionsMe, state } from "../state/store.js";
import { fullTime, messageTime } from "../lib/timestamps.js";

/**
 * @typedef {import("../state/types.js").Message} Message
 * @typedef {import("../state/types.js").Channel} Channel
 * @typedef {import("../state/types.js").Pending} Pending
 * @typedef {{compact: boolean, thread: Channel | undefined, pending: Pending[]}} MessageContext
 *   `compact`: continues the message above, so without avatar and name.
 */

export const FLAGS = { suppressEmbeds: 4, ephemeral: 64, thinking: 128, componentsV2: 32768 };

const PIN_ADDED = 6;
const THREAD_CREATED = 18;
const THREAD_STARTER = 21;
/** Types of messages by users and apps; every other type is a system message. */
const SPOKEN = new Set([0, 19, 20, 23, THREAD_STARTER]);

/**
 * @param {Message} message
 * @param {number} flag
 * @returns {boolean}
 */
export function hasFlag(message, flag) {
  return ((message.flags ?? 0) & flag) !== 0;
}

/**
 * Whether a message can be shown as the continuation of the one above it.
 * @param {Message} message
 * @returns {boolean}
 */
export function standsAlone(message) {
  return Boolean(
    message.interaction_metadata?.name ||
    message.message_reference ||
    message.pinned ||
    !SPOKEN.has(message.type ?? 0) ||
    message.type === THREAD_STARTER,
  );
}

/**
 * Shows a message.
 * @param {Message} message
 * @param {MessageContext} context
 * @returns {HTMLElement}
 */
export function renderMessage(message, context) {
  if (message.type === THREAD_STARTER && message.referenced_message) {
    return shell(
      message,
      context,
      renderBody({ ...message.referenced_message, thread: undefined }, { ...context, thread: undefined }),
    );
  }
  if (!SPOKEN.has(message.type ?? 0)) return renderNotice(message);
  return shell(message, context, [renderOrigin(message), ...renderBody(message, context)]);
}

/** @param {Message} message @param {MessageContext} context @param {any[]} content */
function shell(message, context, content) {
  const classes = [
    "message",
    context.compact && "message-compact",
    mentionsMe(message) && "message-mention",
    hasFlag(message, FLAGS.ephemeral) && "message-ephemeral",
  ];
  const author = message.type === THREAD_STARTER ? message.referenced_message?.author : message.author;
  return h(
    "article",
    {
      class: classes.filter(Boolean).join(" "),
      tabindex: "-1",
      "aria-label": `${displayName(author)}, ${messageTime(message.timestamp)}`,
      data: { key: message.id, testid: "message", messageId: message.id },
    },
    ...content,
    iconButton("more", "More actions", {
      class: "message-more",
      tabindex: "-1",
      "aria-haspopup": "menu",
      data: { action: "menu", testid: "message-menu", key: "more" },
    }),
  );
}

/** The line above a message: which command it answers, or which message. @param {Message} message */
function renderOrigin(message) {
  const origin = message.interaction_metadata;
  if (origin?.name) {
    const isSlash = commandType(origin) === 1;
    return h(
      "div",
      { class: "origin", data: { key: "origin", testid: "used-command" } },
      avatar(origin.user, "small"),
      h("b", null, displayName(known(origin.user))),
      " used ",
      h("span", { class: "origin-command" }, (isSlash ? "/" : "") + origin.name),
    );
  }
  return message.message_reference && message.type === 19 ? renderReply(message) : null;
}

/** @param {any} origin @returns {number} */
function commandType(origin) {
  return origin.command_type ?? state.commands.find((command) => command.name === origin.name)?.type ?? 1;
}

/** @param {Message} message */
function renderReply(message) {
  const id = message.message_reference?.message_id ?? "";
  const target = message.referenced_message ?? findMessage(message.channel_id, id);
  const data = { key: "origin", action: "jump", messageId: id };
  if (!target)
    return h(
      "div",
      { class: "origin", data: { key: "origin" } },
      icon("reply"),
      "A message that is not shown here",
    );
  const summary = target.content || target.embeds?.find((embed) => embed.title)?.title || "See the message";
  return h(
    "button",
    { type: "button", class: "origin", data },
    icon("reply"),
    avatar(target.author, "small"),
    h("b", null, displayName(known(target.author))),
    " ",
    h("span", { class: "origin-text" }, summary),
  );
}

/** Messages have plain user objects; the list of users has their colours. @param {import("../state/types.js").User} user */
function known(user) {
  return state.users.get(user.id) ?? user;
}

/** @param {Message} message @param {MessageContext} context */
function renderBody(message, context) {
  const author = known(message.author);
  return [
    context.compact
      ? h(
          "time",
          { class: "compact-time", title: fullTime(message.timestamp), "aria-hidden": "true" },
          messageTime(message.timestamp),
        )
      : avatar(author),
    h(
      "div",
      { class: "body", data: { key: "body" } },
      context.compact ? null : renderHeader(message, author),
      ...renderParts(message, context),
    ),
  ];
}

/** @param {Message} message @param {import("../state/types.js").User} author */
function renderHeader(message, author) {
  return h(
    "header",
    { data: { key: "header" } },
    h("span", { class: "author", data: { testid: "author" } }, displayName(author)),
    badge(author),
    h(
      "time",
      { datetime: message.timestamp, title: fullTime(message.timestamp) },
      messageTime(message.timestamp),
    ),
    pinMark(message),
  );
}

/** @param {Message} message */
function pinMark(message) {
  if (!message.pinned) return null;
  return h(
    "span",
    { class: "pin-mark", role: "img", title: "Pinned", "aria-label": "Pinned", data: { testid: "pin-mark" } },
    icon("pin"),
  );
}

/** @param {Message} message @param {MessageContext} context */
function renderParts(message, context) {
  const isV2 = hasFlag(message, FLAGS.componentsV2);
  return [
    hasFlag(message, FLAGS.thinking) ? renderThinking(message) : renderContent(message),
    slot("attachments", isV2 ? [] : (message.attachments ?? []).map(renderMedia)),
    slot("previews", renderPreviews(message)),
    slot("embeds", hasFlag(message, FLAGS.suppressEmbeds) ? [] : (message.embeds ?? []).map(renderEmbed)),
    slot(
      "components",
      renderComponents(message.components ?? [], componentContext(message, context.pending)),
    ),
    slot("failures", context.pending.filter((pending) => pending.state === "failed").map(renderFailure)),
    hasFlag(message, FLAGS.ephemeral) ? renderEphemeral() : null,
    context.thread ? renderThreadCard(context.thread) : null,
  ];
}

/** A keyed container, so that adding or removing one part does not move the others. @param {string} key @param {HTMLElement[]} children */
function slot(key, children) {
  return children.length > 0 ? h("div", { class: key, data: { key } }, ...children) : null;
}

/** @param {Message} message */
function renderContent(message) {
  if (!message.content) return null;
  const edited = message.edited_timestamp
    ? h("span", { class: "edited", title: fullTime(message.edited_timestamp) }, "(edited)")
    : null;
  const content = h(
    "div",
    { class: "markdown content", data: { key: "content", testid: "content" } },
    ...renderMarkdown(message.content),
  );
  const last = content.lastElementChild;
  if (edited) (last?.tagName === "P" ? last : content).append(" ", edited);
  return content;
}

/** @param {Message} message */
function renderThinking(message) {
  return h(
    "div",
    { class: "thinking", data: { key: "content", testid: "thinking" } },
    dots(),
    `${displayName(known(message.author))} is thinking…`,
  );
}

/**
 * Three animated dots: something is in progress.
 * @returns {HTMLElement}
 */
export function dots() {
  return h("span", { class: "dots", "aria-hidden": "true" }, h("i", null), h("i", null), h("i", null));
}

/** @param {Message} message */
function renderPreviews(message) {
  if (hasFlag(message, FLAGS.suppressEmbeds) || !message.content) return [];
  const shown = new Set((message.embeds ?? []).flatMap(embeddedMedia));
  const links = new Map(bareLinks(parseMarkdown(message.content)).map((url) => [mediaKey(url), url]));
  return [...links]
    .filter(([key, url]) => isMediaLink(url) && !shown.has(key))
    .map(([, url]) => renderMedia({ url }));
}

/** @param {Message} message @param {Pending[]} pending */
function componentContext(message, pending) {
  const waiting = pending.filter((item) => item.state === "waiting");
  return {
    message,
    busy: waiting.length > 0,
    waitingFor: new Set(waiting.map((item) => item.customId ?? "")),
  };
}

/** @param {Pending} pending */
function renderFailure(pending) {
  return h(
    "div",
    { class: "failure", role: "alert", data: { key: pending.key, testid: "interaction-failed" } },
    icon("warning"),
    pending.error ?? "",
  );
}

function renderEphemeral() {
  return h(
    "div",
    { class: "ephemeral-note", data: { key: "ephemeral", testid: "ephemeral" } },
    icon("eye"),
    "Only you can see this · ",
    h(
      "button",
      { type: "button", class: "link-button", data: { action: "dismiss", testid: "ephemeral-dismiss" } },
      "Dismiss",
    ),
  );
}

/** @param {Channel} thread */
function renderThreadCard(thread) {
  const count = thread.message_count ?? 0;
  const label = count === 0 ? "Open thread" : `${count} ${count === 1 ? "message" : "messages"}`;
  return h(
    "a",
    { class: "thread-card", href: `#channel/${thread.id}`, data: { key: "thread", testid: "thread-link" } },
    icon("thread"),
    h("span", { class: "thread-name" }, thread.name),
    h("span", { class: "thread-count" }, label, icon("right")),
  );
}

/** A system message: a thread's start, a pin. @param {Message} message */
function noticeOf(message) {
  const { message_id: messageId, channel_id: channelId = "" } = message.message_reference ?? {};
  if (message.type === PIN_ADDED) {
    const target = { type: "button", class: "link-button", data: { action: "jump", messageId } };
    return ["pinned ", h("button", target, "a message"), " to this channel."];
  }
  if (message.type !== THREAD_CREATED) return [message.content || "changed something here"];
  const name = state.channels.has(channelId)
    ? h("a", { href: `#channel/${channelId}`, data: { testid: "thread-link" } }, message.content)
    : h("b", null, message.content);
  return ["started a thread: ", name];
}

/** The row of a system message. @param {Message} message */
function renderNotice(message) {
  return h(
    "article",
    {
      class: "message message-notice",
      tabindex: "-1",
      data: { key: message.id, testid: "message", messageId: message.id },
    },
    icon(message.type === PIN_ADDED ? "pin" : "thread"),
    h(
      "div",
      { class: "body" },
      h("b", null, displayName(known(message.author))),
      " ",
      ...noticeOf(message),
      " ",
      h("time", { title: fullTime(message.timestamp) }, messageTime(message.timestamp)),
    ),
  );
}

/**
 * Finds a control of a message by its custom id.
 * @param {Message} message
 * @param {string} customId
 * @returns {import("../state/types.js").Component | undefined}
 */
export function controlOf(message, customId) {
  return findComponent(message.components ?? [], customId);
}
