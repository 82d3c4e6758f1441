/** Who acts and what is open: start, switching, reconnecting, and applying the server's events to the store. */

import { actAs, fetchBootstrap, fetchMessages, openEvents, PAGE_SIZE } from "./api.js";
import { deliver, failWaiting } from "./interactions.js";
import {
  changed,
  compareIds,
  dropMessage,
  isThread,
  putMessage,
  state,
  textChannels,
  timeline,
} from "./store.js";
import { markArrived, markRead, recountUnread } from "./unread.js";

/**
 * @typedef {import("./types.js").Channel} Channel
 * @typedef {import("./types.js").Message} Message
 */

const USER_KEY = "sandbox.user";
/** The message type that begins a thread; it is not counted. */
const THREAD_STARTER = 21;

let stopEvents = () => {};
/** @type {import("./api.js").ServerEvent[] | null} Events kept back while the state is being loaded. */
let held = null;

/** Starts the page: the person named in the address or remembered, the channel in the address, the event stream. */
export async function start() {
  takeUserFromAddress();
  actAs(sessionStorage.getItem(USER_KEY) ?? "");
  window.addEventListener("hashchange", () => openChannel(channelInHash()));
  const me = await fetchBootstrap().then(
    (answer) => answer.me,
    () => "",
  );
  if (me) return connectAs(me);
  sessionStorage.removeItem(USER_KEY);
  actAs("");
  const fallback = await fetchBootstrap().catch(() => null);
  if (fallback) return connectAs(fallback.me);
  state.connection = "lost";
  changed("connection");
  setTimeout(() => location.reload(), 3000);
}

/** `?user=ID` says who acts at first; later switching is remembered instead, so it leaves the address. */
function takeUserFromAddress() {
  const named = new URLSearchParams(location.search).get("user");
  if (!named) return;
  sessionStorage.setItem(USER_KEY, named);
  history.replaceState(null, "", location.pathname + location.hash);
}

/**
 * Acts as another person from now on.
 * @param {string} userId
 */
export function connectAs(userId) {
  stopEvents();
  failWaiting();
  sessionStorage.setItem(USER_KEY, userId);
  actAs(userId);
  state.me = userId;
  state.connection = "connecting";
  state.news.delete(userId);
  state.timelines.clear();
  state.pending.clear();
  held = [];
  stopEvents = openEvents({ onOpen: () => void reload(), onEvent: receive, onLost: lost });
}

/** Reloads all state after the stream has opened; events that arrive meanwhile are applied afterwards. */
async function reload() {
  const me = state.me;
  held ??= [];
  const bootstrap = await fetchBootstrap().catch(() => null);
  if (!bootstrap || state.me !== me) return;
  applyBootstrap(bootstrap);
  for (const list of state.timelines.values()) list.loaded = false;
  state.connection = "open";
  state.current = "";
  const waitingEvents = held ?? [];
  held = null;
  openChannel(channelInHash());
  for (const event of waitingEvents) receive(event);
  await recountUnread();
}

function lost() {
  held = [];
  failWaiting();
  state.connection = "lost";
  changed("connection");
}

/** @param {any} bootstrap */
function applyBootstrap(bootstrap) {
  state.users = new Map(bootstrap.users.map((/** @type {any} */ user) => [user.id, user]));
  state.guild = bootstrap.guild;
  const channels = [...bootstrap.channels, ...bootstrap.threads];
  state.channels = new Map(channels.map((channel) => [channel.id, channel]));
  state.commands = bootstrap.commands;
  state.bot = bootstrap.bot;
  changed("users", "channels", "commands", "bot", "connection", "current", "messages", "news");
}

/** @returns {string} The channel named in the address, or "". */
function channelInHash() {
  return /^#channel\/(\d+)$/.exec(location.hash)?.[1] ?? "";
}

/**
 * Opens a channel or thread; the first channel if there is no such one.
 * @param {string} channelId
 */
function openChannel(channelId) {
  const id = state.channels.has(channelId) ? channelId : textChannels()[0]?.id;
  if (!id) return;
  if (channelInHash() !== id) history.replaceState(null, "", `#channel/${id}`);
  if (state.current !== id) {
    state.current = id;
    changed("current", "messages", "channels");
  }
  void loadNewest(id);
}

/** @param {string} channelId */
async function loadNewest(channelId) {
  const list = timeline(channelId);
  if (list.loaded) return markRead(channelId, list.messages.at(-1)?.id);
  const page = await fetchMessages(channelId).catch(() => null);
  if (!page || state.timelines.get(channelId) !== list) return;
  replaceWindow(list, page);
  list.loaded = true;
  changed("messages");
  if (state.current === channelId) markRead(channelId, list.messages.at(-1)?.id);
}

/**
 * A page of history replaces what was known of its span; events that came while it was under way stay.
 * @param {import("./store.js").Timeline} list
 * @param {Message[]} page Newest first.
 */
function replaceWindow(list, page) {
  for (const message of page) learnUsers(message);
  const newest = page[0]?.id ?? "0";
  const later = list.messages.filter((message) => compareIds(message.id, newest) > 0);
  list.messages = [...page.toReversed(), ...later];
  list.complete = page.length < PAGE_SIZE;
}

/**
 * Loads the page of history before the oldest message shown.
 * @param {string} channelId
 */
export async function loadOlder(channelId) {
  const list = timeline(channelId);
  if (!list.loaded || list.complete) return;
  list.complete = true;
  const page = await fetchMessages(channelId, list.messages[0]?.id).catch(() => null);
  list.complete = page !== null && page.length < PAGE_SIZE;
  for (const message of page ?? []) {
    learnUsers(message);
    putMessage(message);
  }
}

/** People who wrote or are mentioned but are not in the list of people, such as the server's owner. @param {Message} message */
function learnUsers(message) {
  for (const user of [message.author, ...(message.mentions ?? [])]) {
    if (!state.users.has(user.id)) state.users.set(user.id, user);
  }
}

/** @type {Record<string, (data: any) => void>} */
const HANDLERS = {
  MESSAGE_CREATE: messageArrived,
  MESSAGE_UPDATE: messageChanged,
  MESSAGE_DELETE: (data) => dropMessage(data.channel_id, data.id),
  THREAD_CREATE: channelChanged,
  THREAD_UPDATE: channelChanged,
  CHANNEL_UPDATE: channelChanged,
  CHANNEL_DELETE: channelGone,
  COMMANDS_UPDATE: commandsChanged,
  GUILD_UPDATE: () => void guildChanged(),
  NEWS_FOR_OTHERS: newsForOthers,
  BOT_STATUS: (data) => {
    state.bot = { ...state.bot, online: data.online };
    changed("bot");
  },
};

/** @param {import("./api.js").ServerEvent} event */
function receive(event) {
  if (event.t.startsWith("INTERACTION_"))
    return deliver({ name: /** @type {any} */ (event.t), data: event.d });
  if (held) held.push(event);
  else HANDLERS[event.t]?.(event.d);
}

/** @param {Message} message */
function messageArrived(message) {
  learnUsers(message);
  if (!state.channels.has(message.channel_id)) return void refreshChannels(message);
  countInThread(message);
  putMessage(message);
  if (message.channel_id !== state.current || document.hidden) markArrived(message);
  else markRead(message.channel_id, message.id);
}

/** The server sends a thread's message count with the thread only; in between the page counts itself. @param {Message} message */
function countInThread(message) {
  const thread = state.channels.get(message.channel_id);
  if (!thread || !isThread(thread) || message.type === THREAD_STARTER) return;
  channelChanged({ ...thread, message_count: (thread.message_count ?? 0) + 1, last_message_id: message.id });
}

/** A channel the page does not know yet, such as a direct message's. @param {Message} message */
async function refreshChannels(message) {
  const bootstrap = await fetchBootstrap().catch(() => null);
  if (!bootstrap) return;
  applyBootstrap(bootstrap);
  if (state.channels.has(message.channel_id)) markArrived(message);
}

/** @param {Message} message */
function messageChanged(message) {
  learnUsers(message);
  const list = timeline(message.channel_id);
  if (list.messages.some((known) => known.id === message.id)) putMessage(message);
}

/** @param {Channel} channel */
function channelChanged(channel) {
  state.channels.set(channel.id, { ...state.channels.get(channel.id), ...channel });
  changed("channels", "messages");
}

/** @param {Channel} channel */
function channelGone(channel) {
  const gone = [...state.channels.values()].filter(
    (known) => known.id === channel.id || known.parent_id === channel.id,
  );
  for (const known of gone) state.channels.delete(known.id);
  changed("channels", "messages");
  if (gone.some((known) => known.id === state.current)) openChannel(channel.parent_id ?? "");
}

/** Roles or members changed, and with them what the acting person sees and may do. */
async function guildChanged() {
  const me = state.me;
  const bootstrap = await fetchBootstrap().catch(() => null);
  if (!bootstrap || state.me !== me) return;
  applyBootstrap(bootstrap);
  if (!state.channels.has(state.current)) openChannel("");
}

/** @param {{user_ids: string[]}} news */
function newsForOthers(news) {
  for (const id of news.user_ids) state.news.add(id);
  changed("news");
}

/** @param {import("./types.js").Command[]} commands */
function commandsChanged(commands) {
  state.commands = commands;
  changed("commands");
}

/** Marks the open channel as read when the person comes back to the page. */
export function readOnReturn() {
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && state.current)
      markRead(state.current, timeline(state.current).messages.at(-1)?.id);
  });
}
