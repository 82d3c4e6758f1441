"""Discord's official HTTP API as a schema: whether a request of the bot is one that it describes."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from tests.local.recording import RecordedRequest

PATH = Path(__file__).parents[3] / "shared" / "discord-openapi.json"

_ADDRESS = "urn:discord"
_METHODS = ("get", "post", "put", "patch", "delete")

# Documented by Discord ("Refresh Attachment URLs"), and not yet in its schema.
_UNDESCRIBED = {("POST", "/attachments/refresh-urls")}


class Schema:
    """Reads the schema once; unlike Discord it forbids fields that it does not know."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._paths: dict[str, dict[str, Any]] = document["paths"]
        self._by_form: list[str] = sorted(self._paths, key=lambda path: path.count("{"))
        components = document["components"]["schemas"]
        for component in components.values():
            _close(component)
        # Discord takes ids as numbers too, as in its own example of `attachments` ("Uploading Files").
        components["SnowflakeType"]["type"] = ["string", "integer"]
        self._registry: Registry[Any] = Registry().with_resource(_ADDRESS, DRAFT202012.create_resource(document))

    def faults(self, request: RecordedRequest) -> list[str]:
        """Return what is wrong with a request, in words; nothing if it is one that Discord describes."""
        if (request.method, request.path) in _UNDESCRIBED:
            return []
        path = self._path_of(request)
        if path is None:
            return [f"{request.method} {request.path}: there is no such route"]
        operation = self._paths[path][request.method.lower()]
        faults = [*self._query_faults(path, operation, request), *self._body_faults(path, operation, request)]
        return [f"{request.method} {path}: {fault}" for fault in faults]

    def _path_of(self, request: RecordedRequest) -> str | None:
        for path in self._by_form:
            form = re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path))
            if re.fullmatch(form, unquote(request.path)) and request.method.lower() in self._paths[path]:
                return path
        return None

    def _query_faults(self, path: str, operation: dict[str, Any], request: RecordedRequest) -> list[str]:
        described = [*self._paths[path].get("parameters", []), *operation.get("parameters", [])]
        known = {parameter["name"] for parameter in described if parameter["in"] == "query"}
        return [f"the query's {name} is not known" for name in request.query if name not in known]

    def _body_faults(self, path: str, operation: dict[str, Any], request: RecordedRequest) -> list[str]:
        if request.json is None:
            return ["a body is wanted"] if operation.get("requestBody", {}).get("required") else []
        content = operation.get("requestBody", {}).get("content", {})
        # The `payload_json` of a form with files is what the JSON body is without them.
        if "application/json" not in content:
            return ["no body is wanted"]
        pointer = _pointer(
            "paths", path, request.method.lower(), "requestBody", "content", "application/json", "schema"
        )
        validator = Draft202012Validator({"$ref": f"{_ADDRESS}#{pointer}"}, registry=self._registry)
        error = best_match(validator.iter_errors(_without_extras(request.json)), key=_by_depth)
        return [] if error is None else [_deepest(error)]


def _close(schema: Any) -> None:  # noqa: ANN401 - JSON
    """Let every object have the fields that are named, and no others."""
    if isinstance(schema, list):
        for inner in schema:
            _close(inner)
    if not isinstance(schema, dict):
        return
    for inner in schema.values():
        _close(inner)
    if schema.get("type") == "object" and "properties" in schema:
        schema.setdefault("additionalProperties", False)


def _pointer(*names: str) -> str:
    return quote("".join("/" + name.replace("~", "~0").replace("/", "~1") for name in names), safe="/~@")


def _by_depth(error: ValidationError) -> int:
    return -len(error.path)


def _deepest(error: ValidationError) -> str:
    """Of alternatives that all fail, tell what is wrong with the one that was meant."""
    while error.context:
        error = max(_meant(error.context), key=lambda inner: len(inner.absolute_path))
    return f"{error.json_path}: {error.message[-300:]}"


def _meant(errors: list[ValidationError]) -> list[ValidationError]:
    """Leave out the alternatives that fail at the very field that tells them apart."""
    others = {error.schema_path[0] for error in errors if error.path and error.path[-1] == "type"}
    return [error for error in errors if error.schema_path[0] not in others] or errors


def _without_extras(body: Any) -> Any:  # noqa: ANN401 - JSON
    """Return a body without what discord.py adds to it by itself and Discord takes, though its schema does not."""
    if isinstance(body, list):
        # "nsfw" is in Discord's documentation of commands; its schema has it in the answers only.
        return [_without(command, "nsfw") for command in body]
    if not isinstance(body, dict):
        return body
    message = body.get("data")
    if isinstance(message, dict):
        return body | {"data": _without_extras(message)}
    if embeds := body.get("embeds"):
        # Only in answers has an embed flags; discord.py sends that there are none.
        body = body | {"embeds": [_without(embed, "flags") for embed in embeds]}
    # An edit can't change whether a message is read aloud; discord.py says all the same that it is not to be.
    return _without(body, "tts")


def _without(body: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in body.items() if key != name or value}


@cache
def official() -> Schema:
    """Return Discord's own schema."""
    return Schema(json.loads(PATH.read_text(encoding="utf-8")))
