"""Somebody at the sandbox's page, as started by its command: what the tests in a browser have in common."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Locator, Page, expect

from tests.browser import open_browser

READY_MS = 30_000


@asynccontextmanager
async def visited(origin: str) -> AsyncIterator[Page]:
    """The page, opened by a member; fails the test if one of its scripts fails."""
    async with open_browser() as browser:
        page = await browser.new_page(viewport={"width": 1280, "height": 800})
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        await page.goto(origin)
        await expect(page.get_by_test_id("channel-intro")).to_be_visible()
        yield page
        assert faults == []


async def type_command(page: Page, line: str) -> None:
    await page.get_by_test_id("composer").press_sequentially(line)
    await page.keyboard.press("Enter")


async def open_newest_thread(page: Page) -> None:
    await page.get_by_test_id("messages").get_by_test_id("thread-link").last.click()


async def expect_playing(video: Locator) -> None:
    await expect(video).to_be_visible(timeout=READY_MS)
    await video.evaluate("video => { video.muted = true; return video.play() }")
    await expect(video).to_have_js_property("paused", value=False)
    await video.page.wait_for_function("video => video.currentTime > 0.2", arg=await video.element_handle())


async def act_as(page: Page, username: str) -> None:
    """Be somebody else, in the same channel or thread."""
    await page.get_by_test_id("user-switch").click()
    await page.get_by_test_id(f"user-{username}").click()
    await expect(page.get_by_test_id("acting-user")).to_have_text(username.replace("-", " "), ignore_case=True)
