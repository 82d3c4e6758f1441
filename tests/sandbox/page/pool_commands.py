"""Commands like those of a shared pool: every type of option, paged lists, files shown to one user."""

from __future__ import annotations

import re
from io import BytesIO
from typing import Any

import discord
from discord import app_commands
from discord.app_commands import Choice, Range

Interaction = discord.Interaction[Any]

WORDS = ("raspberry", "strawberry", "thunder")
LEDGER = b"entry,credits\n1,1000\n2,-55\n"
LAST_PAGE = 2

pool = app_commands.Group(
    name="pool",
    description="The server's credits",
    default_permissions=discord.Permissions(manage_guild=True),
    guild_only=True,
)
words = app_commands.Group(name="words", description="Words that prompts may not contain", parent=pool)
session = app_commands.Group(name="session", description="Creative sessions", guild_only=True)


def _rights(permissions: discord.Permissions | None) -> str:
    if permissions is None:
        return "unknown"
    return "manages" if permissions.manage_guild else "writes" if permissions.send_messages else "reads"


@pool.command(description="Show the balance")
async def show(interaction: Interaction) -> None:
    await interaction.response.send_message("1000 credits", ephemeral=True)


@pool.command(description="Set what somebody may spend")
@app_commands.describe(target="A member, a role or everyone", credits="Credits per day", factor="More or less of it")
async def allow(
    interaction: Interaction,
    target: discord.Member | discord.Role,
    credits: Range[int, 0, 5000],  # noqa: A002 - the option's name
    factor: Range[float, 0.5, 2.0] = 1.0,
    notify: bool = False,
) -> None:
    if isinstance(target, discord.Role):
        who = f"role {target.name}, default {target.is_default()}"
    else:
        who = f"member {target.name}, {_rights(target.resolved_permissions)}, {len(target.roles)} roles"
    await interaction.response.send_message(f"{who}: {credits} x {factor}, {notify}")


@pool.command(description="Tell why a member may spend what")
async def why(interaction: Interaction, member: discord.User) -> None:
    await interaction.response.send_message(f"{type(member).__name__} {member.name}")


@pool.command(description="Name a role whose members are managers")
async def managers(interaction: Interaction, role: discord.Role) -> None:
    await interaction.response.send_message(f"{role.name}, {role.permissions.value}, {role.position}")


@pool.command(description="Say where videos may be made")
async def channels(interaction: Interaction, channel: discord.TextChannel) -> None:
    # A resolved channel is not the cached one: it has the rights of who acts
    found = interaction.namespace.channel
    assert isinstance(found, app_commands.AppCommandChannel)
    await interaction.response.send_message(f"{channel.name}, {_rights(found.permissions)}")


@words.command(name="add", description="Forbid a word")
async def add_word(interaction: Interaction, word: Range[str, 2, 20]) -> None:
    await interaction.response.send_message(f"added {word}")


@words.command(name="remove", description="Allow a word again")
async def remove_word(interaction: Interaction, word: str) -> None:
    await interaction.response.send_message(f"removed {word}")


@remove_word.autocomplete("word")
async def _complete_word(_interaction: Interaction, typed: str) -> list[Choice[str]]:
    return [Choice(name=word, value=word) for word in WORDS if typed in word]


@session.command(description="Open a thread with a budget of its own")
async def start(
    interaction: Interaction,
    budget: Range[int, 1],
    minutes: Range[int, 5, 1440] = 60,
    role: discord.Role | None = None,
    title: Range[str, 1, 80] = "Session",
) -> None:
    """Open a thread and pin its card."""
    holders = "everyone" if role is None else role.name
    await interaction.response.send_message(f"{title}: {budget} credits, {minutes} minutes, {holders}", ephemeral=True)
    channel = interaction.channel
    assert isinstance(channel, discord.TextChannel)
    thread = await channel.create_thread(name=title, type=discord.ChannelType.public_thread)
    card = await thread.send(f"{budget} credits left")
    await card.pin()


class PageButton(discord.ui.DynamicItem[discord.ui.Button[Any]], template=r"pool:page:(?P<number>\d+)"):
    """Shows a page of a list; works after a restart of the bot."""

    def __init__(self, label: str, number: int, *, disabled: bool = False) -> None:
        super().__init__(discord.ui.Button(label=label, custom_id=f"pool:page:{number}", disabled=disabled))
        self.number = number

    @classmethod
    async def from_custom_id(
        cls, _interaction: Interaction, item: discord.ui.Item[Any], match: re.Match[str], /
    ) -> PageButton:
        assert isinstance(item, discord.ui.Button)
        return cls(item.label or "", int(match["number"]))

    async def callback(self, interaction: Interaction) -> None:
        """Show the page in place of the one before."""
        await interaction.response.edit_message(content=f"Page {self.number + 1}", view=list_view(self.number))


class ShareButton(discord.ui.DynamicItem[discord.ui.Button[Any]], template="pool:share"):
    """Tells everyone what one person sees."""

    def __init__(self) -> None:
        super().__init__(discord.ui.Button(label="Share", custom_id="pool:share"))

    @classmethod
    async def from_custom_id(
        cls, _interaction: Interaction, _item: discord.ui.Item[Any], _match: re.Match[str], /
    ) -> ShareButton:
        return cls()

    async def callback(self, interaction: Interaction) -> None:
        """Answer in public."""
        await interaction.response.send_message(f"{interaction.user.mention} shares the list")


class ReasonButton(discord.ui.DynamicItem[discord.ui.Button[Any]], template="pool:reason"):
    """Asks for a reason."""

    def __init__(self) -> None:
        super().__init__(discord.ui.Button(label="Deny", style=discord.ButtonStyle.danger, custom_id="pool:reason"))

    @classmethod
    async def from_custom_id(
        cls, _interaction: Interaction, _item: discord.ui.Item[Any], _match: re.Match[str], /
    ) -> ReasonButton:
        return cls()

    async def callback(self, interaction: Interaction) -> None:
        """Open the form."""
        await interaction.response.send_modal(ReasonForm())


class ReasonForm(discord.ui.Modal, title="Deny this request"):
    """Changes the message whose button opened it."""

    reason: discord.ui.Label[Any] = discord.ui.Label(
        text="Reason", component=discord.ui.TextInput(custom_id="reason", max_length=100)
    )

    async def on_submit(self, interaction: Interaction, /) -> None:
        """Write the reason where the buttons were."""
        field = self.reason.component
        assert isinstance(field, discord.ui.TextInput)
        await interaction.response.edit_message(content=f"Denied: {field.value}", view=None)


def list_view(number: int) -> discord.ui.View:
    """The buttons below a page of the list."""
    view = discord.ui.View(timeout=None)
    view.add_item(PageButton("Previous", max(number - 1, 0), disabled=number == 0))
    view.add_item(PageButton("Next", number + 1, disabled=number == LAST_PAGE))
    view.add_item(ShareButton())
    view.add_item(ReasonButton())
    return view


@pool.command(description="List the entries in pages")
async def history(interaction: Interaction) -> None:
    await interaction.response.defer(ephemeral=True)
    await interaction.edit_original_response(content="Page 1", view=list_view(0))


@pool.command(description="Give the ledger as a file")
async def export(interaction: Interaction) -> None:
    await interaction.response.defer(ephemeral=True)
    await interaction.followup.send("The ledger", file=discord.File(BytesIO(LEDGER), "ledger.csv"))


BUTTONS = (PageButton, ShareButton, ReasonButton)
GROUPS = (pool, session)
