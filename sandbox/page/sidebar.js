/** The left side: channels and threads, and who is acting. */

import { avatar, badge } from "./lib/people.js";
import { byId, h, icon } from "./lib/dom.js";
import { placeBeside } from "./lib/popup.js";
import { connectAs } from "./state/session.js";
import {
  actingUser,
  channelName,
  displayName,
  isThread,
  rolesOf,
  state,
  subscribe,
  textChannels,
  threadsOf,
} from "./state/store.js";
import { allMentions, markOf } from "./state/unread.js";

/** @typedef {import("./state/types.js").Channel} Channel */

const app = byId("app");

/** Draws the left side whenever something in it changes. */
export function startSidebar() {
  subscribe((topics) => {
    if (["channels", "current", "unread"].some((topic) => topics.has(/** @type {any} */ (topic))))
      drawChannels();
    if (topics.has("users") || topics.has("news")) drawPerson();
  });
  byId("user-switch").addEventListener("click", openSwitcher);
  byId("open-sidebar").addEventListener("click", () => setDrawer(true));
  byId("sidebar-shade").addEventListener("click", () => setDrawer(false));
  byId("channels").addEventListener("click", (event) => {
    if (/** @type {Element} */ (event.target).closest("a")) setDrawer(false);
  });
  document.addEventListener("keydown", (event) => event.key === "Escape" && setDrawer(false));
}

/** On narrow screens the left side is a drawer. @param {boolean} isOpen */
function setDrawer(isOpen) {
  app.classList.toggle("drawer-open", isOpen);
  byId("open-sidebar").setAttribute("aria-expanded", String(isOpen));
}

function drawChannels() {
  byId("guild-name").textContent = state.guild.name;
  const all = textChannels();
  const focused = /** @type {HTMLElement | null} */ (document.activeElement)
    ?.closest("#channels a")
    ?.getAttribute("href");
  byId("channels").replaceChildren(
    ...section(
      "Channels",
      all.filter((channel) => channel.type !== 1),
    ),
    ...section(
      "Direct messages",
      all.filter((channel) => channel.type === 1),
    ),
  );
  if (focused)
    /** @type {HTMLElement | null} */ (byId("channels").querySelector(`a[href="${focused}"]`))?.focus();
  const mentions = allMentions();
  document.title = `${mentions > 0 ? `(${mentions}) ` : ""}${state.guild.name || "Sandbox"}`;
  byId("open-sidebar").dataset.mentions = mentions > 0 ? String(mentions) : "";
}

/** @param {string} title @param {Channel[]} channels */
function section(title, channels) {
  if (channels.length === 0) return [];
  return [h("h3", { class: "channels-title" }, title), h("ul", null, ...channels.map(drawChannel))];
}

/** @param {Channel} channel */
function drawChannel(channel) {
  const threads = threadsOf(channel.id);
  return h(
    "li",
    null,
    channelLink(channel),
    threads.length > 0
      ? h(
          "ul",
          { class: "threads", "aria-label": `Threads in ${channel.name}` },
          ...threads.map((thread) => h("li", null, channelLink(thread))),
        )
      : null,
  );
}

/** @param {Channel} channel */
function channelLink(channel) {
  const { unread, mentions } = markOf(channel.id);
  const thread = isThread(channel);
  const isOpen = channel.id === state.current;
  return h(
    "a",
    {
      href: `#channel/${channel.id}`,
      class: `channel ${unread ? "channel-unread" : ""}`,
      "aria-current": isOpen ? "page" : null,
      title: thread ? channelName(channel.id) : null,
      data: { testid: `${thread ? "thread" : "channel"}-${channelName(channel.id)}` },
    },
    thread ? null : icon("hash"),
    h("span", { class: "channel-name" }, channelName(channel.id)),
    mentions > 0
      ? h(
          "span",
          { class: "mention-badge", "aria-label": `${mentions} mentions`, data: { testid: "mention-badge" } },
          String(mentions),
        )
      : null,
    unread && mentions === 0
      ? h("span", {
          class: "unread-dot",
          role: "img",
          "aria-label": "unread",
          data: { testid: "unread-dot" },
        })
      : null,
  );
}

function drawPerson() {
  const me = actingUser();
  if (!me) return;
  byId("user-switch").replaceChildren(
    avatar(me),
    h(
      "span",
      { class: "person-text" },
      h("b", { data: { testid: "acting-user" } }, displayName(me)),
      h("small", null, `acting as ${roleOf(me)}`),
    ),
    ...(state.news.size > 0 ? [newsDot("Another user has unread messages")] : []),
    icon("swap"),
  );
}

/** @param {import("./state/types.js").User} user @returns {string} */
function roleOf(user) {
  if (user.operator) return "the bot's owner";
  return user.moderator ? "moderator" : "member";
}

/** @param {string} label */
function newsDot(label) {
  return h("span", {
    class: "unread-dot",
    role: "img",
    "aria-label": label,
    title: label,
    data: { testid: "news" },
  });
}

/** The name a person is known by, and the roles they hold. @param {import("./state/types.js").User} user */
function aboutPerson(user) {
  return [user.username, ...rolesOf(user)].join(" · ");
}

function openSwitcher() {
  const people = [...state.users.values()].filter((user) => !user.bot && user.color);
  const menu = h(
    "div",
    { class: "popup menu", role: "menu", tabindex: "-1", "aria-label": "Act as" },
    h("div", { class: "menu-heading" }, "Act as"),
  );
  menu.append(
    ...people.map((user) =>
      h(
        "button",
        {
          type: "button",
          class: "popup-item",
          role: "menuitemradio",
          tabindex: "-1",
          "aria-checked": String(user.id === state.me),
          data: { testid: `user-${user.username}` },
          on: { click: () => choose(user.id) },
        },
        avatar(user),
        h("span", { class: "popup-text" }, displayName(user), h("small", null, aboutPerson(user))),
        state.news.has(user.id) ? newsDot("has news") : null,
        badge(user),
        icon("check"),
      ),
    ),
  );
  const popup = placeBeside(byId("user-switch"), menu, { items: "[role=menuitemradio]" });
  const choose = (/** @type {string} */ id) => {
    popup.close();
    if (id !== state.me) connectAs(id);
  };
}
