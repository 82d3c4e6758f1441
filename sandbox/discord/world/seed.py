"""The initial world: one server, three channels, four users and the bot.

The ids are fixed, so that every new world has the same ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sandbox.discord.world import permissions, snowflakes
from sandbox.discord.world.constants import ChannelType
from sandbox.discord.world.models import Channel, Guild, Member, Message, Overwrite, Role, User

if TYPE_CHECKING:
    from sandbox.discord.world.world import World

_FIRST_DAY: Final = 1_767_225_600  # 1 January 2026, UTC
_FIRST_ID: Final = snowflakes.at(_FIRST_DAY)

GUILD_ID: Final = _FIRST_ID
BOT_ID: Final = _FIRST_ID + 1
APPLICATION_ID: Final = BOT_ID
OWNER_ID: Final = _FIRST_ID + 2
MEMBER_ONE_ID: Final = _FIRST_ID + 3
MEMBER_TWO_ID: Final = _FIRST_ID + 4
MODERATOR_ID: Final = _FIRST_ID + 5
MODERATOR_ROLE_ID: Final = _FIRST_ID + 6
BOT_ROLE_ID: Final = _FIRST_ID + 7
VIDEOS_ID: Final = _FIRST_ID + 8
GENERAL_ID: Final = _FIRST_ID + 9
MODERATORS_ID: Final = _FIRST_ID + 10
WELCOME_ID: Final = _FIRST_ID + 11
CREATORS_ROLE_ID: Final = _FIRST_ID + 12
POOL_MANAGER_ROLE_ID: Final = _FIRST_ID + 13

WELCOME = """\
Welcome! Type `/video` and say what you want to see, or `/animate` with a picture. A picture that is already here can \
be animated too: open its message's menu, **Apps**, **Animate image**.

The videos are paid from one pool of credits. Change who you are at the bottom left:
- **Moderator**: `/pool show` shows what is left, `/pool approvals` makes expensive requests wait for approval in \
#moderators, `/session start` opens a thread with a budget of its own, `/pool allow` sets who may spend how much.
- **Member One** and **Member Two** hold the role Creators; `/why` shows them what they may spend.
- **Operator** owns the bot: `/pool deposit` fills the pool."""


@dataclass(frozen=True, slots=True)
class _Account:
    id: int
    username: str
    name: str
    color: str


_PEOPLE: Final = (
    _Account(MEMBER_ONE_ID, "member-one", "Member One", "#3b82f6"),
    _Account(MEMBER_TWO_ID, "member-two", "Member Two", "#10b981"),
    _Account(MODERATOR_ID, "moderator", "Moderator", "#f59e0b"),
    _Account(OWNER_ID, "operator", "Operator", "#64748b"),
)

# Nobody holds Pool manager yet: a moderator can make it a manager of the pool.
_ROLES_HELD: Final = {
    BOT_ID: (BOT_ROLE_ID,),
    MEMBER_ONE_ID: (CREATORS_ROLE_ID,),
    MEMBER_TWO_ID: (CREATORS_ROLE_ID,),
    MODERATOR_ID: (MODERATOR_ROLE_ID,),
}


def populate(world: World) -> None:
    """Add the initial users, server, channels and welcome message to an empty world."""
    _add_users(world)
    world.put_guild(_guild())
    for channel in _channels():
        world.put_channel(channel)
    world.put_message(
        Message(
            id=WELCOME_ID,
            channel_id=VIDEOS_ID,
            guild_id=GUILD_ID,
            author_id=OWNER_ID,
            timestamp=_FIRST_DAY,
            content=WELCOME,
        )
    )
    world.channels[VIDEOS_ID].last_message_id = WELCOME_ID


def _add_users(world: World) -> None:
    world.put_user(User(BOT_ID, "reelpool", "Reelpool", bot=True, color="#8b5cf6", listed=False))
    for account in _PEOPLE:
        world.put_user(User(account.id, account.username, account.name, color=account.color))


def _guild() -> Guild:
    guild = Guild(GUILD_ID, "Reelpool Studio", OWNER_ID)
    guild.roles = {role.id: role for role in _roles()}
    for user_id in (BOT_ID, *(account.id for account in _PEOPLE)):
        guild.members[user_id] = Member(user_id, list(_ROLES_HELD.get(user_id, ())), joined_at=_FIRST_DAY)
    return guild


def _roles() -> tuple[Role, ...]:
    return (
        Role(GUILD_ID, "@everyone", permissions.EVERYONE, position=0),
        Role(MODERATOR_ROLE_ID, "Moderator", permissions.MODERATOR, position=4, color=0xF59E0B),
        Role(POOL_MANAGER_ROLE_ID, "Pool manager", position=3, color=0x14B8A6),
        Role(CREATORS_ROLE_ID, "Creators", position=2, color=0xEC4899),
        Role(BOT_ROLE_ID, "Reelpool", permissions.BOT_ROLE, position=1, managed=True),
    )


def _channels() -> tuple[Channel, ...]:
    hidden = Overwrite(GUILD_ID, 0, deny=permissions.VIEW_CHANNEL)
    shown = [Overwrite(role, 0, allow=permissions.VIEW_CHANNEL) for role in (MODERATOR_ROLE_ID, BOT_ROLE_ID)]
    private = {overwrite.id: overwrite for overwrite in (hidden, *shown)}
    topics = ("Ask for videos here", "Everything else", "For moderators")
    return (
        Channel(VIDEOS_ID, ChannelType.TEXT, GUILD_ID, "videos", position=0, topic=topics[0]),
        Channel(GENERAL_ID, ChannelType.TEXT, GUILD_ID, "general", position=1, topic=topics[1]),
        Channel(
            MODERATORS_ID,
            ChannelType.TEXT,
            GUILD_ID,
            "moderators",
            position=2,
            topic=topics[2],
            overwrites=private,
        ),
    )
