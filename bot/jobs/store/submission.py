"""How a request becomes a job: rules, allowance, pool, row and hold, in the caller's transaction."""

from dataclasses import replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from bot.codes import Refusal
from bot.errors import RefusedError
from bot.jobs.models import Job, JobState, MemberUsage, Requester
from bot.jobs.polling import expected_finish
from bot.jobs.store.approval_queries import insert_approval
from bot.jobs.store.queries import account_of, insert_job, read_usage
from bot.jobs.validation import cheaper_kinds, priced_kind
from bot.pools.ledger import entries as ledger
from bot.pools.models import PoolSettings, Session, Spend
from bot.pools.queries import open_pool, read_session_in
from bot.pools.rules.admission import Admission, AdmissionRequest, admit
from bot.pools.rules.limits import limits_for
from bot.provider.models import GenerationRequest


async def take_job(
    connection: AsyncConnection,
    requester: Requester,
    request: GenerationRequest,
    price_credits: int,
    terms: PoolSettings,
    now: datetime,
    *,
    is_asked: bool,
) -> tuple[Job, MemberUsage]:
    """See `JobRepository.take`."""
    pool = await open_pool(connection, requester.guild_id, terms.starting_credits, now)
    session = await _session_at(connection, requester, now)
    limits = limits_for(pool.policy, requester.member_id, requester.role_ids, terms.limits)
    usage = await read_usage(connection, requester.guild_id, requester.member_id, limits, now)
    admission_request = AdmissionRequest(
        member_id=requester.member_id,
        role_ids=requester.role_ids,
        channel_ids=(requester.channel_id, requester.parent_id or requester.channel_id),
        prompt=request.prompt,
        kind=replace(priced_kind(request), price=price_credits),
        cheaper=cheaper_kinds(request),
        is_asked=is_asked,
    )
    cause = admit(Admission(pool, session, limits, usage, now), admission_request)
    job = await insert_job(
        connection,
        replace(requester, role_ids=requester.role_ids & pool.policy.roles.keys()),
        request,
        price_credits,
        now,
        state=JobState.AWAITING_APPROVAL if cause else JobState.QUEUED,
        session_id=session.id if session else None,
    )
    if cause:
        await insert_approval(connection, job.id, cause)
    await ledger.hold(connection, account_of(job), price_credits, now)
    if session:
        return job, MemberUsage(limits, usage, session=session.after_hold(price_credits))
    return job, MemberUsage(limits, usage.with_job(expected_finish(job), Spend(now, price_credits)))


async def _session_at(connection: AsyncConnection, requester: Requester, now: datetime) -> Session | None:
    """Return the session in whose thread this is asked for."""
    session = await read_session_in(connection, requester.channel_id) if requester.in_thread else None
    if session is not None and not session.is_open(now):
        raise RefusedError(Refusal.SESSION_IS_OVER)
    return session
