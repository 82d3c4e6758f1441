"""A newcomer's first minutes: the sandbox as started by its command, used through its page."""

from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.browser import needs_chromium
from tests.e2e.stage import picture
from tests.e2e.visitor import READY_MS, expect_playing, open_newest_thread, type_command, visited
from tests.sandbox_process import sandbox_process

pytestmark = [needs_chromium, pytest.mark.timeout(180)]


async def test_a_newcomer_makes_videos_from_text_and_from_a_picture(tmp_path: Path) -> None:
    async with sandbox_process(tmp_path) as origin, visited(origin) as page:
        await type_command(page, "/video prompt: a lighthouse made of paper duration: 5")
        card = page.get_by_test_id("message").last
        await expect(card).to_contain_text("a lighthouse made of paper")
        await expect(card).to_contain_text("55 held")
        await open_newest_thread(page)
        await expect(page.get_by_test_id("channel-title")).to_have_text("a lighthouse made of paper")
        await expect(page.get_by_test_id("message").last).to_contain_text("Credits used: 55", timeout=READY_MS)
        await expect_playing(page.get_by_test_id("video").last)

        await page.get_by_test_id("thread-back").click()
        await page.get_by_test_id("composer").press_sequentially("/animate")
        await page.keyboard.press("Tab")
        await (
            page.get_by_test_id("option-image")
            .locator("input[type=file]")
            .set_input_files({"name": "cat.png", "mimeType": "image/png", "buffer": picture()})
        )
        await page.get_by_test_id("option-input-prompt").fill("the cat looks up")
        await page.keyboard.press("Enter")
        await expect(page.get_by_test_id("message").last).to_contain_text("Video from a picture")
        await open_newest_thread(page)
        await expect_playing(page.get_by_test_id("video").last)


async def test_a_limit_is_refused_in_private_and_says_when_there_is_room(tmp_path: Path) -> None:
    async with sandbox_process(tmp_path, speed=0.5) as origin, visited(origin) as page:
        for number in range(3):
            await type_command(page, f"/video prompt: number {number}")
            await expect(page.get_by_test_id("message").last).to_contain_text(f"number {number}")
        await type_command(page, "/video prompt: one too many")
        refusal = page.get_by_test_id("message").last
        await expect(refusal).to_contain_text("You have 3 of 3 videos open")
        await expect(refusal.get_by_test_id("ephemeral")).to_be_visible()


async def test_a_restart_in_the_middle_loses_nothing(tmp_path: Path) -> None:
    async with sandbox_process(tmp_path, speed=10) as origin, visited(origin) as page:
        await type_command(page, "/video prompt: still here tomorrow")
        await expect(page.get_by_test_id("message").last.get_by_test_id("thread-link")).to_be_visible()
    async with sandbox_process(tmp_path, speed=10) as origin, visited(origin) as page:
        await expect(page.get_by_test_id("message").last).to_contain_text("still here tomorrow")
        await open_newest_thread(page)
        await expect_playing(page.get_by_test_id("video").last)
        await expect(page.get_by_test_id("message").filter(has_text="your video is ready")).to_have_count(1)
