"""The real discord.py client on the local Discord."""

import asyncio
import io
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import discord
import pytest
import yarl
from discord import app_commands
from discord.ext import commands
from discord.gateway import DiscordWebSocket

from sandbox.discord import NO_ANSWER
from sandbox.discord.world.constants import CallbackType, MessageFlag, MessageType
from tests.local.faults import Fault
from tests.local.people import InteractionFailedError, Value
from tests.sandbox.discord.tools import Stage, picture, real_bot

Interaction = discord.Interaction[commands.AutoShardedBot]


class Wish(discord.ui.Modal, title="Animate image"):
    """A modal with every kind of field that discord.py 2.7 has."""

    prompt: discord.ui.Label[Any] = discord.ui.Label(
        text="Prompt", component=discord.ui.TextInput(custom_id="prompt", max_length=50)
    )
    length: discord.ui.Label[Any] = discord.ui.Label(
        text="Length",
        component=discord.ui.Select(
            custom_id="length",
            options=[discord.SelectOption(label="5 s", value="5"), discord.SelectOption(label="10 s", value="10")],
        ),
    )
    ratio: discord.ui.Label[Any] = discord.ui.Label(
        text="Ratio",
        component=discord.ui.RadioGroup(
            custom_id="ratio",
            options=[discord.RadioGroupOption(label=r, value=r) for r in ("16:9", "9:16")],
        ),
    )
    sound: discord.ui.Label[Any] = discord.ui.Label(text="Sound", component=discord.ui.Checkbox(custom_id="sound"))
    picture: discord.ui.Label[Any] = discord.ui.Label(
        text="Picture", component=discord.ui.FileUpload(custom_id="picture", required=False)
    )

    async def on_submit(self, interaction: discord.Interaction) -> None:
        """Tell what was filled in."""
        length, ratio, upload = self.length.component, self.ratio.component, self.picture.component
        prompt, sound = self.prompt.component, self.sound.component
        assert isinstance(length, discord.ui.Select)
        assert isinstance(ratio, discord.ui.RadioGroup)
        assert isinstance(sound, discord.ui.Checkbox)
        assert isinstance(upload, discord.ui.FileUpload)
        assert isinstance(prompt, discord.ui.TextInput)
        names = [a.filename for a in upload.values]
        told = f"{prompt.value}|{length.values}|{ratio.value}|{sound.value}|{names}"
        await interaction.response.send_message(told, ephemeral=True)


class Panel(discord.ui.View):
    """A button that changes its own message."""

    def __init__(self) -> None:
        super().__init__(timeout=None)

    @discord.ui.button(label="Cancel", custom_id="cancel")
    async def cancel(self, interaction: discord.Interaction, _button: discord.ui.Button["Panel"]) -> None:
        """Take the button away."""
        await interaction.response.edit_message(content="cancelled", view=None)


def add_commands(bot: commands.AutoShardedBot) -> None:
    """The commands of the tests."""

    @bot.tree.command(description="Defer, then fill")
    @app_commands.guild_only()
    async def video(interaction: discord.Interaction, prompt: str, hidden: bool = False) -> None:
        await interaction.response.defer(ephemeral=hidden)
        await interaction.followup.send(f"made {prompt}", ephemeral=not hidden)
        await interaction.followup.send("second", ephemeral=True)

    @bot.tree.command(description="Answer at once")
    async def status(interaction: discord.Interaction, picture: discord.Attachment | None = None) -> None:
        content = "nothing" if picture is None else f"{picture.filename} {picture.width}x{picture.height}"
        file = discord.utils.MISSING if picture is None else await picture.to_file()
        await interaction.response.send_message(content, file=file, view=Panel())

    add_more_commands(bot)


def add_more_commands(bot: commands.AutoShardedBot) -> None:
    """Silence, autocomplete, a modal and a subcommand."""

    @bot.tree.command(description="Never answer")
    async def silent(interaction: discord.Interaction) -> None:
        assert not interaction.response.is_done()

    @bot.tree.command(description="Suggest")
    async def pick(interaction: discord.Interaction, name: str) -> None:
        await interaction.response.send_message(name)

    @pick.autocomplete("name")
    async def names(_interaction: discord.Interaction, typed: str) -> list[app_commands.Choice[str]]:
        return [app_commands.Choice(name=typed + end, value=typed + end) for end in ("a", "b")]

    @bot.tree.context_menu(name="Animate image")
    async def animate(interaction: discord.Interaction, message: discord.Message) -> None:
        assert message.attachments
        await interaction.response.send_modal(Wish())

    group = app_commands.Group(name="pool", description="Credits")

    @group.command(description="Give credits")
    @app_commands.default_permissions(manage_guild=True)
    async def give(interaction: discord.Interaction, member: discord.Member, credits: int) -> None:  # noqa: A002
        rights = interaction.permissions.manage_guild
        await interaction.response.send_message(f"{member.mention} {credits} {rights}", ephemeral=True)

    bot.tree.add_command(group)


@pytest.fixture
async def stage(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    async with real_bot(monkeypatch, add_commands) as stage:
        yield stage


async def test_bot_sees_the_server_as_it_is(stage: Stage) -> None:
    await stage.local.wait_for(lambda: len(stage.bot.guilds) == 1)
    guild = stage.bot.guilds[0]
    assert guild.name == "Reelpool Studio"
    assert [channel.name for channel in guild.text_channels] == ["videos", "general", "moderators"]
    assert guild.me.guild_permissions.send_messages_in_threads
    assert not guild.me.guild_permissions.manage_messages
    assert guild.filesize_limit == stage.local.world.guilds[guild.id].upload_limit_bytes
    assert {command.name for command in await stage.bot.tree.fetch_commands()} == {
        "video", "status", "silent", "pick", "Animate image", "pool",
    }  # fmt: skip


async def test_deferred_answer_is_filled_and_keeps_its_visibility(stage: Stage) -> None:
    person = stage.local.person("member-one")
    public = await person.slash(stage.videos, "video", prompt="cat")
    await stage.local.wait_for(lambda: len(public.messages) == 2)
    first, second = public.messages
    assert first.content == "made cat"
    assert (first.ephemeral, first.thinking, first.type) == (False, False, MessageType.SLASH_COMMAND)
    assert (second.content, second.ephemeral, second.visible_to) == ("second", True, person.id)
    assert second.reference is not None
    assert second.reference.message_id == first.id
    hidden = await person.slash(stage.videos, "video", prompt="dog", hidden=True)
    filled = await hidden.finished()
    assert filled.ephemeral
    assert hidden.ephemeral
    assert filled not in stage.local.messages(stage.videos, stage.local.person("member-two").id)


async def test_picture_is_uploaded_and_downloaded(stage: Stage) -> None:
    person = stage.local.person("member-one")
    record = await person.slash(stage.videos, "status", files={"picture": ("cat.png", picture(64, 48))})
    await record.answered()
    assert record.type == CallbackType.MESSAGE
    assert record.message.content == "cat.png 64x48"
    attachment = record.message.attachments[0]
    assert stage.local.file(attachment.id) == picture(64, 48)


async def test_button_changes_its_message(stage: Stage) -> None:
    person = stage.local.person("member-one")
    record = await (await person.slash(stage.videos, "status")).answered()
    pressed = await (await person.press(record.message.id, "Cancel")).answered()
    assert pressed.type == CallbackType.UPDATE
    assert (record.message.content, record.message.components) == ("cancelled", [])


async def test_autocomplete(stage: Stage) -> None:
    record = await stage.local.person("member-one").autocomplete(stage.videos, "pick", "name", "x")
    await record.answered()
    assert [choice["value"] for choice in record.choices] == ["xa", "xb"]


async def test_modal_from_a_message_menu(stage: Stage) -> None:
    person = stage.local.person("member-one")
    message = await person.say(stage.videos, "look", [("a.png", picture())])
    opener = await (await person.menu(message.id, "Animate image")).answered()
    assert opener.modal is not None
    assert opener.modal["title"] == "Animate image"
    values: dict[str, Value | None] = {"prompt": "run", "length": ["10"], "ratio": "9:16", "sound": True}
    files = {"picture": [("b.png", picture())]}
    record = await (await person.submit(opener.id, values, files)).answered()
    assert record.message.content == "run|['10']|9:16|True|['b.png']"
    assert record.ephemeral


async def test_subcommand_with_a_member_by_a_moderator(stage: Stage) -> None:
    member = stage.local.person("member-one")
    arguments: dict[str, Any] = {"member": member.id, "credits": 5}
    record = await stage.local.person("moderator").slash(stage.videos, "pool give", **arguments)
    await record.answered()
    assert record.message.content == f"<@{member.id}> 5 True"


async def test_no_answer_within_the_deadline(stage: Stage) -> None:
    stage.local.settings.interaction_deadline_seconds = 0.05
    record = await stage.local.person("member-one").slash(stage.videos, "silent")
    with pytest.raises(InteractionFailedError, match=NO_ANSWER):
        await record.answered()


async def test_thread_from_message_and_posting_once_by_nonce(stage: Stage) -> None:
    channel = await stage.bot.fetch_channel(stage.videos)
    assert isinstance(channel, discord.TextChannel)
    message = await channel.send("job 1")
    thread = await message.create_thread(name="A cat", auto_archive_duration=1440)
    assert thread.id == message.id
    file = discord.File(io.BytesIO(b"0" * 2000), "cat.mp4", description="A cat")
    first = await thread.send("done", file=file, nonce="job-1")
    again = await thread.send("done", nonce="job-1")
    assert again.id == first.id
    assert [m.content for m in stage.local.messages(thread.id)] == ["done"]
    assert [t.name for t in stage.local.threads(stage.videos)] == ["A cat"]
    with pytest.raises(discord.HTTPException) as refused:
        await message.create_thread(name="Again")
    assert refused.value.code == 160004


async def test_attachment_is_fetched_in_parts_and_expires(stage: Stage) -> None:
    channel = stage.bot.get_partial_messageable(stage.videos)
    sent = await channel.send(file=discord.File(io.BytesIO(bytes(range(256))), "clip.mp4"))
    url = sent.attachments[0].url
    assert await sent.attachments[0].read() == bytes(range(256))
    async with aiohttp.ClientSession() as session:
        async with session.get(url, headers={"Range": "bytes=10-19"}) as part:
            assert part.status == 206
            assert part.content_type == "video/mp4"
            assert part.headers["Content-Range"] == "bytes 10-19/256"
            assert await part.read() == bytes(range(10, 20))
        stage.local.admin.expire_attachment_urls()
        async with session.get(url) as gone:
            assert gone.status == 404
        fresh = (await channel.fetch_message(sent.id)).attachments[0].url
        async with session.get(fresh) as again:
            assert again.status == 200


async def test_components_v2_with_a_video(stage: Stage) -> None:
    view = discord.ui.LayoutView()
    gallery: discord.ui.MediaGallery[Any] = discord.ui.MediaGallery(
        discord.MediaGalleryItem("attachment://clip.mp4", description="A cat")
    )
    text: discord.ui.TextDisplay[Any] = discord.ui.TextDisplay("# Done")
    view.add_item(discord.ui.Container(text, gallery))
    channel = stage.bot.get_partial_messageable(stage.videos)
    message = await channel.send(view=view, file=discord.File(io.BytesIO(b"x" * 10), "clip.mp4"))
    stored = stage.local.world.messages[message.id]
    assert stored.has_flag(MessageFlag.COMPONENTS_V2)
    shown = stage.local.payload(stored)
    media = shown["components"][0]["components"][1]["items"][0]["media"]
    assert media["url"].startswith(stage.local.origin + "/attachments/")
    assert shown["attachments"] == []
    with pytest.raises(discord.HTTPException) as refused:
        await message.edit(content="text")
    assert refused.value.code == 50035


async def test_rate_limit_is_respected(stage: Stage) -> None:
    body = {"message": "You are being rate limited.", "retry_after": 0.05, "global": False}
    fault = Fault(status=429, body=body, headers={"Via": "1.1 local", "Retry-After": "1"})
    stage.local.faults.add("POST", r"/api/v10/channels/\d+/messages", fault)
    await stage.bot.get_partial_messageable(stage.videos).send("late")
    asked = stage.local.requests.matching("POST", "/channels/{channel_id}/messages")
    assert [request.status for request in asked] == [429, 200]


async def test_resume_after_a_dropped_gateway(stage: Stage) -> None:
    resumed = asyncio.Event()

    async def on_shard_resumed(_shard_id: int) -> None:
        resumed.set()

    stage.bot.add_listener(on_shard_resumed)
    stage.local.drop_gateway(4000)
    await stage.local.wait_for(lambda: not stage.local.bot_online)
    record = await stage.local.person("member-one").slash(stage.videos, "status")
    await record.answered()
    assert resumed.is_set()
    assert stage.local.services.sessions.identified == 1


async def test_new_session_after_an_invalid_one(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    sessions = stage.local.services.sessions
    # discord.py goes to its built-in address after an invalid session
    monkeypatch.setattr(DiscordWebSocket, "DEFAULT_GATEWAY", yarl.URL(sessions.url))
    stage.local.services.gateway.invalidate()
    await stage.local.wait_for(lambda: sessions.identified == 2 and sessions.online)
    record = await stage.local.person("member-one").slash(stage.videos, "status")
    await record.answered()


async def test_direct_message(stage: Stage) -> None:
    person = stage.local.person("member-two")
    user = await stage.bot.fetch_user(person.id)
    message = await user.send("Your video is ready")
    assert stage.local.messages(message.channel.id, person.id)[-1].content == "Your video is ready"
    stage.local.admin.set_dms(person.id, accepted=False)
    with pytest.raises(discord.Forbidden) as refused:
        await user.send("again")
    assert refused.value.code == 50007


async def test_guild_only_command_is_not_offered_in_direct_messages(stage: Stage) -> None:
    person = stage.local.person("member-two")
    channel = stage.local.world.open_dm(stage.local.bot_id, person.id)
    assert set(person.offered(channel.id)) == {"status", "silent", "pick", "Animate image", "pool"}
    forced = await person.dm_slash("video", prompt="cat")
    await stage.local.wait_for(lambda: len(forced.messages) == 2)
    assert forced.message.channel_id == channel.id
