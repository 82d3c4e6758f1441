"""A moderator's first evening: approving, denying, and a creative session, at the sandbox's page."""

from pathlib import Path

import pytest
from playwright.async_api import Locator, Page, expect

from tests.browser import needs_chromium
from tests.e2e.visitor import READY_MS, act_as, expect_playing, open_newest_thread, type_command, visited
from tests.sandbox_process import sandbox_process

pytestmark = [needs_chromium, pytest.mark.timeout(180)]


def newest(page: Page) -> Locator:
    return page.get_by_test_id("message").last


async def open_channel(page: Page, name: str) -> None:
    await page.get_by_test_id(f"channel-{name}").click()
    await expect(page.get_by_test_id("channel-title")).to_have_text(name)


async def press(page: Page, label: str) -> None:
    await page.get_by_test_id("button").filter(has_text=label).last.click()


async def test_a_moderator_approves_one_video_and_denies_another(tmp_path: Path) -> None:
    async with sandbox_process(tmp_path) as origin, visited(origin) as page:
        await act_as(page, "moderator")
        await type_command(page, "/pool approvals price: 100 channel: moderators")
        await expect(newest(page)).to_contain_text("Videos of 100 credits or more need approval")
        await act_as(page, "member-one")
        await type_command(page, "/video prompt: a castle of glass duration: 10")
        await expect(newest(page)).to_contain_text("Waiting for a moderator")
        await type_command(page, "/video prompt: a castle of mud duration: 10")
        await expect(newest(page)).to_contain_text("a castle of mud")

        await act_as(page, "moderator")
        await open_channel(page, "moderators")
        cards = page.get_by_test_id("message").filter(has_text="requests a video for 110 credits")
        await expect(cards).to_have_count(2)
        await expect(cards.first).to_contain_text("a castle of glass")
        await expect(cards.first).to_contain_text("890 credits left; the last deposit was 1000")
        await cards.first.get_by_test_id("button").filter(has_text="Approve").first.click()
        await expect(cards.first).to_contain_text("by @Moderator")
        await press(page, "Deny")
        await page.get_by_test_id("modal").get_by_role("textbox").fill("Too muddy for us")
        await page.get_by_test_id("modal-submit").click()
        await expect(cards.last).to_contain_text("Too muddy for us")
        await act_as(page, "member-one")
        await open_channel(page, "videos")
        await expect(page.get_by_test_id("message").filter(has_text="Denied: Too muddy for us")).to_have_count(1)
        await page.get_by_test_id("thread-a castle of glass").click()
        await expect_playing(page.get_by_test_id("video").last)


async def test_a_session_pays_for_two_members_and_lists_its_results(tmp_path: Path) -> None:
    async with sandbox_process(tmp_path) as origin, visited(origin) as page:
        await act_as(page, "moderator")
        await type_command(page, "/session start budget: 200 role: Creators title: Friday jam")
        await expect(newest(page)).to_contain_text("200 credits")
        await open_newest_thread(page)
        live = page.get_by_test_id("message").filter(has=page.get_by_test_id("pin-mark"))
        await expect(live).to_contain_text("200 credits")
        await act_as(page, "member-one")
        await type_command(page, "/video prompt: a dancing robot")
        await expect(newest(page)).to_contain_text("Left in this session")
        await act_as(page, "member-two")
        await type_command(page, "/video prompt: a singing whale")
        ready = page.get_by_test_id("message").filter(has_text="your video is ready")
        await expect(ready).to_have_count(2, timeout=READY_MS)
        await expect(live).to_contain_text("2 ready", timeout=READY_MS)

        await act_as(page, "moderator")
        await type_command(page, "/session end")
        summary = page.get_by_test_id("message").filter(has_text="Friday jam: results")
        await expect(summary).to_contain_text("2 videos for 110 credits. 90 of 200 credits went back to the pool.")
        await expect(summary).to_contain_text("@Member Two: 1 video, 55 credits")
        await type_command(page, "/pool show")
        await expect(newest(page)).to_contain_text("890 credits")


async def test_a_pool_that_runs_low_is_limited_and_filled_again(tmp_path: Path) -> None:
    async with sandbox_process(tmp_path) as origin, visited(origin) as page:
        await act_as(page, "operator")
        await type_command(page, "/pool withdraw credits: 800 reason: an expensive month")
        await expect(newest(page)).to_contain_text("200 credits available")
        await act_as(page, "member-one")
        await type_command(page, "/video prompt: a choir sound: yes")
        await expect(newest(page)).to_contain_text("only 5-second silent videos are made now")
        await act_as(page, "operator")
        await type_command(page, "/pool withdraw credits: 200 reason: all of it")
        await expect(newest(page)).to_contain_text("0 credits available")
        await act_as(page, "member-one")
        await type_command(page, "/video prompt: a whisper")
        await expect(newest(page)).to_contain_text("left in this server's pool (0)")
        await act_as(page, "operator")
        await type_command(page, "/pool deposit credits: 500 reason: a new month")
        await expect(newest(page)).to_contain_text("500 credits available")
        await act_as(page, "member-one")
        await type_command(page, "/video prompt: a shout sound: yes")
        await expect(newest(page)).to_contain_text("110 held")
