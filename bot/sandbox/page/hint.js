/** The line that tells newcomers what to try. */

import { fillComposer } from "./composer.js";
import { byId } from "./dom.js";
import { state, subscribe } from "./store.js";

const STORAGE_KEY = "sandbox.hint-dismissed";
const COMMAND = "video";
const EXAMPLE = "/video prompt: a paper boat crossing a puddle in the rain, close to the water";

/** Shows the hint until it is dismissed or followed, as soon as the bot has the command it speaks of. */
export function startHint() {
  const hint = byId("hint");
  const show = () => {
    hint.hidden =
      localStorage.getItem(STORAGE_KEY) !== null ||
      !state.commands.some((command) => command.name === COMMAND);
  };
  byId("hint-example").textContent = EXAMPLE;
  byId("hint-example").addEventListener("click", () => fillComposer(EXAMPLE));
  const dismiss = () => {
    localStorage.setItem(STORAGE_KEY, "yes");
    show();
  };
  byId("hint-dismiss").addEventListener("click", () => {
    dismiss();
    byId("composer").focus();
  });
  subscribe((topics) => {
    if (topics.has("commands")) show();
    if (topics.has("messages") && isFollowed()) dismiss();
  });
}

function isFollowed() {
  return [...state.pending.values()].some((pending) => pending.label === `/${COMMAND}`);
}
