/** Which channels hold messages the acting person has not seen, and how many of those mention them. */

import { fetchMessages } from "./api.js";
import { changed, compareIds, mentionsMe, state } from "./store.js";

/** @typedef {{unread: boolean, mentions: number}} Mark */

const STORAGE_KEY = "sandbox.read";
/** Milliseconds between the Unix epoch and the first moment of Discord's ids. */
const DISCORD_EPOCH = 1_420_070_400_000;

/** @type {Map<string, Mark>} Channel id to mark. */
const marks = new Map();
/** @type {{since: string, users: Record<string, Record<string, string>>}} Newest id read, per person and channel. */
const memory = JSON.parse(sessionStorage.getItem(STORAGE_KEY) ?? "null") ?? { since: idOfNow(), users: {} };

/** The id a message made now would have; what is older than the page counts as read. */
function idOfNow() {
  return String(BigInt(Date.now() - DISCORD_EPOCH) << 22n);
}

/**
 * @param {string} channelId
 * @returns {Mark}
 */
export function markOf(channelId) {
  return marks.get(channelId) ?? { unread: false, mentions: 0 };
}

/**
 * @returns {number} Mentions in all channels together.
 */
export function allMentions() {
  const open = [...marks].filter(([channelId]) => !isArchived(state.channels.get(channelId)));
  return open.reduce((sum, [, mark]) => sum + mark.mentions, 0);
}

/**
 * Notes that the open channel is read up to its newest message.
 * @param {string} channelId
 * @param {string | undefined} messageId Its newest message.
 */
export function markRead(channelId, messageId) {
  if (messageId && compareIds(messageId, readUpTo(channelId)) > 0) {
    const read = (memory.users[state.me] ??= {});
    read[channelId] = messageId;
    sessionStorage.setItem(STORAGE_KEY, JSON.stringify(memory));
  }
  if (marks.delete(channelId)) changed("unread");
}

/**
 * Counts a message that arrived in a channel that is not being looked at.
 * @param {import("./types.js").Message} message
 */
export function markArrived(message) {
  if (message.author.id === state.me) return;
  const mark = markOf(message.channel_id);
  marks.set(message.channel_id, { unread: true, mentions: mark.mentions + Number(mentionsMe(message)) });
  changed("unread");
}

/** Recomputes the unread marks for the acting user from their last read messages. */
export async function recountUnread() {
  marks.clear();
  changed("unread");
  const stale = [...state.channels.values()].filter(
    (channel) =>
      channel.id !== state.current &&
      !isArchived(channel) &&
      compareIds(channel.last_message_id ?? "0", readUpTo(channel.id)) > 0,
  );
  await Promise.all(stale.map((channel) => recountChannel(channel.id, state.me)));
}

/** An archived thread is not in the list of channels. @param {import("./types.js").Channel | undefined} channel */
function isArchived(channel) {
  return channel?.thread_metadata?.archived ?? false;
}

/** @param {string} channelId @param {string} me */
async function recountChannel(channelId, me) {
  const messages = await fetchMessages(channelId).catch(() => []);
  if (state.me !== me) return;
  const fresh = messages.filter(
    (message) => compareIds(message.id, readUpTo(channelId)) > 0 && message.author.id !== me,
  );
  if (fresh.length === 0) return;
  marks.set(channelId, { unread: true, mentions: fresh.filter(mentionsMe).length });
  changed("unread");
}

/** @param {string} channelId */
function readUpTo(channelId) {
  return memory.users[state.me]?.[channelId] ?? memory.since;
}
