/** A slash command being filled in: its options as fields in the composer. */

import { commandData, defaultOption, OPTION, parseArguments } from "../state/commands.js";
import { h, icon } from "../lib/dom.js";
import { errorText, runCommand } from "../state/interactions.js";
import { createField } from "./option-fields.js";
import { OptionSuggester } from "./option-suggester.js";
import { hasActive, hasSuggestions, moveActive, pickActive, wasMoved } from "./suggestions.js";

/**
 * @typedef {import("../state/types.js").LeafCommand} LeafCommand
 * @typedef {import("../state/types.js").CommandOption} CommandOption
 * @typedef {import("./option-fields.js").OptionField} OptionField
 */

export class CommandForm {
  /**
   * @param {LeafCommand} leaf
   * @param {{channelId: string, onLeave: (text: string) => void, onSent: () => void, onError: (text: string) => void}} host
   */
  constructor(leaf, host) {
    this.leaf = leaf;
    this.host = host;
    /** @type {OptionField[]} */
    this.fields = [];
    this.sending = false;
    this.suggester = new OptionSuggester(
      (field) => ({ channel_id: host.channelId, data: commandData(leaf, this.values([], field)) }),
      (field) => this.focusNext(field),
    );
    this.chip = h(
      "span",
      {
        class: "command-chip",
        tabindex: "0",
        role: "note",
        "aria-label": `Command ${leaf.name}. Enter sends it.`,
        data: { testid: "command-chip" },
      },
      `/${leaf.name}`,
    );
    this.adders = h("span", { class: "adders" });
    this.node = h(
      "div",
      {
        class: "command-form",
        role: "group",
        "aria-label": `/${leaf.name}`,
        data: { testid: "command-form" },
      },
      this.chip,
      this.adders,
    );
    this.node.addEventListener("keydown", (event) => this.onKey(event));
    this.node.addEventListener("focusin", () => this.suggest());
    this.node.addEventListener("focusout", (event) => this.onBlur(event));
    for (const option of leaf.options.filter((item) => item.required)) this.addField(option);
    this.drawAdders();
  }

  /** Focuses the first field with something missing, else the last field. */
  focus() {
    const target = this.fields.find((field) => field.isEmpty()) ?? this.fields.at(-1);
    (target?.input ?? this.chip).focus();
  }

  /**
   * Fills the fields from a typed line such as "a cat duration: 10".
   * @param {string} line
   */
  fill(line) {
    let last = null;
    for (const [name, text] of parseArguments(line, this.leaf.options, defaultOption(this.leaf.options))) {
      last = this.ensureField(name);
      last?.setText(text);
    }
    this.drawAdders();
    (last?.input ?? this.fields.find((field) => field.isEmpty())?.input ?? this.chip).focus();
  }

  /**
   * Puts files into the attachment options that are still empty.
   * @param {File[]} files
   * @returns {boolean} Whether any file was placed.
   */
  takeFiles(files) {
    const places = this.leaf.options.filter((option) => option.type === OPTION.attachment);
    for (const option of places) {
      const field = this.ensureField(option.name);
      if (field?.isEmpty() && files.length > 0) field.setFile(files.shift() ?? null);
    }
    this.drawAdders();
    return places.length > 0;
  }

  /** Sends the command if every field is valid. */
  async submit() {
    if (this.sending) return;
    const wrong = this.check();
    if (wrong) return wrong.input.focus();
    const files = this.fields.flatMap((field) => (field.file ? [field.file] : []));
    this.setSending(true);
    this.host.onError("");
    try {
      await runCommand(
        this.host.channelId,
        `/${this.leaf.name}`,
        commandData(this.leaf, this.values(files)),
        files,
      );
      this.suggester.hide();
      this.host.onSent();
    } catch (error) {
      this.host.onError(errorText(error));
    } finally {
      this.setSending(false);
    }
  }

  /** @param {boolean} sending */
  setSending(sending) {
    this.sending = sending;
    this.node.setAttribute("aria-busy", String(sending));
  }

  /** Shows each field's error. @returns {OptionField | undefined} The first invalid field. */
  check() {
    for (const field of this.fields) field.showError(problemOf(field));
    return this.fields.find((field) => problemOf(field) !== "");
  }

  /** The filled options as the API expects them. @param {File[]} files @param {OptionField} [focused] */
  values(files, focused = undefined) {
    const sent = (/** @type {OptionField} */ field) =>
      !field.isEmpty() && (!focused || (!field.file && problemOf(field) === ""));
    const filled = this.fields.filter((field) => field === focused || sent(field));
    return filled.map((field) => {
      const reading = field === focused ? { value: field.text() } : field.read();
      const value = field.file
        ? files.indexOf(field.file)
        : "value" in reading
          ? reading.value
          : field.text();
      return {
        name: field.option.name,
        type: field.option.type,
        value,
        ...(field === focused ? { focused: true } : {}),
      };
    });
  }

  /** @param {string} name @returns {OptionField | undefined} */
  ensureField(name) {
    const existing = this.fields.find((field) => field.option.name === name);
    const option = this.leaf.options.find((item) => item.name === name);
    return existing ?? (option && this.addField(option));
  }

  /** @param {CommandOption} option @returns {OptionField} */
  addField(option) {
    const field = createField(option, {
      onInput: () => this.onInput(field),
      onRemove: () => this.removeField(field),
    });
    this.fields.push(field);
    this.adders.before(field.node);
    return field;
  }

  /** @param {OptionField} field */
  removeField(field) {
    this.fields = this.fields.filter((other) => other !== field);
    field.node.remove();
    this.drawAdders();
    (this.fields.at(-1)?.input ?? this.chip).focus();
  }

  /** @returns {CommandOption[]} Options without a field yet. */
  remaining() {
    return this.leaf.options.filter((option) => !this.fields.some((field) => field.option === option));
  }

  /** @param {CommandOption} option */
  addAndFocus(option) {
    const field = this.addField(option);
    this.drawAdders();
    field.input.focus();
  }

  drawAdders() {
    const buttons = this.remaining().map((option) =>
      h(
        "button",
        {
          type: "button",
          class: "adder",
          title: option.description,
          data: { testid: `add-option-${option.name}` },
          on: { click: () => this.addAndFocus(option) },
        },
        icon("plus"),
        option.name,
      ),
    );
    this.adders.replaceChildren(...buttons);
  }

  /** @param {OptionField} field */
  onInput(field) {
    this.host.onError("");
    this.splitTypedNames(field);
    this.suggest();
  }

  /** Typing or pasting `name:` inside a field continues in the field of that name. @param {OptionField} field */
  splitTypedNames(field) {
    const open = this.leaf.options.filter((option) => option === field.option || this.isOpen(option));
    const parts = parseArguments(field.text(), open, field.option);
    const names = [...parts.keys()];
    if (
      names.length === 0 ||
      (names.length === 1 &&
        names[0] === field.option.name &&
        !field.text().trimStart().startsWith(`${names[0]}:`))
    )
      return;
    field.setText(parts.get(field.option.name) ?? "");
    for (const name of names.filter((other) => other !== field.option.name))
      this.ensureField(name)?.setText(parts.get(name) ?? "");
    this.drawAdders();
    const last = this.fields.find((other) => other.option.name === names.at(-1));
    if (last && last !== field) last.input.focus();
  }

  /** @param {CommandOption} option */
  isOpen(option) {
    const field = this.fields.find((other) => other.option === option);
    return option.type !== OPTION.attachment && (!field || field.isEmpty());
  }

  /** @returns {OptionField | undefined} The field with the focus. */
  current() {
    return this.fields.find((field) => field.input === document.activeElement);
  }

  /** Shows what can be chosen in the field with the focus. */
  suggest() {
    const field = this.current();
    if (field) this.suggester.show(field);
    else this.suggester.hide();
  }

  /** After a choice: the next empty field, else stay. @param {OptionField} field */
  focusNext(field) {
    const next = this.fields.slice(this.fields.indexOf(field) + 1).find((other) => other.isEmpty());
    if (next) next.input.focus();
    else this.suggest();
  }

  /** @param {FocusEvent} event */
  onBlur(event) {
    if (!this.node.contains(/** @type {Node | null} */ (event.relatedTarget))) this.suggester.hide();
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    if (event.isComposing) return;
    const field = this.current();
    /** @type {Record<string, () => boolean>} Each returns whether it handled the key. */
    const keys = {
      Enter: () => this.onEnter(event, field),
      Tab: () => this.onTab(event, field),
      Escape: () => this.leave(""),
      Backspace: () => this.onBackspace(field),
      ArrowDown: () => this.onArrow(1, field),
      ArrowUp: () => this.onArrow(-1, field),
    };
    if (keys[event.key]?.()) event.preventDefault();
    else if (event.target === this.chip && event.key.length === 1 && !event.ctrlKey && !event.metaKey)
      this.typeOnChip(event.key);
  }

  /** Typing while no field has the focus continues in an option, with the typed key. @param {string} key */
  typeOnChip(key) {
    const open = this.remaining();
    const option = open.find((item) => item.name.startsWith(key)) ?? open[0];
    if (option) this.addAndFocus(option);
  }

  /** @param {KeyboardEvent} event @param {OptionField | undefined} field */
  onEnter(event, field) {
    if (/** @type {HTMLElement} */ (event.target).tagName === "BUTTON") return false;
    if (field && this.needsPick(field)) pickActive();
    else void this.submit();
    return true;
  }

  /** Whether Enter accepts a suggestion: the text names none yet, or one was selected with the arrow keys. @param {OptionField} field */
  needsPick(field) {
    return hasActive() && (wasMoved() || !field.isSettled());
  }

  /** @param {KeyboardEvent} event @param {OptionField | undefined} field */
  onTab(event, field) {
    if (event.shiftKey || /** @type {HTMLElement} */ (event.target).tagName === "BUTTON") return false;
    if (field && this.needsPick(field)) {
      pickActive();
      return true;
    }
    const next = this.remaining()[0];
    const isLast = field === this.fields.at(-1);
    if (!isLast || !next) return false;
    this.addAndFocus(next);
    return true;
  }

  /** @param {1 | -1} step @param {OptionField | undefined} field */
  onArrow(step, field) {
    if (!field || !hasSuggestions()) return false;
    moveActive(step);
    return true;
  }

  /** @param {OptionField | undefined} field */
  onBackspace(field) {
    if (field && field.text() !== "") return false;
    if (field && !field.option.required) {
      this.removeField(field);
      return true;
    }
    return this.fields.every((other) => other.isEmpty()) ? this.leave(`/${this.leaf.name}`) : false;
  }

  /** @param {string} text What the composer shows instead. */
  leave(text) {
    this.suggester.hide();
    this.host.onLeave(text);
    return true;
  }
}

/** @param {OptionField} field @returns {string} */
function problemOf(field) {
  if (field.isEmpty()) return field.option.required ? "This is needed." : "";
  const reading = field.read();
  return "error" in reading ? reading.error : "";
}
