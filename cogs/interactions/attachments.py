"""Discord attachments as the pictures that validation checks."""

import discord

from bot.codes import Refusal
from bot.errors import RefusedError
from bot.jobs.validation import Picture


def picture_of(file: discord.Attachment) -> Picture:
    """Return what Discord reports of an attachment."""
    return Picture(file.url, file.size, file.content_type, file.width, file.height)


def first_picture(message: discord.Message) -> discord.Attachment:
    """Return the first picture of a message; where there is none, its first file.

    Raises:
        RefusedError: MESSAGE_WITHOUT_IMAGE: it has no files.
    """
    pictures = (file for file in message.attachments if (file.content_type or "").startswith("image/"))
    file = next(pictures, None) or next(iter(message.attachments), None)
    if file is None:
        raise RefusedError(Refusal.MESSAGE_WITHOUT_IMAGE)
    return file
