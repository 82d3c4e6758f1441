/** The fields of a command's options: label, value and error. */

import { OPTION } from "../state/commands.js";
import { h, icon, iconButton, uniqueId } from "../lib/dom.js";
import { describeFile } from "../lib/file-chips.js";
import { choicesOf, findChoice, readOption } from "./option-values.js";

/**
 * @typedef {import("../state/types.js").CommandOption} CommandOption
 * @typedef {import("./option-values.js").Choice} Choice
 * @typedef {import("./option-values.js").Reading} Reading
 *
 * @typedef {object} OptionField
 * @property {CommandOption} option
 * @property {HTMLElement} node
 * @property {HTMLInputElement | HTMLTextAreaElement} input
 * @property {() => boolean} isEmpty
 * @property {() => string} text
 * @property {(text: string) => void} setText
 * @property {(choice: Choice) => void} choose
 * @property {() => boolean} isSettled Whether the text is a choice already, or needs to be none.
 * @property {() => Reading} read
 * @property {File | null} file
 * @property {(file: File | null) => void} setFile
 * @property {(error: string) => void} showError Empty to take it away.
 */

/** From this many characters on a field takes a whole row. */
const LONG_TEXT = 70;

/**
 * Makes the field for an option.
 * @param {CommandOption} option
 * @param {{onInput: () => void, onRemove: () => void}} handlers
 * @returns {OptionField}
 */
export function createField(option, handlers) {
  return option.type === OPTION.attachment
    ? createFileField(option, handlers)
    : createTextField(option, handlers);
}

/** @param {CommandOption} option @param {{onInput: () => void, onRemove: () => void}} handlers @returns {OptionField} */
function createTextField(option, handlers) {
  const isLine = option.type !== OPTION.string || Boolean(option.choices?.length);
  const { node, input, showError } = frame(option, isLine ? "input" : "textarea", handlers.onRemove);
  /** @type {Choice | null} */
  let picked = null;
  const setText = (/** @type {string} */ text) => {
    input.value = text;
    picked = null;
    fitToText(input);
  };
  input.addEventListener("input", () => {
    if (input.value.includes("\n")) input.value = input.value.replace(/\s*\n\s*/g, " ");
    picked = null;
    showError("");
    fitToText(input);
    handlers.onInput();
  });
  return {
    option,
    node,
    input,
    showError,
    setText,
    file: null,
    setFile: () => {},
    isEmpty: () => input.value.trim() === "",
    text: () => input.value,
    choose: (choice) => {
      setText(choice.name);
      picked = choice;
      showError("");
    },
    isSettled: () => picked !== null || isAllowed(option, input.value),
    read: () => (picked ? { value: picked.value } : readOption(option, input.value)),
  };
}

/** Whether a text names one of an option's choices, or may be anything. @param {CommandOption} option @param {string} text */
function isAllowed(option, text) {
  const choices = choicesOf(option);
  return choices === null || findChoice(choices, text) !== undefined;
}

/** Lines grow with their text in width, areas in height (style sheets do the latter where browsers can). @param {HTMLInputElement | HTMLTextAreaElement} input */
function fitToText(input) {
  if (input instanceof HTMLInputElement) {
    input.size = Math.max(6, input.value.length + 1);
    return;
  }
  input.parentElement?.classList.toggle("pill-long", input.value.length > LONG_TEXT);
  if (CSS.supports("field-sizing", "content")) return;
  input.style.height = "auto";
  input.style.height = `${input.scrollHeight}px`;
}

/**
 * The label and the input of a field, with its error and, if it is optional, the button that removes it.
 * @param {CommandOption} option
 * @param {"input" | "textarea"} tag
 * @param {() => void} onRemove
 */
function frame(option, tag, onRemove) {
  const id = uniqueId("option");
  const input = /** @type {HTMLInputElement | HTMLTextAreaElement} */ (
    h(tag, {
      id,
      role: "combobox",
      rows: tag === "textarea" ? "1" : null,
      autocomplete: "off",
      spellcheck: "false",
      "aria-expanded": "false",
      "aria-autocomplete": "list",
      "aria-required": option.required ? "true" : null,
      "aria-describedby": `${id}-error`,
      data: { testid: `option-input-${option.name}` },
    })
  );
  const error = h("span", { id: `${id}-error`, class: "pill-error", role: "alert" });
  const node = h(
    "div",
    { class: `pill ${tag === "textarea" ? "pill-wide" : ""}`, data: { testid: `option-${option.name}` } },
    h("label", { for: id, title: option.description }, option.name),
    input,
    option.required
      ? null
      : iconButton("close", `Remove ${option.name}`, {
          class: "pill-remove",
          tabindex: "-1",
          on: { click: onRemove },
        }),
    error,
  );
  const showError = (/** @type {string} */ text) => {
    error.textContent = text;
    node.classList.toggle("pill-invalid", text !== "");
    input.setAttribute("aria-invalid", String(text !== ""));
  };
  return { node, input, showError };
}

/** @param {CommandOption} option @param {{onInput: () => void, onRemove: () => void}} handlers @returns {OptionField} */
function createFileField(option, handlers) {
  const { node, input, showError } = frame(option, "input", handlers.onRemove);
  input.setAttribute("type", "file");
  for (const name of ["role", "aria-expanded", "aria-autocomplete"]) input.removeAttribute(name);
  input.className = "visually-hidden";
  const preview = h("span", { class: "pill-file" });
  input.after(h("label", { class: "pill-file-button", for: input.id }, preview));
  /** @type {OptionField} */
  const field = {
    option,
    node,
    input,
    showError,
    file: null,
    setFile: (file) => {
      field.file = file;
      preview.replaceChildren(
        ...(file ? describeFile(file) : [icon("picture"), "Choose, drop or paste a file"]),
      );
      showError("");
      handlers.onInput();
    },
    isEmpty: () => field.file === null,
    text: () => field.file?.name ?? "",
    setText: () => {},
    choose: () => {},
    isSettled: () => true,
    read: () => (field.file ? { value: 0 } : { error: "Choose a file." }),
  };
  input.addEventListener("change", () =>
    field.setFile(/** @type {HTMLInputElement} */ (input).files?.[0] ?? null),
  );
  preview.append(icon("picture"), "Choose, drop or paste a file");
  return field;
}
