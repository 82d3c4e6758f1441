/**
 * Interactions with the bot: sending them and following each to its answer.
 *
 * @typedef {{name: "INTERACTION_CREATE" | "INTERACTION_SUCCESS" | "INTERACTION_FAILURE" | "INTERACTION_MODAL"
 *   | "INTERACTION_AUTOCOMPLETE", data: any}} InteractionEvent
 * @typedef {import("./types.js").Pending} Pending
 * @typedef {{custom_id: string, title: string, components: import("./types.js").Component[]}} ModalData
 */

import { ApiError, postInteraction } from "./api.js";
import { setPending, settled, state } from "./store.js";

export const FAILED = "The app did not respond in time.";

/** @type {Map<string, (event: InteractionEvent) => void>} Who waits for which interaction. */
const waiting = new Map();
/** @type {Map<string, string>} Interactions sent from this page, with the channel they were sent in. */
const sent = new Map();
/** @type {Map<string, InteractionEvent[]>} Events that came before the answer to the request that caused them. */
const early = new Map();
const REMEMBERED = 50;

/** @type {(interactionId: string, modal: ModalData, channelId: string) => void} */
let showModal = () => {};
let lastKey = 0;

/**
 * Names who shows the modals the bot opens.
 * @param {(interactionId: string, modal: ModalData, channelId: string) => void} handler
 */
export function onModal(handler) {
  showModal = handler;
}

/**
 * Hands an INTERACTION_* event to whoever waits for it.
 * @param {InteractionEvent} event
 */
export function deliver(event) {
  const id = event.data.interaction_id;
  const channelId = sent.get(id);
  if (channelId === undefined) return remember(early, id, [...(early.get(id) ?? []), event]);
  if (event.name === "INTERACTION_MODAL") showModal(id, event.data, channelId);
  if (event.name === "INTERACTION_CREATE") return;
  waiting.get(id)?.(event);
  waiting.delete(id);
}

/**
 * Enters something into a map that forgets its oldest entries.
 * @template T
 * @param {Map<string, T>} map
 * @param {string} id
 * @param {T} value
 */
function remember(map, id, value) {
  map.set(id, value);
  const oldest = map.keys().next().value;
  if (map.size > REMEMBERED && oldest !== undefined) map.delete(oldest);
}

/**
 * Sends an interaction and waits for the bot's answer.
 * @param {{channel_id: string} & Record<string, unknown>} payload
 * @param {File[]} [files]
 * @param {() => void} [onAccepted] Called when the server has taken the request.
 * @returns {Promise<InteractionEvent>} The event that ends the wait; never INTERACTION_CREATE.
 * @throws {ApiError} If the server refuses the request.
 */
export async function interact(payload, files = [], onAccepted = () => {}) {
  await settled();
  const { interaction_id: id } = await postInteraction(payload, files);
  onAccepted();
  return new Promise((resolve) => {
    waiting.set(id, resolve);
    remember(sent, id, payload.channel_id);
    const missed = early.get(id) ?? [];
    early.delete(id);
    for (const event of missed) deliver(event);
  });
}

/** Fails everything under way: the connection that would bring the answers is gone. */
export function failWaiting() {
  for (const id of [...waiting.keys()]) {
    deliver({
      name: "INTERACTION_FAILURE",
      data: { interaction_id: id, message: "The connection was lost before the answer came." },
    });
  }
}

/**
 * Runs a slash or message command and shows its progress in the channel.
 * @param {string} channelId
 * @param {string} label What the person did, such as "/video".
 * @param {Record<string, unknown>} data
 * @param {File[]} [files]
 * @returns {Promise<void>} Done when the server has accepted the command, not when the bot has answered.
 * @throws {ApiError} If the server refuses it.
 */
export function runCommand(channelId, label, data, files = []) {
  const pending = begin({ kind: "command", channelId, label });
  return new Promise((resolve, reject) => {
    interact({ type: 2, channel_id: channelId, data }, files, resolve)
      .then((event) => settle(pending, event))
      .catch((error) => {
        setPending(pending.key, null);
        reject(error);
      });
  });
}

/**
 * Presses a button or answers a select; the outcome is shown at the message.
 * @param {import("./types.js").Message} message
 * @param {import("./types.js").Component} component
 * @param {string[]} [values] What was selected.
 */
export async function useComponent(message, component, values = undefined) {
  clearFailures(message.id);
  const place = { channelId: message.channel_id, messageId: message.id, customId: component.custom_id };
  const pending = begin({ kind: "component", label: component.label ?? "", ...place });
  const data = {
    custom_id: component.custom_id,
    component_type: component.type,
    ...(values ? { values } : {}),
  };
  const payload = { type: 3, channel_id: message.channel_id, message_id: message.id, data };
  try {
    settle(pending, await interact(payload));
  } catch (error) {
    fail(pending, errorText(error));
  }
}

/**
 * The message shown for an error while sending.
 * @param {unknown} error
 * @returns {string}
 */
export function errorText(error) {
  if (error instanceof ApiError) return error.message;
  throw error;
}

/** @param {Omit<Pending, "key" | "state">} what @returns {Pending} */
function begin(what) {
  lastKey += 1;
  /** @type {Pending} */
  const pending = { ...what, key: `pending-${lastKey}`, state: "waiting" };
  setPending(pending.key, pending);
  return pending;
}

/** @param {Pending} pending @param {InteractionEvent} event */
function settle(pending, event) {
  if (event.name === "INTERACTION_FAILURE") return fail(pending, event.data.message || FAILED);
  setPending(pending.key, null);
}

/** @param {Pending} pending @param {string} error */
function fail(pending, error) {
  setPending(pending.key, { ...pending, state: "failed", error });
}

/** @param {string} messageId */
function clearFailures(messageId) {
  for (const pending of [...state.pending.values()]) {
    if (pending.messageId === messageId && pending.state === "failed") setPending(pending.key, null);
  }
}
