"""Everything that moves credits, in random order and with restarts, against a model in plain numbers.

After each step the pools, the sessions, the jobs and the ledger say what the model says; no purse is under zero, what
was deposited is all there, no limit is overrun, and the books agree with the provider's account.
"""

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import rule

from bot.codes import AuditAction, Refusal
from bot.jobs.models import JobState, Requester
from bot.jobs.validation import LOWEST_PRICE, list_price
from bot.pools.models import SessionPlan
from bot.pools.policy import LowBalanceLimits, Policy
from bot.pools.queries import PolicyChange
from bot.provider.models import GenerationMode, GenerationRequest
from tests.builders import CHANNEL, MEMBER, members_side
from tests.pools.actions import ACTIONS, AWAITING, MANAGER, SUBMITTING, WAYS, JobActions
from tests.pools.machine import SERVERS, TERMS
from tests.pools.model import Budget, JobModel
from tests.refusals import is_refused

picks = st.integers(0, 10_000)
guilds = st.sampled_from(SERVERS)
members = st.sampled_from([MEMBER, MEMBER + 1])
requests = st.builds(
    GenerationRequest,
    st.just(GenerationMode.TEXT),
    st.sampled_from(["a cat", "a cat", "a cat on the moon"]),
    duration_seconds=st.sampled_from([5, 5, 10]),
    sound=st.booleans(),
    publish=st.booleans(),
)
policies = st.builds(
    Policy,
    words=st.sampled_from([(), ("moon",)]),
    approval_price=st.sampled_from([None, None, 110]),
    low_balance=st.sampled_from([LowBalanceLimits(0, 0), LowBalanceLimits()]),
)
asked_in_session = st.lists(st.tuples(members, requests, st.sampled_from([(), (7,)])), min_size=1, max_size=4)
ways = st.lists(st.tuples(picks, picks, picks), min_size=1, max_size=10)


class Pools(JobActions):
    """Anything may be tried on any job and session at any time; from a wrong state it changes nothing."""

    # The pool

    @rule(guild_id=guilds, amount=st.integers(1, 800))
    def deposit(self, guild_id: int, amount: int) -> None:
        pool = self.model.pool(guild_id)
        self.tried(self.pools.deposit(guild_id, MANAGER, amount, "more"))
        pool.available += amount
        pool.deposited += amount

    @rule(guild_id=guilds, amount=st.integers(1, 1500))
    def withdraw(self, guild_id: int, amount: int) -> None:
        pool = self.model.pool(guild_id)
        result = self.tried(self.pools.withdraw(guild_id, MANAGER, amount, "less"))
        assert is_refused(result, Refusal.WITHDRAWAL_TOO_LARGE) is (amount > pool.available)
        if amount <= pool.available:
            pool.available -= amount
            pool.withdrawn += amount

    @rule(guild_id=guilds, policy=policies)
    def change_rules(self, guild_id: int, policy: Policy) -> None:
        self.tried(self.pools.change(guild_id, MANAGER, PolicyChange(AuditAction.ALLOW, lambda _: policy)))

    # Jobs

    @rule(asked=st.lists(st.tuples(guilds, members, requests, st.booleans()), min_size=1, max_size=4))
    def take(self, asked: list[tuple[int, int, GenerationRequest, bool]]) -> None:
        for guild_id, member_id, request, is_asked in asked:
            requester = Requester(next(self.ids), guild_id, CHANNEL, member_id)
            is_fitting = self.model.fits(guild_id, member_id, list_price(request), self.clock.now())
            self.taken_by(requester, request, None, is_fitting, is_asked)

    @rule(which=picks, asked=asked_in_session)
    def take_in_session(self, which: int, asked: list[tuple[int, GenerationRequest, tuple[int, ...]]]) -> None:
        for member_id, request, roles in asked if self.model.sessions else ():
            session = self.session(which)
            ids = next(self.ids), session.pool.guild_id, session.thread_id, member_id
            requester = Requester(*ids, in_thread=True, parent_id=CHANNEL, role_ids=frozenset(roles))
            is_fitting = session.is_open(self.clock.now()) and session.role_id in (None, *roles)
            self.taken_by(requester, request, session, is_fitting, is_asked=False)

    def taken_by(
        self, requester: Requester, request: GenerationRequest, session: Budget | None, is_fitting: bool, is_asked: bool
    ) -> None:
        """Ask for a video; it is never taken where limits, time or purse have no room for it."""
        pool, price = self.model.pool(requester.guild_id), list_price(request)
        result = self.tried(members_side(self.jobs, TERMS).create(requester, request, price, is_asked=is_asked))
        purse = session.available if session else pool.available
        if isinstance(result, Exception):
            assert not (is_refused(result, Refusal.LIMIT_JOBS, Refusal.LIMIT_CREDITS, Refusal.MAX_PRICE) and is_fitting)
            assert not (is_refused(result, Refusal.POOL_EMPTY, Refusal.SESSION_EMPTY) and price <= purse)
            return
        assert is_fitting
        assert price <= purse
        job, _ = result
        model = JobModel(job.id, pool, requester.member_id, request, price, job.state, job.created_at, session)
        model.hold(price)
        self.model.jobs[job.id] = model

    @rule(steps=ways)
    def go_on(self, steps: list[tuple[int, int, int]]) -> None:
        """Jobs that are not done go on, each in one of the ways that it can."""
        for which, how, variant in steps:
            if going := [job for job in self.model.jobs.values() if job.state in WAYS]:
                job = going[which % len(going)]
                self.act(WAYS[job.state][how % len(WAYS[job.state])], job.id, variant)

    @rule(steps=st.lists(st.tuples(picks, st.sampled_from(ACTIONS), picks), min_size=1, max_size=3))
    def try_anything(self, steps: list[tuple[int, str, int]]) -> None:
        for which, action, variant in steps if self.model.jobs else ():
            self.act(action, 1 + which % len(self.model.jobs), variant)

    def act(self, action: str, job_id: int, variant: int) -> None:
        """Try something with a job."""
        getattr(self, action)(job_id, variant)
        self.every_step_adds_up()

    # Sessions

    @rule(
        guild_id=guilds,
        budget=st.integers(LOWEST_PRICE, 700),
        minutes=st.sampled_from([None, 30]),
        role_id=st.sampled_from([None, None, 7]),
    )
    def start_session(self, guild_id: int, budget: int, minutes: int | None, role_id: int | None) -> None:
        pool = self.model.pool(guild_id)
        plan = SessionPlan(guild_id, next(self.ids), CHANNEL, MANAGER, "A morning", budget, role_id, minutes)
        result = self.tried(self.sessions.start(plan))
        assert is_refused(result, Refusal.BUDGET_TOO_LARGE) is (budget > pool.available)
        if isinstance(result, Exception):
            return
        thread_id = next(self.ids)
        self.tried(self.sessions.record_thread(result.id, thread_id))
        pool.available -= budget
        self.model.sessions[result.id] = Budget(
            result.id, pool, thread_id, result.ends_at, available=budget, role_id=role_id
        )

    @rule(which=picks, is_own_server=st.sampled_from([True, True, False]))
    def end_session(self, which: int, is_own_server: bool) -> None:
        if not self.model.sessions:
            return
        session = self.session(which)
        guild_id = session.pool.guild_id + (0 if is_own_server else 5)
        result = self.tried(self.sessions.end(session.id, guild_id, MANAGER))
        assert is_refused(result, Refusal.SESSION_UNKNOWN, Refusal.SESSION_ENDED_ALREADY) is (
            session.is_over or not is_own_server
        )
        if not isinstance(result, Exception):
            self.end(session)

    @rule(which=picks)
    def end_session_by_itself(self, which: int) -> None:
        if not self.model.sessions:
            return
        session = self.session(which)
        is_time_over = not session.is_open(self.clock.now())
        ending = self.tried(self.sessions.end_by_itself(session.id, is_time_over=is_time_over))
        is_late = not session.is_over and is_time_over
        # A budget that pays for nothing more ends it as well; when exactly is the sessions' own affair.
        is_used_up = not session.is_over and session.available < LOWEST_PRICE
        assert ending is not None or not is_late
        assert ending is None or is_late or is_used_up
        if ending is not None:
            self.end(session)

    @rule(guild_id=guilds, asked=asked_in_session, before=ways, after=ways)
    def hold_a_session(
        self,
        guild_id: int,
        asked: list[tuple[int, GenerationRequest, tuple[int, ...]]],
        before: list[tuple[int, int, int]],
        after: list[tuple[int, int, int]],
    ) -> None:
        """All of it at a stretch: by chance few jobs would be in the making when their session ends."""
        self.start_session(guild_id, 600, None, None)
        self.take_in_session(0, asked)
        self.go_on(before)
        self.end_session(0, is_own_server=True)
        self.go_on(after)

    def session(self, which: int) -> Budget:
        """One of the sessions, rather a new one."""
        newest_first = sorted(self.model.sessions.values(), key=lambda session: (session.is_over, -session.id))
        return newest_first[which % min(3, len(newest_first))]

    def end(self, session: Budget) -> None:
        """What waits for a moderator in it expires first."""
        for job in self.model.jobs.values():
            if job.session is session and job.state is AWAITING:
                job.state = JobState.EXPIRED
                job.release()
        session.end()

    # Time, and the end of a process

    @rule(seconds=st.sampled_from([60, 3600, 20 * 3600]))
    def let_time_pass(self, seconds: int) -> None:
        self.clock.advance(seconds)

    @rule(variant=picks)
    def restart(self, variant: int) -> None:
        self.runner.run(self.opened.aclose())
        self.open_file()
        half = self.runner.run(self.jobs.half_submitted())
        assert [job.id for job in half] == [job.id for job in self.model.jobs.values() if job.state is SUBMITTING]
        for job in half:
            self.mark_unconfirmed(job.id, variant)


TestPools = Pools.TestCase
TestPools.settings = settings(
    max_examples=10, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
