"""Who may do what: every command, button and form against every kind of member, whatever Discord's apps would offer.

The tables are complete by construction: what the bot registers and has no row here fails the tests.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest_asyncio
from discord import app_commands

from bot.errors import ReelpoolError
from cogs.rendering.refusals import sentence_of
from sandbox.discord.world import seed
from tests.e2e.stage import WAIT_SECONDS, picture, text_of
from tests.e2e.two_servers import (
    BY_PERMISSION,
    BY_ROLE,
    DEPOSIT,
    EVERYBODY,
    MANAGERS,
    MEMBER,
    OPERATOR,
    SECRET_PROMPT,
    TwoServers,
    classes_in,
    is_refusal,
    servers_at,
)
from tests.local.people import InteractionRecord, Person, Value

COGS = Path(__file__).parents[2] / "cogs"
PAYERS = (OPERATOR,)
# Of a request of the only moderator's, nobody else could decide.
DECIDERS = (*MANAGERS, OPERATOR)
SORRY = sentence_of(ReelpoolError())


@pytest_asyncio.fixture
async def both(tmp_path: Path) -> AsyncIterator[TwoServers]:
    async with servers_at(tmp_path) as ready:
        yield ready


# Commands


@dataclass(frozen=True)
class Row:
    """Who may use a command, and with which options it is used; `of` names what is looked up in the servers."""

    may: tuple[str, ...]
    options: Mapping[str, Value] = field(default_factory=dict)
    of: Mapping[str, str] = field(default_factory=dict)


COMMANDS = {
    "why": Row(EVERYBODY),
    "usage": Row(EVERYBODY),
    "history": Row(EVERYBODY),
    "cancel": Row(EVERYBODY),
    "pool show": Row(EVERYBODY),
    "pool history": Row(MANAGERS),
    "pool export": Row(MANAGERS),
    "pool audit": Row(MANAGERS),
    "pool why": Row(MANAGERS, of={"member": "member"}),
    "pool waiting": Row(DECIDERS),
    "pool deposit": Row(PAYERS, {"credits": 5, "reason": "mine"}),
    "pool withdraw": Row(PAYERS, {"credits": 5, "reason": "mine"}),
    "pool managers": Row(MANAGERS, of={"add": "role"}),
    "pool channels": Row(MANAGERS, of={"add": "channel"}),
    "pool approvals": Row(MANAGERS, {"price": 90}),
    "pool low-balance": Row(MANAGERS, {"cheapest": 30}),
    "pool allow": Row(MANAGERS, {"credits": 100_000}, of={"target": "member"}),
    "pool block": Row(MANAGERS, of={"member": "bystander"}),
    "pool unblock": Row(MANAGERS, of={"member": "bystander"}),
    "pool words add": Row(MANAGERS, {"words": "airships"}),
    "pool words remove": Row(MANAGERS, {"words": "airships"}),
    "pool words list": Row(MANAGERS),
    "pool pause": Row(MANAGERS, {"reason": "a break"}),
    "pool resume": Row(MANAGERS),
    "pool prioritize": Row(MANAGERS, of={"job": "job"}),
    "pool cancel": Row(MANAGERS, {"reason": "not here"}, of={"job": "job"}),
    "unconfirmed": Row(DECIDERS),
    "session start": Row(MANAGERS, {"budget": 100}),
    "session end": Row(MANAGERS, of={"session": "session"}),
    "video": Row(EVERYBODY, {"prompt": "a cat"}),
    "animate": Row(EVERYBODY, {"prompt": "it blinks"}),
    "Animate image": Row(EVERYBODY),
}


def options_in(both: TwoServers, row: Row, *, is_elsewhere: bool = False) -> dict[str, Value]:
    """The options of a row; jobs and sessions are the first server's, wherever it is used."""
    found: dict[str, Value] = {
        "role": both.elsewhere if is_elsewhere else seed.CREATORS_ROLE_ID,
        "channel": both.elsewhere_channel if is_elsewhere else both.stage.videos,
        "member": both.outsider.id if is_elsewhere else both.person(MEMBER).id,
        "bystander": both.outsider.id if is_elsewhere else both.person(OPERATOR).id,
        "job": 1,
        "session": 1,
    }
    return {**row.options, **{option: found[name] for option, name in row.of.items()}}


async def use(
    both: TwoServers, person: Person, name: str, options: dict[str, Value], channel_id: int | None = None
) -> InteractionRecord:
    """Use a command also where Discord's apps would not offer it, and wait for the answer."""
    place = channel_id or both.stage.videos
    if name == "Animate image":
        message = await person.say(place, "look", [("cat.png", picture())])
        record = await person.menu(message.id, name)
    else:
        files = {"image": ("cat.png", picture())} if name == "animate" else {}
        record = person._slash(person._channel(place), name, files, options, forced=True)
    await record.answered(WAIT_SECONDS)
    if record.modal is None:
        await record.finished(WAIT_SECONDS)
    return record


def test_every_row_allows_somebody() -> None:
    assert all(row.may for row in COMMANDS.values())


async def test_every_command_has_a_row(both: TwoServers) -> None:
    assert set(COMMANDS) == set(both.commands)


async def test_whoever_may_not_use_a_command_is_refused_and_changes_nothing(both: TwoServers) -> None:
    before = both.books()
    for name, row in COMMANDS.items():
        for actor in EVERYBODY:
            if actor not in row.may:
                record = await use(both, both.person(actor), name, options_in(both, row))
                assert is_refusal(record), (name, actor, text_of(record.message))
                assert both.books() == before, (name, actor)


async def test_whoever_may_use_a_command_is_not_refused(both: TwoServers) -> None:
    for name, row in COMMANDS.items():
        for actor in row.may:
            record = await use(both, both.person(actor), name, options_in(both, row))
            told = "" if record.modal else text_of(record.message)
            assert not is_refusal(record), (name, actor, told)
            assert SORRY not in told, (name, actor)


async def test_with_the_setting_managers_deposit_and_withdraw_as_well(tmp_path: Path) -> None:
    async with servers_at(tmp_path, pool_managers_may_deposit=True) as both:
        for name in ("pool deposit", "pool withdraw"):
            for actor in EVERYBODY:
                record = await use(both, both.person(actor), name, options_in(both, COMMANDS[name]))
                assert is_refusal(record) is (actor == MEMBER), (name, actor)


async def test_a_manager_of_another_server_reaches_only_that_one(both: TwoServers) -> None:
    job_id = await both.waiting_job()
    await use(both, both.person(BY_PERMISSION), "session start", {"budget": 100})
    await both.stage.until(lambda: both.stage.rows("SELECT card_message_id FROM sessions")[0]["card_message_id"])
    before = both.books(both.stage.discord.guild_id)
    assert job_id == 1
    for name, row in COMMANDS.items():
        record = await use(both, both.outsider, name, options_in(both, row, is_elsewhere=True), both.elsewhere_channel)
        told = "" if record.modal else text_of(record.message)
        assert SORRY not in told, name
        for secret in (SECRET_PROMPT, str(DEPOSIT), "zeppelins", f"<@{both.person(MEMBER).id}>"):
            assert secret not in told, (name, told)
        assert both.books(both.stage.discord.guild_id) == before, name


async def test_choices_of_commands_show_what_the_commands_would(both: TwoServers) -> None:
    await both.waiting_job()
    await use(both, both.person(BY_PERMISSION), "session start", {"budget": 100})
    await use(both, both.person(BY_PERMISSION), "pool channels", {"add": both.stage.videos})
    for name, command in both.commands.items():
        fields = command.parameters if isinstance(command, app_commands.Command) else []
        for option in (each.display_name for each in fields if each.autocomplete):
            own_only = COMMANDS[name].may == EVERYBODY
            for actor in EVERYBODY:
                record = await both.person(actor).autocomplete(both.stage.videos, name, option)
                await record.answered(WAIT_SECONDS)
                # Of the commands for everybody, each shows what is one's own: only the member has asked for anything.
                assert not record.choices or actor in (MANAGERS if not own_only else (MEMBER,)), (name, actor)
            there = await both.outsider.autocomplete(both.elsewhere_channel, name, option)
            await there.answered(WAIT_SECONDS)
            assert not there.choices, name


# Buttons

_Find = Callable[[TwoServers], Awaitable[int]]


@dataclass(frozen=True)
class Button:
    """A button's custom id, which names a job or its reader; who may press it, and what comes of it.

    Attributes:
        target: makes what it is about; the reader's own id where it is None.
        opens_form: pressing it decides nothing yet.
    """

    custom_id: str
    may: tuple[str, ...]
    target: _Find | None = None
    opens_form: bool = False


BUTTONS = {
    "DecisionButton": (
        Button("approval:approve:{}", DECIDERS, TwoServers.waiting_job),
        Button("approval:cheaper:{}", DECIDERS, TwoServers.waiting_job),
        Button("approval:deny:{}", DECIDERS, TwoServers.waiting_job, opens_form=True),
        Button("unconfirmed:made:{}", DECIDERS, TwoServers.unconfirmed_job, opens_form=True),
        Button("unconfirmed:nothing:{}", DECIDERS, TwoServers.unconfirmed_job),
        Button("unconfirmed:again:{}", DECIDERS, TwoServers.unconfirmed_job),
    ),
    "PageButton": (
        Button("pool-page:ledger:older:99:{}:0", MANAGERS),
        Button("pool-page:audit:older:99:{}:0", MANAGERS),
    ),
    # Who has not been refused has nothing to ask about: it is tried further down.
    "AskButton": (),
}


async def test_every_button_has_a_row(both: TwoServers) -> None:
    assert set(BUTTONS) == both.item_classes == classes_in(COGS, r"discord\.ui\.DynamicItem")
    # No other kind of button is there, whose presses would not come by here.
    sources = [path.read_text(encoding="utf-8") for path in COGS.rglob("*.py")]
    assert not [source for source in sources if "@discord.ui." in source or "@ui." in source]


async def pressed(both: TwoServers, button: Button, actor: str, target: int | None) -> InteractionRecord:
    person = both.person(actor)
    return await both.press(person, button.custom_id.format(person.id if target is None else target))


async def test_whoever_may_not_click_a_button_is_refused_and_changes_nothing(both: TwoServers) -> None:
    for button in (each for buttons in BUTTONS.values() for each in buttons):
        target = await button.target(both) if button.target else None
        before = both.books()
        for actor in EVERYBODY:
            if actor not in button.may:
                record = await pressed(both, button, actor, target)
                assert is_refusal(record), (button, actor)
                assert both.books() == before, (button, actor)


async def test_whoever_may_click_a_button_is_not_refused(both: TwoServers) -> None:
    for button in (each for buttons in BUTTONS.values() for each in buttons):
        for actor in button.may:
            target = await button.target(both) if button.target else None
            before = both.stage.states[target - 1] if target else None
            record = await pressed(both, button, actor, target)
            assert not is_refusal(record), (button, actor)
            assert (record.modal is not None) is button.opens_form, (button, actor)
            if target:
                assert (both.stage.states[target - 1] == before) is button.opens_form, (button, actor)


async def test_a_button_of_another_server_decides_nothing_here(both: TwoServers) -> None:
    for button in (each for buttons in BUTTONS.values() for each in buttons):
        target = await button.target(both) if button.target else both.outsider.id
        before = both.books()
        record = await both.press(both.outsider, button.custom_id.format(target), both.elsewhere_channel)
        assert both.books() == before, button
        told = "" if record.modal else text_of(record.message)
        assert SECRET_PROMPT not in told
        assert str(DEPOSIT) not in told
        if record.modal:
            sent = await both.outsider.submit(record.id, {"task_id": list(both.stage.ulazai.tasks)[-1]})
            assert "decided already" in text_of((await sent.answered(WAIT_SECONDS)).message)
            assert both.books() == before


async def test_pages_are_changed_by_their_reader_only(both: TwoServers) -> None:
    custom_id = f"pool-page:ledger:older:99:{both.person(BY_PERMISSION).id}:0"
    record = await both.press(both.person(BY_ROLE), custom_id)
    assert "another moderator's pages" in text_of(record.message)


async def test_only_who_was_refused_can_ask_about_it(both: TwoServers) -> None:
    requester = both.person(MEMBER)
    refused = await use(both, requester, "video", {"prompt": "two zeppelins"})
    before = both.books()
    for actor in (BY_PERMISSION, BY_ROLE, OPERATOR):
        record = await both.press(both.person(actor), f"ask:{refused.id}")
        assert "another member's request" in text_of(record.message)
    assert both.books() == before
    await both.press(requester, f"ask:{refused.id}")
    assert both.stage.states == ["awaiting_approval"]


async def test_unknown_ids_are_refused_with_a_sentence(both: TwoServers) -> None:
    manager = both.person(BY_PERMISSION)
    before = both.books()
    for custom_id in ("approval:approve:999999999999", "approval:deny:7", "unconfirmed:again:999999999999", "ask:1"):
        told = text_of((await both.press(manager, custom_id)).message)
        assert told
        assert SORRY not in told, custom_id
    assert both.books() == before


# Forms


async def open_denial(both: TwoServers, actor: str) -> InteractionRecord:
    return await both.press(both.person(actor), f"approval:deny:{await both.waiting_job()}")


async def open_task_id(both: TwoServers, actor: str) -> InteractionRecord:
    return await both.press(both.person(actor), f"unconfirmed:made:{await both.unconfirmed_job()}")


FORMS: dict[str, tuple[Callable[[TwoServers, str], Awaitable[InteractionRecord]], dict[str, Value | None]] | None] = {
    "DenialForm": (open_denial, {"reason": "no"}),
    "TaskIdForm": (open_task_id, {"task_id": "a-task"}),
    # For everybody.
    "AnimateModal": None,
}


def test_every_form_has_a_row() -> None:
    assert set(FORMS) == classes_in(COGS, r"Form\b")
    assert classes_in(COGS, r"discord\.ui\.Modal") == {"Form"}


async def test_a_form_opened_with_a_permission_is_refused_once_it_is_gone(both: TwoServers) -> None:
    admin, guild_id = both.stage.discord.admin, both.stage.discord.guild_id
    roles = {BY_PERMISSION: seed.MODERATOR_ROLE_ID, BY_ROLE: seed.POOL_MANAGER_ROLE_ID}
    for opened_by, values in (form for form in FORMS.values() if form):
        for actor, role_id in roles.items():
            person = both.person(actor)
            opened = await opened_by(both, actor)
            assert opened.modal
            admin.take_role(guild_id, person.id, role_id)
            before = both.books()
            sent = await (await person.submit(opened.id, values)).answered(WAIT_SECONDS)
            assert is_refusal(sent), (opened_by, actor)
            assert both.books() == before, (opened_by, actor)
            admin.give_role(guild_id, person.id, role_id)
