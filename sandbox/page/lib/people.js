/** Avatars and badges of users. */

import { h } from "./dom.js";
import { displayName, state } from "../state/store.js";

/** @typedef {import("../state/types.js").User} User */

const FALLBACK_COLORS = ["#5b8def", "#3fa796", "#c77dba", "#d98c4a", "#7a83d9"];

/**
 * A person's or bot's round picture: their initial on their colour.
 * @param {User} user
 * @param {"" | "small"} [size]
 * @returns {HTMLElement}
 */
export function avatar(user, size = "") {
  const known = state.users.get(user.id) ?? user;
  const fallback = FALLBACK_COLORS[Number(user.id.slice(-4)) % FALLBACK_COLORS.length];
  return h(
    "span",
    {
      class: `avatar ${size && "avatar-small"} ${known.bot ? "avatar-bot" : ""}`.trim(),
      style: `--color: ${known.color || fallback}`,
      "aria-hidden": "true",
    },
    initials(displayName(known)),
  );
}

/**
 * A dot in a role's colour.
 * @param {{color?: number}} role
 * @returns {HTMLElement}
 */
export function roleDot(role) {
  const color = role.color ? `#${role.color.toString(16).padStart(6, "0")}` : "var(--faint)";
  return h("span", { class: "role-dot", style: `--color: ${color}`, "aria-hidden": "true" });
}

/** "Member One" becomes "MO". @param {string} name */
function initials(name) {
  const words = name.split(/[\s_-]+/).filter(Boolean);
  return words
    .slice(0, 2)
    .map((word) => [...word][0].toUpperCase())
    .join("");
}

/**
 * The badge of apps, moderators and the bot's owner; null for everybody else.
 * @param {User} user
 * @returns {HTMLElement | null}
 */
export function badge(user) {
  if (user.bot) return h("span", { class: "badge", data: { testid: "app-badge" } }, "APP");
  if (user.operator) return h("span", { class: "badge badge-mod" }, "OWNER");
  return user.moderator ? h("span", { class: "badge badge-mod" }, "MOD") : null;
}
