"""Values of a creative session with its jobs, and what the Discord side does for it."""

from dataclasses import dataclass
from typing import Protocol

from bot.jobs.models import Job, JobState
from bot.jobs.validation import LOWEST_PRICE
from bot.pools.models import Session, SessionEnd


@dataclass(frozen=True, slots=True)
class SessionStatus:
    """A session with the numbers of its jobs.

    Attributes:
        ready: how many of its videos are ready.
        open_jobs: how many of its jobs are not finished.
        undelivered: how many of its outcomes have not been posted yet.
    """

    session: Session
    ready: int = 0
    open_jobs: int = 0
    undelivered: int = 0

    @property
    def is_settled(self) -> bool:
        """Whether its last job is finished and its outcome posted. Unconfirmed jobs do not count."""
        return self.open_jobs == 0 and self.undelivered == 0

    def due_end(self, *, is_time_over: bool) -> SessionEnd | None:
        """Return why a session should end now; None: it should not, or it has ended.

        Its budget is used up when it pays for no kind of video, and no open job may return credits to it.
        """
        if self.session.ended_at is not None:
            return None
        if is_time_over:
            return SessionEnd.TIME
        is_used_up = self.session.available < LOWEST_PRICE and self.open_jobs == 0
        return SessionEnd.BUDGET if is_used_up else None


@dataclass(frozen=True, slots=True)
class EndedSession:
    """A session that was just ended.

    Attributes:
        expired: its jobs that waited for approval; the jobs' worker notifies their members.
    """

    status: SessionStatus
    expired: tuple[Job, ...] = ()


@dataclass(frozen=True, slots=True)
class MemberShare:
    """How many videos one member made in a session, and the credits that the provider kept for them."""

    member_id: int
    videos: int
    credits: int


@dataclass(frozen=True, slots=True)
class Summary:
    """A session and all its jobs, the oldest first."""

    session: Session
    jobs: tuple[Job, ...] = ()

    @property
    def videos(self) -> int:
        """How many of the jobs succeeded."""
        return sum(job.state is JobState.SUCCEEDED for job in self.jobs)

    def shares(self) -> list[MemberShare]:
        """Return each member's share, the highest spending first."""
        found = [self._share(member_id) for member_id in {job.requester.member_id for job in self.jobs}]
        return sorted(found, key=lambda share: (-share.credits, -share.videos, share.member_id))

    def _share(self, member_id: int) -> MemberShare:
        theirs = Summary(self.session, tuple(job for job in self.jobs if job.requester.member_id == member_id))
        return MemberShare(member_id, theirs.videos, sum(job.net_credits for job in theirs.jobs))


@dataclass(frozen=True, slots=True)
class SessionCard:
    """A session's card in its thread."""

    message_id: int
    is_pinned: bool


class SessionNotifier(Protocol):
    """The Discord side. A session's thread is made from the answer to its command, and so has the answer's id."""

    async def find_answer(self, session: Session) -> int | None:
        """Find the answer to the command that started a session, if its id was not recorded; None: there is none.

        Raises:
            PlaceRefusedError: its channel can't be read.
            DeliveryDelayedError: not possible now.
        """
        ...

    async def open(self, status: SessionStatus, *, may_be_posted: bool) -> SessionCard:
        """Make a session's thread and post its card there, unless they exist already.

        Raises:
            PlaceRefusedError: Discord refuses it here.
            DeliveryDelayedError: not possible now.
        """
        ...

    async def show(self, status: SessionStatus) -> None:
        """Update a session's card.

        Raises:
            PlaceRefusedError: the card is gone.
            DeliveryDelayedError: not possible now.
        """
        ...

    async def close(self, summary: Summary, *, may_be_posted: bool) -> None:
        """Post a session's summary, as far as it is not posted yet, and update its card.

        Raises:
            DeliveryDelayedError: not possible now.
        """
        ...


CARD = 0
"""The number of the card among a session's posts; the pages of its summary follow from 1."""


def nonce(session: Session, number: int) -> str:
    """Return the nonce with which Discord creates one of a session's posts only once, of 25 characters at most."""
    return f"s{session.id % 10**9:x}-{int(session.started_at.timestamp() * 1000):x}-{number:x}"
