"""The settings: read once, from the environment and `.env`, and checked together."""

import difflib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal, TypeVar
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from dotenv import dotenv_values
from pydantic import (
    AfterValidator,
    AnyHttpUrl,
    Field,
    SecretStr,
    TypeAdapter,
    ValidationError,
    field_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from bot.errors import SettingsError

MAX_CREDITS = 10_000_000
"""More than anybody means: a slip of the finger."""

_ENV_FILE = ".env"
_LEAST_SECRET_CHARACTERS = 8
# How alike a name in the environment must be to one of ours to be a slip, by `difflib`: the variables of other programs
# are nobody's mistake.
_MISSPELT = 0.85
_HTTP_URL = TypeAdapter(AnyHttpUrl)


def _base_url(value: str) -> str:
    url = _HTTP_URL.validate_python(value)
    if url.query or url.fragment or url.username or url.password:
        raise ValueError("must be an address without query, fragment or password")
    return value.strip().rstrip("/")


def _secret(value: SecretStr) -> SecretStr:
    text = value.get_secret_value().strip()
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("must be one word of plain characters")
    # A shorter word would be found, and hidden, in ordinary text too.
    if len(text) < _LEAST_SECRET_CHARACTERS:
        raise ValueError(f"must have {_LEAST_SECRET_CHARACTERS} characters or more")
    return SecretStr(text)


def _at_home(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise ValueError("begins with ~, but this user has no home folder") from error


BaseUrl = Annotated[str, AfterValidator(_base_url)]
Secret = Annotated[SecretStr, AfterValidator(_secret)]


class DatabaseSettings(BaseSettings):
    """Where the database is: enough for a backup or a check, and no secret."""

    model_config = SettingsConfigDict(
        env_file=_ENV_FILE, env_file_encoding="utf-8-sig", env_ignore_empty=True, extra="ignore", frozen=True
    )

    database_url: str = Field(
        default="sqlite:///data/reelpool.db", description="The SQLite file that holds jobs and ledger."
    )

    @field_validator("database_url")
    @classmethod
    def _sqlite_file(cls, value: str) -> str:
        try:
            url = make_url(value)
        except (ArgumentError, ValueError) as error:
            raise ValueError("must look like sqlite:///data/reelpool.db") from error
        # The lock and the backup go by the file's name: neither options nor SQLite's own addresses for files.
        is_plain_file = url.database and url.database != ":memory:" and not url.database.startswith("file:")
        if url.get_backend_name() != "sqlite" or url.host or url.query or not is_plain_file:
            raise ValueError("must name a SQLite file, like sqlite:///data/reelpool.db")
        path = str(_at_home(Path(url.database or "")))
        return url.set(drivername="sqlite+aiosqlite", database=path).render_as_string(hide_password=False)

    @property
    def database_path(self) -> Path:
        """The SQLite file itself."""
        return Path(make_url(self.database_url).database or "")


class Settings(DatabaseSettings):
    """What the operator decides. Names in the environment are the upper-case ones."""

    discord_token: Secret = Field(description="The bot's token, from the Discord developer portal.")
    discord_api_url: BaseUrl = Field(
        default="https://discord.com/api/v10",
        description="Discord's HTTP API, or a REST proxy or Discord-compatible server in its place.",
    )
    ulazai_api_key: Secret = Field(description="The key of the UlazAI account whose credits are shared.")
    ulazai_base_url: BaseUrl = Field(default="https://ulazai.com", description="Where UlazAI's API is.")
    limit_active_jobs: int = Field(default=3, ge=0, description="Open jobs per member and server; 0: no limit.")
    limit_window_credits: int = Field(
        default=550, ge=0, description="Credits per member, server and window; 0: no limit."
    )
    limit_window_hours: float = Field(
        default=24,
        ge=0,
        le=24 * 366,
        description="Length of the rolling window in hours; 0: no credit limit.",
    )
    pool_starting_credits: int = Field(
        default=1000, ge=0, le=MAX_CREDITS, description="Credits that the pool of each server begins with."
    )
    pool_open_for_all_servers: bool = Field(
        default=False,
        description="Whether every server that adds the bot may spend credits, or only those where the bot's operator "
        "has Manage Server, or has deposited credits.",
    )
    pool_managers_may_deposit: bool = Field(
        default=False,
        description="Whether a server's moderators may deposit and withdraw credits, or the bot's operator alone.",
    )
    poll_min_interval_seconds: float = Field(
        default=1.0, ge=0.05, le=300, description="The shortest time between two polls of the same job."
    )
    provider_max_requests_per_second: float = Field(
        default=20, ge=0, le=10_000, description="Requests to UlazAI per second, in total; 0: no limit."
    )
    provider_max_active_jobs: int = Field(
        default=0, ge=0, le=1_000_000, description="Videos that UlazAI generates at once; 0: no limit."
    )
    provider_out_of_credits: Literal["fail", "wait"] = Field(
        default="fail",
        description="What a job does when the UlazAI account is empty: end with its credits back, or wait.",
    )
    job_max_hours: float = Field(
        default=24,
        gt=0,
        le=24 * 30,
        description="After so many hours a video that is still not done is unconfirmed, and moderators decide.",
    )
    approval_hours: float = Field(
        default=24,
        gt=0,
        le=24 * 366,
        description="After so many hours a video that no moderator approved or denied expires.",
    )
    unconfirmed_after_hours: float = Field(
        default=48,
        gt=0,
        le=24 * 366,
        description="After so many hours an unconfirmed video that no moderator decided counts as charged.",
    )
    archive_dir: Path | None = Field(
        default=None, description="The folder for copies of the videos, which outlive UlazAI's links; empty: none."
    )
    archive_max_mb: int = Field(
        default=2048, ge=1, le=1024**2, description="Megabytes that all copies may take; the oldest go first."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(default="INFO", description="How much is logged.")
    log_format: Literal["text", "json"] = Field(default="text", description="Log lines for people or machines.")

    @field_validator("archive_dir")
    @classmethod
    def _home(cls, value: Path | None) -> Path | None:
        return None if value is None else _at_home(value)

    @field_validator("log_level", mode="before")
    @classmethod
    def _upper(cls, value: object) -> object:
        return value.upper() if isinstance(value, str) else value

    @field_validator("log_format", "provider_out_of_credits", mode="before")
    @classmethod
    def _lower(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value

    @property
    def secrets(self) -> tuple[str, ...]:
        """The words that must never be seen anywhere."""
        return (self.discord_token.get_secret_value(), self.ulazai_api_key.get_secret_value())


def proxy_for(url: str) -> str | None:
    """Return the proxy that the environment (`HTTPS_PROXY`, `NO_PROXY` …) names for an address, if any.

    Ask once for each address: aiohttp's own `trust_env` reads the environment, and `.netrc`, for every request.
    """
    address = urlsplit(url)
    if proxy_bypass(address.hostname or ""):
        return None
    return getproxies().get(address.scheme)


_S = TypeVar("_S", bound=DatabaseSettings)


def load_settings() -> Settings:
    """Read the settings.

    Raises:
        SettingsError: some are missing or wrong; it names every one of them and never shows a value.
    """
    return _load(Settings)


def load_database_settings() -> DatabaseSettings:
    """Read only where the database is.

    Raises:
        SettingsError: that is wrong.
    """
    return _load(DatabaseSettings)


def _load(kind: type[_S]) -> _S:
    faults: list[str] = []
    try:
        faults += _name_faults()
        settings = kind()
    except ValidationError as error:
        quoted = _quoted_names()
        faults += [
            _fault(str(item["loc"][0]), item["type"], item["msg"])
            for item in error.errors()
            if str(item["loc"][0]).upper() not in quoted
        ]
    except UnicodeDecodeError:
        raise SettingsError([".env is not UTF-8 text: save it as UTF-8."]) from None
    except OSError as error:
        raise SettingsError([f".env can't be read: {error.strerror}."]) from None
    faults += [
        f"{name}: the quotes around its value count as part of it, as `docker --env-file` keeps them: remove them."
        for name in sorted(_quoted_names())
    ]
    if faults:
        raise SettingsError(faults) from None
    return settings


def _names() -> set[str]:
    return {field.upper() for field in Settings.model_fields}


def _quoted_names() -> set[str]:
    values = {name.upper(): value.strip() for name, value in os.environ.items() if name.upper() in _names()}
    return {name for name, value in values.items() if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'"}


def _name_faults() -> Iterator[str]:
    """Yield the names that are no settings: in `.env` every one, in the environment those that are almost ours."""
    names = sorted(_names())
    first_words = {name.partition("_")[0] for name in names}
    in_file = dotenv_values(_ENV_FILE, encoding="utf-8-sig", interpolate=False) if Path(_ENV_FILE).is_file() else {}
    for found in sorted({name.upper() for name in in_file} - set(names)):
        nearest = next(iter(difflib.get_close_matches(found, names, n=1)), None)
        yield f"{found} in .env is no setting{f': do you mean {nearest}?' if nearest else '.'}"
    for found in sorted({name.upper() for name in os.environ} - set(names) - {name.upper() for name in in_file}):
        if found.partition("_")[0] in first_words:
            for near in difflib.get_close_matches(found, names, n=1, cutoff=_MISSPELT):
                yield f"{found} in the environment is no setting: do you mean {near}?"


def _fault(field: str, kind: str, message: str) -> str:
    name = field.upper()
    if kind == "missing":
        return f"{name} is missing. {Settings.model_fields[field].description}"
    return f"{name}: {message.removeprefix('Value error, ')}"
