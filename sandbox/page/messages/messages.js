/** The message list of the open channel: what is shown, in which order, and where it is scrolled to. */

import { byId, h, icon, iconButton } from "../lib/dom.js";
import { dots, FLAGS, hasFlag, renderMessage, standsAlone } from "./message.js";
import { morph } from "../lib/morph.js";
import { avatar, badge } from "../lib/people.js";
import { loadOlder } from "../state/session.js";
import { channelName, isThread, state, subscribe, timeline } from "../state/store.js";

/**
 * @typedef {import("../state/types.js").Message} Message
 * @typedef {import("../state/types.js").Pending} Pending
 */

/** Messages of one author closer together than this are shown as one group, in milliseconds. */
const GROUP_SPAN = 7 * 60 * 1000;
/** This close to the end counts as being at the end, in pixels. */
const END_MARGIN = 60;

const scroller = byId("messages");
const list = byId("message-list");
const jump = byId("jump-to-end");

/** @type {Map<string, {node: HTMLElement, inputs: unknown[]}>} What is in the document, by key. */
const shown = new Map();
/** @type {Set<string>} Ephemeral messages the person has dismissed. */
const dismissed = new Set();
let shownChannel = "";
let atEnd = true;
let redraws = 0;

/** Draws the list whenever something it shows changes. */
export function startMessages() {
  subscribe((topics) => {
    if (
      ["messages", "current", "channels", "users", "commands"].some((topic) =>
        topics.has(/** @type {any} */ (topic)),
      )
    ) {
      if (topics.has("users") || topics.has("commands")) redraws += 1;
      draw();
    }
  });
  new ResizeObserver(() => atEnd && scrollToEnd()).observe(list);
  new ResizeObserver(() => atEnd && scrollToEnd()).observe(scroller);
  scroller.addEventListener("scroll", onScroll, { passive: true });
  jump.addEventListener("click", () => scrollToEnd());
}

/**
 * Hides an ephemeral message for good.
 * @param {string} messageId
 */
export function dismissMessage(messageId) {
  dismissed.add(messageId);
  draw();
}

/** Redraws every message, changed or not. */
export function redrawAll() {
  redraws += 1;
  draw();
}

/** Goes to the newest message. */
function scrollToEnd() {
  scroller.scrollTop = scroller.scrollHeight;
  atEnd = true;
  jump.hidden = true;
}

function onScroll() {
  atEnd = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < END_MARGIN;
  if (atEnd) jump.hidden = true;
  if (scroller.scrollTop < 200 && state.current) void keepPlace(() => loadOlder(state.current));
}

/** Older messages are put in above without moving what is being read. @param {() => Promise<void>} load */
async function keepPlace(load) {
  const fromEnd = scroller.scrollHeight - scroller.scrollTop;
  const before = timeline(state.current).messages.length;
  await load();
  if (timeline(state.current).messages.length === before) return;
  draw();
  scroller.scrollTop = scroller.scrollHeight - fromEnd;
}

function draw() {
  const place = `${state.me}/${state.current}`;
  if (place !== shownChannel) reset(place);
  const visible = timeline(state.current).messages.filter((message) => !dismissed.has(message.id));
  const known = new Set(shown.keys());
  const pending = [...state.pending.values()].filter((item) => item.channelId === state.current);
  const nodes = [
    drawIntro(),
    ...visible.map((message, index) => drawMessage(message, visible[index - 1], pending)),
    ...pending.filter((item) => item.kind === "command").map(drawPending),
  ];
  arrange(nodes);
  if (atEnd) scrollToEnd();
  else if (visible.length > 0 && !known.has(visible[visible.length - 1].id)) jump.hidden = false;
  keepOneTabStop();
}

/** @param {string} place */
function reset(place) {
  shownChannel = place;
  shown.clear();
  list.replaceChildren();
  atEnd = true;
  jump.hidden = true;
}

/** Puts the nodes in order without touching those that are in place already. @param {HTMLElement[]} nodes */
function arrange(nodes) {
  const wanted = new Set(nodes);
  for (const child of [...list.children]) {
    if (!wanted.has(/** @type {HTMLElement} */ (child))) child.remove();
  }
  for (const [key, entry] of shown) if (!wanted.has(entry.node)) shown.delete(key);
  nodes.forEach((node, index) => {
    if (list.children[index] !== node) list.insertBefore(node, list.children[index] ?? null);
  });
}

/**
 * Draws a node only if what it shows has changed, into the node that is there.
 * @param {string} key
 * @param {unknown[]} inputs
 * @param {() => HTMLElement} render
 */
function drawKeyed(key, inputs, render) {
  const entry = shown.get(key);
  const wanted = [...inputs, redraws];
  if (
    entry &&
    entry.inputs.length === wanted.length &&
    entry.inputs.every((input, index) => input === wanted[index])
  )
    return entry.node;
  const fresh = render();
  if (!entry) {
    shown.set(key, { node: fresh, inputs: wanted });
    return fresh;
  }
  fresh.tabIndex = entry.node.tabIndex;
  morph(entry.node, fresh);
  entry.inputs = wanted;
  return entry.node;
}

/** @param {Message} message @param {Message | undefined} previous @param {Pending[]} pending */
function drawMessage(message, previous, pending) {
  const compact = previous !== undefined && continues(message, previous);
  const thread = state.channels.get(message.id) ?? message.thread;
  const own = pending.filter((item) => item.messageId === message.id);
  return drawKeyed(message.id, [message, compact, thread, ...own], () =>
    renderMessage(message, { compact, thread, pending: own }),
  );
}

/** @param {Message} message @param {Message} previous */
function continues(message, previous) {
  const gap = Date.parse(message.timestamp) - Date.parse(previous.timestamp);
  const sameVoice =
    message.author.id === previous.author.id &&
    hasFlag(message, FLAGS.ephemeral) === hasFlag(previous, FLAGS.ephemeral);
  return (
    sameVoice &&
    gap < GROUP_SPAN &&
    !standsAlone(message) &&
    !isNotice(previous) &&
    !state.channels.has(previous.id)
  );
}

/** @param {Message} message */
function isNotice(message) {
  return ![0, 19, 20, 23].includes(message.type ?? 0);
}

/** The words at the beginning of a channel. */
function drawIntro() {
  const channel = state.channels.get(state.current);
  const { loaded, complete } = timeline(state.current);
  return drawKeyed("intro", [channel, loaded, complete], () => {
    if (!channel || !loaded)
      return h("div", { class: "intro intro-loading", role: "status" }, dots(), "Loading messages…");
    if (!complete) return h("div", { class: "intro intro-loading" }, "Scroll up for older messages");
    const thread = isThread(channel);
    return h(
      "div",
      { class: "intro", data: { testid: "channel-intro" } },
      h("span", { class: "intro-icon" }, icon(thread ? "thread" : "hash")),
      h("h2", null, thread || channel.type === 1 ? channelName(channel.id) : `#${channel.name}`),
      h(
        "p",
        null,
        channel.topic || (thread ? "This is the start of the thread." : "This is the start of the channel."),
      ),
    );
  });
}

/** A command that is on its way to the bot, or that failed. @param {Pending} pending */
function drawPending(pending) {
  return drawKeyed(pending.key, [pending], () => {
    const bot = state.users.get(state.bot.id) ?? {
      id: state.bot.id || "0",
      username: state.bot.name,
      bot: true,
    };
    const failed = pending.state === "failed";
    return h(
      "article",
      {
        class: `message message-pending ${failed ? "message-failed" : ""}`,
        tabindex: "-1",
        data: { key: pending.key, testid: failed ? "interaction-failed" : "interaction-pending" },
      },
      h(
        "div",
        { class: "origin", data: { key: "origin" } },
        "You used ",
        h("span", { class: "origin-command" }, pending.label),
      ),
      avatar(bot),
      h(
        "div",
        { class: "body" },
        h("header", null, h("span", { class: "author" }, state.bot.name), badge(bot)),
        failed
          ? h("div", { class: "failure", role: "alert" }, icon("warning"), pending.error ?? "")
          : h("div", { class: "thinking" }, dots(), "Sending command…"),
      ),
      failed
        ? iconButton("close", "Dismiss", {
            class: "message-more",
            data: { action: "dismiss-pending", key: "more" },
          })
        : null,
    );
  });
}

/** The list is one stop of the Tab key; arrow keys walk the messages. */
function keepOneTabStop() {
  const items = [...list.querySelectorAll("article")];
  if (!items.some((item) => item.tabIndex === 0) && items.length > 0) items[items.length - 1].tabIndex = 0;
}

/**
 * Moves the focus from a message to the one above or below.
 * @param {HTMLElement} from
 * @param {-1 | 1} step
 */
export function focusNeighbour(from, step) {
  const items = [...list.querySelectorAll("article")].map((item) => /** @type {HTMLElement} */ (item));
  const next = items[items.indexOf(from) + step];
  if (next) focusMessage(next);
}

/**
 * Focuses a message and makes it the list's tab stop.
 * @param {HTMLElement} node
 */
export function focusMessage(node) {
  for (const item of list.querySelectorAll('article[tabindex="0"]'))
    /** @type {HTMLElement} */ (item).tabIndex = -1;
  node.tabIndex = 0;
  node.focus();
}
