/** The composer: messages with files, and slash commands. */

import { ApiError, postMessage } from "../state/api.js";
import { CommandForm } from "./command-form.js";
import { filterCommands, leafCommands, matchCommand } from "../state/commands.js";
import { byId } from "../lib/dom.js";
import { fileChip } from "../lib/file-chips.js";
import { actingUser, channelName, isThread, state, subscribe } from "../state/store.js";
import {
  hasActive,
  hasSuggestions,
  hideSuggestions,
  moveActive,
  pickActive,
  showSuggestions,
} from "./suggestions.js";

const MAX_LENGTH = 2000;

const box = byId("composer-box");
const input = /** @type {HTMLTextAreaElement} */ (byId("composer"));
const picker = /** @type {HTMLInputElement} */ (byId("composer-file"));
const tray = byId("composer-files");
const errorLine = byId("composer-error");
const formPlace = byId("command-form-place");

/** @type {CommandForm | null} The command being filled in. */
let form = null;
/** @type {File[]} */
let files = [];
/** @type {Map<string, string>} Unsent text, per channel. */
const drafts = new Map();
let draftChannel = "";

/** Wires the composer. */
export function startComposer() {
  input.addEventListener("input", onInput);
  input.addEventListener("keydown", onKey);
  input.addEventListener("blur", () => hideSuggestions(input));
  input.addEventListener("focus", suggestCommands);
  byId("composer-send").addEventListener("click", () => void send());
  byId("composer-attach").addEventListener("click", () => picker.click());
  picker.addEventListener("change", () => {
    addFiles([...(picker.files ?? [])]);
    picker.value = "";
  });
  document.addEventListener("paste", onPaste);
  startDropping();
  subscribe((topics) => {
    if (topics.has("current") || topics.has("channels") || topics.has("users")) showAccess();
    if (topics.has("current")) changeChannel();
    // What is typed may fit other commands now: another person acts, or the app has registered new ones.
    if (topics.has("commands") && !form && document.activeElement === input) suggestCommands();
  });
}

/**
 * Puts text into the composer as if it had been typed, such as an example command.
 * @param {string} text
 */
export function fillComposer(text) {
  closeForm();
  input.value = text;
  input.focus();
  onInput();
}

/** @returns {import("../state/types.js").LeafCommand[]} */
function leaves() {
  return leafCommands(state.commands);
}

function onInput() {
  showError("");
  fit();
  const match = input.value.startsWith("/") ? matchCommand(leaves(), input.value) : null;
  if (match) openForm(match.leaf, match.rest);
  else suggestCommands();
}

function fit() {
  input.style.height = "auto";
  input.style.height = `${input.scrollHeight}px`;
  const over = input.value.length - MAX_LENGTH;
  byId("composer-count").textContent = over > -200 ? String(-over) : "";
  byId("composer-count").classList.toggle("over", over > 0);
}

function suggestCommands() {
  if (!input.value.startsWith("/") || input.value.includes("\n")) return hideSuggestions(input);
  const found = filterCommands(leaves(), input.value.slice(1));
  const heading = found.length > 0 ? "Commands" : emptyHeading();
  showSuggestions(input, heading, found.map(commandSuggestion));
}

function emptyHeading() {
  return state.commands.length === 0 ? "No commands yet: the app has not registered any" : "No command fits";
}

/** @param {import("../state/types.js").LeafCommand} leaf @returns {import("./suggestions.js").Suggestion} */
function commandSuggestion(leaf) {
  return {
    label: `/${leaf.name}`,
    detail: leaf.description,
    note: state.bot.name,
    testid: `command-option-${leaf.name.replaceAll(" ", "-")}`,
    pick: () => openForm(leaf, ""),
  };
}

/** @param {import("../state/types.js").LeafCommand} leaf @param {string} line Arguments already typed. */
function openForm(leaf, line) {
  hideSuggestions();
  form = new CommandForm(leaf, {
    channelId: state.current,
    onLeave: leaveForm,
    onSent: () => leaveForm(""),
    onError: showError,
  });
  input.value = "";
  formPlace.replaceChildren(form.node);
  box.dataset.mode = "command";
  if (files.length > 0 && form.takeFiles(files)) setFiles(files);
  form.fill(line);
}

/** @param {string} text */
function leaveForm(text) {
  closeForm();
  input.value = text;
  input.focus();
  onInput();
}

function closeForm() {
  form = null;
  formPlace.replaceChildren();
  box.dataset.mode = "text";
  showError("");
}

/** @param {KeyboardEvent} event */
function onKey(event) {
  if (event.isComposing) return;
  /** @type {Record<string, () => boolean>} Each returns whether it handled the key. */
  const keys = {
    ArrowDown: () => hasSuggestions() && moved(1),
    ArrowUp: () => hasSuggestions() && moved(-1),
    Tab: () => !event.shiftKey && hasActive() && picked(),
    Escape: () => hasSuggestions() && hidden(),
    Enter: () => !event.shiftKey && entered(),
  };
  if (keys[event.key]?.()) event.preventDefault();
}

/** @param {1 | -1} step */
function moved(step) {
  moveActive(step);
  return true;
}

function picked() {
  pickActive();
  return true;
}

function hidden() {
  hideSuggestions();
  return true;
}

/** A complete command without required options is sent at once; an incomplete one is chosen from the list. */
function entered() {
  const line = input.value.trimEnd();
  const exact = leaves().find((leaf) => `/${leaf.name}` === line);
  if (exact && !exact.options.some((option) => option.required)) {
    openForm(exact, "");
    void form?.submit();
  } else if (hasActive()) pickActive();
  else void send();
  return true;
}

/** Sends the command being filled in, or the message. */
async function send() {
  if (form) return form.submit();
  const content = input.value.trim();
  if (content.startsWith("/") && files.length === 0)
    return showError(`There is no command ${content.split(/\s/)[0]}.`);
  if (!content && files.length === 0) return input.focus();
  if (content.length > MAX_LENGTH)
    return showError(`A message can have ${MAX_LENGTH} characters; this has ${content.length}.`);
  box.setAttribute("aria-busy", "true");
  try {
    await postMessage(state.current, content, files);
    input.value = "";
    setFiles([]);
    showError("");
    fit();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    showError(error.message);
  } finally {
    box.setAttribute("aria-busy", "false");
    input.focus();
  }
}

/** @param {string} text */
function showError(text) {
  errorLine.textContent = text;
  errorLine.hidden = text === "";
}

/** Files go to the command's attachment option, if one is open that has one, else to the message. @param {File[]} added */
function addFiles(added) {
  const left = [...added];
  if (form?.takeFiles(left)) return showError(left.length > 0 ? "This command takes no more files." : "");
  if (form) return showError("This command takes no files.");
  setFiles([...files, ...left].slice(0, 10));
  input.focus();
}

/** @param {File[]} next */
function setFiles(next) {
  files = next;
  tray.hidden = files.length === 0;
  const without = (/** @type {File} */ file) => files.filter((other) => other !== file);
  tray.replaceChildren(...files.map((file) => fileChip(file, () => setFiles(without(file)))));
}

/** @param {ClipboardEvent} event */
function onPaste(event) {
  const pasted = [...(event.clipboardData?.files ?? [])];
  if (pasted.length === 0 || document.querySelector("dialog[open]")) return;
  event.preventDefault();
  addFiles(pasted);
}

/** Files dropped anywhere in the channel. */
function startDropping() {
  const area = byId("main");
  const carriesFiles = (/** @type {DragEvent} */ event) =>
    event.dataTransfer?.types.includes("Files") ?? false;
  area.addEventListener("dragover", (event) => {
    if (!carriesFiles(event) || input.disabled) return;
    event.preventDefault();
    area.classList.add("dropping");
  });
  area.addEventListener("dragleave", (event) => {
    if (!area.contains(/** @type {Node | null} */ (event.relatedTarget))) area.classList.remove("dropping");
  });
  area.addEventListener("drop", (event) => {
    area.classList.remove("dropping");
    if (!carriesFiles(event) || input.disabled) return;
    event.preventDefault();
    addFiles([...(event.dataTransfer?.files ?? [])]);
  });
}

/** Saves the draft of the channel being left, and restores the draft of the one being opened. */
function changeChannel() {
  const place = `${state.me}/${state.current}`;
  if (place === draftChannel) return;
  drafts.set(draftChannel, input.value);
  draftChannel = place;
  closeForm();
  setFiles([]);
  input.value = drafts.get(place) ?? "";
  fit();
  if (matchMedia("(pointer: fine)").matches) input.focus();
}

/** Shows where the text goes, or why nothing can be sent. */
function showAccess() {
  const channel = state.channels.get(state.current);
  const locked = channel?.thread_metadata?.locked && !actingUser()?.moderator;
  const mute = !channel || channel.can_send === false || Boolean(locked);
  const name = isThread(channel)
    ? "this thread"
    : `${channel?.type === 1 ? "" : "#"}${channelName(state.current)}`;
  input.disabled = mute;
  input.placeholder = mute ? "You cannot send messages here" : `Message ${name} or type /`;
  box.dataset.mute = String(mute);
}
