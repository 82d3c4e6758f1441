"""Whose job it is: the rules one by one, and what holds for every line."""

from collections.abc import Sequence
from datetime import timedelta
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from bot.jobs.queueing.fair_queue import FairQueue, PriorityMap, QueuedJob, expected_starts
from tests.clock import START
from tests.properties import PROPERTY

RED, BLUE = 1, 2
ANN, BEN, EVE = 10, 11, 12


def job(
    job_id: int, guild_id: int = RED, member_id: int = ANN, price: int = 55, moved: float | None = None
) -> QueuedJob:
    moved_at = None if moved is None else START + timedelta(seconds=moved)
    return QueuedJob(job_id, guild_id, member_id, price, moved_at)


def line(*queue: QueuedJob) -> FairQueue:
    made = FairQueue()
    for each in queue:
        made.enqueue(each)
    return made


def taken(queue: FairQueue, count: int | None = None) -> list[int]:
    return [queue.pop(START).job_id for _ in range(len(queue) if count is None else count)]


# The rules


def test_servers_alternate() -> None:
    queue = line(*(job(number) for number in range(4)), job(10, BLUE), job(11, BLUE))
    assert taken(queue) == [0, 10, 1, 11, 2, 3]


def test_the_server_with_the_fewest_jobs_in_flight_goes_first() -> None:
    queue = line(job(1), job(2), job(3, BLUE))
    queue.add_in_flight(job(4, BLUE, BEN), START)
    assert taken(queue, 1) == [1]
    queue.end(4)
    assert taken(queue) == [3, 2]


def test_among_equals_the_server_goes_first_that_was_served_least_recently() -> None:
    queue = line(job(1), job(2), job(3, BLUE))
    for expected in (1, 3, 2):
        assert taken(queue, 1) == [expected]
        queue.end(expected)


def test_a_server_is_remembered_as_served_by_an_earlier_process() -> None:
    queue = line(job(1), job(2, BLUE))
    queue.set_served(RED, START - timedelta(hours=1))
    assert taken(queue) == [2, 1]


def test_a_member_with_no_job_in_flight_goes_first() -> None:
    queue = line(job(1), job(2), job(3), job(4, member_id=BEN), job(5, member_id=EVE))
    assert taken(queue) == [1, 4, 5, 2, 3]


def test_the_member_who_used_the_fewest_credits_goes_first() -> None:
    queue = line(job(1), job(2, member_id=BEN), job(3, member_id=EVE))
    queue.set_used_credits({(RED, ANN): 300, (RED, BEN): 100, (RED, EVE): 200})
    assert taken(queue) == [2, 3, 1]


def test_submitted_jobs_count_as_used() -> None:
    queue = line(job(1, price=220), job(2), job(3, member_id=BEN), job(4, member_id=BEN))
    assert taken(queue, 2) == [1, 3]
    queue.end(1)
    queue.end(3)
    assert taken(queue) == [4, 2]


def test_among_equals_the_oldest_goes_first() -> None:
    assert taken(line(job(3, member_id=BEN), job(2, member_id=EVE), job(1))) == [1, 2, 3]


def test_a_moved_job_goes_before_its_server_and_the_newest_move_before_all() -> None:
    queue = line(job(1, member_id=BEN), job(2, BLUE), job(3, moved=1), job(4, moved=2))
    queue.set_used_credits({(RED, ANN): 500})
    assert taken(queue) == [4, 2, 3, 1]


def test_a_job_that_was_refused_gets_its_turn_back() -> None:
    queue = line(job(1), job(2, BLUE))
    queue.set_used_credits({(RED, ANN): 10, (BLUE, ANN): 10})
    assert taken(queue) == [1, 2]
    queue.undo_pop(1)
    queue.undo_pop(2)
    queue.enqueue(job(2, BLUE))
    queue.enqueue(job(1))
    assert queue.in_flight_count == 0
    assert taken(queue) == [1, 2]


def test_a_removed_job_delays_nobody() -> None:
    queue = line(job(1), job(2, member_id=BEN), job(3, moved=1))
    queue.remove(3)
    queue.remove(1)
    queue.remove(99)
    assert (len(queue), queue.competing_members) == (1, set())
    assert taken(queue) == [2]


def test_members_whose_usage_is_unknown_are_named() -> None:
    queue = line(job(1), job(2, member_id=BEN), job(3, member_id=EVE, moved=1))
    assert queue.unknown_members == {(RED, ANN), (RED, BEN)}
    queue.set_used_credits({(RED, ANN): 0})
    assert queue.unknown_members == {(RED, BEN)}
    assert queue.competing_members == {(RED, ANN), (RED, BEN)}
    queue.remove(2)
    assert queue.unknown_members == queue.competing_members == set()


# What holds for every line

_turns = st.builds(
    job,
    job_id=st.integers(0, 200),
    guild_id=st.integers(1, 4),
    member_id=st.integers(10, 15),
    price=st.sampled_from((45, 55, 110, 220)),
    moved=st.none() | st.none() | st.floats(0, 100),
)
_lines = st.lists(_turns, max_size=40, unique_by=lambda each: each.job_id)
_uses = st.dictionaries(st.tuples(st.integers(1, 4), st.integers(10, 15)), st.integers(0, 600))
_served = st.dictionaries(st.integers(1, 4), st.integers(0, 5))


def arranged(
    waiting: Sequence[QueuedJob], sent: Sequence[QueuedJob], used: dict[tuple[int, int], int], served: dict[int, int]
) -> FairQueue:
    queue = line(*waiting)
    for guild_id, seconds in served.items():
        queue.set_served(guild_id, START + timedelta(seconds=seconds))
    for number, each in enumerate(sent):
        queue.add_in_flight(QueuedJob(1000 + number, each.guild_id, each.member_id, each.credits), START)
    queue.set_used_credits(used)
    return queue


@given(waiting=_lines, sent=_lines, used=_uses, served=_served)
@PROPERTY
def test_jobs_get_their_slots_in_the_predicted_order_and_each_once(
    waiting: list[QueuedJob], sent: list[QueuedJob], used: dict[tuple[int, int], int], served: dict[int, int]
) -> None:
    queue = arranged(waiting, sent, used, served)
    told = [each.job_id for each in queue.order()]
    assert sorted(told) == sorted(each.job_id for each in waiting)
    assert taken(queue) == told


@given(waiting=_lines, sent=_lines, used=_uses, served=_served, seed=st.randoms())
@PROPERTY
def test_the_order_does_not_depend_on_how_the_queue_was_filled(
    waiting: list[QueuedJob],
    sent: list[QueuedJob],
    used: dict[tuple[int, int], int],
    served: dict[int, int],
    seed: Random,
) -> None:
    shuffled = seed.sample(waiting, len(waiting))
    queue = arranged(shuffled, sent, used, served)
    for each in shuffled[::2]:
        queue.enqueue(each)
    assert queue.order() == arranged(waiting, sent, used, served).order()


@given(waiting=_lines, flood=st.integers(1, 30), used=_uses)
@PROPERTY
def test_a_members_second_job_never_delays_anothers_first(
    waiting: list[QueuedJob], flood: int, used: dict[tuple[int, int], int]
) -> None:
    others = [each for each in waiting if each.moved_at is None]
    queue = arranged([*others, *(job(-number, RED, EVE) for number in range(1, flood + 1))], [], used, {})
    of_red = [each for each in queue.order() if each.guild_id == RED]
    firsts = len({each.member_id for each in of_red})
    assert len({each.member_id for each in of_red[:firsts]}) == firsts


@given(red=st.integers(1, 20), blue=st.integers(1, 20), room=st.integers(1, 5))
@PROPERTY
def test_two_servers_share_the_slots_while_both_wait(red: int, blue: int, room: int) -> None:
    queue = line(*(job(n, RED) for n in range(red)), *(job(100 + n, BLUE) for n in range(blue)))
    under_way: list[QueuedJob] = []
    given_to: list[int] = []
    while len(queue):
        if len(under_way) == room:
            queue.end(under_way.pop(0).job_id)
        under_way.append(queue.pop(START))
        given_to.append(under_way[-1].guild_id)
    while_both = given_to[: 2 * min(red, blue)]
    assert all(abs(while_both[:end].count(RED) - while_both[:end].count(BLUE)) <= 1 for end in range(len(while_both)))


@given(data=st.data())
@PROPERTY
def test_nobody_starves_beside_a_member_with_endless_requests(data: st.DataObject) -> None:
    waiting = data.draw(_lines)
    used = data.draw(_uses)
    queue = arranged([*waiting, job(999, RED, EVE + 100)], [], used, {})
    theirs = {each.job_id for each in waiting}
    # A job costs at least 45 credits: after so many, the flood has used more than all that the others can use.
    most = len(waiting) + 4 * (max(used.values(), default=0) + sum(each.credits for each in waiting)) // 45 + 4
    for number in range(most):
        queue.enqueue(job(1000 + number, RED, EVE + 100))
        done = queue.pop(START).job_id
        queue.end(done)
        theirs.discard(done)
    assert not theirs


# When they should start


def at(*seconds: float) -> list[float]:
    return list(seconds)


def starts(count: int, ends: Sequence[float] = (), limit: int = 0, per_second: float = 0) -> list[float]:
    return expected_starts([75.0] * count, 0.0, ends, limit, per_second)


def test_without_a_limit_all_start_at_once() -> None:
    assert starts(3, ends=(10, 20)) == at(0, 0, 0)


def test_each_starts_when_a_slot_is_free() -> None:
    assert starts(5, ends=(30, 10), limit=2) == at(10, 30, 85, 105, 160)


def test_a_free_slot_is_used_at_once() -> None:
    assert starts(3, ends=(30,), limit=2) == at(0, 30, 75)


def test_what_is_late_may_end_now() -> None:
    assert starts(2, ends=(-5,), limit=1) == at(0, 75)


def test_while_the_limit_is_exceeded_finished_jobs_free_no_slot() -> None:
    assert starts(2, ends=(10, 20, 30), limit=1) == at(30, 105)


def test_the_pace_of_requests_is_kept() -> None:
    assert starts(4, per_second=2) == at(0, 0.5, 1, 1.5)


# Ranks that change


@given(changes=st.lists(st.tuples(st.integers(0, 9), st.none() | st.integers(0, 5)), max_size=200))
@PROPERTY
def test_a_priority_map_pops_in_sorted_order(changes: list[tuple[int, int | None]]) -> None:
    ranking: PriorityMap[int] = PriorityMap()
    plain: dict[int, int] = {}
    for key, rank in changes:
        if rank is None:
            ranking.drop(key)
            plain.pop(key, None)
        else:
            ranking.put(key, rank)
            plain[key] = rank
        in_order = sorted(plain, key=lambda key: (plain[key], key))
        assert ranking.in_order() == in_order
        assert len(ranking) == len(plain)
        if plain:
            assert ranking.first() == in_order[0]
