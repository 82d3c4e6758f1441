/** What the page knows, in one place; views subscribe to the topics they show. */

/**
 * @typedef {import("./types.js").User} User
 * @typedef {import("./types.js").Channel} Channel
 * @typedef {import("./types.js").Message} Message
 * @typedef {import("./types.js").Command} Command
 * @typedef {import("./types.js").Pending} Pending
 * @typedef {{messages: Message[], loaded: boolean, complete: boolean}} Timeline Messages oldest first.
 * @typedef {"users" | "channels" | "messages" | "commands" | "bot" | "connection" | "current" | "unread"
 *   | "news"} Topic
 */

/** The page's state. Read it anywhere; change it only through this module and events.js. */
export const state = {
  me: "",
  /** @type {Map<string, User>} */
  users: new Map(),
  /** @type {{id: string, name: string, roles: {id: string, name: string, color?: number}[]}} */
  guild: { id: "", name: "", roles: [] },
  /** @type {Set<string>} Users other than the acting one with unread notifications. */
  news: new Set(),
  /** @type {Map<string, Channel>} Text channels and threads. */
  channels: new Map(),
  /** @type {Command[]} */
  commands: [],
  bot: { id: "", name: "The app", online: true },
  /** @type {string} The open channel's or thread's id. */
  current: "",
  /** @type {Map<string, Timeline>} */
  timelines: new Map(),
  /** @type {Map<string, Pending>} */
  pending: new Map(),
  /** @type {"connecting" | "open" | "lost"} */
  connection: "connecting",
};

/** @type {Set<(topics: Set<Topic>) => void>} */
const listeners = new Set();
/** @type {Set<Topic>} */
const dirty = new Set();

/**
 * Calls `listener` after changes, once per batch, with the topics that changed.
 * @param {(topics: Set<Topic>) => void} listener
 */
export function subscribe(listener) {
  listeners.add(listener);
}

/**
 * Waits while the page is changing over to a person: what they send before their events come would go unanswered.
 * @returns {Promise<void>}
 */
export function settled() {
  if (state.connection !== "connecting") return Promise.resolve();
  return new Promise((resolve) => {
    const listener = () => {
      if (state.connection === "connecting") return;
      listeners.delete(listener);
      resolve();
    };
    listeners.add(listener);
  });
}

/**
 * Notifies the views of a change.
 * @param {...Topic} topics
 */
export function changed(...topics) {
  if (dirty.size === 0) queueMicrotask(notify);
  for (const topic of topics) dirty.add(topic);
}

function notify() {
  const topics = new Set(dirty);
  dirty.clear();
  for (const listener of listeners) listener(topics);
}

/**
 * Orders snowflake ids by age.
 * @param {string} a
 * @param {string} b
 * @returns {number}
 */
export function compareIds(a, b) {
  if (a.length !== b.length) return a.length - b.length;
  return a < b ? -1 : Number(a > b);
}

/**
 * A channel's messages; empty and not loaded if it was never opened.
 * @param {string} channelId
 * @returns {Timeline}
 */
export function timeline(channelId) {
  const known = state.timelines.get(channelId);
  if (known) return known;
  const empty = { messages: [], loaded: false, complete: false };
  state.timelines.set(channelId, empty);
  return empty;
}

/**
 * Puts a message where its id belongs, replacing an earlier version.
 * @param {Message} message
 */
export function putMessage(message) {
  const list = timeline(message.channel_id).messages;
  const at = list.findIndex((other) => compareIds(other.id, message.id) >= 0);
  if (at === -1) list.push(message);
  else list.splice(at, list[at].id === message.id ? 1 : 0, message);
  changed("messages");
}

/**
 * Takes a message out.
 * @param {string} channelId
 * @param {string} messageId
 */
export function dropMessage(channelId, messageId) {
  const list = timeline(channelId);
  list.messages = list.messages.filter((message) => message.id !== messageId);
  changed("messages");
}

/**
 * Looks a loaded message up.
 * @param {string} channelId
 * @param {string} messageId
 * @returns {Message | undefined}
 */
export function findMessage(channelId, messageId) {
  return timeline(channelId).messages.find((message) => message.id === messageId);
}

/**
 * Enters or removes an interaction under way.
 * @param {string} key
 * @param {Pending | null} pending
 */
export function setPending(key, pending) {
  if (pending) state.pending.set(key, pending);
  else state.pending.delete(key);
  changed("messages");
}

/**
 * @param {Channel | undefined} channel
 * @returns {boolean}
 */
export function isThread(channel) {
  return channel !== undefined && channel.type >= 10 && channel.type <= 12;
}

/**
 * The server's text channels in the order the server gave them.
 * @returns {Channel[]}
 */
export function textChannels() {
  return [...state.channels.values()].filter((channel) => !isThread(channel));
}

/**
 * A channel's open threads, the newest first.
 * @param {string} parentId
 * @returns {Channel[]}
 */
export function threadsOf(parentId) {
  const threads = [...state.channels.values()].filter(
    (channel) => isThread(channel) && channel.parent_id === parentId,
  );
  return threads.filter((thread) => !thread.thread_metadata?.archived).sort((a, b) => compareIds(b.id, a.id));
}

/**
 * The name people see.
 * @param {User | undefined} user
 * @returns {string}
 */
export function displayName(user) {
  return user?.global_name || user?.username || "unknown";
}

/**
 * @param {string} id
 * @returns {string}
 */
export function channelName(id) {
  const channel = state.channels.get(id);
  return channel?.name || (channel?.type === 1 ? state.bot.name : "unknown");
}

/**
 * @param {string} id
 * @returns {string}
 */
export function roleName(id) {
  return state.guild.roles.find((role) => role.id === id)?.name ?? "role";
}

/**
 * The names of the roles a person holds.
 * @param {User} user
 * @returns {string[]}
 */
export function rolesOf(user) {
  return (user.roles ?? []).map(roleName);
}

/**
 * @returns {User | undefined} Who is acting.
 */
export function actingUser() {
  return state.users.get(state.me);
}

/**
 * @param {Message} message
 * @returns {boolean} Whether the acting person is mentioned, or addressed by a reply.
 */
export function mentionsMe(message) {
  if (message.author.id === state.me) return false;
  return Boolean(message.mention_everyone || message.mentions?.some((user) => user.id === state.me));
}
