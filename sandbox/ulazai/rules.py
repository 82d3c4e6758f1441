"""Validates a generate request by the documented rules."""

from typing import Any, NoReturn

from yarl import URL

from sandbox.ulazai.values import Generation, JsonObject, RefusalError

MAX_PROMPT_CHARS = 2000
_ASPECT_RATIOS = ("16:9", "9:16", "1:1")
_DURATIONS = ("5", "10")
_MODES = ("text_to_video", "image_to_video")


def read_generation(body: JsonObject) -> Generation:
    """Validate the body of a generate request and fill in its defaults.

    Unknown fields, and fields that the mode does not use, are ignored.

    Raises:
        RefusalError: 400, naming the field that breaks a rule.
    """
    from_image = _choice(body, "generationMode", _MODES, default=None) == "image_to_video"
    return Generation(
        prompt=_prompt(body),
        duration_seconds=int(_choice(body, "duration", _DURATIONS, default="5")),
        aspect_ratio="16:9" if from_image else _choice(body, "aspectRatio", _ASPECT_RATIOS, default="16:9"),
        sound=_flag(body, "sound", default=False),
        in_directory=_flag(body, "prompt_directory_optin", default=True),
        image_url=_image_url(body) if from_image else None,
    )


def _refuse(error: str) -> NoReturn:
    raise RefusalError(400, error)


def _prompt(body: JsonObject) -> str:
    prompt = body.get("prompt")
    if not isinstance(prompt, str) or not prompt.strip():
        _refuse("prompt is required")
    if len(prompt) > MAX_PROMPT_CHARS:
        _refuse(f"prompt must be at most {MAX_PROMPT_CHARS} characters, not {len(prompt)}")
    return prompt


def _choice(body: JsonObject, name: str, allowed: tuple[str, ...], *, default: str | None) -> str:
    value: Any = body.get(name, default)
    if isinstance(value, str) and value in allowed:
        return value
    if name not in body:
        _refuse(f"{name} is required")
    listed = ", ".join(f'"{choice}"' for choice in allowed)
    _refuse(f"{name} must be one of {listed}")


def _flag(body: JsonObject, name: str, *, default: bool) -> bool:
    value = body.get(name, default)
    if not isinstance(value, bool):
        _refuse(f"{name} must be true or false")
    return value


def _image_url(body: JsonObject) -> str:
    urls = body.get("imageUrls")
    if not isinstance(urls, list) or len(urls) != 1 or not isinstance(urls[0], str):
        _refuse("imageUrls must be an array with exactly one URL for image_to_video")
    if not _is_web_address(urls[0]):
        _refuse("imageUrls must hold an http or https URL")
    return urls[0]


def _is_web_address(text: str) -> bool:
    try:
        url = URL(text)
    except ValueError:
        return False
    return url.scheme in {"http", "https"} and bool(url.host)
