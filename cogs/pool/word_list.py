"""`/pool words`: what prompts may not contain."""

import discord
from discord import app_commands

from bot.client import VideoBot
from bot.codes import AuditAction
from bot.pools.rules import changes
from bot.wordlist.matcher import parse_words
from cogs.interactions.permissions import require_manager
from cogs.interactions.responses import deferred_when_slow, send_or_edit
from cogs.pool._changes import PoolCommand, change_rules, rules_for_choices
from cogs.rendering import pool as _pool_render

_Interaction = discord.Interaction[VideoBot]

words = app_commands.Group(name="words", description="Words and phrases that prompts may not contain")


@words.command(description="Add words or phrases that prompts may not contain")
@app_commands.describe(
    words_="Separated by commas; disguised spellings are found too",
    endings="Also find English plurals and -ed, -er and -ing forms (default: no)",
)
@app_commands.rename(words_="words")
async def add(interaction: _Interaction, words_: str, endings: bool = False) -> None:
    """Add to the list."""
    await require_manager(interaction)
    new = parse_words(words_)
    await change_rules(
        interaction,
        AuditAction.WORDS,
        lambda policy: changes.list_words(policy, new, with_endings=endings),
        _pool_render.words_now,
    )


@words.command(description="Remove words or phrases from the list")
@app_commands.describe(words_="Separated by commas, in any spelling")
@app_commands.rename(words_="words")
async def remove(interaction: _Interaction, words_: str) -> None:
    """Remove from the list."""
    await require_manager(interaction)
    gone = parse_words(words_)
    await change_rules(
        interaction, AuditAction.WORDS, lambda policy: changes.unlist_words(policy, gone), _pool_render.words_now
    )


@remove.autocomplete("words_")
async def _listed(interaction: _Interaction, typed: str) -> list[app_commands.Choice[str]]:
    policy = await rules_for_choices(interaction)
    matching = sorted(word for word in policy.words if typed.casefold() in word.casefold())
    return [app_commands.Choice(name=word, value=word) for word in matching[:25]]


@words.command(name="list", description="Show the words and phrases that prompts may not contain")
async def list_(interaction: _Interaction) -> None:
    """Show the list."""
    guild_id = await require_manager(interaction)
    async with deferred_when_slow(interaction, ephemeral=True):
        pool = await interaction.client.services.pools.pool(guild_id)
    await send_or_edit(interaction, _pool_render.word_list(pool.policy), ephemeral=True)


POOL_COMMANDS: tuple[PoolCommand, ...] = (words,)
