/** The dialogs the bot opens. */

import { h, icon, iconButton, uniqueId } from "../lib/dom.js";
import { errorText, FAILED, interact } from "../state/interactions.js";
import { createModalField } from "./modal-fields.js";
import { renderMarkdown } from "../lib/markdown-view.js";
import { state } from "../state/store.js";

/**
 * @typedef {import("../state/types.js").Component} Component
 * @typedef {import("../state/interactions.js").ModalData} ModalData
 * @typedef {import("./modal-fields.js").ModalField} ModalField
 * @typedef {{node: HTMLElement, fields: ModalField[], check: () => ModalField | null, read: (files: File[]) => Record<string, unknown>}} Row
 */

/**
 * Shows a modal. Escape and "Cancel" close it without notifying the bot, as in Discord.
 * @param {string} interactionId The interaction that opened it.
 * @param {ModalData} data
 * @param {string} channelId
 */
export function showModal(interactionId, data, channelId) {
  const rows = data.components.map(createRow);
  const dialog = drawDialog(data.title, rows);
  dialog.addEventListener("submit", (event) => {
    event.preventDefault();
    if (dialog.getAttribute("aria-busy") === "true") return;
    void send(dialog, rows, { interactionId, customId: data.custom_id, channelId });
  });
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  rows.flatMap((row) => row.fields)[0]?.focusable.focus();
}

/** @param {string} title @param {Row[]} rows @returns {HTMLDialogElement} */
function drawDialog(title, rows) {
  const titleId = uniqueId("modal");
  const close = () => dialog.close();
  const heading = [h("h2", { id: titleId }, title), h("p", { class: "modal-app" }, `${state.bot.name} asks`)];
  const form = h(
    "form",
    { novalidate: true },
    h("header", null, h("div", null, ...heading), iconButton("close", "Close", { on: { click: close } })),
    h("div", { class: "modal-body" }, ...rows.map((row) => row.node)),
    drawFooter(close),
  );
  const dialog = /** @type {HTMLDialogElement} */ (
    h("dialog", { class: "modal", "aria-labelledby": titleId, data: { testid: "modal" } }, form)
  );
  return dialog;
}

/** @param {() => void} close */
function drawFooter(close) {
  const cancel = {
    type: "button",
    class: "button button-2",
    data: { testid: "modal-cancel" },
    on: { click: close },
  };
  const submit = { type: "submit", class: "button button-1", data: { testid: "modal-submit" } };
  return h(
    "footer",
    null,
    h("p", { class: "modal-error", role: "alert", hidden: true, data: { testid: "modal-error" } }),
    h("button", cancel, "Cancel"),
    h("button", submit, "Submit"),
  );
}

/** Shows an error, or hides it if the text is empty. @param {HTMLDialogElement} dialog @param {string} text */
function showError(dialog, text) {
  const error = /** @type {HTMLElement} */ (dialog.querySelector(".modal-error"));
  error.replaceChildren(...(text ? [icon("warning"), text] : []));
  error.hidden = text === "";
}

/**
 * @param {HTMLDialogElement} dialog
 * @param {Row[]} rows
 * @param {{interactionId: string, customId: string, channelId: string}} origin
 */
async function send(dialog, rows, origin) {
  const wrong = rows.map((row) => row.check()).find(Boolean);
  if (wrong) return wrong.focusable.focus();
  /** @type {File[]} */
  const files = [];
  const components = rows.map((row) => row.read(files));
  const payload = {
    type: 5,
    channel_id: origin.channelId,
    interaction_id: origin.interactionId,
    data: { custom_id: origin.customId, components },
  };
  showError(dialog, "");
  dialog.setAttribute("aria-busy", "true");
  try {
    const answer = await interact(payload, files);
    if (answer.name !== "INTERACTION_FAILURE") return dialog.close();
    showError(dialog, answer.data.message || FAILED);
  } catch (error) {
    showError(dialog, errorText(error));
  } finally {
    dialog.setAttribute("aria-busy", "false");
  }
}

/** @param {Component} component @returns {Row} */
function createRow(component) {
  if (component.type === 10) return textRow(component);
  if (component.type === 18) return labelRow(component);
  return actionRow(component);
}

/** @param {Component} component @returns {Row} */
function textRow(component) {
  const node = h("div", { class: "markdown" }, ...renderMarkdown(component.content ?? ""));
  return { node, fields: [], check: () => null, read: () => ({ type: 10, id: component.id }) };
}

/** @param {Component} label @returns {Row} */
function labelRow(label) {
  const inner = /** @type {Component} */ (label.component);
  const { node, field, check } = labelled(inner, label.label ?? "", label.description);
  return {
    node,
    fields: field ? [field] : [],
    check,
    read: (files) => ({ type: 18, id: label.id, component: field?.read(files) }),
  };
}

/** The older form: a row with one text input that carries its own label. @param {Component} row @returns {Row} */
function actionRow(row) {
  const parts = (row.components ?? []).map((component) =>
    labelled(component, component.label ?? "", undefined),
  );
  const fields = parts.flatMap((part) => (part.field ? [part.field] : []));
  return {
    node: h("div", null, ...parts.map((part) => part.node)),
    fields,
    check: () => parts.map((part) => part.check()).find(Boolean) ?? null,
    read: (files) => ({ type: 1, id: row.id, components: fields.map((field) => field.read(files)) }),
  };
}

/** @param {Component} component @param {string} label @param {string | undefined} description */
function labelled(component, label, description) {
  const id = uniqueId("field");
  const field = createModalField(component, id);
  const error = h("p", { class: "field-error", id: `${id}-error`, role: "alert" });
  const isCheckbox = component.type === 23;
  const needed = component.required !== false && !isCheckbox;
  const name = h(
    "label",
    { for: id, id: `${id}-label` },
    label,
    needed ? h("span", { class: "needed", title: "Needed", "aria-label": "needed" }, "*") : null,
  );
  const note = description ? h("p", { class: "field-note", id: `${id}-note` }, description) : null;
  if (field) describe(field, id);
  const node = isCheckbox
    ? h("div", { class: "field field-checkbox" }, field?.node, h("div", null, name, note), error)
    : h(
        "div",
        { class: "field" },
        name,
        note,
        field?.node ?? h("p", { class: "field-note" }, "This kind of field is not known here."),
        error,
      );
  const check = () => {
    const problem = field?.problem() ?? "";
    error.textContent = problem;
    node.classList.toggle("field-invalid", problem !== "");
    return problem ? field : null;
  };
  node.addEventListener("input", () => error.textContent && check());
  return { node, field, check };
}

/** Groups are named by the label, and every field by its note and error. @param {ModalField} field @param {string} id */
function describe(field, id) {
  field.focusable.setAttribute("aria-describedby", `${id}-note ${id}-error`);
  if (field.node.matches("[role=radiogroup], [role=group]"))
    field.node.setAttribute("aria-labelledby", `${id}-label`);
}
