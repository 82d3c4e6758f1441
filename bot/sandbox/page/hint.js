/** The line that tells newcomers what to try. */

import { fillComposer } from "./composer.js";
import { byId } from "./dom.js";
import { state, subscribe } from "./store.js";

const STORAGE_KEY = "sandbox.hint-dismissed";
const COMMAND = "video";
const EXAMPLE = "/video prompt: a paper boat crossing a puddle in the rain, close to the water";

/** Shows the hint until it is dismissed, as soon as the bot has the command it speaks of. */
export function startHint() {
  const hint = byId("hint");
  const show = () => {
    hint.hidden =
      localStorage.getItem(STORAGE_KEY) !== null ||
      !state.commands.some((command) => command.name === COMMAND);
  };
  byId("hint-example").textContent = EXAMPLE;
  byId("hint-example").addEventListener("click", () => fillComposer(EXAMPLE));
  byId("hint-dismiss").addEventListener("click", () => {
    localStorage.setItem(STORAGE_KEY, "yes");
    show();
    byId("composer").focus();
  });
  subscribe((topics) => topics.has("commands") && show());
}
