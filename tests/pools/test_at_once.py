"""Two hundred requests at the same moment, each in a transaction of its own: as many are taken as there is room for."""

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from bot.codes import AuditAction, Refusal
from bot.errors import RefusedError
from bot.jobs.models import Job, Requester
from bot.jobs.store.repository import JobRepository
from bot.pools.models import Funds, Limits, PoolSettings, SessionPlan
from bot.pools.policy import LowBalanceLimits, Policy
from bot.pools.queries import PolicyChange
from bot.pools.reconciliation.service import reconcile
from bot.pools.service import PoolService
from bot.sessions.service import SessionService
from bot.storage.database import Database
from tests.builders import CHANNEL, GUILD, MEMBER, TEXT_REQUEST, UNLIMITED, members_side
from tests.clock import FakeClock
from tests.refusals import is_refused
from tests.storage.test_database import url_of

AT_ONCE, ROOM, PRICE = 200, 7, 55
THREAD = CHANNEL + 1
# Not quite one more.
ENOUGH = ROOM * PRICE + PRICE - 1

_ids = itertools.count(1)


class Counter200:
    """Where two hundred ask."""

    def __init__(self, path: Path, database: Database) -> None:
        self.path, self.database, self.clock = path, database, FakeClock()
        self.repository = JobRepository(database, self.clock)

    async def ask(self, terms: PoolSettings, *, in_thread: bool = False, members: int = AT_ONCE) -> Counter[object]:
        """Let members ask all at once, and count what came of it."""
        place = (THREAD, CHANNEL) if in_thread else (CHANNEL, None)
        requesters = [
            Requester(next(_ids), GUILD, place[0], MEMBER + number % members, in_thread, place[1])
            for number in range(AT_ONCE)
        ]
        taking = (
            members_side(self.repository, terms).create(requester, TEXT_REQUEST, PRICE) for requester in requesters
        )
        results = await asyncio.gather(*taking, return_exceptions=True)
        return Counter(map(_outcome, results))

    async def without_low_balance_limits(self, terms: PoolSettings) -> None:
        """Open the pool without low-balance limits: they would refuse earlier."""
        pools = PoolService(self.database, self.clock, terms)
        off = Policy(low_balance=LowBalanceLimits(0, 0))
        await pools.change(GUILD, 1, PolicyChange(AuditAction.LOW_BALANCE, lambda _: off))

    def funds(self) -> Funds:
        """What is in the server's pool; its sums are its entries'."""
        report = reconcile(self.path)
        assert report.is_sound
        return report.servers[0].funds


def _outcome(result: object) -> object:
    """The code of a refusal, the type of another error, or `Job`."""
    if isinstance(result, RefusedError):
        return Refusal(result.reason.code)
    return type(result) if isinstance(result, BaseException) else Job


@pytest_asyncio.fixture
async def counter(tmp_path: Path) -> AsyncIterator[Counter200]:
    async with Database.open(url_of(tmp_path / "a.db")) as database:
        yield Counter200(tmp_path / "a.db", database)


async def test_a_pool_with_room_for_seven_pays_for_seven(counter: Counter200) -> None:
    terms = PoolSettings(UNLIMITED, starting_credits=ENOUGH)
    await counter.without_low_balance_limits(terms)
    assert await counter.ask(terms) == {Job: ROOM, Refusal.POOL_EMPTY: AT_ONCE - ROOM}
    assert counter.funds() == Funds(available=PRICE - 1, held=ROOM * PRICE)


async def test_a_pool_that_all_of_them_see_first_is_opened_once(counter: Counter200) -> None:
    taken = await counter.ask(PoolSettings(UNLIMITED, starting_credits=1000))
    # The low-balance limits leave less than a tenth to the moderators: those wait, with their credits held.
    assert taken == {Job: 1000 // PRICE, Refusal.POOL_EMPTY: AT_ONCE - 1000 // PRICE}
    assert reconcile(counter.path).servers[0].deposited == 1000


async def test_a_budget_with_room_for_seven_pays_for_seven_whatever_the_pool_has(counter: Counter200) -> None:
    terms = PoolSettings(UNLIMITED, starting_credits=100_000)
    sessions = SessionService(counter.database, counter.clock, terms)
    session = await sessions.start(SessionPlan(GUILD, 1, CHANNEL, 1, "Rush", ENOUGH))
    await sessions.record_thread(session.id, THREAD)
    assert await counter.ask(terms, in_thread=True) == {Job: ROOM, Refusal.SESSION_EMPTY: AT_ONCE - ROOM}
    assert counter.funds() == Funds(available=100_000 - ENOUGH, budgeted=PRICE - 1, held=ROOM * PRICE)


@pytest.mark.parametrize("limits", [Limits(ROOM, None, 0), Limits(None, ENOUGH, 24), Limits(ROOM, ENOUGH, 24)])
async def test_an_allowance_with_room_for_seven_lets_seven_pass(counter: Counter200, limits: Limits) -> None:
    taken = await counter.ask(PoolSettings(limits, starting_credits=100_000), members=1)
    code = Refusal.LIMIT_JOBS if limits.active_jobs else Refusal.LIMIT_CREDITS
    assert taken == {Job: ROOM, code: AT_ONCE - ROOM}
    assert counter.funds() == Funds(available=100_000 - ROOM * PRICE, held=ROOM * PRICE)


async def test_every_member_has_an_allowance_of_their_own(counter: Counter200) -> None:
    taken = await counter.ask(PoolSettings(Limits(ROOM, None, 0), starting_credits=100_000), members=4)
    assert taken == {Job: 4 * ROOM, Refusal.LIMIT_JOBS: AT_ONCE - 4 * ROOM}


async def test_withdrawals_at_once_never_take_more_than_is_free(counter: Counter200) -> None:
    pools = PoolService(counter.database, counter.clock, PoolSettings(UNLIMITED, starting_credits=ENOUGH))
    taking = (pools.withdraw(GUILD, 1, PRICE, "back") for _ in range(AT_ONCE))
    results = await asyncio.gather(*taking, return_exceptions=True)
    assert sum(is_refused(result, Refusal.WITHDRAWAL_TOO_LARGE) for result in results) == AT_ONCE - ROOM
    assert counter.funds() == Funds(available=PRICE - 1)
