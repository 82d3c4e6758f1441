"""The settings: what is taken, what is refused, and that no secret is ever shown."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from bot.config import Settings, load_settings, proxy_for
from bot.errors import SettingsError

TOKEN, KEY = "the.secret-token", "ulz_the-secret-key"
REPOSITORY = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def _clean_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder, no setting in the environment, and then the two secrets."""
    monkeypatch.chdir(tmp_path)
    for field in Settings.model_fields:
        monkeypatch.delenv(field.upper(), raising=False)
        monkeypatch.delenv(field, raising=False)
    monkeypatch.setenv("DISCORD_TOKEN", TOKEN)
    monkeypatch.setenv("ULAZAI_API_KEY", KEY)


def fault_in(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> str:
    """Set one setting wrong and return what is said of it."""
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    (fault,) = caught.value.faults
    assert fault.startswith(name)
    assert "\n" not in fault
    return fault


def test_the_secrets_are_enough() -> None:
    settings = load_settings()
    assert settings.discord_token.get_secret_value() == TOKEN
    assert settings.discord_api_url == "https://discord.com/api/v10"
    assert settings.database_path == Path("data/reelpool.db")
    assert settings.secrets == (TOKEN, KEY)


def test_secrets_are_shown_nowhere() -> None:
    settings = load_settings()
    for text in (str(settings), repr(settings), settings.model_dump_json()):
        assert TOKEN not in text
        assert KEY not in text


def test_every_mistake_is_reported_at_once_and_no_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISCORD_TOKEN")
    monkeypatch.setenv("ULAZAI_API_KEY", "two words-of-a-secret")
    monkeypatch.setenv("ULAZAI_BASE_URL", "https://me:hunter2@ulazai.com")
    monkeypatch.setenv("DISCORD_API_URL", "no-address-hunter2")
    monkeypatch.setenv("DATABASE_URL", "postgresql://me:hunter2@host/base")
    monkeypatch.setenv("LIMIT_ACTIVE_JOBS", "-1")
    monkeypatch.setenv("LIMIT_WINDOW_CREDITS", "many-hunter2")
    monkeypatch.setenv("LIMIT_WINDOW_HOURS", "nan")
    monkeypatch.setenv("POLL_MIN_INTERVAL_SECONDS", "0")
    monkeypatch.setenv("PROVIDER_OUT_OF_CREDITS", "hunter2")
    monkeypatch.setenv("LOG_LEVEL", "loud")
    monkeypatch.setenv("LOG_FORMAT", "xml")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    text = str(caught.value)
    assert {fault.split(":")[0].split()[0] for fault in caught.value.faults} == {
        "DISCORD_TOKEN",
        "ULAZAI_API_KEY",
        "ULAZAI_BASE_URL",
        "DISCORD_API_URL",
        "DATABASE_URL",
        "LIMIT_ACTIVE_JOBS",
        "LIMIT_WINDOW_CREDITS",
        "LIMIT_WINDOW_HOURS",
        "POLL_MIN_INTERVAL_SECONDS",
        "PROVIDER_OUT_OF_CREDITS",
        "LOG_LEVEL",
        "LOG_FORMAT",
    }
    assert "DISCORD_TOKEN is missing. The bot's token" in text
    assert "two words" not in text
    assert "hunter2" not in text
    assert caught.value.__context__ is None or caught.value.__suppress_context__


@pytest.mark.parametrize("value", ["", "   ", "two words", "schlüssel", "line\nbreak", "tab\tbed", "\x7f"])
def test_secrets_are_one_plain_word(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    fault_in(monkeypatch, "ULAZAI_API_KEY", value)


def test_white_space_around_a_secret_is_not_part_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISCORD_TOKEN", f"  {TOKEN}\n")
    assert load_settings().discord_token.get_secret_value() == TOKEN


def test_empty_values_are_as_if_they_were_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    for field in set(Settings.model_fields) - {"discord_token", "ulazai_api_key"}:
        monkeypatch.setenv(field.upper(), "")
    defaults = load_settings()
    assert defaults.limit_active_jobs == 3
    assert defaults.log_format == "text"


def test_the_env_file_is_read_and_the_environment_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = "# a comment\nLIMIT_ACTIVE_JOBS=7\nlimit_window_hours=1.5\nLOG_LEVEL='debug'\nLOG_FORMAT=\n"
    (tmp_path / ".env").write_text(f"{lines}ULAZAI_API_KEY=from-the-file\nDISCORD_TOKEN=other\n", encoding="utf-8")
    monkeypatch.delenv("ULAZAI_API_KEY")
    settings = load_settings()
    assert (settings.limit_active_jobs, settings.limit_window_hours) == (7, 1.5)
    assert (settings.log_level, settings.log_format) == ("DEBUG", "text")
    assert settings.secrets == (TOKEN, "from-the-file")


def test_an_env_file_as_a_windows_editor_writes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISCORD_TOKEN")
    (tmp_path / ".env").write_text("DISCORD_TOKEN=first-token\r\nLIMIT_ACTIVE_JOBS=4\r\n", encoding="utf-8-sig")
    settings = load_settings()
    assert (settings.discord_token.get_secret_value(), settings.limit_active_jobs) == ("first-token", 4)


def test_an_env_file_that_is_no_text_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("DISCORD_TOKEN=x", encoding="utf-16")
    with pytest.raises(SettingsError, match="not UTF-8"):
        load_settings()


# Addresses


@pytest.mark.parametrize(
    ("value", "taken"),
    [
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("http://localhost:8000/api/v10/", "http://localhost:8000/api/v10"),
        ("  https://proxy.example/discord// ", "https://proxy.example/discord"),
    ],
)
def test_base_addresses(monkeypatch: pytest.MonkeyPatch, value: str, taken: str) -> None:
    monkeypatch.setenv("DISCORD_API_URL", value)
    assert load_settings().discord_api_url == taken


@pytest.mark.parametrize(
    "value", ["ulazai.com", "ftp://ulazai.com", "https://", "https://a/?x=1", "https://a/#b", "https://u:p@a/"]
)
def test_what_is_no_base_address(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    fault_in(monkeypatch, "ULAZAI_BASE_URL", value)


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ("sqlite:///data/reelpool.db", "data/reelpool.db"),
        ("sqlite:////var/lib/reelpool.db", "/var/lib/reelpool.db"),
        ("sqlite+aiosqlite:///a.db", "a.db"),
    ],
)
def test_database_addresses(monkeypatch: pytest.MonkeyPatch, value: str, path: str) -> None:
    monkeypatch.setenv("DATABASE_URL", value)
    settings = load_settings()
    assert settings.database_path == Path(path)
    assert settings.database_url.startswith("sqlite+aiosqlite:///")


@pytest.mark.parametrize(
    "value",
    [
        "data/reelpool.db",
        "sqlite://",
        "sqlite:///",
        "sqlite:///:memory:",
        "sqlite://data/reelpool.db",
        "sqlite://host:port/reelpool.db",
        "postgresql://host/base",
        "mysql+pymysql://host/base",
    ],
)
def test_what_is_no_sqlite_file(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    assert "sqlite:///data/reelpool.db" in fault_in(monkeypatch, "DATABASE_URL", value)


# The process


@pytest.mark.parametrize("env_file", ["", "LIMIT_ACTIVE_JOBS=x\nULAZAI_API_KEY=a secret\n"], ids=["nothing", "wrong"])
def test_the_process_ends_with_one_message_and_speaks_to_nobody(tmp_path: Path, env_file: str) -> None:
    (tmp_path / ".env").write_text(env_file, encoding="utf-8")
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.setblocking(False)
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(REPOSITORY),
            "DISCORD_API_URL": address,
            "ULAZAI_BASE_URL": address,
        }
        command = [sys.executable, "-m", "bot"]
        done = subprocess.run(  # noqa: S603 - the program under test
            command, check=False, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60
        )
        with pytest.raises(BlockingIOError):
            listener.accept()
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("The settings need attention:\n  - ")
    assert "DISCORD_TOKEN is missing" in done.stderr
    assert "ULAZAI_API_KEY" in done.stderr
    assert "a secret" not in done.stderr
    assert "Traceback" not in done.stderr
    assert [entry.name for entry in tmp_path.iterdir()] == [".env"]


@pytest.mark.parametrize(
    ("name", "right"),
    [("LIMIT_WINDOW_HOUR", "LIMIT_WINDOW_HOURS"), ("ULAZAI_APIKEY", "ULAZAI_API_KEY"), ("log_levl", "LOG_LEVEL")],
)
def test_a_misspelt_setting_is_refused_with_the_right_name(
    monkeypatch: pytest.MonkeyPatch, name: str, right: str
) -> None:
    monkeypatch.setenv(name, "1")
    with pytest.raises(SettingsError, match=f"{name.upper()} in the environment is no setting: do you mean {right}"):
        load_settings()


def test_the_variables_of_other_programs_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOG_DIR", "DISCORD_WEBHOOK", "POOL_SIZE", "JOB_NAME", "IMIT_WINDOW_HOURS", "LIMIT_CPU"):
        monkeypatch.setenv(name, "1")
    load_settings()


def test_every_unknown_name_in_the_env_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PORT=80\nLIMIT_WINDOW_HOUR=3\n", encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert list(caught.value.faults) == [
        "LIMIT_WINDOW_HOUR in .env is no setting: do you mean LIMIT_WINDOW_HOURS?",
        "PORT in .env is no setting.",
    ]


@pytest.mark.parametrize("name", ["LIMIT_ACTIVE_JOBS", "ULAZAI_BASE_URL", "DISCORD_TOKEN"])
def test_quotes_that_were_kept_are_named(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    assert "quotes" in fault_in(monkeypatch, name, '"12345678"')


def test_a_tilde_is_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("DATABASE_URL", "sqlite:///~/a.db")
    monkeypatch.setenv("ARCHIVE_DIR", "~/copies")
    settings = load_settings()
    assert (settings.database_path, settings.archive_dir) == (tmp_path / "a.db", tmp_path / "copies")


def test_a_short_secret_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "8 characters" in fault_in(monkeypatch, "ULAZAI_API_KEY", "1234567")


def test_the_environments_proxy_is_used_but_not_for_hosts_that_go_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", "ulazai.example")
    assert proxy_for("https://discord.example/api/v10") == "http://proxy.example:3128"
    assert proxy_for("https://ulazai.example") is None
