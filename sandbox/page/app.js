/** Starts the page. */

import { startChannelHeader } from "./channel-header.js";
import { startComposer } from "./composer/composer.js";
import { startHint } from "./composer/hint.js";
import { onModal } from "./state/interactions.js";
import { startMessageActions } from "./messages/message-actions.js";
import { startMessages } from "./messages/messages.js";
import { showModal } from "./modals/modal.js";
import { startPins } from "./messages/pins.js";
import { readOnReturn, start } from "./state/session.js";
import { startSidebar } from "./sidebar.js";
import { startClock } from "./lib/timestamps.js";

startSidebar();
startChannelHeader();
startMessages();
startMessageActions();
startComposer();
startPins();
startHint();
startClock();
onModal(showModal);
readOnReturn();
void start();
