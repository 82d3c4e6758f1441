/** A hint with example commands for newcomers: one for members, one for moderators. */

import { leafCommands } from "../state/commands.js";
import { fillComposer } from "./composer.js";
import { byId, h } from "../lib/dom.js";
import { actingUser, state, subscribe } from "../state/store.js";

/**
 * @typedef {object} Hint
 * @property {string} key What remembers that it was dismissed.
 * @property {any[]} words
 * @property {string[]} examples
 */

/** @type {Hint} */
const FOR_MEMBERS = {
  key: "sandbox.hint-dismissed",
  words: ["Type ", h("kbd", null, "/video"), " and say what you want to see. Try "],
  examples: ["/video prompt: a paper boat crossing a puddle in the rain, close to the water"],
};
/** @type {Hint} */
const FOR_MODERATORS = {
  key: "sandbox.moderator-hint-dismissed",
  words: ["You look after the pool now. Try "],
  examples: ["/pool show", "/pool approvals", "/session start"],
};

/** Shows the hint until it is dismissed or followed, if the bot has its commands. */
export function startHint() {
  byId("hint-dismiss").addEventListener("click", () => {
    dismiss();
    byId("composer").focus();
  });
  subscribe((topics) => {
    if (topics.has("commands") || topics.has("users")) show();
    if (topics.has("messages") && isFollowed()) dismiss();
  });
}

/** @returns {Hint} */
function current() {
  return actingUser()?.moderator ? FOR_MODERATORS : FOR_MEMBERS;
}

/** The examples whose commands exist. @param {Hint} hint */
function usable(hint) {
  const names = leafCommands(state.commands).map((leaf) => `/${leaf.name}`);
  return hint.examples.filter((example) => names.some((name) => isUseOf(name, example)));
}

/** @param {string} name Of a command, with the slash. @param {string} line */
function isUseOf(name, line) {
  return line === name || line.startsWith(`${name} `);
}

function show() {
  const hint = current();
  const examples = usable(hint);
  byId("hint").hidden = localStorage.getItem(hint.key) !== null || examples.length === 0;
  byId("hint-text").replaceChildren(
    ...hint.words,
    ...examples.flatMap((example, index) => [index > 0 ? ", " : "", drawExample(example)]),
  );
}

/** @param {string} example */
function drawExample(example) {
  const attributes = { type: "button", class: "link-button", data: { testid: "hint-example" } };
  return h("button", { ...attributes, on: { click: () => fillComposer(example) } }, example);
}

function dismiss() {
  localStorage.setItem(current().key, "yes");
  show();
}

function isFollowed() {
  const examples = usable(current());
  return [...state.pending.values()].some((pending) =>
    examples.some((example) => isUseOf(pending.label, example)),
  );
}
