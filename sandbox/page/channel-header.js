/** The top of the channel: its name and topic, and what is wrong with the connection or the bot. */

import { byId, h, icon } from "./lib/dom.js";
import { renderMarkdown } from "./lib/markdown-view.js";
import { channelName, isThread, state, subscribe } from "./state/store.js";

/** How long the bot or the connection may be offline before the page shows it, in milliseconds. */
const BANNER_DELAY = 700;

let timer = 0;

/** Redraws the header and the banner when the state they show changes. */
export function startChannelHeader() {
  subscribe((topics) => {
    if (topics.has("current") || topics.has("channels")) drawHeader();
    if (topics.has("bot") || topics.has("connection")) {
      clearTimeout(timer);
      timer = setTimeout(drawBanner, problem() ? BANNER_DELAY : 0);
    }
  });
}

function drawHeader() {
  const channel = state.channels.get(state.current);
  if (!channel) return;
  const thread = isThread(channel);
  byId("channel-title").replaceChildren(
    ...(thread && channel.parent_id
      ? [
          h(
            "a",
            { class: "crumb", href: `#channel/${channel.parent_id}`, data: { testid: "thread-back" } },
            icon("back"),
            `#${channelName(channel.parent_id)}`,
          ),
        ]
      : []),
    icon(thread ? "thread" : "hash"),
    h("h1", { data: { testid: "channel-title" } }, channelName(channel.id)),
  );
  byId("channel-topic").replaceChildren(...renderMarkdown(channel.topic ?? closedNote(channel)));
}

/** The note on an archived or locked thread. @param {import("./state/types.js").Channel} channel */
function closedNote(channel) {
  const { archived = false, locked = false } = channel.thread_metadata ?? {};
  if (locked) return "Closed: only moderators can write here";
  return archived ? "Archived: a message opens it again" : "";
}

function problem() {
  if (state.connection === "lost") return { testid: "reconnecting", text: "Connection lost. Trying again…" };
  if (state.connection === "open" && !state.bot.online)
    return {
      testid: "bot-offline",
      text: `${state.bot.name} is offline. Commands will work again when it is back.`,
    };
  return null;
}

function drawBanner() {
  const banner = byId("banner");
  const current = problem();
  banner.hidden = current === null;
  if (current) banner.replaceChildren(h("span", { data: { testid: current.testid } }, current.text));
  else banner.replaceChildren();
}
