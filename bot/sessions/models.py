"""A creative session with its jobs: how it is doing, what came of it, and what the side of Discord does for it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from bot.jobs.models import Job, JobState
from bot.jobs.validation import LOWEST_PRICE
from bot.pools.models import Session, SessionEnd


@dataclass(frozen=True, slots=True)
class SessionStatus:
    """How a session is doing.

    Attributes:
        ready: how many of its videos are made.
        making: how many of its jobs wait or are worked on.
        untold: how many of its outcomes have not been posted yet.
    """

    session: Session
    ready: int = 0
    making: int = 0
    untold: int = 0

    @property
    def is_settled(self) -> bool:
        """Whether its last job is done and told. Jobs that moderators have yet to clear up do not count."""
        return self.making == 0 and self.untold == 0

    def due_end(self, now: datetime) -> SessionEnd | None:
        """Return why an open session is to end by itself now, if it is.

        By its budget it ends when that pays no kind of video any more, and no open job may give something back.
        """
        if self.session.ended_at is not None:
            return None
        if not self.session.is_open(now):
            return SessionEnd.TIME
        is_spent = self.session.available < LOWEST_PRICE and self.making == 0
        return SessionEnd.BUDGET if is_spent else None


@dataclass(frozen=True, slots=True)
class EndedSession:
    """A session that was just ended.

    Attributes:
        expired: its jobs that waited for a moderator; the worker tells their members.
    """

    status: SessionStatus
    expired: tuple[Job, ...] = ()


@dataclass(frozen=True, slots=True)
class MemberShare:
    """What one member made in a session, and what the provider took for it."""

    member_id: int
    videos: int
    credits: int


@dataclass(frozen=True, slots=True)
class Summary:
    """What came of a session: it and all its jobs, the oldest first."""

    session: Session
    jobs: tuple[Job, ...] = ()

    @property
    def videos(self) -> int:
        """How many videos were made."""
        return sum(job.state is JobState.SUCCEEDED for job in self.jobs)

    def shares(self) -> list[MemberShare]:
        """Return what each member made, who spent most first."""
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
    """The side of Discord. A session's thread is made from the answer to its command, and so has the answer's id."""

    async def find_answer(self, session: Session) -> int | None:
        """Look for the answer to the command that started a session, which was not noted; None: there is none.

        Raises:
            PlaceRefusedError: its channel is not to be found.
            DeliveryDelayedError: not possible now.
        """
        ...

    async def open(self, status: SessionStatus, *, may_be_posted: bool) -> SessionCard:
        """Make a session's thread and post its card there, unless they are there already.

        Raises:
            PlaceRefusedError: Discord allows it not here.
            DeliveryDelayedError: not possible now.
        """
        ...

    async def show(self, status: SessionStatus) -> None:
        """Bring a session's card up to date.

        Raises:
            PlaceRefusedError: the card is gone.
            DeliveryDelayedError: not possible now.
        """
        ...

    async def close(self, summary: Summary, *, may_be_posted: bool) -> None:
        """Post what came of a session, as far as it is not there yet, and let its card say that it is over.

        Raises:
            DeliveryDelayedError: not possible now.
        """
        ...


CARD = 0
"""The number of the card among a session's posts; the pages of the summary come after it."""


def nonce(session: Session, number: int) -> str:
    """Return the word under which Discord makes one of a session's posts only once; it allows 25 characters."""
    return f"s{session.id % 10**9:x}-{int(session.started_at.timestamp() * 1000):x}-{number:x}"
