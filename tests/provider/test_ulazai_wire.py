"""UlazAI's client over real sockets, against a local server that fails in every way."""

import asyncio
import socket
import traceback
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from pydantic import SecretStr

from bot.errors import (
    ProviderAddressError,
    ProviderBusyError,
    ProviderError,
    ProviderKeyError,
    ProviderNotFoundError,
    ProviderOutOfCreditsError,
    ProviderRejectedError,
    ProviderUnclearError,
    ProviderUnreachableError,
)
from bot.provider import ulazai as ulazai_module
from bot.provider.models import Estimate, GenerationMode, GenerationRequest, TaskState
from bot.provider.ulazai import UlazaiProvider
from tests.local.faults import Fault
from tests.local.servers import LocalUlazAI

KEY = "ulz_a-key-that-nobody-may-see"
REQUEST = GenerationRequest(GenerationMode.TEXT, "A dog in a field", aspect_ratio="16:9")
GENERATE, STATUS = "/kling26/api/generate/", "/kling26/api/status/.*"
HUGE_BYTES = 50 * 1024 * 1024


@pytest.fixture
async def local() -> AsyncIterator[LocalUlazAI]:
    server = LocalUlazAI(api_key=KEY, render=False, durations=lambda: 3600.0)
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def provider(local: LocalUlazAI) -> AsyncIterator[UlazaiProvider]:
    async with UlazaiProvider(local.base_url, SecretStr(KEY)) as opened:
        yield opened


def everything_about(error: BaseException) -> str:
    """What any log could show of an error."""
    return "\n".join([str(error), repr(error), repr(error.__cause__), *traceback.format_exception(error)])


async def fails(provider: UlazaiProvider, kind: type[ProviderError]) -> ProviderError:
    """Submit, which must fail in this very way, without a word of the key."""
    with pytest.raises(ProviderError) as caught:
        await provider.submit(REQUEST)
    assert type(caught.value) is kind
    assert KEY not in everything_about(caught.value)
    return caught.value


# What goes well


async def test_from_submission_to_video(local: LocalUlazAI, provider: UlazaiProvider) -> None:
    submission = await provider.submit(REQUEST)
    assert (submission.credits_used, submission.credits_remaining) == (55, 4945)
    assert submission.estimate == Estimate(60, 90)
    looked = await provider.status(submission.task_id)
    assert (looked.state, looked.progress) == (TaskState.PROCESSING, 0.0)
    local.finish(submission.task_id)
    done = await provider.status(submission.task_id)
    assert done.state is TaskState.COMPLETED
    assert done.video_url == f"{local.base_url}/kling/videos/{submission.task_id}.mp4"
    assert local.tasks[submission.task_id].request["prompt_directory_optin"] is False


async def test_what_failed(local: LocalUlazAI, provider: UlazaiProvider) -> None:
    submission = await provider.submit(REQUEST)
    local.fail(submission.task_id, "too dark", refunded=True)
    failed = await provider.status(submission.task_id)
    assert (failed.state, failed.error_message, failed.credits_refunded) == (TaskState.FAILED, "too dark", True)


# Refusals


async def test_a_wrong_key(local: LocalUlazAI, provider: UlazaiProvider) -> None:
    local.revoke_key()
    await fails(provider, ProviderKeyError)
    local.restore_key()
    assert (await provider.submit(REQUEST)).task_id


async def test_too_few_credits(local: LocalUlazAI, provider: UlazaiProvider) -> None:
    local.set_credits(54)
    error = await fails(provider, ProviderOutOfCreditsError)
    assert isinstance(error, ProviderOutOfCreditsError)
    assert (error.needed, error.balance) == (55, 54)


async def test_a_request_that_is_refused_says_why(provider: UlazaiProvider) -> None:
    with pytest.raises(ProviderRejectedError, match="could not be fetched"):
        await provider.submit(GenerationRequest(GenerationMode.IMAGE, "x", image_url="http://127.0.0.1:1/a.png"))


async def test_an_unknown_task(provider: UlazaiProvider) -> None:
    for task_id in ("nobody", "../generate", "a/b", "?x=1", "ä %"):
        with pytest.raises(ProviderNotFoundError):
            await provider.status(task_id)


@pytest.mark.parametrize(
    ("headers", "seconds"), [({"Retry-After": "17"}, 17), ({}, None), ({"Retry-After": "whenever"}, None)]
)
async def test_too_many_requests(
    local: LocalUlazAI, provider: UlazaiProvider, headers: dict[str, str], seconds: float | None
) -> None:
    local.faults.add("POST", GENERATE, Fault(status=429, body={"error": "slow down"}, headers=headers))
    error = await fails(provider, ProviderBusyError)
    assert isinstance(error, ProviderBusyError)
    assert error.retry_after_seconds == seconds


# No answer, or none that can be read


@pytest.mark.parametrize(
    "fault",
    [
        Fault(cut="before"),
        Fault(cut="after"),
        *(Fault(status=status, body={"success": False, "error": "trouble"}) for status in (500, 502, 503, 504)),
        Fault(status=502, body="<html>Bad gateway</html>", content_type="text/html", answer_after_effect=True),
        Fault(body="<html>Welcome</html>", content_type="text/html"),
        Fault(body=b"\xff\xfe\x00"),
        Fault(body=[1, 2, 3]),
        Fault(body={"success": True, "data": {}}),
        Fault(body=""),
        Fault(truncate_to=20),
        Fault(body='{"success": true, "data": {"task_id": "a'),
        Fault(body={"success": True}, repeat_body_to=HUGE_BYTES),
        Fault(body=b"x", headers={"Content-Encoding": "gzip"}),
        Fault(status=204),
    ],
    ids=repr,
)
async def test_an_ambiguous_answer_is_unclear(local: LocalUlazAI, provider: UlazaiProvider, fault: Fault) -> None:
    local.faults.add("POST", GENERATE, fault)
    await fails(provider, ProviderUnclearError)
    assert local.faults.hits == 1
    assert len(local.tasks) == (1 if fault.needs_effect and fault.cut != "before" else 0)
    local.faults.add("GET", STATUS, fault)
    with pytest.raises(ProviderError):
        await provider.status("a-task")
    assert (await provider.submit(REQUEST)).task_id


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(local: LocalUlazAI, provider: UlazaiProvider, status: int) -> None:
    elsewhere = f"{local.base_url}/elsewhere/"
    local.faults.add("POST", GENERATE, Fault(status=status, headers={"Location": elsewhere}))
    followed = local.faults.add("*", "/elsewhere/", Fault(status=200))
    await fails(provider, ProviderAddressError)
    assert followed.hits == 0


@pytest.mark.parametrize("fault", [Fault(delay_seconds=30), Fault(drip_seconds=1)], ids=["silence", "drip"])
async def test_an_answer_that_takes_too_long_is_unclear(
    local: LocalUlazAI, monkeypatch: pytest.MonkeyPatch, fault: Fault
) -> None:
    monkeypatch.setattr(ulazai_module, "_SUBMIT_TIMEOUT", aiohttp.ClientTimeout(total=0.3, sock_connect=10))
    monkeypatch.setattr(ulazai_module, "_STATUS_TIMEOUT", aiohttp.ClientTimeout(total=0.3, sock_connect=10))
    local.faults.add("*", ".*", fault, times=2)
    async with UlazaiProvider(local.base_url, SecretStr(KEY)) as provider:
        await fails(provider, ProviderUnclearError)
        # Where the status arrived, a sure refusal needs no more of the answer.
        with pytest.raises(ProviderUnclearError if fault.delay_seconds else ProviderNotFoundError):
            await provider.status("a-task")


async def test_no_connection_means_nothing_was_sent(provider: UlazaiProvider, local: LocalUlazAI) -> None:
    await local.stop()
    await fails(provider, ProviderUnreachableError)


async def test_a_proxy_gets_the_requests_and_netrc_is_not_read(
    local: LocalUlazAI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine ulazai.example login somebody password else", encoding="utf-8")
    monkeypatch.setenv("NETRC", str(netrc))
    async with UlazaiProvider("http://ulazai.example", SecretStr(KEY), proxy=local.base_url) as provider:
        submission = await provider.submit(REQUEST)
        assert (await provider.status(submission.task_id)).state is not TaskState.FAILED


async def test_a_host_that_is_not_there() -> None:
    async with UlazaiProvider("http://nobody.invalid", SecretStr(KEY)) as provider:
        await fails(provider, ProviderUnreachableError)


@pytest.fixture
def deaf() -> Iterator[str]:
    """A port whose queue is full: connections to it are never made."""
    with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for client in (first, second):
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


async def test_a_connection_that_is_not_made_in_time_means_nothing_was_sent(
    monkeypatch: pytest.MonkeyPatch, deaf: str
) -> None:
    monkeypatch.setattr(ulazai_module, "_SUBMIT_TIMEOUT", aiohttp.ClientTimeout(total=60, sock_connect=0.2))
    async with UlazaiProvider(deaf, SecretStr(KEY)) as provider:
        await fails(provider, ProviderUnreachableError)


@asynccontextmanager
async def speaking(words: bytes) -> AsyncIterator[str]:
    """A server that says the same whatever it is asked."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(words)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.mark.parametrize(
    "words",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 two hundred\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 100_000 + b"\r\n\r\n",
        b"",
    ],
    ids=["another protocol", "no status", "odd length", "odd chunk", "huge header", "nothing"],
)
async def test_what_is_no_http_is_unclear(words: bytes) -> None:
    async with speaking(words) as address, UlazaiProvider(address, SecretStr(KEY)) as provider:
        await fails(provider, ProviderUnclearError)


async def test_a_connection_for_each_submission(provider: UlazaiProvider, local: LocalUlazAI) -> None:
    """A kept connection may be closed just as a request is written on it: what costs money has one of its own."""
    assert provider._payments.connector is not None
    assert provider._payments.connector.force_close
    await asyncio.gather(*(provider.submit(REQUEST) for _ in range(5)))
    assert len(local.tasks) == 5


async def test_a_huge_answer_is_not_read_to_its_end() -> None:
    """The server goes on for ever; the client has had enough soon."""
    sent = 0

    async def endless(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b" " * 65_536)
            sent += 65_536

    app = web.Application()
    app.router.add_post(GENERATE, endless)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with UlazaiProvider(f"http://127.0.0.1:{runner.addresses[0][1]}", SecretStr(KEY)) as provider:
        await fails(provider, ProviderUnclearError)
    await runner.cleanup()
    assert sent < 20 * 1024 * 1024
