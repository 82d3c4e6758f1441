"""Serves attachments at their signed URLs, with ranges, so that a player can seek in a video."""

from __future__ import annotations

from urllib.parse import unquote

from aiohttp import web

from sandbox.discord.http.attachments import AttachmentStore, Upload, content_type_of

_GONE = "This content is no longer available."
_IMMUTABLE = "private, max-age=31536000"


class AttachmentServer:
    """The route `/attachments/{channel}/{id}/{filename}`."""

    def __init__(self, attachment_store: AttachmentStore) -> None:
        self._attachment_store = attachment_store

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Respond with a file or a range of it.

        Raises:
            HTTPNotFound: the URL is not signed, has expired, or the file is deleted.
        """
        attachment_id = int(request.match_info["attachment_id"])
        if not self._attachment_store.is_good(request.rel_url.raw_path, request.query):
            raise web.HTTPNotFound(text=_GONE)
        if not self._attachment_store.has(attachment_id):
            raise web.HTTPNotFound(text=_GONE)
        name = unquote(request.match_info["filename"])
        headers = {
            "Content-Type": content_type_of(Upload(name, b"")),
            "Accept-Ranges": "bytes",
            "Cache-Control": _IMMUTABLE,
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "sandbox",
        }
        if path := self._attachment_store.file(attachment_id):
            return web.FileResponse(path, headers=headers)
        return _in_memory(request, self._attachment_store.read(attachment_id), headers)


def _in_memory(request: web.Request, content: bytes, headers: dict[str, str]) -> web.Response:
    if "Range" not in request.headers:
        return web.Response(body=content, headers=headers)
    try:
        wanted = request.http_range
        start, stop, _ = wanted.indices(len(content))
    except ValueError:
        return _not_satisfiable(len(content))
    if start >= stop:
        return _not_satisfiable(len(content))
    headers["Content-Range"] = f"bytes {start}-{stop - 1}/{len(content)}"
    return web.Response(status=206, body=content[start:stop], headers=headers)


def _not_satisfiable(size: int) -> web.Response:
    return web.Response(status=416, headers={"Content-Range": f"bytes */{size}"})
