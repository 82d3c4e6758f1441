"""The sandbox's page in a real browser, against the local Discord and a small discord.py bot."""

import asyncio
import re
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path

import discord
import pytest
import pytest_asyncio
import yarl
from PIL import Image
from playwright.async_api import Browser, Locator, Page, expect

from sandbox.clips import ClipSpec, render_clip
from sandbox.discord.world import seed
from tests.browser import needs_chromium, open_browser, visited
from tests.local.servers import LocalDiscord
from tests.sandbox.page.page_bot import PageBot

pytestmark = [
    needs_chromium,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.usefixtures("bot"),
]
shared = pytest_asyncio.fixture(scope="module", loop_scope="module")


@shared
async def server() -> AsyncIterator[LocalDiscord]:
    server = LocalDiscord(rate_limits=False)
    await server.start()
    yield server
    await server.stop()


@shared
async def bot(server: LocalDiscord) -> AsyncIterator[PageBot]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(discord.http.Route, "BASE", server.api_url)
        gateway = yarl.URL(server.origin).with_scheme("ws") / "gateway"
        patch.setattr(discord.gateway.DiscordWebSocket, "DEFAULT_GATEWAY", gateway)
        bot = PageBot(render_clip(ClipSpec("a paper boat", seconds=5)))
        task = asyncio.create_task(bot.start(server.token))
        await server.wait_online()
        yield bot
        await bot.close()
        await task


@shared
async def browser() -> AsyncIterator[Browser]:
    async with open_browser() as browser:
        yield browser


@shared
async def tab(browser: Browser) -> Page:
    return await browser.new_page()


@pytest_asyncio.fixture(loop_scope="module")
async def page(tab: Page, server: LocalDiscord) -> AsyncIterator[Page]:
    """The page as a member sees it; fails the test if a script of it fails."""
    async with visited(tab, f"{server.origin}/?user={server.person('member-one').id}") as page:
        yield page


def newest(page: Page) -> Locator:
    return page.get_by_test_id("message").last


async def run(page: Page, line: str) -> None:
    """Run a command as a person in a hurry does: paste the line, press Enter."""
    await page.get_by_test_id("composer").fill(line)
    await page.keyboard.press("Enter")


def picture(width: int = 60, height: int = 40) -> bytes:
    target = BytesIO()
    Image.new("RGB", (width, height), "teal").save(target, "PNG")
    return target.getvalue()


async def seconds_played(video: Locator) -> float:
    return float(await video.evaluate("video => video.currentTime"))


async def test_a_typed_command_gives_a_video_that_plays_on_while_its_message_is_edited(page: Page) -> None:
    await page.get_by_test_id("composer").press_sequentially("/video prompt: a paper boat duration: 10 sound: true")
    await page.keyboard.press("Enter")
    message = newest(page)
    await expect(message.get_by_test_id("content")).to_have_text("a paper boat, 10 s, sound True")
    await expect(message.get_by_test_id("used-command")).to_contain_text("Member One used /video")
    await expect(message.get_by_test_id("app-badge")).to_be_visible()
    video = message.get_by_test_id("video")
    await video.evaluate("video => video.play()")
    await page.wait_for_function("video => video.currentTime > 0.3", arg=await video.element_handle())
    before = await seconds_played(video)
    await message.get_by_role("button", name="Again").click()
    await expect(message.get_by_test_id("content")).to_have_text("Pressed 1 (edited)")
    assert await seconds_played(video) >= before
    assert not await video.evaluate("video => video.paused")


async def test_the_thread_of_an_answer_opens_and_shows_who_is_mentioned(page: Page) -> None:
    await run(page, "/video prompt: a lighthouse")
    await expect(page.get_by_test_id("thread-a lighthouse").get_by_test_id("mention-badge")).to_have_text("1")
    await expect(newest(page).get_by_test_id("thread-link")).to_contain_text("1 message")
    await newest(page).get_by_test_id("thread-link").click()
    await expect(page.get_by_test_id("channel-title")).to_have_text("a lighthouse")
    await expect(newest(page).get_by_test_id("content")).to_have_text("@Member One it is ready")
    assert re.search(r"#channel/\d+$", page.url)
    await page.reload()
    await expect(page.get_by_test_id("channel-title")).to_have_text("a lighthouse")
    await page.get_by_test_id("thread-back").click()
    await expect(page.get_by_test_id("channel-title")).to_have_text("videos")


async def test_the_command_list_works_with_the_keyboard_and_required_options_come_first(page: Page) -> None:
    composer = page.get_by_test_id("composer")
    await composer.press_sequentially("/vi")
    await expect(page.get_by_test_id("command-option-video")).to_have_attribute("aria-selected", "true")
    await page.keyboard.press("Tab")
    await expect(page.get_by_test_id("option-input-prompt")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.get_by_test_id("option-prompt")).to_contain_text("This is needed.")
    await page.keyboard.type("ab")
    await page.keyboard.press("Tab")
    await expect(page.get_by_test_id("option-input-duration")).to_be_focused()
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    await expect(page.get_by_test_id("option-input-duration")).to_have_value("10")
    await page.keyboard.press("Enter")
    await expect(page.get_by_test_id("option-prompt")).to_contain_text("At least 3 characters")
    await page.keyboard.press("Escape")
    await expect(page.get_by_test_id("command-form")).to_have_count(0)
    await expect(composer).to_be_focused()


async def test_an_ephemeral_answer_is_marked_and_can_be_dismissed(page: Page) -> None:
    await run(page, "/secret")
    answer = page.get_by_test_id("message").filter(has_text="Between us").last
    await expect(answer.get_by_test_id("ephemeral")).to_contain_text("Only you can see this")
    await answer.get_by_test_id("ephemeral-dismiss").click()
    await expect(page.get_by_text("Between us")).to_have_count(0)


async def test_the_bot_completes_an_option(page: Page) -> None:
    await page.get_by_test_id("composer").fill("/season win")
    await page.get_by_test_id("choice-winter").click()
    await page.keyboard.press("Enter")
    await expect(newest(page).get_by_test_id("content")).to_have_text("It is winter")


async def test_a_missing_response_is_shown_at_the_command_and_at_the_button(page: Page, server: LocalDiscord) -> None:
    await run(page, "/video prompt: a fox")
    message = page.get_by_test_id("message").filter(has_text="a fox, 5 s")
    dead = message.get_by_role("button", name="Dead")
    await dead.click()
    await expect(dead).to_have_attribute("aria-busy", "true")
    await run(page, "/silent")
    await expect(page.get_by_test_id("interaction-pending")).to_be_visible()
    failures = page.get_by_test_id("interaction-failed")
    await expect(failures).to_have_count(2, timeout=1000 * (server.settings.interaction_deadline_seconds + 5))
    await expect(message.get_by_test_id("interaction-failed")).to_be_visible()
    await expect(dead).not_to_have_attribute("aria-busy", "true")


async def test_a_select_sends_what_was_chosen(page: Page) -> None:
    await run(page, "/video prompt: a heron")
    await newest(page).get_by_test_id("select").click()
    await page.get_by_test_id("select-option-Paint").click()
    await expect(page.get_by_test_id("message").filter(has_text="Style Paint")).to_be_visible()


async def test_a_picture_is_animated_from_its_messages_menu_through_a_form(page: Page) -> None:
    await page.get_by_test_id("composer-file").set_input_files(
        {"name": "boat.png", "mimeType": "image/png", "buffer": picture()}
    )
    await page.get_by_test_id("composer-send").click()
    await expect(newest(page).get_by_test_id("picture")).to_be_visible()
    await newest(page).focus()
    await page.keyboard.press("Shift+F10")
    await page.get_by_test_id("menu-item-Animate image").click()
    modal = page.get_by_test_id("modal")
    await expect(modal.get_by_label("What should happen?")).to_be_focused()
    await modal.get_by_test_id("modal-submit").click()
    await expect(modal).to_contain_text("This is needed.")
    await fill_form(page, modal)
    await modal.get_by_test_id("modal-submit").click()
    await expect(modal).to_have_count(0)
    await expect(newest(page).get_by_test_id("content")).to_have_text("boat.png: it rocks|10|9:16|True|second.png")


async def fill_form(page: Page, modal: Locator) -> None:
    await modal.get_by_label("What should happen?").fill("it rocks")
    await modal.get_by_test_id("modal-input-length").click()
    await page.get_by_test_id("select-option-10").click()
    await modal.get_by_label("9:16").check()
    await modal.get_by_label("With sound").check()
    await modal.get_by_test_id("modal-input-file").set_input_files(
        {"name": "second.png", "mimeType": "image/png", "buffer": picture()}
    )


async def test_a_command_takes_a_picture_as_option(page: Page, tmp_path: Path) -> None:
    file = tmp_path / "tower.png"
    file.write_bytes(picture(30, 80))
    await page.get_by_test_id("composer").fill("/describe ")
    await page.get_by_test_id("option-input-picture").set_input_files(file)
    await page.get_by_test_id("composer-send").click()
    await expect(newest(page).get_by_test_id("content")).to_have_text("tower.png is 30 by 80")


async def test_a_pasted_picture_goes_to_the_open_command_or_else_to_a_message(page: Page) -> None:
    await page.get_by_test_id("composer").fill("/describe ")
    await paste_picture(page)
    await expect(page.get_by_test_id("option-picture")).to_contain_text("pasted.png")
    await page.keyboard.press("Escape")
    await paste_picture(page)
    await expect(page.get_by_test_id("file-chip")).to_contain_text("pasted.png")


async def paste_picture(page: Page) -> None:
    """What the browser does when a copied picture is pasted."""
    await page.evaluate(
        """() => {
            const clipboardData = new DataTransfer();
            clipboardData.items.add(new File(["x"], "pasted.png", { type: "image/png" }));
            const event = new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true });
            document.activeElement.dispatchEvent(event);
        }"""
    )


async def test_another_member_sees_what_is_unread(page: Page) -> None:
    await page.get_by_test_id("channel-general").click()
    await page.get_by_test_id("composer").fill("hello from one")
    await page.keyboard.press("Enter")
    await expect(newest(page)).to_contain_text("hello from one")
    await page.get_by_test_id("channel-videos").click()
    await page.get_by_test_id("user-switch").click()
    await page.get_by_test_id("user-member-two").click()
    await expect(page.get_by_test_id("acting-user")).to_have_text("Member Two")
    general = page.get_by_test_id("channel-general")
    await expect(general.get_by_test_id("unread-dot")).to_be_visible()
    await general.click()
    await expect(newest(page)).to_contain_text("hello from one")
    await expect(general.get_by_test_id("unread-dot")).to_have_count(0)
    await expect(page.get_by_test_id("channel-moderators")).to_have_count(0)


async def test_only_moderators_see_their_channel(page: Page) -> None:
    await page.get_by_test_id("user-switch").click()
    await page.get_by_test_id("user-moderator").click()
    await expect(page.get_by_test_id("channel-moderators")).to_be_visible()


async def test_the_page_shows_that_the_bot_is_offline(page: Page, server: LocalDiscord) -> None:
    server.drop_gateway(resumable=False)
    await expect(page.get_by_test_id("bot-offline")).to_be_visible()
    await server.wait_online()
    await expect(page.get_by_test_id("bot-offline")).to_have_count(0)


async def test_the_page_reconnects_after_a_server_outage(browser: Browser, tmp_path: Path) -> None:
    server = LocalDiscord(data_dir=tmp_path)
    await server.start()
    page = await browser.new_page()
    await page.goto(server.origin)
    await expect(page.get_by_test_id("acting-user")).to_have_text("Member One")
    await server.stop()
    await expect(page.get_by_test_id("reconnecting")).to_be_visible()
    again = LocalDiscord(data_dir=tmp_path)
    await again.start(port=int(server.origin.rsplit(":", 1)[1]))
    await expect(page.get_by_test_id("reconnecting")).to_have_count(0)
    await again.person("member-two").say(seed.VIDEOS_ID, "we are back")
    await expect(newest(page)).to_contain_text("we are back")
    await page.close()
    await again.stop()


async def test_text_is_shown_with_markdown_and_never_as_markup(page: Page) -> None:
    text = "**b** _i_ `c<b>` ||s|| [m](https://a.example/x) [x](javascript:alert(1)) <img src=x onerror=alert(1)>\n> q"
    await page.get_by_test_id("composer").fill(text)
    await page.keyboard.press("Enter")
    content = newest(page).get_by_test_id("content")
    await expect(content.locator("strong")).to_have_text("b")
    await expect(content.locator("em")).to_have_text("i")
    await expect(content.locator("code")).to_have_text("c<b>")
    await expect(content.locator("blockquote")).to_have_text("q")
    await expect(content.get_by_role("link")).to_have_count(1)
    await expect(content.get_by_role("link")).to_have_attribute("href", "https://a.example/x")
    await expect(content).to_contain_text("<img src=x onerror=alert(1)>")
    await expect(content.locator("img")).to_have_count(0)


async def test_an_embed_shows_its_parts(page: Page) -> None:
    await run(page, "/layout")
    embed = newest(page).get_by_test_id("embed")
    await expect(embed).to_contain_text("Making your video")
    await expect(embed.locator("strong")).to_have_text("there")
    await expect(embed).to_contain_text("20 credits held")


async def test_the_hint_fills_the_composer_and_stays_away_once_dismissed(page: Page) -> None:
    await page.get_by_test_id("hint-example").click()
    await expect(page.get_by_test_id("option-input-prompt")).to_have_value(re.compile("paper boat"))
    await page.keyboard.press("Escape")
    await page.get_by_test_id("hint-dismiss").click()
    await page.reload()
    await expect(page.get_by_test_id("channel-intro")).to_be_visible()
    await expect(page.get_by_test_id("hint")).to_be_hidden()


async def test_on_a_phone_the_channels_are_a_drawer_and_nothing_is_wider_than_the_screen(page: Page) -> None:
    await page.set_viewport_size({"width": 390, "height": 844})
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert await page.locator("#messages").evaluate("node => node.scrollWidth <= node.clientWidth")
    await page.get_by_role("button", name="Channels and people").click()
    await page.get_by_test_id("channel-general").click()
    await expect(page.get_by_test_id("channel-title")).to_have_text("general")
    await expect(page.get_by_test_id("user-switch")).to_be_hidden()
