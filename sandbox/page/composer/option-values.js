/** Values of command options: choices, and parsing of the typed text. */

import { OPTION } from "../state/commands.js";
import { avatar, roleDot } from "../lib/people.js";
import { displayName, isThread, state } from "../state/store.js";

/**
 * @typedef {import("../state/types.js").CommandOption} CommandOption
 * @typedef {{name: string, value: string | number | boolean, detail?: string, mark?: () => Node}} Choice
 *   `mark` draws the small picture before the name.
 * @typedef {{value: string | number | boolean} | {error: string}} Reading
 */

/** The type of a direct message channel. */
const DIRECT = 1;

/** @type {Choice[]} */
const BOOLEANS = [
  { name: "true", value: true },
  { name: "false", value: false },
];

/** Other words people type for true and false. @type {Record<string, boolean>} */
const BOOLEAN_WORDS = { yes: true, on: true, no: false, off: false };

/**
 * Every value of an option, or null if it is free text.
 * @param {CommandOption} option
 * @returns {Choice[] | null}
 */
export function choicesOf(option) {
  if (option.choices?.length) return option.choices;
  if (option.type === OPTION.boolean) return BOOLEANS;
  if (option.type === OPTION.user) return people();
  if (option.type === OPTION.role) return roles();
  if (option.type === OPTION.mentionable) return [...people(), ...roles()];
  if (option.type === OPTION.channel) return channels(option);
  return null;
}

/** Those the option is most likely about come first, apps last. @returns {Choice[]} */
function people() {
  const all = [...state.users.values()].sort((a, b) => Number(a.bot ?? false) - Number(b.bot ?? false));
  return all.map((user) => ({
    name: displayName(user),
    value: user.id,
    detail: user.username,
    mark: () => avatar(user, "small"),
  }));
}

/** @returns {Choice[]} */
function roles() {
  return state.guild.roles.map((role) => ({
    name: role.name.startsWith("@") ? role.name : `@${role.name}`,
    value: role.id,
    detail: role.id === state.guild.id ? "everybody here" : "role",
    mark: () => roleDot(role),
  }));
}

/** @param {CommandOption} option @returns {Choice[]} */
function channels(option) {
  const all = [...state.channels.values()].filter((channel) => channel.type !== DIRECT);
  const wanted = option.channel_types?.length
    ? all.filter((channel) => option.channel_types?.includes(channel.type))
    : all.filter((channel) => !isThread(channel));
  return wanted.map((channel) => ({
    name: `#${channel.name}`,
    value: channel.id,
    detail: isThread(channel) ? "thread" : (channel.topic ?? ""),
  }));
}

/**
 * The choices that match the typed text; all of them if none does, or if one matches exactly.
 * @param {Choice[]} choices
 * @param {string} text
 * @returns {Choice[]}
 */
export function filterChoices(choices, text) {
  const wanted = fold(text);
  if (!wanted || findChoice(choices, text)) return choices;
  const fitting = choices.filter((choice) => fits(choice, wanted));
  return fitting.length > 0 ? fitting : choices;
}

/**
 * The choice that Enter selects for the typed text.
 * @param {Choice[]} choices As filterChoices gave them.
 * @param {string} text
 * @returns {number} Its index; -1 if none matches.
 */
export function bestChoice(choices, text) {
  const exact = findChoice(choices, text);
  return exact ? choices.indexOf(exact) : choices.findIndex((choice) => fits(choice, fold(text)));
}

/** @param {Choice} choice @param {string} folded */
function fits(choice, folded) {
  return fold(choice.name).includes(folded) || fold(choice.detail ?? "").includes(folded);
}

/**
 * The choice a text names, by its name, its value, or a mention of it.
 * @param {Choice[]} choices
 * @param {string} text
 * @returns {Choice | undefined}
 */
export function findChoice(choices, text) {
  const wanted = fold(text.replace(/^<[@#][!&]?(\d+)>$/, "$1"));
  return choices.find((choice) =>
    [choice.name, String(choice.value), choice.detail ?? ""].some((name) => fold(name) === wanted),
  );
}

/** @param {string} text */
function fold(text) {
  return text.trim().toLowerCase().replace(/^[@#]/, "");
}

/**
 * Reads the text of an option.
 * @param {CommandOption} option
 * @param {string} text Not empty.
 * @returns {Reading}
 */
export function readOption(option, text) {
  const choices = choicesOf(option);
  if (choices) return readChoice(option, choices, text);
  if (option.type === OPTION.integer || option.type === OPTION.number) return readNumber(option, text);
  return readString(option, text);
}

/** @param {CommandOption} option @param {Choice[]} choices @param {string} text @returns {Reading} */
function readChoice(option, choices, text) {
  const choice = findChoice(choices, text);
  if (choice) return { value: choice.value };
  const word = BOOLEAN_WORDS[fold(text)];
  if (option.type === OPTION.boolean && word !== undefined) return { value: word };
  return { error: "Choose one from the list." };
}

/** @param {CommandOption} option @param {string} text @returns {Reading} */
function readNumber(option, text) {
  const pattern = option.type === OPTION.integer ? /^[-+]?\d+$/ : /^[-+]?(\d+\.?\d*|\.\d+)$/;
  if (!pattern.test(text.trim()))
    return { error: option.type === OPTION.integer ? "Type a whole number." : "Type a number." };
  const value = Number(text);
  if (option.type === OPTION.integer && !Number.isSafeInteger(value))
    return { error: "This number is too big." };
  if (option.min_value !== undefined && value < option.min_value)
    return { error: `At least ${option.min_value}.` };
  if (option.max_value !== undefined && value > option.max_value)
    return { error: `At most ${option.max_value}.` };
  return { value };
}

/** @param {CommandOption} option @param {string} text @returns {Reading} */
function readString(option, text) {
  const value = text.trim();
  const length = [...value].length;
  if (length < (option.min_length ?? 0))
    return { error: `At least ${option.min_length} characters; this has ${length}.` };
  if (option.max_length !== undefined && length > option.max_length)
    return { error: `At most ${option.max_length} characters; this has ${length}.` };
  return { value };
}
