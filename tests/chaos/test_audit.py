"""The comparison at the end of a run finds every way to break the promise."""

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from tests.chaos.audit import Evidence, judge
from tests.chaos.points import POINTS, plan_deaths

_URL = "https://cdn.invalid/1.mp4"
_JOB = {"id": 1, "state": "succeeded", "prompt": "a fox", "video_url": _URL}
_GOOD = Evidence(
    jobs=(_JOB,),
    held=Counter(),
    spent=Counter({1: 55}),
    tasks=Counter({"a fox": 1}),
    paid=Counter({"a fox": 55}),
    outcomes=Counter({1: 1}),
    videos=Counter({_URL: 1}),
)
_FAILED = {**_JOB, "state": "failed", "video_url": None}
_UNCONFIRMED = {**_JOB, "state": "unconfirmed", "video_url": None}


def _numbers(evidence: Evidence) -> tuple[int, int, int, int]:
    verdict = judge(evidence)
    return verdict.lost, verdict.double_charges, verdict.double_posts, verdict.ledger_difference


def test_a_posted_job_is_fine() -> None:
    verdict = judge(_GOOD)
    assert verdict.holds
    assert (verdict.accepted, verdict.posted, verdict.troubles) == (1, 1, [])


def test_a_failed_job_with_its_credits_back_is_fine() -> None:
    evidence = replace(_GOOD, jobs=(_FAILED,), spent=Counter(), paid=Counter())
    assert judge(evidence).holds
    assert judge(evidence).failed == 1


@pytest.mark.parametrize("paid", [0, 55])
def test_an_unconfirmed_job_is_not_compared(paid: int) -> None:
    evidence = replace(
        _GOOD, jobs=(_UNCONFIRMED,), held=Counter({1: 55}), spent=Counter(), paid=Counter({"a fox": paid})
    )
    assert judge(evidence).holds
    assert judge(evidence).unconfirmed == 1


@pytest.mark.parametrize(
    ("changes", "numbers"),
    [
        ({"jobs": ({**_JOB, "state": "processing"},)}, (1, 0, 0, 0)),
        ({"outcomes": Counter(), "videos": Counter()}, (1, 0, 0, 0)),
        ({"held": Counter({1: 55})}, (1, 0, 0, 0)),
        ({"jobs": (_FAILED,)}, (1, 0, 0, 0)),
        ({"jobs": (_UNCONFIRMED,), "spent": Counter()}, (1, 0, 0, 0)),
        ({"ghosts": ("a hen",)}, (1, 0, 0, 0)),
        ({"tasks": Counter({"a fox": 2}), "paid": Counter({"a fox": 110})}, (0, 1, 0, 55)),
        ({"outcomes": Counter({1: 3})}, (0, 0, 2, 0)),
        ({"videos": Counter({_URL: 2})}, (0, 0, 1, 0)),
        ({"spent": Counter({1: 110})}, (0, 0, 0, 55)),
        ({"tasks": Counter({"a fox": 1, "a hen": 1}), "paid": Counter({"a fox": 55, "a hen": 45})}, (0, 0, 0, 45)),
    ],
    ids=[
        "not done",
        "not told",
        "held at its end",
        "failed and paid",
        "unconfirmed and not held",
        "a card without a job",
        "two tasks",
        "told three times",
        "one video twice",
        "other books",
        "a task of no job",
    ],
)
def test_every_violation_is_found(changes: dict[str, Any], numbers: tuple[int, int, int, int]) -> None:
    evidence = replace(_GOOD, **changes)
    assert _numbers(evidence) == numbers
    assert not judge(evidence).holds
    assert judge(evidence).troubles


def test_the_same_seed_plans_the_same_kills() -> None:
    first, again, other = (plan_deaths(50, seed) for seed in (7, 7, 8))
    assert first == again
    assert first != other


def test_every_named_point_comes_up() -> None:
    planned = {death.point for death in plan_deaths(100, 1)}
    assert planned.issuperset(POINTS)
