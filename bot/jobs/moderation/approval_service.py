"""What moderators do with jobs that wait for them."""

from collections.abc import Awaitable
from datetime import datetime, timedelta
from typing import TypeVar

from bot.errors import RefusedError, TransitionError
from bot.jobs.models import Approval, ApprovalCase, ApprovalDecision, Job
from bot.jobs.moderation.approval_repository import ApprovalRepository
from bot.pools.rules.input_checks import clean_reason
from bot.pools.rules.limits import relative

_T = TypeVar("_T")


class ApprovalService:
    """The moderators' side of waiting jobs. Of two decisions the first one counts."""

    def __init__(self, approvals: ApprovalRepository, *, approval_after: timedelta) -> None:
        self._approvals = approvals
        self._approval_after = approval_after

    def deadline(self, job: Job) -> datetime:
        """Return until when moderators can decide about a job."""
        return job.created_at + self._approval_after

    async def approve(self, job_id: int, guild_id: int, moderator_id: int) -> ApprovalCase:
        """Let a job be made as it was asked for.

        Raises:
            RefusedError: it was decided already, is the moderator's own, or is not there.
        """
        return await self._first(self._approvals.approve(job_id, guild_id, moderator_id), job_id, guild_id)

    async def approve_cheaper(self, job_id: int, guild_id: int, moderator_id: int) -> ApprovalCase:
        """Let the next cheaper kind of the video be made.

        Raises:
            RefusedError: as `approve`; or there is no cheaper kind.
        """
        return await self._first(self._approvals.approve_cheaper(job_id, guild_id, moderator_id), job_id, guild_id)

    async def deny(self, job_id: int, guild_id: int, moderator_id: int, reason: str) -> ApprovalCase:
        """Deny a job, and give its credits back; the member is told the reason, if there is one.

        Raises:
            RefusedError: as `approve`; or the reason is too long.
        """
        text = clean_reason(reason, is_needed=False) or None
        return await self._first(self._approvals.deny(job_id, guild_id, moderator_id, text), job_id, guild_id)

    async def check(self, job_id: int, guild_id: int, moderator_id: int) -> None:
        """Make sure that this moderator could decide now.

        Raises:
            RefusedError: as `approve`.
        """
        await self._first(self._approvals.check(job_id, guild_id, moderator_id), job_id, guild_id)

    async def waiting(self, guild_id: int) -> list[ApprovalCase]:
        """Return the jobs of a server that wait for a moderator, oldest first."""
        return await self._approvals.waiting(guild_id)

    async def case(self, job_id: int) -> ApprovalCase | None:
        """Return a job that moderators were asked about; None: there is none."""
        return await self._approvals.get(job_id)

    async def record_closed_card(self, job_id: int) -> None:
        """Remember that the card of a job shows the decision."""
        await self._approvals.record_closed_card(job_id)

    async def _first(self, decision: Awaitable[_T], job_id: int, guild_id: int) -> _T:
        try:
            return await decision
        except TransitionError:
            case = await self._approvals.get(job_id)
        if case is None or case.job.requester.guild_id != guild_id:
            raise RefusedError("There is no such request in this server.")
        raise RefusedError(_too_late(case.approval))


def _too_late(approval: Approval) -> str:
    when = f" {relative(approval.decided_at)}" if approval.decided_at else ""
    who = f"<@{approval.decided_by}>"
    match approval.decision:
        case ApprovalDecision.APPROVED:
            return f"{who} approved this request already{when}."
        case ApprovalDecision.CHEAPER:
            return f"{who} approved a cheaper kind of this video already{when}."
        case ApprovalDecision.DENIED:
            return f"{who} denied this request already{when}."
        case ApprovalDecision.CANCELLED:
            return f"{who} took this request back{when}. There is nothing to decide any more."
        case _:
            return f"This request expired{when}, because nobody had decided. Its credits came back."
