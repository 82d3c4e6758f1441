"""The books compared with themselves and with the account, on real files, and what `reelpool books` says of it."""

import logging
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import pytest_asyncio
from click.testing import CliRunner, Result

from bot.__main__ import main
from bot.checkup.books import check_books
from bot.checkup.findings import Verdict
from bot.codes import Reason
from bot.errors import StorageError
from bot.jobs.models import UNPAID_STATES, Job, UnconfirmedDecision
from bot.jobs.moderation.decisions import DecisionRepository
from bot.jobs.store.repository import JobRepository
from bot.pools.ledger import entries as ledger
from bot.pools.models import Balance, Funds
from bot.pools.reconciliation.drift import CreditRange
from bot.pools.reconciliation.queries import UNPAID_STATES as GAVE_BACK
from bot.pools.reconciliation.report import ReconciliationReport, SessionTotals
from bot.pools.reconciliation.service import ReconciliationService, reconcile
from bot.provider.models import Submission
from bot.storage.database import Database
from tests.builders import FAILURE, GUILD, PLENTY, requester, take
from tests.clock import FakeClock
from tests.storage.test_database import url_of

OTHER_GUILD = GUILD + 1


@dataclass
class Setup:
    """A bot's repositories on a file, and the account of a provider that is played by the test."""

    path: Path
    database: Database
    clock: FakeClock = field(default_factory=FakeClock)
    account: int = 1000

    def __post_init__(self) -> None:
        self.repository = JobRepository(self.database, self.clock)
        self.decisions = DecisionRepository(self.database, self.clock)

    async def send(self, guild_id: int = GUILD, price: int = 55) -> Job:
        """Take a job and ask the provider for it; it takes its price at once."""
        job = await take(self.repository, requester(guild_id), price=price)
        self.clock.advance(1)
        job = await self.repository.begin_submission(job.id)
        self.clock.advance(1)
        self.account -= price
        return job

    async def accepted(self, job: Job, account: int | None = None) -> Job:
        """PagedTable the provider's answer."""
        left = self.account if account is None else account
        done = await self.repository.accept(job.id, Submission(f"task-{job.id}", job.held_credits, left))
        self.clock.advance(1)
        return done

    async def make(self, guild_id: int = GUILD, price: int = 55) -> Job:
        """One video from asked to made, with nothing else around it."""
        job = await self.accepted(await self.send(guild_id, price))
        return await self.repository.succeed(job.id, "https://cdn.ulazai.com/v.mp4")

    def report(self) -> ReconciliationReport:
        """What a reconciliation finds by now."""
        return reconcile(self.path)

    def spoil(self, statement: str) -> None:
        """Change a row as no bot would."""
        with closing(sqlite3.connect(self.path)) as connection, connection:
            connection.execute(statement)


@pytest_asyncio.fixture
async def setup(tmp_path: Path) -> AsyncIterator[Setup]:
    async with Database.open(url_of(tmp_path / "a.db")) as database:
        yield Setup(tmp_path / "a.db", database)


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path / 'a.db'}")
    yield
    logging.disable(logging.NOTSET)


def books() -> Result:
    """Run `reelpool books`."""
    return CliRunner().invoke(main, ["books"])


def lines(result: Result) -> list[str]:
    """Its lines, each with verdict, subject and text."""
    found: list[str] = result.output.splitlines()
    return found


# Books


async def test_every_servers_credits_are_reported_by_where_they_are(setup: Setup) -> None:
    await setup.make(GUILD)
    await setup.make(OTHER_GUILD, 110)
    await take(setup.repository, requester(OTHER_GUILD), price=220)
    async with setup.database.transaction() as connection:
        await ledger.withdraw(connection, GUILD, 1000, setup.clock.now(), reason=Reason.typed("too many"))
    report = await ReconciliationService(setup.path).report()
    first, second = report.servers
    assert (first.guild_id, first.deposited, first.withdrawn, first.adjusted) == (GUILD, PLENTY, 1000, 0)
    assert first.funds == first.counted == Funds(available=PLENTY - 1055, spent=55)
    assert second.funds == second.counted == Funds(available=PLENTY - 330, held=220, spent=110)
    assert (report.promised, report.held, report.spent) == (2 * PLENTY - 1385, 220, 165)
    assert (report.account, report.missing) == (835, 2 * PLENTY - 1385 + 220 - 835)
    assert report.is_sound


async def test_a_database_without_any_job_is_consistent(setup: Setup) -> None:
    report = setup.report()
    assert (report.servers, report.account, report.missing, report.is_sound) == ((), None, 0, True)
    result = books()
    assert result.exit_code == 0
    assert lines(result) == [
        "ok      all servers: 0 promised (0 in pools, 0 in sessions), 0 held, 0 spent.",
        "ok      account: UlazAI has reported no balance yet; it does with each job.",
    ]


SPOILT = {
    "a pool's sum": ("UPDATE pools SET spent_credits = spent_credits + 1", f"server {GUILD}"),
    "credits from nowhere": ("UPDATE pools SET available_credits = available_credits + 1", f"server {GUILD}"),
    "a charge that was not booked": ("UPDATE jobs SET charged_credits = 60", f"job 1 of server {GUILD}"),
    "a refund that was not booked": ("UPDATE jobs SET refunded_credits = 55", f"job 1 of server {GUILD}"),
    "a hold that is gone": ("UPDATE jobs SET charged_credits = NULL", f"job 1 of server {GUILD}"),
    "another server's job": ("UPDATE jobs SET guild_id = guild_id + 1", f"job 1 of server {OTHER_GUILD}"),
}


@pytest.mark.parametrize(("statement", "subject"), list(SPOILT.values()), ids=list(SPOILT))
async def test_entries_and_rows_that_differ_are_wrong(setup: Setup, statement: str, subject: str) -> None:
    await setup.make()
    assert books().exit_code == 0
    assert [finding.verdict for finding in check_books(setup.path)] == [Verdict.OK]
    setup.spoil(statement)
    assert not setup.report().is_sound
    result = books()
    assert result.exit_code == 1
    assert [line.split(":")[0] for line in lines(result) if line.startswith("WRONG")] == [f"WRONG   {subject}"]
    assert [finding.verdict for finding in check_books(setup.path)] == [Verdict.WRONG]


async def test_a_wrong_job_is_reported_with_both_sides(setup: Setup) -> None:
    await setup.make()
    setup.spoil("UPDATE jobs SET charged_credits = NULL, guild_id = guild_id + 1")
    (fault,) = setup.report().job_faults
    assert (fault.recorded, fault.counted, fault.misfiled) == (Balance(held=55, spent=0), Balance(held=0, spent=55), 2)
    assert (
        f"WRONG   job 1 of server {OTHER_GUILD}: 55 held, 0 spent; its entries add up to 0 and 55; 2 entries under "
        "another server or session." in lines(books())
    )


async def test_a_sessions_sum_that_is_not_its_entries_is_wrong(setup: Setup) -> None:
    await setup.make()
    setup.spoil(
        "INSERT INTO sessions (guild_id, interaction_id, channel_id, title, budget_credits, started_by, started_at) "
        "SELECT guild_id, 1, 2, 'A morning', 500, 3, '2026-08-01 12:00:00.000000' FROM pools"
    )
    async with setup.database.transaction() as connection:
        await ledger.set_aside(connection, GUILD, 1, 500, setup.clock.now())
    report = setup.report()
    assert report.is_sound
    assert (report.budgeted, report.promised) == (500, PLENTY - 55)
    setup.spoil("UPDATE sessions SET available_credits = 499, held_credits = 1")
    (fault,) = setup.report().session_faults
    assert (fault.recorded, fault.counted) == (SessionTotals(499, 1, 0), SessionTotals(500, 0, 0))
    assert (
        f"WRONG   session 1 of server {GUILD}: 499 left, 1 held, 0 spent; but its entries add up to 500, 0 and 0."
        in lines(books())
    )


async def test_many_faults_do_not_hide_the_first_ones(setup: Setup) -> None:
    for _ in range(23):
        await take(setup.repository)
    setup.spoil("UPDATE jobs SET held_credits = 54")
    wrong = [line for line in lines(books()) if line.startswith("WRONG")]
    assert len(wrong) == 21
    assert wrong[-1] == "WRONG   more: 3 like these."


def test_the_states_of_unpaid_jobs_are_those_of_the_jobs() -> None:
    assert {state.value for state in UNPAID_STATES} == set(GAVE_BACK)


# Account


async def test_nothing_drifts_where_only_the_bot_uses_the_account(setup: Setup) -> None:
    for price in (55, 110, 45):
        await setup.make(price=price)
    drift = setup.report().drift
    assert (drift.readings, drift.credits, drift.steps) == (3, CreditRange(0, 0), ())
    assert "ok      drift: none in 3 readings of the account since job 1 (2026-08-01 12:00 UTC)." in lines(books())


async def test_use_of_the_account_by_others_is_reported_with_the_jobs_around_it(setup: Setup) -> None:
    for number in range(5):
        await setup.make()
        setup.account -= 300 if number == 2 else 0
    drift = setup.report().drift
    (step,) = drift.steps
    assert (drift.credits, step.credits, step.job_ids) == (CreditRange(-300, -300), CreditRange(-300, -300), (4,))
    assert (step.before.job_id, step.after.job_id) == (3, 4)
    assert drift.agreeing
    assert [reading.job_id for reading in drift.agreeing] == [4, 5]
    result = books()
    # The books themselves are right.
    assert result.exit_code == 0
    at = "(2026-08-01 12:00 UTC)"
    since, between, agreed = lines(result)[-3:]
    assert since == f"warning drift: -300 credits in the account that the ledger does not explain, since job 1 {at}."
    assert between == (
        f"warning drift: -300 credits between job 3 {at} and job 4 {at}: "
        "credits were used outside of the bot, or a job was booked wrongly; booked in between: 4."
    )
    assert agreed == f"ok      drift: none between the last two readings that agree, job 4 {at} and job 5 {at}."


async def test_bought_credits_are_reported_as_such(setup: Setup) -> None:
    setup.account = 55
    await setup.make()
    setup.account += 2_000_000
    await setup.make()
    (step,) = setup.report().drift.steps
    assert step.credits == CreditRange(2_000_000, 2_000_000)
    printed = lines(books())
    assert any("+2,000,000 credits between job 1" in line and "credits were bought" in line for line in printed)
    assert "ok      account: 1,999,945 credits after job 2 (2026-08-01 12:00 UTC): enough for all that is" in "".join(
        printed
    )


async def test_answers_that_overtake_each_other_are_no_drift(setup: Setup) -> None:
    first, second = await setup.send(), await setup.send(OTHER_GUILD, 110)
    after_second = setup.account
    await setup.accepted(second)
    await setup.accepted(first, account=after_second + 110)
    await setup.make()
    assert setup.report().drift.steps == ()


async def test_a_refund_that_is_not_seen_yet_is_no_drift(setup: Setup) -> None:
    failing = await setup.accepted(await setup.send())
    setup.account += 55
    await setup.make()
    assert setup.report().drift.steps == ()
    await setup.repository.fail(failing.id, FAILURE)
    await setup.make()
    assert setup.report().drift.steps == ()
    assert setup.report().drift.credits == CreditRange(0, 0)


async def test_a_refund_that_never_came_is_drift(setup: Setup) -> None:
    await setup.make()
    failing = await setup.accepted(await setup.send())
    await setup.repository.fail(failing.id, FAILURE)
    await setup.make()
    (step,) = setup.report().drift.steps
    assert step.credits == CreditRange(-55, -55)
    assert step.job_ids == (2, 3)


@pytest.mark.parametrize("is_paid", [True, False])
async def test_an_unconfirmed_job_is_no_drift_and_a_wrong_decision_is(setup: Setup, *, is_paid: bool) -> None:
    await setup.make()
    lost = await setup.send()
    setup.account += 0 if is_paid else 55
    await setup.repository.mark_unconfirmed(lost.id, FAILURE)
    await setup.make()
    report = setup.report()
    assert report.drift.steps == ()
    assert (report.unconfirmed_jobs, report.unconfirmed_credits) == (1, 55)
    assert "warning unconfirmed: 1 job with 55 credits: their moderators decide" in books().output
    setup.clock.advance(1)
    await setup.decisions.decide(lost.id, GUILD, 900, UnconfirmedDecision.NOT_CHARGED)
    await setup.make()
    assert setup.report().drift.credits == (CreditRange(-55, -55) if is_paid else CreditRange(0, 0))


async def test_a_paid_job_that_was_sent_again_has_the_reading_of_its_last_charge(setup: Setup) -> None:
    await setup.make()
    twice = await setup.accepted(await setup.send())
    await setup.repository.mark_unconfirmed(twice.id, FAILURE)
    setup.account += 55
    setup.clock.advance(1)
    await setup.decisions.decide(twice.id, GUILD, 900, UnconfirmedDecision.TRY_AGAIN)
    assert setup.report().drift.readings == 1
    setup.clock.advance(1)
    await setup.repository.begin_submission(twice.id)
    setup.clock.advance(1)
    setup.account -= 55
    await setup.accepted(twice)
    await setup.repository.succeed(twice.id, "https://cdn.ulazai.com/v.mp4")
    await setup.make()
    drift = setup.report().drift
    assert (drift.readings, drift.steps) == (3, ())


# The command


def test_there_has_to_be_a_database() -> None:
    result = books()
    assert result.exit_code == 1
    assert "reelpool: there is no database at " in result.output


async def test_an_older_database_is_left_to_the_bot(setup: Setup) -> None:
    setup.spoil("DELETE FROM alembic_version")
    result = books()
    assert result.exit_code == 1
    assert "is of an older version: the bot migrates it at start." in result.output


def test_a_wrong_address_is_exit_code_2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "nowhere")
    assert books().exit_code == 2


def test_what_cannot_be_read_is_an_error_of_the_database(tmp_path: Path) -> None:
    (tmp_path / "a.db").write_bytes(b"no database" * 1000)
    with pytest.raises(StorageError, match=r"can't read the database .*a.db: file is not a database"):
        reconcile(tmp_path / "a.db")
    assert check_books(tmp_path / "a.db") == []


async def test_the_report_is_a_snapshot_of_a_running_bot_and_changes_nothing(setup: Setup) -> None:
    await setup.make()
    async with setup.database.transaction() as connection:
        await ledger.deposit(connection, GUILD, 5, setup.clock.now(), reason=Reason.typed("not committed yet"))
        assert setup.report().servers[0].deposited == PLENTY
    before = setup.path.read_bytes()
    assert setup.report().servers[0].deposited == PLENTY + 5
    assert setup.path.read_bytes() == before
