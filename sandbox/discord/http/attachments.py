"""Files of messages: their bytes, and their signed URLs that expire.

A URL contains when it was issued (`is`), when it expires (`ex`), both in hexadecimal Unix seconds, and a
signature (`hm`), as Discord's do. Source: Discord's API reference, "Signed Attachment CDN URLs".
"""

from __future__ import annotations

import hashlib
import hmac
import io
import mimetypes
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from PIL import Image, UnidentifiedImageError

from sandbox.discord.world.models import Attachment

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from sandbox.discord.settings import Settings


@dataclass(frozen=True, slots=True)
class Upload:
    """An uploaded file."""

    filename: str
    content: bytes
    content_type: str | None = None


class AttachmentStore:
    """Stores the files and signs their URLs.

    Args:
        folder: folder of the files; None keeps them in memory.
        settings: how long a URL is valid.
        clock: Unix seconds.
    """

    def __init__(self, folder: Path | None, settings: Settings, clock: Callable[[], float] = time.time) -> None:
        self.origin = ""
        self.secret = secrets.token_hex(16)
        self._folder = folder
        self._settings = settings
        self._clock = clock
        self._memory: dict[int, bytes] = {}
        self._signed: dict[int, tuple[str, float]] = {}
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)

    def put(self, attachment_id: int, content: bytes) -> None:
        """Store a file's bytes."""
        if self._folder is None:
            self._memory[attachment_id] = content
            return
        target = self._folder / str(attachment_id)
        part = target.with_suffix(".part")
        part.write_bytes(content)
        part.replace(target)

    def read(self, attachment_id: int) -> bytes:
        """Return a file's bytes.

        Raises:
            KeyError: there is no such file.
        """
        if self._folder is None:
            return self._memory[attachment_id]
        try:
            return (self._folder / str(attachment_id)).read_bytes()
        except FileNotFoundError:
            raise KeyError(attachment_id) from None

    def file(self, attachment_id: int) -> Path | None:
        """Return a file's path, or None if files are kept in memory."""
        return None if self._folder is None else self._folder / str(attachment_id)

    def has(self, attachment_id: int) -> bool:
        """Return whether the file is stored."""
        path = self.file(attachment_id)
        return attachment_id in self._memory if path is None else path.exists()

    def drop(self, attachment_id: int) -> None:
        """Delete a file."""
        self._memory.pop(attachment_id, None)
        self._signed.pop(attachment_id, None)
        if path := self.file(attachment_id):
            path.unlink(missing_ok=True)

    def url(self, attachment: Attachment) -> str:
        """Return the file's URL; it changes after half of its validity."""
        url, fresh_until = self._signed.get(attachment.id, ("", 0.0))
        if self._clock() < fresh_until:
            return url
        path = f"/attachments/{attachment.channel_id}/{attachment.id}/{quote(attachment.filename)}"
        return self.sign(path, attachment.id)

    def sign(self, path: str, attachment_id: int) -> str:
        """Return a fresh URL for the path of a file."""
        issued = self._clock()
        lifetime = self._settings.attachment_url_seconds
        stamps = f"ex={int(issued + lifetime):x}&is={int(issued):x}"
        url = f"{self.origin}{path}?{stamps}&hm={self._signature(path, stamps)}"
        self._signed[attachment_id] = (url, issued + lifetime / 2)
        return url

    def is_good(self, path: str, query: Mapping[str, str]) -> bool:
        """Return whether a URL is signed by this server and has not expired."""
        stamps = f"ex={query.get('ex', '')}&is={query.get('is', '')}"
        if not hmac.compare_digest(query.get("hm", ""), self._signature(path, stamps)):
            return False
        return self._clock() < int(query["ex"], 16)

    def expire_all(self) -> None:
        """Make every URL issued until now expire."""
        self._signed.clear()
        self.secret = secrets.token_hex(16)

    def _signature(self, path: str, stamps: str) -> str:
        return hmac.new(self.secret.encode(), f"{path}?{stamps}".encode(), hashlib.sha256).hexdigest()


def describe(upload: Upload, attachment_id: int, channel_id: int) -> Attachment:
    """Return the attachment of an uploaded file, with its dimensions if it is a picture.

    Args:
        upload: the file.
        attachment_id: its id.
        channel_id: the channel in its URL.
    """
    attachment = Attachment(
        id=attachment_id,
        channel_id=channel_id,
        filename=safe_filename(upload.filename),
        size=len(upload.content),
        content_type=content_type_of(upload),
    )
    if attachment.content_type.startswith("image/"):
        attachment.width, attachment.height = _picture_size(upload.content)
    return attachment


def safe_filename(name: str) -> str:
    """Return the name that Discord gives a file: only letters, digits, "_", "-" and "."."""
    base = name.replace("\\", "/").rsplit("/", 1)[-1]
    kept = "".join(sign for sign in base.replace(" ", "_") if sign.isalnum() or sign in "_-.")
    return kept.lstrip(".") or "unknown"


def content_type_of(upload: Upload) -> str:
    """Return the media type by the file's name, as Discord does, else the one in the upload."""
    guessed, _ = mimetypes.guess_type(upload.filename)
    return guessed or upload.content_type or "application/octet-stream"


def _picture_size(content: bytes) -> tuple[int | None, int | None]:
    try:
        with Image.open(io.BytesIO(content)) as picture:
            return picture.size
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError):
        return None, None
