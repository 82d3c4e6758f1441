"""The page in a real browser: subcommands, pickers, files, pins, and several people at one pool."""

import asyncio
from collections.abc import AsyncIterator

import discord
import pytest
import pytest_asyncio
import yarl
from playwright.async_api import Browser, Locator, Page, expect

from sandbox.discord.world import permissions, seed
from tests.browser import needs_chromium, open_browser, visited
from tests.local.servers import LocalDiscord
from tests.sandbox.page.page_bot import PageBot
from tests.sandbox.page.pool_commands import LEDGER

pytestmark = [needs_chromium, pytest.mark.asyncio(loop_scope="module")]
shared = pytest_asyncio.fixture(scope="module", loop_scope="module")


@shared
async def browser() -> AsyncIterator[Browser]:
    async with open_browser() as browser:
        yield browser


@pytest_asyncio.fixture(loop_scope="module")
async def server() -> AsyncIterator[LocalDiscord]:
    server = LocalDiscord(rate_limits=False)
    await server.start()
    yield server
    await server.stop()


@pytest_asyncio.fixture(loop_scope="module")
async def bot(server: LocalDiscord, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[PageBot]:
    monkeypatch.setattr(discord.http.Route, "BASE", server.api_url)
    gateway = yarl.URL(server.origin).with_scheme("ws") / "gateway"
    monkeypatch.setattr(discord.gateway.DiscordWebSocket, "DEFAULT_GATEWAY", gateway)
    bot = PageBot(b"")
    task = asyncio.create_task(bot.start(server.token))
    await server.wait_online()
    yield bot
    await bot.close()
    await task


@shared
async def tab(browser: Browser) -> Page:
    return await browser.new_page()


@pytest_asyncio.fixture(loop_scope="module")
async def page(tab: Page, server: LocalDiscord, bot: PageBot) -> AsyncIterator[Page]:
    """The page as the moderator sees it; fails the test if a script of it fails."""
    assert bot.user
    async with visited(tab, f"{server.origin}/?user={seed.MODERATOR_ID}") as page:
        yield page


def newest(page: Page) -> Locator:
    return page.get_by_test_id("message").last


async def run(page: Page, line: str) -> None:
    await page.get_by_test_id("composer").fill(line)
    await page.keyboard.press("Enter")


async def act_as(page: Page, username: str) -> None:
    await page.get_by_test_id("user-switch").click()
    await page.get_by_test_id(f"user-{username}").click()


async def test_subcommands_are_suggested_with_what_they_do(page: Page) -> None:
    composer, listed = page.get_by_test_id("composer"), page.get_by_test_id("command-list")
    await composer.press_sequentially("/pool ")
    await expect(listed.get_by_role("option")).to_have_count(9)
    await expect(page.get_by_test_id("command-option-pool-show")).to_contain_text("Show the balance")
    await composer.press_sequentially("wo")
    await expect(listed.get_by_role("option")).to_have_count(2)
    await page.keyboard.press("Tab")
    await expect(page.get_by_test_id("command-chip")).to_have_text("/pool words add")
    await page.keyboard.type("x")
    await page.keyboard.press("Enter")
    await expect(page.get_by_test_id("option-word")).to_contain_text("At least 2 characters")
    await page.keyboard.type("yz")
    await page.keyboard.press("Enter")
    await expect(newest(page).get_by_test_id("content")).to_have_text("added xyz")


async def test_a_mentionable_is_picked_among_people_roles_and_everyone(page: Page) -> None:
    await page.get_by_test_id("composer").press_sequentially("/pool allow ")
    listed = page.get_by_test_id("command-list").get_by_role("option")
    names = await listed.locator(".suggestion-label").all_inner_texts()
    assert [name.split("\n")[-1] for name in names] == [
        "Member One", "Member Two", "Moderator", "Operator", "Reelpool",
        "@everyone", "@Moderator", "@Pool manager", "@Creators", "@Reelpool",
    ]  # fmt: skip
    await page.keyboard.type("moder")
    await expect(listed).to_have_count(2)
    await page.get_by_test_id(f"choice-{seed.MODERATOR_ROLE_ID}").click()
    await expect(page.get_by_test_id("option-input-credits")).to_be_focused()
    await page.keyboard.type("100")
    await page.keyboard.press("Enter")
    await expect(newest(page).get_by_test_id("content")).to_have_text("role Moderator, default False: 100 x 1.0, False")
    await run(page, "/pool allow target: @everyone credits: 7 factor: 0.5 notify: yes")
    await expect(newest(page).get_by_test_id("content")).to_have_text("role @everyone, default True: 7 x 0.5, True")


WRONG_NUMBERS = {
    "1.5": "Type a whole number.",
    "-1": "At least 0.",
    "5001": "At most 5000.",
    "lots": "Type a whole number.",
    "9007199254740993": "This number is too big.",
}


async def test_an_invalid_number_is_reported_at_its_field(page: Page) -> None:
    for typed, told in WRONG_NUMBERS.items():
        await run(page, f"/pool allow target: Member One credits: {typed}")
        await expect(page.get_by_test_id("option-credits")).to_contain_text(told)
        await expect(page.get_by_test_id("interaction-pending")).to_have_count(0)
        await page.keyboard.press("Escape")


async def test_users_roles_and_channels_are_picked_by_keys(page: Page, server: LocalDiscord) -> None:
    await page.get_by_test_id("composer").press_sequentially("/pool why two")
    await page.keyboard.press("Enter")
    await expect(page.get_by_test_id("option-input-member")).to_have_value("Member Two")
    await page.keyboard.press("Enter")
    await expect(newest(page).get_by_test_id("content")).to_have_text("Member member-two")
    await page.get_by_test_id("composer").press_sequentially("/pool managers pool m")
    await page.keyboard.press("Enter")
    await page.keyboard.press("Enter")
    await expect(newest(page).get_by_test_id("content")).to_have_text("Pool manager, 0, 3")
    server.world.open_dm(seed.BOT_ID, seed.MODERATOR_ID)
    await page.get_by_test_id("composer").press_sequentially("/pool channels ")
    listed = page.get_by_test_id("command-list").locator(".suggestion-label")
    await expect(listed).to_have_text(["#videos", "#general", "#moderators"])
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    await page.keyboard.press("Enter")
    await expect(newest(page).get_by_test_id("content")).to_have_text("general, manages")


async def test_members_do_not_see_moderator_commands(page: Page, server: LocalDiscord) -> None:
    await act_as(page, "member-one")
    await page.get_by_test_id("composer").press_sequentially("/pool")
    await expect(page.get_by_test_id("command-list")).to_contain_text("No command fits")
    await page.get_by_test_id("composer").fill("")
    server.admin.set_role_permissions(seed.GUILD_ID, seed.CREATORS_ROLE_ID, permissions.MANAGE_GUILD)
    await expect(page.get_by_text("acting as moderator")).to_be_visible()
    await page.get_by_test_id("composer").press_sequentially("/pool sh")
    await expect(page.get_by_test_id("command-option-pool-show")).to_be_visible()


async def test_an_ephemeral_list_is_paged_shared_and_decided_in_a_form(page: Page) -> None:
    await run(page, "/pool history")
    listing = page.get_by_test_id("message").filter(has=page.get_by_test_id("ephemeral"))
    await expect(listing.get_by_test_id("content")).to_have_text("Page 1")
    await expect(listing.get_by_role("button", name="Previous")).to_be_disabled()
    await listing.get_by_role("button", name="Next").click()
    await listing.get_by_role("button", name="Next").click()
    await expect(listing.get_by_test_id("content")).to_have_text("Page 3 (edited)")
    await expect(listing.get_by_role("button", name="Next")).to_be_disabled()
    await listing.get_by_role("button", name="Share").click()
    await expect(newest(page)).to_contain_text("@Moderator shares the list")
    await listing.get_by_role("button", name="Deny").click()
    await page.get_by_test_id("modal-input-reason").fill("too expensive")
    await page.get_by_test_id("modal-submit").click()
    await expect(listing.get_by_test_id("content")).to_have_text("Denied: too expensive (edited)")
    await expect(listing.get_by_test_id("button")).to_have_count(0)
    await act_as(page, "member-two")
    await expect(newest(page)).to_contain_text("shares the list")
    await expect(page.get_by_text("too expensive")).to_have_count(0)


async def test_a_file_in_an_ephemeral_answer_is_downloaded(page: Page) -> None:
    await run(page, "/pool export")
    await expect(newest(page).get_by_test_id("ephemeral")).to_be_visible()
    async with page.expect_download() as download:
        await newest(page).get_by_test_id("file-download").click()
    file = await download.value
    assert file.suggested_filename == "ledger.csv"
    assert (await file.path()).read_bytes() == LEDGER
    await act_as(page, "operator")
    await expect(page.get_by_test_id("channel-intro")).to_be_visible()
    await expect(page.get_by_text("ledger.csv")).to_have_count(0)


async def test_a_session_has_a_thread_with_a_pinned_card(page: Page, server: LocalDiscord) -> None:
    await run(page, "/session start budget: 300 role: creators title: Night of boats")
    notice = page.get_by_test_id("message").filter(has_text="started a thread")
    await notice.get_by_test_id("thread-link").click()
    await expect(page.get_by_test_id("channel-title")).to_have_text("Night of boats")
    card = page.get_by_test_id("message").first
    await expect(card.get_by_test_id("pin-mark")).to_be_visible()
    await expect(newest(page)).to_contain_text("pinned a message to this channel")
    (thread,) = server.threads(seed.VIDEOS_ID)
    for number in range(60):
        await server.person("member-two").say(thread.id, f"wish {number}")
    await page.reload()
    await expect(page.get_by_text("wish 59")).to_be_visible()
    await expect(page.get_by_test_id("pin-mark")).to_have_count(0)
    await page.get_by_test_id("open-pins").click()
    await expect(page.get_by_test_id("pin-item")).to_contain_text("300 credits left")
    await page.get_by_test_id("pin-item").click()
    await expect(page.get_by_test_id("pin-mark")).to_be_in_viewport()
    message = server.messages(thread.id)[0]
    server.services.pins.unpin(thread, message)
    await expect(page.get_by_test_id("pin-mark")).to_have_count(0)
    await page.get_by_test_id("open-pins").click()
    await expect(page.get_by_test_id("pins")).to_contain_text("Nothing is pinned here yet.")


async def test_a_closed_thread_leaves_the_list_and_stays_behind_its_link(page: Page, server: LocalDiscord) -> None:
    await run(page, "/session start budget: 300 title: Night of boats")
    await page.get_by_test_id("messages").get_by_test_id("thread-link").click()
    await expect(newest(page)).to_contain_text("pinned a message")
    (thread,) = server.threads(seed.VIDEOS_ID)
    server.admin.set_thread(thread.id, archived=True, locked=True)
    await expect(page.get_by_text("Closed: only moderators can write here")).to_be_visible()
    await expect(page.get_by_test_id("thread-Night of boats")).to_have_count(0)
    await page.get_by_test_id("thread-back").click()
    await act_as(page, "member-one")
    await page.get_by_test_id("messages").get_by_test_id("thread-link").click()
    await expect(page.get_by_test_id("channel-title")).to_have_text("Night of boats")
    await expect(page.get_by_test_id("composer")).to_be_disabled()


async def test_unread_messages_of_the_moderator_are_shown_while_acting_as_somebody_else(
    page: Page, bot: PageBot
) -> None:
    await act_as(page, "member-one")
    await expect(page.get_by_test_id("channel-moderators")).to_have_count(0)
    await bot.get_partial_messageable(seed.MODERATORS_ID).send("a request waits")
    await expect(page.get_by_test_id("news")).to_be_visible()
    await page.get_by_test_id("user-switch").click()
    for username, count in (("moderator", 1), ("operator", 0), ("member-two", 0)):
        await expect(page.get_by_test_id(f"user-{username}").get_by_test_id("news")).to_have_count(count)
    await page.get_by_test_id("user-moderator").click()
    unread = page.get_by_test_id("channel-moderators").get_by_test_id("unread-dot")
    await expect(unread).to_be_visible()
    await expect(page.get_by_test_id("news")).to_have_count(0)
    await page.get_by_test_id("channel-moderators").click()
    await expect(newest(page)).to_contain_text("a request waits")
    await expect(unread).to_have_count(0)
    await bot.get_partial_messageable(seed.VIDEOS_ID).send(f"<@{seed.MEMBER_TWO_ID}> it is ready")
    await page.get_by_test_id("user-switch").click()
    await expect(page.get_by_test_id("user-member-two").get_by_test_id("news")).to_be_visible()


async def test_what_a_moderator_may_no_longer_see_leaves_the_page(page: Page, server: LocalDiscord) -> None:
    await page.get_by_test_id("channel-moderators").click()
    await expect(page.get_by_test_id("channel-title")).to_have_text("moderators")
    server.admin.delete_role(seed.GUILD_ID, seed.MODERATOR_ROLE_ID)
    await expect(page.get_by_test_id("channel-title")).to_have_text("videos")
    await expect(page.get_by_test_id("channel-moderators")).to_have_count(0)
    await expect(page.get_by_text("acting as member")).to_be_visible()
    server.admin.delete_channel(seed.GENERAL_ID)
    await expect(page.get_by_test_id("channel-general")).to_have_count(0)
    server.admin.set_overwrite(seed.VIDEOS_ID, seed.GUILD_ID, deny=permissions.SEND_MESSAGES)
    await expect(page.get_by_test_id("composer")).to_be_disabled()


async def test_moderators_have_their_own_hint(page: Page) -> None:
    examples = page.get_by_test_id("hint-example")
    await expect(examples).to_have_text(["/pool show", "/session start"])
    await examples.first.click()
    await page.keyboard.press("Enter")
    await expect(newest(page)).to_contain_text("1000 credits")
    await expect(page.get_by_test_id("hint")).to_be_hidden()
    await act_as(page, "member-two")
    await expect(examples).to_have_text(
        [r"/video prompt: a paper boat crossing a puddle in the rain, close to the water"]
    )
