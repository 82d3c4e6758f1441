"""Modals: their base class, and the one of `Animate image`."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import discord

from bot.client import VideoBot
from bot.jobs.validation import DURATIONS_SECONDS, MAX_PROMPT
from cogs.interactions.responses import report_error
from cogs.rendering import labels


@dataclass(frozen=True, slots=True)
class FormValues:
    """The values of a submitted form."""

    prompt: str
    duration_seconds: int
    sound: bool
    publish: bool


class Form(discord.ui.Modal):
    """A modal. It is kept in memory, so one that was opened before a restart can't be answered."""

    def __init__(self, opener: discord.Interaction[VideoBot], *, title: str) -> None:
        # Discord accepts the answer for 15 minutes.
        super().__init__(title=title, timeout=15 * 60, custom_id=f"{opener.client.form_prefix}{opener.id}")

    async def on_error(  # type: ignore[override]  # discord.py's own Modal narrows it too
        self, interaction: discord.Interaction[Any], error: Exception, /
    ) -> None:
        """Answer with what went wrong."""
        await report_error(interaction, error)


class AnimateModal(Form):
    """The form for prompt and options of a picture in a message."""

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
        durations = ((str(seconds), labels.duration(seconds)) for seconds in DURATIONS_SECONDS)
        self._duration = _select("duration", *durations)
        self._sound = _select("sound", ("no", labels.SILENT), ("yes", labels.WITH_SOUND))
        self._publish = _select("publish", ("no", labels.PRIVATE), ("yes", labels.PUBLISHED))
        self.add_item(discord.ui.Label(text="What should happen in it?", component=self._prompt))
        self.add_item(discord.ui.Label(text="Duration", component=self._duration))
        self.add_item(discord.ui.Label(text="Sound", component=self._sound))
        self.add_item(discord.ui.Label(text="Visibility", component=self._publish))

    async def on_submit(self, interaction: discord.Interaction[Any], /) -> None:
        """Pass the form's values on."""
        interaction.client.begin(interaction.id)
        duration = _chosen(self._duration, "5")
        values = FormValues(
            prompt=self._prompt.value,
            # Whatever is not a number is not offered either.
            duration_seconds=int(duration) if duration.isdecimal() else 0,
            sound=_chosen(self._sound, "no") == "yes",
            publish=_chosen(self._publish, "no") == "yes",
        )
        await self._submit(interaction, values)


def _select(custom_id: str, *options: tuple[str, str]) -> discord.ui.Select[Any]:
    """Return a list of choices, the first of which is preselected."""
    choices = [
        discord.SelectOption(value=value, label=label, default=number == 0)
        for number, (value, label) in enumerate(options)
    ]
    return discord.ui.Select(custom_id=custom_id, options=choices)


def _chosen(select: discord.ui.Select[Any], default: str) -> str:
    return select.values[0] if select.values else default
