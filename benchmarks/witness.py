"""Records at the local Discord when commands are answered and when videos are posted."""

import re
from dataclasses import dataclass, field

from sandbox.discord.interactions.registry import Interaction, InteractionState
from sandbox.discord.world.events import Event
from sandbox.discord.world.models import Message
from tests.local.servers import LocalDiscord

_VIDEO_LINK = re.compile(r"/kling/videos/([0-9a-f-]{36})\.mp4")


@dataclass(frozen=True, slots=True)
class Answer:
    """A first answer to a command.

    Attributes:
        seconds: from the command to the answer, or to the moment at which Discord gave up.
        is_failure: it was not answered.
    """

    seconds: float
    is_failure: bool


@dataclass(slots=True)
class Witness:
    """Recorded posts and answers.

    Attributes:
        posted_at: Unix seconds of the first post with a task's video link, by task id.
        answers: to commands, by the interaction's id.
        posted_twice: how many posts had a link that was posted before.
    """

    local_discord: LocalDiscord
    posted_at: dict[str, float] = field(default_factory=dict)
    answers: dict[int, Answer] = field(default_factory=dict)
    posted_twice: int = 0

    def __post_init__(self) -> None:
        self.local_discord.world.events.listen(self._on_event)
        self.local_discord.services.registry.listen(self._on_settled)

    def _on_event(self, event: Event) -> None:
        message = event.subject
        if not isinstance(message, Message) or message.author_id != self.local_discord.bot_id:
            return
        if found := _VIDEO_LINK.search(message.content):
            self._note(event.name, found[1])

    def _note(self, event_name: str, task_id: str) -> None:
        if task_id not in self.posted_at:
            self.posted_at[task_id] = self.local_discord.world.clock()
        elif event_name == "MESSAGE_CREATE":
            self.posted_twice += 1

    def _on_settled(self, interaction: Interaction) -> None:
        seconds = self.local_discord.world.clock() - interaction.created_at
        self.answers[interaction.id] = Answer(seconds, interaction.state is InteractionState.FAILED)
