"""Parses request bodies: JSON, or a form of `payload_json` and `files[n]`.

Source: Discord's API reference, "Uploading Files".
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aiohttp import BodyPartReader, web

from sandbox.discord.http.attachments import Upload
from sandbox.discord.world.errors import ApiError

if TYPE_CHECKING:
    from sandbox.discord.world.models import JsonObject

_FILE_FIELD = re.compile(r"files?\[?(\d*)\]?")


@dataclass(slots=True)
class Form:
    """A parsed body. `json` is None for a request without one."""

    json: object = None
    files: dict[int, Upload] = field(default_factory=dict)

    @property
    def payload(self) -> JsonObject:
        """The JSON object of the request; empty if it has none.

        Raises:
            ApiError: 50035 if the body is not an object.
        """
        if self.json is None:
            return {}
        if not isinstance(self.json, dict):
            raise ApiError(50035)
        return self.json


async def read_form(request: web.Request) -> Form:
    """Read a request's body.

    Raises:
        ApiError: 50109 if it is not JSON.
    """
    if request.content_type.startswith("multipart/"):
        return await _read_multipart(request)
    body = await request.read()
    if not body:
        return Form()
    return Form(_parse(body))


async def _read_multipart(request: web.Request) -> Form:
    form = Form()
    async for part in await request.multipart():
        if not isinstance(part, BodyPartReader):
            raise ApiError(50109)
        content = bytes(await part.read(decode=False))
        if part.name == "payload_json":
            form.json = _parse(content)
        elif found := _FILE_FIELD.fullmatch(part.name or ""):
            number = int(found.group(1) or len(form.files))
            kind = part.headers.get("Content-Type")
            form.files[number] = Upload(part.filename or "unknown", content, kind)
    return form


def _parse(body: bytes) -> object:
    try:
        return json.loads(body)
    except ValueError:
        raise ApiError(50109) from None
