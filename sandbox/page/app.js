/** Starts the page. */

import { startChannelHeader } from "./channel-header.js";
import { startComposer } from "./composer.js";
import { startHint } from "./hint.js";
import { onModal } from "./interactions.js";
import { startMessageActions } from "./message-actions.js";
import { startMessages } from "./messages.js";
import { showModal } from "./modal.js";
import { startPins } from "./pins.js";
import { readOnReturn, start } from "./session.js";
import { startSidebar } from "./sidebar.js";
import { startClock } from "./timestamps.js";

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
