"""What moderators decide about waiting jobs: each decision is guarded, books its part, and is written down."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from bot.codes import Failure, Reason, Refusal
from bot.errors import RefusedError, TransitionError
from bot.jobs.models import Approval, ApprovalDecision, Job, JobState
from bot.jobs.moderation.decisions import DecisionRepository
from bot.jobs.store.queries import expire_of_session
from bot.jobs.store.repository import JobRepository
from bot.jobs.validation import cheaper_variant, list_price
from bot.pools.ledger import entries as ledger
from bot.pools.models import Balance, Funds, JobAccount, PoolSettings
from bot.pools.policy import ApprovalCause
from bot.provider.models import GenerationRequest
from bot.storage.schema import audit_entries, jobs, sessions
from tests.builders import FAILURE, GUILD, MEMBER, PLENTY, TEXT_REQUEST, UNLIMITED, members_side, requester, take
from tests.clock import FakeClock
from tests.refusals import refused

MODERATOR, OTHER = 901, 902
EXPENSIVE = replace(TEXT_REQUEST, duration_seconds=10, sound=True)

Decide = Callable[[DecisionRepository, Job], Awaitable[Any]]

DECISIONS: dict[str, Decide] = {
    "approve": lambda approvals, job: approvals.decide(job.id, GUILD, MODERATOR, ApprovalDecision.APPROVED),
    "cheaper": lambda approvals, job: approvals.decide(job.id, GUILD, MODERATOR, ApprovalDecision.CHEAPER),
    "deny": lambda approvals, job: approvals.decide(job.id, GUILD, OTHER, ApprovalDecision.DENIED, reason="too long"),
    "expire": lambda approvals, job: approvals.expire(job.id, FAILURE),
}
STATES = {
    "approve": JobState.QUEUED,
    "cheaper": JobState.QUEUED,
    "deny": JobState.DENIED,
    "expire": JobState.EXPIRED,
    "cancel": JobState.CANCELLED,
}
BOOKED = {"approve": 220, "cheaper": 110, "deny": 0, "expire": 0, "cancel": 0}


@pytest.fixture
def approvals(repository: JobRepository, clock: FakeClock) -> DecisionRepository:
    return DecisionRepository(repository._database, clock)


async def waiting(
    repository: JobRepository, request: GenerationRequest = EXPENSIVE, member_id: int = MEMBER, guild_id: int = GUILD
) -> Job:
    """A job that waits for a moderator."""
    terms = PoolSettings(UNLIMITED, PLENTY)
    who = requester(guild_id, member_id)
    job, _ = await members_side(repository, terms).create(who, request, list_price(request), is_asked=True)
    assert job.state is JobState.AWAITING_APPROVAL
    return job


async def decide(name: str, approvals: DecisionRepository, repository: JobRepository, job: Job) -> None:
    if name == "cancel":
        await members_side(repository).cancel(job.id, GUILD, MEMBER)
    else:
        await DECISIONS[name](approvals, job)


async def held(repository: JobRepository, job: Job) -> Balance:
    async with repository._database.reading() as connection:
        return await ledger.balance(connection, job_id=job.id)


async def funds(repository: JobRepository) -> Funds:
    """What the entries of the server add up to."""
    async with repository._database.reading() as connection:
        return (await ledger.recount(connection))[GUILD]


async def approval_of(approvals: DecisionRepository, job: Job) -> Approval:
    case = await approvals.approval(job.id)
    assert case
    return case.approval


async def audit(repository: JobRepository) -> list[tuple[int, Reason]]:
    columns = (audit_entries.c.actor_id, audit_entries.c.detail)
    async with repository._database.reading() as connection:
        rows = await connection.execute(select(*columns).order_by(audit_entries.c.id))
        return [(actor_id, Reason.from_json(detail)) for actor_id, detail in rows]


@pytest.mark.parametrize("name", STATES)
async def test_each_decision_moves_the_job_and_books_its_credits(
    repository: JobRepository, approvals: DecisionRepository, name: str
) -> None:
    job = await waiting(repository)
    assert await held(repository, job) == Balance(held=220, spent=0)
    await decide(name, approvals, repository, job)
    row = await repository.get(job.id)
    assert row
    assert row.state is STATES[name]
    assert await held(repository, job) == Balance(held=BOOKED[name], spent=0)
    assert await funds(repository) == Funds(available=PLENTY - BOOKED[name], held=BOOKED[name])
    assert row.awaits_delivery is (name in ("deny", "expire"))


@pytest.mark.parametrize(
    ("name", "decision", "decided_by"),
    [
        ("approve", ApprovalDecision.APPROVED, MODERATOR),
        ("cheaper", ApprovalDecision.CHEAPER, MODERATOR),
        ("deny", ApprovalDecision.DENIED, OTHER),
        ("expire", ApprovalDecision.EXPIRED, None),
        ("cancel", ApprovalDecision.CANCELLED, MEMBER),
    ],
)
async def test_each_decision_is_recorded(
    repository: JobRepository,
    approvals: DecisionRepository,
    clock: FakeClock,
    name: str,
    decision: ApprovalDecision,
    decided_by: int | None,
) -> None:
    job = await waiting(repository)
    clock.advance(60)
    await decide(name, approvals, repository, job)
    approval = await approval_of(approvals, job)
    assert (approval.decision, approval.decided_by, approval.decided_at) == (decision, decided_by, clock.now())
    assert approval.cause is ApprovalCause.WORDS
    assert approval.reason == ("too long" if name == "deny" else None)


async def test_moderators_decisions_are_in_the_audit_trail(
    repository: JobRepository, approvals: DecisionRepository
) -> None:
    for name in STATES:
        await decide(name, approvals, repository, await waiting(repository))
    assert await audit(repository) == [
        (MODERATOR, Reason("approve", {"job_id": 1, "member_id": MEMBER, "credits": 220, "reason": None})),
        (MODERATOR, Reason("approve_cheaper", {"job_id": 2, "member_id": MEMBER, "credits": 110, "reason": None})),
        (OTHER, Reason("deny", {"job_id": 3, "member_id": MEMBER, "credits": 220, "reason": "too long"})),
    ]


async def test_approving_the_cheaper_kind_changes_the_request(
    repository: JobRepository, approvals: DecisionRepository
) -> None:
    job = await waiting(repository)
    cheaper = await approvals.decide(job.id, GUILD, MODERATOR, ApprovalDecision.CHEAPER)
    assert cheaper.request == replace(EXPENSIVE, sound=False)
    assert cheaper.held_credits == list_price(cheaper.request) == 110


async def test_the_cheapest_kind_can_not_be_made_cheaper(
    repository: JobRepository, approvals: DecisionRepository
) -> None:
    job = await waiting(repository, TEXT_REQUEST)
    with refused(Refusal.NO_CHEAPER_KIND, job_id=job.id):
        await approvals.decide(job.id, GUILD, MODERATOR, ApprovalDecision.CHEAPER)
    assert await repository.get(job.id) == job
    assert await held(repository, job) == Balance(held=55, spent=0)


@pytest.mark.parametrize("name", ["approve", "cheaper", "deny"])
async def test_nobody_decides_on_their_own_request(
    repository: JobRepository, approvals: DecisionRepository, name: str
) -> None:
    job = await waiting(repository, member_id=OTHER if name == "deny" else MODERATOR)
    with refused(Refusal.OWN_REQUEST, job_id=job.id):
        await DECISIONS[name](approvals, job)
    assert await repository.get(job.id) == job
    assert await audit(repository) == []


@pytest.mark.parametrize("name", ["approve", "cheaper", "deny"])
async def test_moderators_of_another_server_decide_nothing(
    repository: JobRepository, approvals: DecisionRepository, name: str
) -> None:
    job = await waiting(repository, guild_id=GUILD + 1)
    with refused(Refusal.NO_SUCH_REQUEST, job_id=job.id):
        await DECISIONS[name](approvals, job)
    with refused(Refusal.NO_SUCH_REQUEST, job_id=job.id):
        await approvals.check(job.id, GUILD, MODERATOR, ApprovalDecision.APPROVED)
    assert await repository.get(job.id) == job


@pytest.mark.parametrize("second", STATES)
@pytest.mark.parametrize("first", ["deny", "expire", "cancel"])
async def test_a_decision_is_final(
    repository: JobRepository, approvals: DecisionRepository, first: str, second: str
) -> None:
    job = await waiting(repository)
    await decide(first, approvals, repository, job)
    before = await approvals.approval(job.id)
    with pytest.raises((TransitionError, RefusedError)):
        await decide(second, approvals, repository, job)
    assert await approvals.approval(job.id) == before
    assert await funds(repository) == Funds(available=PLENTY)


async def test_a_job_that_never_waited_can_not_be_decided(
    repository: JobRepository, approvals: DecisionRepository
) -> None:
    job = await take(repository)
    for decision in DECISIONS.values():
        with pytest.raises((TransitionError, RefusedError)):
            await decision(approvals, job)
    assert await approvals.approval(job.id) is None
    assert await repository.get(job.id) == job


async def test_an_approved_job_can_still_be_cancelled_and_its_decision_stays(
    repository: JobRepository, approvals: DecisionRepository
) -> None:
    job = await waiting(repository)
    await approvals.decide(job.id, GUILD, MODERATOR, ApprovalDecision.CHEAPER)
    await members_side(repository).cancel(job.id, GUILD, MEMBER)
    assert (await approval_of(approvals, job)).decision is ApprovalDecision.CHEAPER
    assert await funds(repository) == Funds(available=PLENTY)


@pytest.mark.parametrize("turn", range(6))
async def test_of_concurrent_decisions_one_wins_and_the_ledger_adds_up(
    repository: JobRepository, approvals: DecisionRepository, turn: int
) -> None:
    job = await waiting(repository)
    names = [*STATES, *STATES]
    names = names[turn:] + names[:turn]
    found = await asyncio.gather(*(decide(name, approvals, repository, job) for name in names), return_exceptions=True)
    won = [name for name, error in zip(names, found, strict=True) if error is None]
    # Who is approved may be cancelled after that.
    assert len(won) == 1 or (won[0] in ("approve", "cheaper") and won[1:] == ["cancel"])
    assert all(isinstance(error, TransitionError | RefusedError) for error in found if error is not None)
    booked = BOOKED[won[-1]]
    assert await held(repository, job) == Balance(held=booked, spent=0)
    assert await funds(repository) == Funds(available=PLENTY - booked, held=booked)


async def test_waiting_jobs_are_listed_for_their_server_only(
    repository: JobRepository, approvals: DecisionRepository
) -> None:
    first, gone, second = [await waiting(repository) for _ in range(3)]
    await waiting(repository, guild_id=GUILD + 1)
    await take(repository)
    await approvals.decide(gone.id, GUILD, MODERATOR, ApprovalDecision.APPROVED)
    assert [case.job for case in await approvals.waiting(GUILD)] == [first, second]
    assert {case.approval.cause for case in await approvals.waiting(GUILD)} == {ApprovalCause.WORDS}


async def test_open_cards_are_known(repository: JobRepository, approvals: DecisionRepository) -> None:
    undecided, decided, unposted, closed = [await waiting(repository) for _ in range(4)]
    for job in (undecided, decided, closed):
        assert (await approvals.record_card(job.id, 5, 6)).id == job.id
    for job in (decided, unposted, closed):
        await approvals.decide(job.id, GUILD, MODERATOR, ApprovalDecision.APPROVED)
    (closing,) = await approvals.unclosed(closed.id)
    await approvals.record_closed(closing)
    assert list(await approvals.unclosed_jobs()) == [decided.id]
    card = await approval_of(approvals, decided)
    assert (card.card_channel_id, card.card_message_id, card.has_open_card) == (5, 6, True)
    assert not (await approval_of(approvals, closed)).has_open_card


# Creative sessions


async def in_session(repository: JobRepository, clock: FakeClock) -> tuple[int, Job, Job]:
    """A session with a waiting job and a queued one; what is left of its budget."""
    job, queued = await waiting(repository), await take(repository)
    async with repository._database.transaction() as connection:
        values = {"guild_id": GUILD, "interaction_id": 1, "channel_id": 2, "title": "Night", "budget_credits": 500}
        query = insert(sessions).values(**values, started_by=MODERATOR, started_at=clock.now())
        session_id: int = (await connection.execute(query.returning(sessions.c.id))).scalar_one()
        await ledger.set_aside(connection, GUILD, session_id, 500, clock.now())
        for each in (job, queued):
            # As if they had been taken in it: their holds are the budget's.
            account = JobAccount(each.id, GUILD, MEMBER)
            await ledger.release(connection, account, each.held_credits, clock.now())
            account = replace(account, session_id=session_id)
            await ledger.hold(connection, account, each.held_credits, clock.now())
        await connection.execute(update(jobs).values(session_id=session_id))
    return session_id, job, queued


@pytest.mark.parametrize("is_ended_first", [True, False])
async def test_the_waiting_jobs_of_a_session_expire_with_it(
    repository: JobRepository, approvals: DecisionRepository, clock: FakeClock, is_ended_first: bool
) -> None:
    session_id, job, queued = await in_session(repository, clock)
    end = update(sessions).values(ended_at=clock.now(), end_cause="command")
    async with repository._database.transaction() as connection:
        if is_ended_first:
            await connection.execute(end)
        expired = await expire_of_session(connection, session_id, clock.now())
        if not is_ended_first:
            await connection.execute(end)
        await ledger.give_back_rest(connection, GUILD, session_id, clock.now())
    assert [(each.id, each.state) for each in expired] == [(job.id, JobState.EXPIRED)]
    assert expired[0].failure == Reason(Failure.SESSION_OVER)
    assert (await approval_of(approvals, job)).decision is ApprovalDecision.EXPIRED
    row = await repository.get(queued.id)
    assert row
    assert row.state is JobState.QUEUED
    assert await funds(repository) == Funds(available=PLENTY - 55, held=55)


async def test_a_cheaper_kind_gives_the_difference_back_to_the_session(
    repository: JobRepository, approvals: DecisionRepository, clock: FakeClock
) -> None:
    _, job, _ = await in_session(repository, clock)
    await approvals.decide(job.id, GUILD, MODERATOR, ApprovalDecision.CHEAPER)
    assert await funds(repository) == Funds(available=PLENTY - 500, budgeted=500 - 110 - 55, held=110 + 55)


def test_a_cheaper_kind_is_silent_else_shorter() -> None:
    silent, short = replace(EXPENSIVE, sound=False), replace(TEXT_REQUEST, duration_seconds=5)
    assert cheaper_variant(EXPENSIVE) == silent
    assert cheaper_variant(silent) == short
    assert cheaper_variant(replace(short, sound=True)) == short
    assert cheaper_variant(short) is None
    assert cheaper_variant(replace(silent, publish=True)) == replace(short, publish=True)
