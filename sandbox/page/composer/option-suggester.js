/** Suggestions for an option: its fixed choices, or the bot's autocomplete. */

import { interact } from "../state/interactions.js";
import { bestChoice, choicesOf, filterChoices } from "./option-values.js";
import { hideSuggestions, showSuggestions } from "./suggestions.js";

/**
 * @typedef {import("./option-fields.js").OptionField} OptionField
 * @typedef {import("./option-values.js").Choice} Choice
 */

/** How long typing must pause before the bot is asked, in milliseconds. */
const PAUSE = 200;

export class OptionSuggester {
  /**
   * @param {(field: OptionField) => {channel_id: string, data: Record<string, unknown>}} describe
   *   Builds the autocomplete interaction of a field.
   * @param {(field: OptionField) => void} onChosen Called after a choice was made.
   */
  constructor(describe, onChosen) {
    this.describe = describe;
    this.onChosen = onChosen;
    /** @type {OptionField | undefined} The field whose list is shown. */
    this.field = undefined;
    this.asked = 0;
    this.timer = 0;
  }

  /**
   * Shows what can be chosen in a field; the bot's earlier suggestions stay until the new ones arrive.
   * @param {OptionField} field
   */
  show(field) {
    const isSame = field === this.field;
    this.forgetQuestion();
    this.field = field;
    if (!field.option.autocomplete || !isSame) {
      this.list(filterChoices(choicesOf(field.option) ?? [], field.text()), field);
    }
    if (field.option.autocomplete) this.timer = setTimeout(() => void this.ask(field), PAUSE);
  }

  /** Hides the list; a pending response is not shown. */
  hide() {
    this.forgetQuestion();
    this.field = undefined;
    hideSuggestions();
  }

  forgetQuestion() {
    clearTimeout(this.timer);
    this.asked += 1;
  }

  /** @param {OptionField} field */
  async ask(field) {
    const question = this.asked;
    const answer = await interact({ type: 4, ...this.describe(field) }).catch(() => null);
    if (question !== this.asked) return;
    if (answer?.name === "INTERACTION_AUTOCOMPLETE") this.list(answer.data.choices, field);
    else this.list([], field, " (the suggestions could not be loaded)");
  }

  /** @param {Choice[]} choices @param {OptionField} field @param {string} [remark] */
  list(choices, field, remark = "") {
    const items = choices.map((choice) => ({
      label: choice.name,
      note: choice.detail,
      mark: choice.mark,
      testid: `choice-${choice.value}`,
      pick: () => {
        field.choose(choice);
        this.onChosen(field);
      },
    }));
    const heading = `${field.option.name} — ${field.option.description}${remark}`;
    showSuggestions(field.input, heading, items, preselected(field, choices));
  }
}

/**
 * Which item is active from the start: the one the text names, else the first, if something must be chosen.
 * @param {OptionField} field
 * @param {Choice[]} choices
 */
function preselected(field, choices) {
  if (field.option.autocomplete || (field.isEmpty() && !field.option.required)) return -1;
  return bestChoice(choices, field.text());
}
