"""What the books say: pages, sums by the calendar, who spent most, the account, and the ledger as a table."""

import csv
import io
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.codes import AuditAction, LedgerReason, Reason
from bot.jobs.models import UnconfirmedDecision
from bot.jobs.moderation.decisions import DecisionRepository
from bot.pools.ledger.queries import newest_account
from bot.pools.ledger.reports import Cursor, LedgerEntry, Page, ProviderBalance, Spender, Spending
from bot.pools.models import EntryKind
from bot.pools.policy import NO_LIMIT, LowBalanceLevel
from bot.pools.queries import PolicyChange
from bot.pools.rules import changes
from bot.provider.models import Submission
from cogs.rendering.ledger_csv import COLUMNS, harmless, write_entries, write_heading
from tests.builders import FAILURE, GUILD, MEMBER
from tests.clock import START
from tests.pools.treasury import MODERATOR, START_CREDITS, Treasury, treasury_at
from tests.properties import PROPERTY

STARTING = Reason(LedgerReason.STARTING_CREDITS)
OTHER = MEMBER + 1
DAY = 24 * 3600.0


@pytest.fixture
async def treasury(tmp_path: Path) -> AsyncIterator[Treasury]:
    async with treasury_at(tmp_path / "a.db") as opened:
        yield opened


# Spending


async def test_spending_is_reported_by_day_week_and_month(treasury: Treasury) -> None:
    # 1 August 2026 is a Saturday.
    treasury.clock.advance(29 * DAY)
    await treasury.paid(price=100)  # Sunday, 30 August
    treasury.clock.advance(DAY)
    await treasury.paid(price=20)  # Monday, 31 August
    treasury.clock.advance(5 * DAY)
    await treasury.paid(price=3)  # Saturday, 5 September
    statement = await treasury.pools.statement(GUILD)
    assert statement.spending == Spending(today=3, this_week=23, this_month=3)
    assert statement.pool.funds.spent == 123


async def test_what_is_only_held_is_not_spent(treasury: Treasury) -> None:
    await treasury.job(price=100)
    assert (await treasury.pools.statement(GUILD)).spending == Spending()


async def test_a_refund_takes_its_charge_back_out_of_the_day_of_the_charge(treasury: Treasury) -> None:
    job = await treasury.paid(price=100)
    treasury.clock.advance(DAY)
    await treasury.paid(price=7)
    await treasury.jobs.fail(job.id, FAILURE)
    assert (await treasury.pools.statement(GUILD)).spending == Spending(7, 7, 7)


async def test_a_job_that_was_charged_twice_and_refunded_once_counts_once(treasury: Treasury) -> None:
    decisions = DecisionRepository(treasury.database, treasury.clock)
    job = await treasury.paid(price=100)
    await treasury.jobs.mark_unconfirmed(job.id, FAILURE)
    await decisions.decide(job.id, GUILD, 900, UnconfirmedDecision.TRY_AGAIN)
    assert (await treasury.pools.statement(GUILD)).spending == Spending()
    await treasury.jobs.begin_submission(job.id)
    await treasury.paid(price=0)
    assert (await treasury.pools.statement(GUILD)).pool.funds.spent == 0


async def test_servers_and_members_are_kept_apart(treasury: Treasury) -> None:
    await treasury.paid(MEMBER, price=10)
    await treasury.paid(OTHER, price=20)
    await treasury.paid(OTHER, GUILD + 1, price=40)
    assert (await treasury.pools.statement(GUILD)).spending.today == 30
    assert (await treasury.pools.spending(GUILD, MEMBER)).today == 10
    assert (await treasury.pools.spending(GUILD, OTHER)).today == 20
    assert await treasury.pools.spending(GUILD, 12345) == Spending()


async def test_who_spent_most_comes_first(treasury: Treasury) -> None:
    for member_id, price in ((1, 10), (2, 30), (3, 20), (4, 5), (1, 15)):
        await treasury.paid(member_id, price=price)
    refunded = await treasury.paid(5, price=500)
    await treasury.jobs.fail(refunded.id, FAILURE)
    statement = await treasury.pools.statement(GUILD)
    assert statement.top == (Spender(2, 30), Spender(1, 25), Spender(3, 20))


async def test_last_months_spending_makes_nobody_the_top(treasury: Treasury) -> None:
    await treasury.paid(price=100)
    treasury.clock.advance(31 * DAY)
    assert (await treasury.pools.statement(GUILD)).top == ()


# Forecast and account


async def test_the_forecast_uses_the_ledger(treasury: Treasury) -> None:
    await treasury.pools.pool(GUILD)
    treasury.clock.advance(30 * DAY)
    await treasury.paid(price=300)
    statement = await treasury.pools.statement(GUILD)
    assert statement.empty_at == treasury.clock.now() + timedelta(days=7) * (700 / 300)
    treasury.clock.advance(8 * DAY)
    assert (await treasury.pools.statement(GUILD)).empty_at is None


async def test_a_server_that_was_never_seen_has_a_statement(treasury: Treasury) -> None:
    statement = await treasury.pools.statement(12345)
    assert statement.pool.funds.available == START_CREDITS
    assert (statement.spending, statement.top, statement.empty_at) == (Spending(), (), None)


async def newest(treasury: Treasury) -> ProviderBalance | None:
    async with treasury.database.reading() as connection:
        return await newest_account(connection)


async def test_the_balance_is_that_of_the_newest_answer_to_any_server(treasury: Treasury) -> None:
    first = await treasury.job()
    treasury.clock.advance(60)
    await treasury.paid(guild_id=GUILD + 1, account=4000)
    assert await newest(treasury) == ProviderBalance(4000, START + timedelta(seconds=60))
    # The first job is sent last: its answer is the newest.
    treasury.clock.advance(60)
    await treasury.jobs.begin_submission(first.id)
    await treasury.jobs.accept(first.id, Submission("task", 55, credits_remaining=3945))
    assert await newest(treasury) == ProviderBalance(3945, START + timedelta(seconds=120))


# Pages


async def leaf(treasury: Treasury, size: int) -> list[list[int]]:
    """Read the ledger from the first page to the last."""
    pages: list[list[int]] = []
    page: Page[LedgerEntry] = await treasury.pools.ledger_page(GUILD, size=size)
    while True:
        pages.append([entry.id for entry in page.items])
        if page.older is None:
            return pages
        page = await treasury.pools.ledger_page(GUILD, page.older, size=size)


async def test_pages_hold_every_entry_once_newest_first(treasury: Treasury) -> None:
    for _ in range(5):
        await treasury.pools.deposit(GUILD, MODERATOR, 5, "more")
        await treasury.pools.deposit(GUILD + 1, MODERATOR, 5, "of another server")
    every = await treasury.rows("SELECT id, guild_id FROM ledger_entries ORDER BY id DESC")
    mine = [row["id"] for row in every if row["guild_id"] == GUILD]
    for size in (1, 2, 3, 6, 10):
        pages = await leaf(treasury, size)
        assert [entry_id for page in pages for entry_id in page] == mine
        assert all(len(page) == size for page in pages[:-1])


async def test_paging_back_shows_the_same_pages(treasury: Treasury) -> None:
    for _ in range(6):
        await treasury.pools.deposit(GUILD, MODERATOR, 5, "more")
    pages = await leaf(treasury, 3)
    last = await treasury.pools.ledger_page(GUILD, Cursor(pages[1][-1], is_older=True), size=3)
    assert last.older is None
    middle = await treasury.pools.ledger_page(GUILD, last.newer, size=3)
    assert [entry.id for entry in middle.items] == pages[1]
    assert middle.older
    first = await treasury.pools.ledger_page(GUILD, middle.newer, size=3)
    assert [entry.id for entry in first.items] == pages[0]
    assert first.newer is None
    assert first.older == Cursor(pages[0][-1], is_older=True)


async def test_entries_booked_meanwhile_shift_no_page(treasury: Treasury) -> None:
    for _ in range(3):
        await treasury.pools.deposit(GUILD, MODERATOR, 5, "more")
    first = await treasury.pools.ledger_page(GUILD, size=2)
    await treasury.pools.deposit(GUILD, MODERATOR, 5, "meanwhile")
    second = await treasury.pools.ledger_page(GUILD, first.older, size=2)
    assert {entry.id for entry in second.items}.isdisjoint(entry.id for entry in first.items)
    back = await treasury.pools.ledger_page(GUILD, second.newer, size=2)
    assert back.items == first.items
    newest = await treasury.pools.ledger_page(GUILD, back.newer, size=2)
    assert newest.items[0].reason == Reason.typed("meanwhile")
    assert len(newest.items) == 2


async def test_a_page_that_is_not_there_is_the_first_one(treasury: Treasury) -> None:
    await treasury.pools.deposit(GUILD, MODERATOR, 5, "more")
    found = await treasury.pools.ledger_page(GUILD, Cursor(0, is_older=True), size=5)
    assert [entry.reason for entry in found.items] == [Reason.typed("more"), STARTING]
    assert await treasury.pools.ledger_page(777, Cursor(0, is_older=True)) == Page(())


async def test_the_ledger_of_one_member_has_what_they_asked_for_and_did(treasury: Treasury) -> None:
    await treasury.paid(MEMBER, price=10)
    await treasury.paid(OTHER, price=20)
    await treasury.pools.deposit(GUILD, MEMBER, 5, "mine")
    page = await treasury.pools.ledger_page(GUILD, member_id=MEMBER)
    assert [(entry.kind, entry.credits) for entry in page.items] == [
        (EntryKind.DEPOSIT, 5),
        (EntryKind.CHARGE, 10),
        (EntryKind.HOLD, 10),
    ]


async def test_the_audit_trail_has_pages_too(treasury: Treasury) -> None:
    for _ in range(3):
        await treasury.pools.deposit(GUILD, MODERATOR, 5, "more")
    page = await treasury.pools.audit_page(GUILD, size=2)
    assert [entry.action for entry in page.items] == ["deposit", "deposit"]
    assert page.older
    rest = await treasury.pools.audit_page(GUILD, page.older, size=2)
    assert [(entry.actor_id, entry.detail) for entry in rest.items] == [
        (MODERATOR, Reason("deposit", {"amount": 5, "free_before": 1000, "free_after": 1005, "reason": "more"}))
    ]


# Rules


async def test_the_rules_have_numbers_level_and_session(treasury: Treasury) -> None:
    await treasury.pools.withdraw(GUILD, MODERATOR, 950, "gone")
    await treasury.pools.change(
        GUILD, MODERATOR, PolicyChange(AuditAction.PAUSE, lambda policy: changes.pause(policy, "tired"))
    )
    rules = await treasury.pools.rules(GUILD, MEMBER, (1,), (2, 3))
    assert rules.low_balance is LowBalanceLevel.APPROVAL
    assert rules.pool.policy.paused == "tired"
    assert rules.session is None
    assert {origin.value for origin in rules.origins} == {NO_LIMIT}


# The table


async def read_all(treasury: Treasury, chunk: int = 1000, days: int | None = None) -> list[list[str]]:
    file = io.StringIO()
    write_heading(file)
    since = treasury.clock.now() - timedelta(days=days) if days else None
    async for entries in treasury.pools.entries(GUILD, since, chunk):
        assert len(entries) <= chunk
        write_entries(file, entries)
    file.seek(0)
    return list(csv.reader(file))


async def test_the_table_has_every_entry_of_the_server_in_order(treasury: Treasury) -> None:
    await treasury.paid(price=55)
    await treasury.pools.deposit(GUILD + 1, MODERATOR, 5, "of another server")
    await treasury.pools.deposit(GUILD, MODERATOR, 5, 'a "quoted", reason')
    heading, *rows = await read_all(treasury, chunk=2)
    assert tuple(heading) == COLUMNS
    assert rows == [
        ["1", "2026-08-01 12:00:00", "deposit", "1000", "", "", "", "", "starting_credits", "starting credits"],
        ["2", "2026-08-01 12:00:00", "hold", "55", "1", str(MEMBER), "", "", "", ""],
        ["3", "2026-08-01 12:00:00", "charge", "55", "1", str(MEMBER), "", "", "", ""],
        ["6", "2026-08-01 12:00:00", "deposit", "5", "", "", "", str(MODERATOR), "text", 'a "quoted", reason'],
    ]


async def test_the_table_of_some_days_begins_there(treasury: Treasury) -> None:
    await treasury.pools.deposit(GUILD, MODERATOR, 5, "old")
    treasury.clock.advance(3 * DAY)
    await treasury.pools.deposit(GUILD, MODERATOR, 5, "new")
    assert [row[-1] for row in await read_all(treasury, days=2)] == ["reason", "new"]


async def test_entries_booked_while_the_table_is_read_are_not_in_it(treasury: Treasury) -> None:
    await treasury.pools.deposit(GUILD, MODERATOR, 5, "before")
    found = []
    async for entries in treasury.pools.entries(GUILD, chunk=1):
        found += [entry.reason for entry in entries]
        await treasury.pools.deposit(GUILD, MODERATOR, 5, "meanwhile")
    assert found == [STARTING, Reason.typed("before")]


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(A1)", "  =cmd|' /C calc'!A0", "\t=1", "\r=1", "\uff1d1", "%0A", "|x"]
)
def test_no_reason_is_a_formula(text: str) -> None:
    assert harmless(text) == f"'{text}"


@PROPERTY
@given(text=st.text())
def test_a_text_is_kept_and_begins_with_no_sign_of_a_formula(text: str) -> None:
    found = harmless(text)
    assert found.removeprefix("'") == text.removeprefix("'") or found == text
    assert not found.lstrip().startswith(("=", "+", "-", "@"))
