"""Takes the README's picture: `python -m tests.screenshot FILE`."""

import asyncio
import tempfile
from pathlib import Path

import click
from playwright.async_api import Page, expect

from tests.browser import open_browser
from tests.sandbox_process import sandbox_process

_PROMPT = "a lighthouse in a storm, the waves made of paper, slow camera"


async def take(target: Path) -> None:
    """Use the sandbox as a newcomer does, and save what they see."""
    with tempfile.TemporaryDirectory() as folder:
        async with sandbox_process(Path(folder)) as origin, open_browser() as browser:
            page = await browser.new_page(viewport={"width": 1200, "height": 720}, color_scheme="dark")
            await page.goto(origin)
            await _make_video(page)
            await page.screenshot(path=target)


async def _make_video(page: Page) -> None:
    await page.get_by_test_id("hint-dismiss").click()
    await page.get_by_test_id("composer").press_sequentially(f"/video prompt: {_PROMPT} duration: 10")
    await page.keyboard.press("Enter")
    await page.get_by_test_id("messages").get_by_test_id("thread-link").last.click()
    video = page.get_by_test_id("video").last
    await expect(video).to_be_visible(timeout=30_000)
    # In the middle of the clip, with the controls out of the way.
    await video.evaluate("video => { video.controls = false; video.currentTime = 4 }")
    await expect(video).to_have_js_property("seeking", value=False)
    await page.mouse.move(600, 10)


@click.command()
@click.argument("target", type=click.Path(dir_okay=False, path_type=Path))
def main(target: Path) -> None:
    """Save a picture of the sandbox's page in TARGET."""
    asyncio.run(take(target))


if __name__ == "__main__":
    main()
