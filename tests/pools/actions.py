"""All that can be done with one job, each with what the model says should come of it.

Anything may be tried on a job in any state; from a wrong one it must be refused, and change nothing.
"""

from collections.abc import Awaitable

from bot.codes import Refusal
from bot.errors import RefusedError
from bot.jobs.models import ApprovalDecision, Decision, Job, JobState, UnconfirmedDecision
from bot.jobs.validation import cheaper_variant, list_price
from bot.provider.models import Submission
from tests.builders import FAILURE, MEMBER, members_side
from tests.pools.machine import Machine
from tests.pools.model import JobModel
from tests.refusals import is_refused

AWAITING, QUEUED, SUBMITTING = JobState.AWAITING_APPROVAL, JobState.QUEUED, JobState.SUBMITTING
PROCESSING, UNCONFIRMED, FAILED = JobState.PROCESSING, JobState.UNCONFIRMED, JobState.FAILED
MANAGER = 900
# What the provider takes may be what it lists, or less, or more.
EXTRAS = (0, 0, -10, 25, 300)


class JobActions(Machine):
    """Each method is given the job, and a number that chooses among its variants."""

    def begin_submission(self, job_id: int, _: int) -> None:
        if job := self.moved(job_id, {QUEUED}, lambda: self.jobs.begin_submission(job_id)):
            job.state = SUBMITTING

    def requeue(self, job_id: int, _: int) -> None:
        if job := self.moved(job_id, {SUBMITTING}, lambda: self.jobs.requeue(job_id)):
            job.state = QUEUED

    def accept(self, job_id: int, variant: int) -> None:
        # Where the provider does not say what it took, it took what it lists.
        is_told, extra = variant % 7 > 0, EXTRAS[variant % len(EXTRAS)]
        used = self.model.jobs[job_id].price + (extra if is_told else 0)
        answer = Submission(f"task-{next(self.ids)}", used if is_told else None, self.account - used)
        if job := self.moved(job_id, {SUBMITTING}, lambda: self.jobs.accept(job_id, answer)):
            self.account -= used
            job.state = PROCESSING
            job.charge(used)

    def succeed(self, job_id: int, _: int) -> None:
        if job := self.moved(job_id, {PROCESSING}, lambda: self.jobs.succeed(job_id, "https://cdn/v.mp4")):
            job.state = JobState.SUCCEEDED

    def fail(self, job_id: int, variant: int) -> None:
        refunded, sources = variant % 3 > 0, {QUEUED, SUBMITTING, PROCESSING}
        if job := self.moved(job_id, sources, lambda: self.jobs.fail(job_id, FAILURE, refunded=refunded)):
            job.state = FAILED
            if job.charged is None:
                job.release()
            elif refunded:
                self.account += job.charged
                job.refund()

    def cancel(self, job_id: int, variant: int) -> None:
        job, is_owner = self.model.jobs[job_id], variant % 3 > 0
        sources = {AWAITING, QUEUED} if is_owner else set[JobState]()
        who = job.member_id if is_owner else job.member_id + 7
        if self.moved(job_id, sources, lambda: members_side(self.jobs).cancel(job_id, job.pool.guild_id, who)):
            job.state = JobState.CANCELLED
            job.release()

    def approve(self, job_id: int, variant: int) -> None:
        if job := self.decidable(job_id, variant, ApprovalDecision.APPROVED):
            job.state = QUEUED

    def approve_cheaper(self, job_id: int, variant: int) -> None:
        if job := self.decidable(job_id, variant, ApprovalDecision.CHEAPER):
            request = cheaper_variant(job.request)
            assert request
            job.release(job.price - list_price(request))
            job.request, job.price, job.state = request, list_price(request), QUEUED

    def deny(self, job_id: int, variant: int) -> None:
        if job := self.decidable(job_id, variant, ApprovalDecision.DENIED):
            job.state = JobState.DENIED
            job.release()

    def cancel_as_moderator(self, job_id: int, variant: int) -> None:
        job, guild_id = self.model.jobs[job_id], self.model.jobs[job_id].pool.guild_id
        sources = {AWAITING, QUEUED} if variant % 5 else set[JobState]()
        where = guild_id + (0 if variant % 5 else 5)
        if self.moved(job_id, sources, lambda: self.ruled(job_id, where, MANAGER, ApprovalDecision.CANCELLED)):
            job.state = JobState.CANCELLED
            job.release()

    def expire(self, job_id: int, _: int) -> None:
        if job := self.moved(job_id, {AWAITING}, lambda: self.decisions.expire(job_id, FAILURE)):
            job.state = JobState.EXPIRED
            job.release()

    def mark_unconfirmed(self, job_id: int, variant: int) -> None:
        """Only the provider knows whether it keeps the price."""
        sources = {SUBMITTING, PROCESSING}
        if job := self.moved(job_id, sources, lambda: self.jobs.mark_unconfirmed(job_id, FAILURE)):
            job.state, job.was_taken = UNCONFIRMED, variant % 2 > 0
            if job.charged is None and job.was_taken:
                self.account -= job.price
            elif job.charged is not None and not job.was_taken:
                self.account += job.charged

    def confirm_made(self, job_id: int, _: int) -> None:
        task_id = f"task-{next(self.ids)}"
        if job := self.decided(job_id, UnconfirmedDecision.CHARGED, task_id):
            self.is_decided_wrongly |= not job.was_taken
            job.state = PROCESSING
            if job.charged is None:
                job.charge(job.price)

    def confirm_nothing(self, job_id: int, _: int) -> None:
        if job := self.decided(job_id, UnconfirmedDecision.NOT_CHARGED):
            self.is_decided_wrongly |= job.was_taken
            job.state = FAILED
            job.release() if job.charged is None else job.refund()

    def send_again(self, job_id: int, _: int) -> None:
        job = self.model.jobs[job_id]
        if job.state is UNCONFIRMED and not job.can_be_held_again:
            result = self.tried(self.ruled(job_id, job.pool.guild_id, MANAGER, UnconfirmedDecision.TRY_AGAIN))
            assert is_refused(result, Refusal.HOLD_TOO_LARGE)
        elif self.decided(job_id, UnconfirmedDecision.TRY_AGAIN):
            self.is_decided_wrongly |= job.was_taken
            job.state = QUEUED
            job.hold_again()

    def settle_undecided(self, job_id: int, _: int) -> None:
        if job := self.moved(job_id, {UNCONFIRMED}, lambda: self.jobs.settle_undecided(job_id, FAILURE)):
            self.is_decided_wrongly |= not job.was_taken
            job.state = FAILED
            if job.charged is None:
                job.charge(job.price)

    def ruled(
        self, job_id: int, guild_id: int, moderator_id: int, decision: Decision, task_id: str | None = None
    ) -> Awaitable[Job]:
        return self.decisions.decide(job_id, guild_id, moderator_id, decision, reason="no", task_id=task_id)

    def decidable(self, job_id: int, variant: int, decision: Decision) -> JobModel | None:
        """Try a moderator's decision: never about their own job, another server's, or one that does not wait."""
        job, is_own_server = self.model.jobs[job_id], variant % 5 > 0
        moderator_id = MEMBER if variant % 4 == 0 else MANAGER
        result = self.tried(self.ruled(job_id, job.pool.guild_id + (0 if is_own_server else 5), moderator_id, decision))
        if job.state is not AWAITING or not is_own_server:
            assert is_refused(result, Refusal.NO_SUCH_REQUEST, Refusal.DECIDED_ALREADY)
        elif moderator_id == job.member_id:
            assert is_refused(result, Refusal.OWN_REQUEST)
        elif isinstance(result, Exception):
            assert is_refused(result, Refusal.NO_CHEAPER_KIND)
            assert cheaper_variant(job.request) is None
        return None if isinstance(result, Exception) else job

    def decided(self, job_id: int, decision: Decision, task_id: str | None = None) -> JobModel | None:
        """Try a decision about an unconfirmed job: by another server's moderators, by its member, then by its own."""
        job = self.model.jobs[job_id]
        elsewhere = self.tried(self.ruled(job_id, job.pool.guild_id + 5, MANAGER, decision, task_id))
        assert is_refused(elsewhere, Refusal.NO_SUCH_REQUEST)
        assert isinstance(self.tried(self.ruled(job_id, job.pool.guild_id, job.member_id, decision)), RefusedError)
        return self.moved(
            job_id, {UNCONFIRMED}, lambda: self.ruled(job_id, job.pool.guild_id, MANAGER, decision, task_id)
        )


WAYS = {
    AWAITING: (
        "approve",
        "approve",
        "approve_cheaper",
        "approve_cheaper",
        "deny",
        "expire",
        "cancel",
        "cancel_as_moderator",
    ),
    QUEUED: ("begin_submission", "begin_submission", "begin_submission", "fail", "cancel", "cancel_as_moderator"),
    SUBMITTING: ("accept", "accept", "accept", "requeue", "mark_unconfirmed", "fail"),
    PROCESSING: ("succeed", "succeed", "fail", "fail", "mark_unconfirmed"),
    UNCONFIRMED: ("confirm_made", "confirm_nothing", "send_again", "settle_undecided"),
}
"""What may come next for a job; what is likelier stands more often."""

ACTIONS = sorted({name for names in WAYS.values() for name in names})
