"""Forms: what they have in common, and the one of `Animate image`."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import discord

from bot.client import VideoBot
from bot.jobs.validation import MAX_PROMPT
from cogs.interactions.responses import report_error


@dataclass(frozen=True, slots=True)
class FormValues:
    """What the form was filled in with."""

    prompt: str
    duration_seconds: int
    sound: bool
    publish: bool


class Form(discord.ui.Modal):
    """A modal of this process. It lives in memory, so one that was opened before a restart can't be read any more."""

    def __init__(self, opener: discord.Interaction[VideoBot], *, title: str) -> None:
        # Discord lets the answer come within 15 minutes.
        super().__init__(title=title, timeout=15 * 60, custom_id=f"{opener.client.form_prefix}{opener.id}")

    async def on_error(  # type: ignore[override]  # discord.py's own Modal narrows it too
        self, interaction: discord.Interaction[Any], error: Exception, /
    ) -> None:
        """Tell the member what went wrong."""
        await report_error(interaction, error)


class AnimateModal(Form):
    """Asks for the prompt and options of a picture that is in a message."""

    def __init__(
        self,
        opener: discord.Interaction[VideoBot],
        submit: Callable[[discord.Interaction[VideoBot], FormValues], Awaitable[None]],
    ) -> None:
        super().__init__(opener, title="Animate image")
        self._submit = submit
        self._prompt = discord.ui.TextInput[Any](
            style=discord.TextStyle.paragraph, min_length=1, max_length=MAX_PROMPT, custom_id="prompt"
        )
        self._duration = _select("duration", ("5", "5 seconds, 55 credits"), ("10", "10 seconds, 110 credits"))
        self._sound = _select("sound", ("no", "Silent"), ("yes", "With sound, at twice the price"))
        self._share = _select("publish", ("no", "Keep it out"), ("yes", "Publish it there, 10 credits less"))
        self.add_item(discord.ui.Label(text="What should happen in it?", component=self._prompt))
        self.add_item(discord.ui.Label(text="Duration", component=self._duration))
        self.add_item(discord.ui.Label(text="Sound", component=self._sound))
        self.add_item(discord.ui.Label(text="UlazAI's public directory", component=self._share))

    async def on_submit(self, interaction: discord.Interaction[Any], /) -> None:
        """Hand on what was filled in."""
        interaction.client.begin(interaction.id)
        wishes = FormValues(
            prompt=self._prompt.value,
            duration_seconds=int(_chosen(self._duration, "5")),
            sound=_chosen(self._sound, "no") == "yes",
            publish=_chosen(self._share, "no") == "yes",
        )
        await self._submit(interaction, wishes)


def _select(custom_id: str, *options: tuple[str, str]) -> discord.ui.Select[Any]:
    """Make a list of choices, the first of which is chosen already."""
    choices = [
        discord.SelectOption(value=value, label=label, default=number == 0)
        for number, (value, label) in enumerate(options)
    ]
    return discord.ui.Select(custom_id=custom_id, options=choices)


def _chosen(select: discord.ui.Select[Any], default: str) -> str:
    return select.values[0] if select.values else default
