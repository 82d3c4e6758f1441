"""Whose rule counts: a member's own, else the best of their roles', else everyone's, else the settings."""

from collections.abc import Iterator
from dataclasses import fields

from hypothesis import given
from hypothesis import strategies as st

from bot.pools.models import Limits
from bot.pools.policy import NO_LIMIT, Allowance, Policy
from bot.pools.rules.limits import AppliedLimit, LimitKind, LimitSource, limits_for, origins
from tests.builders import MEMBER
from tests.properties import PROPERTY

SETTINGS = Limits(active_jobs=3, window_credits=550, window_hours=24)
ROLES = (11, 12, 13)

numbers = st.none() | st.integers(0, 600)
allowances = st.builds(Allowance, numbers, numbers, numbers)
policies = st.builds(
    Policy,
    everyone=allowances,
    roles=st.dictionaries(st.sampled_from(ROLES), allowances),
    members=st.dictionaries(st.sampled_from([MEMBER, MEMBER + 1]), allowances),
)
held_roles = st.frozensets(st.sampled_from((*ROLES, 99)))
settings = st.builds(
    Limits, st.none() | st.integers(0, 5), st.none() | st.integers(0, 600), st.sampled_from([0.0, 6.0, 24.0])
)


def credits_in(policy: Policy, *roles: int) -> int | None:
    """The credits per window that hold for the member."""
    return limits_for(policy, MEMBER, roles, SETTINGS).window_credits


def test_the_stronger_rule_wins_even_where_it_is_stricter() -> None:
    everyone = Policy(everyone=Allowance(window_credits=200))
    roles = Policy(everyone=everyone.everyone, roles={11: Allowance(window_credits=100)})
    own = Policy(everyone=roles.everyone, roles=roles.roles, members={MEMBER: Allowance(window_credits=50)})
    assert credits_in(Policy()) == 550
    assert credits_in(everyone, 11) == 200
    assert credits_in(roles, 12) == 200
    assert credits_in(roles, 11) == 100
    assert credits_in(own, 11) == 50


def test_the_best_role_is_the_one_with_most_and_no_limit_is_more_than_any() -> None:
    few, many, unlimited = Allowance(100), Allowance(900), Allowance(NO_LIMIT)
    policy = Policy(roles={11: few, 12: many, 13: unlimited})
    assert credits_in(policy, 11, 12) == 900
    assert credits_in(policy, 11, 12, 13) is None


def test_0_allows_nothing() -> None:
    policy = Policy(everyone=Allowance(200), members={MEMBER: Allowance(0)})
    assert credits_in(policy) == 0


def test_each_number_is_decided_by_itself() -> None:
    policy = Policy(
        everyone=Allowance(max_price=110),
        roles={11: Allowance(window_credits=1000)},
        members={MEMBER: Allowance(active_jobs=1)},
    )
    assert limits_for(policy, MEMBER, [11], SETTINGS) == Limits(1, 1000, 24, 110)


def test_without_a_window_setting_moderators_rules_mean_a_day() -> None:
    unlimited = Limits(active_jobs=None, window_credits=550, window_hours=0)
    assert limits_for(Policy(), MEMBER, [], unlimited) == Limits(None, None, 0)
    limited = Policy(everyone=Allowance(window_credits=100))
    assert limits_for(limited, MEMBER, [], unlimited) == Limits(None, 100, 24)


def test_another_members_rule_is_not_theirs() -> None:
    policy = Policy(members={MEMBER + 1: Allowance(window_credits=1)})
    assert credits_in(policy) == 550


def rules_by_strength(
    number: LimitKind, policy: Policy, roles: frozenset[int], operator: Limits
) -> Iterator[list[int]]:
    """The values of each kind of rule, the strongest kind first: computed here independently."""
    own, general = policy.members.get(MEMBER, Allowance()), policy.everyone
    of_roles = [rule for role_id, rule in policy.roles.items() if role_id in roles]
    for kind in ([own], of_roles, [general]):
        yield [value for rule in kind if (value := getattr(rule, number)) is not None]
    value = operator.credits if number is LimitKind.WINDOW_CREDITS else getattr(operator, number)
    yield [NO_LIMIT if value is None else value]


@PROPERTY
@given(policies, held_roles, settings)
def test_limits_are_those_of_the_strongest_kind_of_rule(
    policy: Policy, roles: frozenset[int], operator: Limits
) -> None:
    found = limits_for(policy, MEMBER, roles, operator)
    for number in LimitKind:
        values = next(values for values in rules_by_strength(number, policy, roles, operator) if values)
        assert getattr(found, number) == (None if NO_LIMIT in values else max(values))


@PROPERTY
@given(policies, held_roles, settings)
def test_why_lists_every_rule_once_and_those_that_count_are_the_limits(
    policy: Policy, roles: frozenset[int], operator: Limits
) -> None:
    listed = origins(policy, MEMBER, roles, operator)
    found = limits_for(policy, MEMBER, roles, operator)
    for number in LimitKind:
        of_number = [origin for origin in listed if origin.number is number]
        expected = [value for kind in rules_by_strength(number, policy, roles, operator) for value in kind]
        assert sorted(origin.value for origin in of_number) == sorted(expected)
        assert [origin.is_in_force for origin in of_number] == [True] + [False] * (len(of_number) - 1)
        in_force = getattr(found, number)
        assert of_number[0].value == (NO_LIMIT if in_force is None else in_force)
        assert [origin.source for origin in of_number] == sorted(
            (o.source for o in of_number), key=list(LimitSource).index
        )
        assert all((origin.role_id in roles) is (origin.source is LimitSource.ROLE) for origin in of_number)


def test_every_number_of_an_allowance_counts() -> None:
    assert {field.name for field in fields(Allowance)} == {number.value for number in LimitKind}
    assert AppliedLimit(LimitKind.MAX_PRICE, 1, LimitSource.MEMBER).is_in_force is False
