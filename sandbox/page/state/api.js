/** The client API of docs/sandbox-client-api.md: requests and the event stream. */

/**
 * @typedef {import("./types.js").Message} Message
 * @typedef {{t: string, d: any}} ServerEvent
 */

/** A refusal by the server; its message is meant for the person. */
export class ApiError extends Error {}

/** Waits between attempts to reach the event stream again, in milliseconds. */
const RECONNECT_DELAYS = [250, 500, 1000, 2000, 4000];

let acting = "";

/**
 * Names who acts in all later requests.
 * @param {string} userId
 */
export function actAs(userId) {
  acting = userId;
}

/**
 * Users, channels, threads, commands and the bot.
 * @returns {Promise<any>}
 */
export function fetchBootstrap() {
  return request("bootstrap");
}

/**
 * One page of a channel's history.
 * @param {string} channelId
 * @param {string} [before] Only messages older than this id.
 * @returns {Promise<Message[]>} Newest first, at most PAGE_SIZE.
 */
export function fetchMessages(channelId, before) {
  return request(`channels/${channelId}/messages`, {
    limit: String(PAGE_SIZE),
    ...(before ? { before } : {}),
  });
}

/**
 * A channel's pinned messages.
 * @param {string} channelId
 * @returns {Promise<Message[]>} The last pinned first.
 */
export function fetchPins(channelId) {
  return request(`channels/${channelId}/pins`);
}

/** How many messages one request for history asks for. */
export const PAGE_SIZE = 50;

/**
 * Posts a message as the acting person.
 * @param {string} channelId
 * @param {string} content
 * @param {File[]} files
 * @returns {Promise<Message>}
 */
export function postMessage(channelId, content, files) {
  return request("messages", {}, formOf({ channel_id: channelId, content }, files));
}

/**
 * Sends an interaction to the bot.
 * @param {Record<string, unknown>} payload
 * @param {File[]} files
 * @returns {Promise<{interaction_id: string}>}
 */
export function postInteraction(payload, files) {
  return request("interactions", {}, formOf(payload, files));
}

/** @param {Record<string, unknown>} payload @param {File[]} files */
function formOf(payload, files) {
  const form = new FormData();
  form.append("payload_json", JSON.stringify(payload));
  files.forEach((file, index) => form.append(`files[${index}]`, file, file.name));
  return form;
}

/**
 * @param {string} path
 * @param {Record<string, string>} [query]
 * @param {FormData} [body]
 */
async function request(path, query = {}, body = undefined) {
  const url = `/client/${path}?${new URLSearchParams({ ...(acting ? { user: acting } : {}), ...query })}`;
  const response = await fetch(url, { method: body ? "POST" : "GET", body }).catch(() => {
    throw new ApiError("The local server cannot be reached. Is the sandbox still running?");
  });
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new ApiError(answer.message ?? `The server answered ${response.status}.`);
  return answer;
}

/**
 * Keeps an event stream open until it is closed, and reconnects when it breaks.
 * @param {{onOpen: () => void, onEvent: (event: ServerEvent) => void, onLost: () => void}} handlers
 * @returns {() => void} Ends the stream for good.
 */
export function openEvents(handlers) {
  let attempts = 0;
  let stopped = false;
  /** @type {WebSocket} */
  let socket;

  const connect = () => {
    if (stopped) return;
    socket = new WebSocket(`${location.origin.replace(/^http/, "ws")}/client/events?user=${acting}`);
    socket.addEventListener("open", () => {
      attempts = 0;
      if (!stopped) handlers.onOpen();
    });
    socket.addEventListener("message", (message) => {
      if (!stopped) handlers.onEvent(JSON.parse(message.data));
    });
    socket.addEventListener("close", () => {
      if (stopped) return;
      handlers.onLost();
      setTimeout(connect, RECONNECT_DELAYS[Math.min(attempts, RECONNECT_DELAYS.length - 1)]);
      attempts += 1;
    });
  };
  connect();
  return () => {
    stopped = true;
    socket.close();
  };
}
