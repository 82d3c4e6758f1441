"""A server's rules as they are kept: what is written is what is read, also by a version that knows less."""

import json
import sqlite3
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bot.pools.policy import (
    Allowance,
    ApprovalCause,
    Block,
    LowBalanceLevel,
    LowBalanceLimits,
    Policy,
    document_of,
    policy_of,
)
from bot.storage import schema
from tests.clock import START
from tests.properties import PROPERTY

IDS = st.integers(1, 2**63 - 1)
NUMBERS = st.none() | st.integers(0, 1_000_000_000)
TEXTS = st.text(max_size=30)
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - the zone is the strategy's
PERCENTS = st.integers(0, 100)

allowances = st.builds(Allowance, NUMBERS, NUMBERS, NUMBERS)
blocks = st.builds(Block, TEXTS, st.none() | MOMENTS)
policies = st.builds(
    Policy,
    manager_roles=st.frozensets(IDS, max_size=4),
    channels=st.frozensets(IDS, max_size=4),
    paused=st.none() | TEXTS,
    everyone=allowances,
    roles=st.dictionaries(IDS, allowances, max_size=4),
    members=st.dictionaries(IDS, allowances, max_size=4),
    blocks=st.dictionaries(IDS, blocks, max_size=4),
    words=st.lists(TEXTS, max_size=5).map(tuple),
    approval_price=NUMBERS,
    moderators_channel=st.none() | IDS,
    low_balance=st.builds(LowBalanceLimits, PERCENTS, PERCENTS),
)


@PROPERTY
@given(policies)
def test_a_policy_is_read_as_it_was_written(policy: Policy) -> None:
    assert policy_of(document_of(policy)) == policy


@PROPERTY
@given(policies)
def test_the_database_takes_it_for_json(policy: Policy) -> None:
    connection = sqlite3.connect(":memory:")
    assert connection.execute("SELECT json_valid(?)", (document_of(policy),)).fetchone() == (1,)
    connection.close()


def test_defaults_are_not_written() -> None:
    assert document_of(Policy()) == "{}"
    assert policy_of("{}") == Policy()
    assert json.loads(document_of(Policy(approval_price=110))) == {"approval_price": 110}


@PROPERTY
@given(
    policies, st.sampled_from(["next_thing", "holiday"]), st.none() | st.integers() | st.text() | st.just({"a": [1]})
)
def test_fields_of_a_later_version_are_ignored(policy: Policy, name: str, value: object) -> None:
    document = json.loads(document_of(policy)) | {name: value}
    document["low_balance"] = {"cheapest_percent": 40, name: value}
    document["members"] = {"7": {"window_credits": 5, name: value}}
    found = policy_of(json.dumps(document))
    assert found.low_balance == LowBalanceLimits(cheapest_percent=40)
    assert found.members == {7: Allowance(window_credits=5)}
    assert (found.words, found.blocks, found.channels) == (policy.words, policy.blocks, policy.channels)


def test_an_invalid_policy_is_an_error_and_not_a_server_without_rules() -> None:
    for document in ("", "[]", '{"approval_price": "many"}', '{"blocks": {"7": {"until": "soon"}}}'):
        with pytest.raises(ValidationError):
            policy_of(document)


def test_a_block_holds_until_its_end() -> None:
    block = Block("spam", START + timedelta(hours=1))
    assert block.holds(START + timedelta(minutes=59))
    assert not block.holds(START + timedelta(hours=1))
    assert Block("for good").holds(START + timedelta(days=36500))


def test_an_allowance_of_zero_says_something() -> None:
    assert Allowance().is_empty
    assert not Allowance(max_price=0).is_empty


def test_the_check_constraints_match_the_enums() -> None:
    assert tuple(LowBalanceLevel) == schema.LOW_BALANCE_LEVELS
    assert tuple(ApprovalCause) == schema.APPROVAL_CAUSES
