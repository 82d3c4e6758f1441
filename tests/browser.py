"""A real browser for the tests of the page, where one is installed."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Browser, Error, Page, ViewportSize, async_playwright, expect

_NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = os.environ.get("REELPOOL_CHROMIUM") or next(filter(None, map(shutil.which, _NAMES)), None)
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: install one or set REELPOOL_CHROMIUM")

# As root Chromium starts without its own sandbox only; the rest keeps it from asking the internet for anything.
_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_VIEWPORT = ViewportSize(width=1280, height=800)


@asynccontextmanager
async def open_browser() -> AsyncIterator[Browser]:
    """Start a headless Chromium, and close it at the end."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(_FLAGS))
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def visited(tab: Page, url: str) -> AsyncIterator[Page]:
    """Show the sandbox's page in a tab, and leave nothing of it there; no script of the page may fail.

    A tab is used again and again: a new one takes three times as long, and most of a test of the page.
    """
    faults: list[Error] = []

    def note(fault: Error) -> None:
        faults.append(fault)

    tab.on("pageerror", note)
    await tab.set_viewport_size(_VIEWPORT)
    await tab.goto(url)
    await expect(tab.get_by_test_id("channel-intro")).to_be_visible()
    yield tab
    await tab.evaluate("localStorage.clear(), sessionStorage.clear()")
    await tab.goto("about:blank")
    tab.remove_listener("pageerror", note)
    assert faults == []
