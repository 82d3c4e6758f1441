/** The popup list of a select: one choice, or several that are confirmed by closing it. */

import { h, icon, uniqueId } from "../lib/dom.js";
import { placeBeside } from "../lib/popup.js";
import { displayName, isThread, state } from "../state/store.js";

/**
 * @typedef {import("../state/types.js").Component} Component
 * @typedef {import("../state/types.js").SelectOption} SelectOption
 */

/**
 * What can be selected: the options of a string select, or people, roles and channels.
 * @param {Component} select
 * @returns {SelectOption[]}
 */
export function selectOptions(select) {
  if (select.type === 3) return select.options ?? [];
  const preset = new Set(select.default_values?.map((value) => value.id));
  return entities(select).map((option) => ({ ...option, default: preset.has(option.value) }));
}

/** @param {Component} select @returns {SelectOption[]} */
function entities(select) {
  const users = [...state.users.values()].map((user) => ({
    label: displayName(user),
    value: user.id,
    description: user.username,
  }));
  const roles = state.guild.roles.map((role) => ({ label: role.name, value: role.id, description: "role" }));
  if (select.type === 5) return users;
  if (select.type === 6) return roles;
  if (select.type === 7) return [...users, ...roles];
  const wanted = [...state.channels.values()].filter((channel) =>
    select.channel_types?.length
      ? select.channel_types.includes(channel.type)
      : channel.type !== 1 && !isThread(channel),
  );
  return wanted.map((channel) => ({ label: `#${channel.name}`, value: channel.id }));
}

/**
 * The names of what is selected from the start; "" if nothing is.
 * @param {Component} select
 * @returns {string}
 */
export function chosenLabels(select) {
  return labelsOf(
    select,
    selectOptions(select)
      .filter((option) => option.default)
      .map((option) => option.value),
  );
}

/**
 * @param {Component} select
 * @param {string[]} values
 * @returns {string}
 */
export function labelsOf(select, values) {
  const options = selectOptions(select);
  return values.map((value) => options.find((option) => option.value === value)?.label ?? value).join(", ");
}

/**
 * Opens the list beside its button. Enter or a click chooses, Escape closes without choosing.
 * @param {HTMLElement} trigger
 * @param {Component} select
 * @param {string[]} current What is selected now.
 * @param {(values: string[]) => void} onChoose
 */
export function openSelect(trigger, select, current, onChoose) {
  const most = select.max_values ?? 1;
  const least = select.required === false ? 0 : (select.min_values ?? 1);
  const chosen = new Set(current);
  const finish = () => {
    const isNew = [...chosen].sort().join() !== [...current].sort().join();
    popup.close();
    if (chosen.size >= least && (isNew || most === 1)) onChoose([...chosen]);
  };
  const pick = (/** @type {HTMLElement} */ row) => {
    const value = row.dataset.value ?? "";
    const wasChosen = chosen.delete(value);
    if (most === 1) chosen.clear();
    if ((!wasChosen || (most === 1 && least > 0)) && chosen.size < most) chosen.add(value);
    row.setAttribute("aria-selected", String(chosen.has(value)));
    if (most === 1) finish();
  };
  const list = drawList(select, chosen, pick);
  if (most > 1) {
    const done = { type: "button", class: "button button-1 select-done", on: { click: finish } };
    list.append(h("button", done, "Done"));
  }
  const onDismiss = most > 1 ? finish : undefined;
  const popup = placeBeside(trigger, list, { items: "[role=option], .select-done", onDismiss });
}

/** @param {Component} select @param {Set<string>} chosen @param {(row: HTMLElement) => void} pick */
function drawList(select, chosen, pick) {
  const list = h(
    "div",
    {
      class: "popup select-list",
      role: "listbox",
      id: uniqueId("select"),
      tabindex: "-1",
      "aria-multiselectable": (select.max_values ?? 1) > 1 ? "true" : null,
      "aria-label": select.placeholder ?? "Options",
      data: { testid: "select-list" },
    },
    ...selectOptions(select).map((option) => renderOption(option, chosen.has(option.value))),
  );
  list.addEventListener("click", (event) => {
    const row = /** @type {Element} */ (event.target).closest("[role=option]");
    if (row) pick(/** @type {HTMLElement} */ (row));
  });
  return list;
}

/** @param {SelectOption} option @param {boolean} isChosen */
function renderOption(option, isChosen) {
  return h(
    "div",
    {
      class: "popup-item",
      role: "option",
      tabindex: "-1",
      "aria-selected": String(isChosen),
      data: { value: option.value, testid: `select-option-${option.value}` },
    },
    option.emoji?.name ? h("span", { class: "emoji" }, option.emoji.name) : null,
    h(
      "span",
      { class: "popup-text" },
      option.label,
      option.description ? h("small", null, option.description) : null,
    ),
    icon("check"),
  );
}
