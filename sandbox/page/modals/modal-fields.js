/** The fields of a modal: their elements, values and submitted data. */

import { h, icon } from "../lib/dom.js";
import { fileChip } from "../lib/file-chips.js";
import { labelsOf, openSelect, selectOptions } from "../messages/select-menu.js";

/**
 * @typedef {import("../state/types.js").Component} Component
 *
 * @typedef {object} ModalField
 * @property {HTMLElement} node
 * @property {HTMLElement} focusable What a label is for and where the focus goes.
 * @property {() => string} problem What is wrong; "" if nothing is.
 * @property {(files: File[]) => Record<string, unknown>} read The component to send; adds its files to the list.
 */

/** @type {Record<number, (component: Component, id: string) => ModalField>} */
const FIELDS = {
  3: selectField,
  4: textField,
  5: selectField,
  6: selectField,
  7: selectField,
  8: selectField,
  19: fileField,
  21: radioField,
  22: checkboxGroupField,
  23: checkboxField,
};

/**
 * Makes the field for a component.
 * @param {Component} component
 * @param {string} id The element id a label can refer to.
 * @returns {ModalField | null} Null for an unknown type.
 */
export function createModalField(component, id) {
  return FIELDS[component.type]?.(component, id) ?? null;
}

/** What every component submits. @param {Component} component */
function identity(component) {
  return { type: component.type, id: component.id, custom_id: component.custom_id };
}

/** @param {Component} component */
function isRequired(component) {
  return component.required !== false;
}

/** @param {Component} component @param {number} count @param {number} [limit] How many can be chosen. @returns {string} */
function countProblem(component, count, limit = 25) {
  const least = component.min_values ?? 1;
  const most = component.max_values ?? (component.type === 22 ? limit : 1);
  if (count === 0) return isRequired(component) && least > 0 ? "This is needed." : "";
  if (count < least) return `Choose at least ${least}.`;
  return count > most ? `Choose at most ${most}.` : "";
}

/** @param {Component} component @param {string} id @returns {ModalField} */
function textField(component, id) {
  const isParagraph = component.style === 2;
  const most = component.max_length ?? 4000;
  const count = h("span", { class: "field-count", "aria-hidden": "true" });
  const input = /** @type {HTMLInputElement | HTMLTextAreaElement} */ (
    h(isParagraph ? "textarea" : "input", {
      id,
      class: "text-input",
      rows: isParagraph ? "4" : null,
      placeholder: component.placeholder,
      "aria-required": String(isRequired(component)),
      autocomplete: "off",
      data: { testid: `modal-input-${component.custom_id}` },
    })
  );
  const update = () => {
    const left = most - input.value.length;
    count.textContent = component.max_length || left < 200 ? `${input.value.length} / ${most}` : "";
    count.classList.toggle("over", left < 0);
  };
  input.value = component.value ?? "";
  input.addEventListener("input", update);
  update();
  return {
    node: h("div", { class: "text-field" }, input, count),
    focusable: input,
    problem: () => textProblem(component, input.value),
    read: () => ({ ...identity(component), value: input.value }),
  };
}

/** @param {Component} component @param {string} value */
function textProblem(component, value) {
  if (value.trim() === "") return isRequired(component) ? "This is needed." : "";
  if (value.length < (component.min_length ?? 0)) return `At least ${component.min_length} characters.`;
  return value.length > (component.max_length ?? 4000)
    ? `At most ${component.max_length ?? 4000} characters.`
    : "";
}

/** @param {Component} component @param {string} id @returns {ModalField} */
function selectField(component, id) {
  let values = selectOptions(component)
    .filter((option) => option.default)
    .map((option) => option.value);
  const text = h("span", null);
  const trigger = h(
    "button",
    {
      id,
      type: "button",
      class: "select-trigger",
      "aria-haspopup": "listbox",
      "aria-expanded": "false",
      data: { testid: `modal-input-${component.custom_id}` },
    },
    text,
    icon("chevron"),
  );
  const show = () => {
    text.textContent = labelsOf(component, values) || component.placeholder || "Make a selection";
    text.className = values.length > 0 ? "" : "placeholder";
  };
  trigger.addEventListener("click", () =>
    openSelect(trigger, component, values, (chosen) => {
      values = chosen;
      show();
    }),
  );
  show();
  return {
    node: trigger,
    focusable: trigger,
    problem: () => countProblem(component, values.length),
    read: () => ({ ...identity(component), values }),
  };
}

/** @param {Component} component @param {string} id @param {"radio" | "checkbox"} kind */
function optionRows(component, id, kind) {
  const inputs = (component.options ?? []).map((option, index) => {
    const input = /** @type {HTMLInputElement} */ (
      h("input", {
        type: kind,
        name: id,
        id: index === 0 ? id : null,
        value: option.value,
        data: { testid: `modal-choice-${option.value}` },
      })
    );
    input.checked = Boolean(option.default);
    return {
      input,
      row: h(
        "label",
        { class: "choice" },
        input,
        h("span", null, option.label, option.description ? h("small", null, option.description) : null),
      ),
    };
  });
  const node = h(
    "div",
    {
      class: "choices",
      role: kind === "radio" ? "radiogroup" : "group",
      data: { testid: `modal-input-${component.custom_id}` },
    },
    ...inputs.map((item) => item.row),
  );
  const chosen = () => inputs.filter((item) => item.input.checked).map((item) => item.input.value);
  return { node, focusable: inputs[0].input, chosen };
}

/** @param {Component} component @param {string} id @returns {ModalField} */
function radioField(component, id) {
  const { node, focusable, chosen } = optionRows(component, id, "radio");
  return {
    node,
    focusable,
    problem: () => (isRequired(component) && chosen().length === 0 ? "Choose one." : ""),
    read: () => ({ ...identity(component), value: chosen()[0] ?? null }),
  };
}

/** @param {Component} component @param {string} id @returns {ModalField} */
function checkboxGroupField(component, id) {
  const { node, focusable, chosen } = optionRows(component, id, "checkbox");
  return {
    node,
    focusable,
    problem: () => countProblem(component, chosen().length, component.options?.length),
    read: () => ({ ...identity(component), values: chosen() }),
  };
}

/** @param {Component} component @param {string} id @returns {ModalField} */
function checkboxField(component, id) {
  const input = /** @type {HTMLInputElement} */ (
    h("input", { type: "checkbox", id, data: { testid: `modal-input-${component.custom_id}` } })
  );
  input.checked = Boolean(component.default);
  return {
    node: input,
    focusable: input,
    problem: () => "",
    read: () => ({ ...identity(component), value: input.checked }),
  };
}

/** @param {Component} component @param {string} id @returns {ModalField} */
function fileField(component, id) {
  const most = component.max_values ?? 1;
  /** @type {File[]} */
  let files = [];
  const input = /** @type {HTMLInputElement} */ (
    h("input", {
      id,
      type: "file",
      class: "visually-hidden",
      multiple: most > 1,
      data: { testid: `modal-input-${component.custom_id}` },
    })
  );
  const rows = h("div", { class: "upload-files" });
  const set = (/** @type {File[]} */ next) => {
    files = next.slice(-most);
    const without = (/** @type {File} */ file) => files.filter((other) => other !== file);
    rows.replaceChildren(...files.map((file) => fileChip(file, () => set(without(file)))));
  };
  input.addEventListener("change", () => {
    set([...files, ...(input.files ?? [])]);
    input.value = "";
  });
  const zone = h(
    "label",
    { class: "upload-zone", for: id },
    icon("picture"),
    h("span", null, "Choose a file, drop or paste it here"),
  );
  const node = h("div", { class: "upload" }, input, zone, rows);
  acceptFiles(node, (added) => set([...files, ...added]));
  return {
    node,
    focusable: input,
    problem: () => countProblem(component, files.length),
    read: (all) => ({ ...identity(component), values: files.map((file) => String(all.push(file) - 1)) }),
  };
}

/** Dropping onto a field, and pasting while it has the focus. @param {HTMLElement} node @param {(files: File[]) => void} take */
function acceptFiles(node, take) {
  node.addEventListener("dragover", (event) => event.preventDefault());
  node.addEventListener("drop", (event) => {
    event.preventDefault();
    take([...(event.dataTransfer?.files ?? [])]);
  });
  node.addEventListener("paste", (event) => {
    const pasted = [...(event.clipboardData?.files ?? [])];
    if (pasted.length > 0) take(pasted);
  });
}
