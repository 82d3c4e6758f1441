"""A small discord.py bot that uses everything the page can show."""

from io import BytesIO
from typing import Any, Literal

import discord
from discord import app_commands
from discord.app_commands import Choice, Range

from tests.sandbox.page.pool_commands import BUTTONS, GROUPS

Interaction = discord.Interaction[Any]

SEASONS = ("spring", "summer", "autumn", "winter")


class PageBot(discord.AutoShardedClient):
    """Answers each command in another way; `clip` is the video it posts."""

    def __init__(self, clip: bytes) -> None:
        super().__init__(intents=discord.Intents(guilds=True), max_messages=None)
        self.clip = clip
        self.tree = app_commands.CommandTree(self)

    async def setup_hook(self) -> None:
        self.add_dynamic_items(*BUTTONS)
        for command in (*COMMANDS, *GROUPS):
            self.tree.add_command(command)
        await self.tree.sync()


class Panel(discord.ui.View):
    """A button that counts, and one that never answers."""

    def __init__(self) -> None:
        super().__init__(timeout=None)
        self.presses = 0

    @discord.ui.button(label="Again", style=discord.ButtonStyle.primary)
    async def again(self, interaction: Interaction, _button: discord.ui.Button["Panel"]) -> None:
        self.presses += 1
        await interaction.response.edit_message(content=f"Pressed {self.presses}")

    @discord.ui.button(label="Dead")
    async def dead(self, interaction: Interaction, button: discord.ui.Button["Panel"]) -> None:
        pass

    @discord.ui.select(
        placeholder="Style", options=[discord.SelectOption(label="Film"), discord.SelectOption(label="Paint")]
    )
    async def style(self, interaction: Interaction, select: discord.ui.Select["Panel"]) -> None:
        await interaction.response.send_message(f"Style {select.values[0]}", ephemeral=True)


class Form(discord.ui.Modal, title="Animate this picture"):
    """One field of each kind."""

    def __init__(self, picture: str) -> None:
        super().__init__()
        self.picture = picture
        self.prompt = discord.ui.TextInput[Any](custom_id="prompt", style=discord.TextStyle.paragraph, min_length=3)
        lengths = [discord.SelectOption(label=f"{seconds} seconds", value=str(seconds)) for seconds in (5, 10)]
        self.length = discord.ui.Select[Any](custom_id="length", options=lengths)
        shapes = [discord.RadioGroupOption(label=shape) for shape in ("16:9", "9:16")]
        self.shape = discord.ui.RadioGroup[Any](custom_id="shape", options=shapes)
        self.sound = discord.ui.Checkbox[Any](custom_id="sound")
        self.file = discord.ui.FileUpload[Any](custom_id="file", required=False)
        labels = ("What should happen?", "Length", "Shape", "With sound", "Another picture")
        for text, field in zip(labels, (self.prompt, self.length, self.shape, self.sound, self.file), strict=True):
            self.add_item(discord.ui.Label(text=text, component=field))

    async def on_submit(self, interaction: Interaction, /) -> None:
        files = ", ".join(file.filename for file in self.file.values)
        chosen = f"{self.length.values[0]}|{self.shape.value}|{self.sound.value}|{files}"
        await interaction.response.send_message(f"{self.picture}: {self.prompt.value}|{chosen}")


@app_commands.command(description="Make a video")
async def video(
    interaction: Interaction, prompt: Range[str, 3, 200], duration: Literal[5, 10] = 5, sound: bool = False
) -> None:
    """Think, answer with a video, and open a thread that mentions the member."""
    await interaction.response.defer(thinking=True)
    file = discord.File(BytesIO(interaction.client.clip), "clip.mp4")
    text = f"**{prompt}**, {duration} s, sound {sound}"
    message = await interaction.edit_original_response(content=text, attachments=[file], view=Panel())
    channel = interaction.channel
    assert isinstance(channel, discord.TextChannel)
    thread = await channel.get_partial_message(message.id).create_thread(name=prompt)
    await thread.send(f"{interaction.user.mention} it is ready")


@app_commands.command(description="Answer so that only you see it")
async def secret(interaction: Interaction) -> None:
    await interaction.response.send_message("Between us", ephemeral=True)


@app_commands.command(description="Say a season")
async def season(interaction: Interaction, name: str) -> None:
    await interaction.response.send_message(f"It is {name}")


@season.autocomplete("name")
async def _complete(_interaction: Interaction, typed: str) -> list[Choice[str]]:
    return [Choice(name=f"the {name}", value=name) for name in SEASONS if typed in name]


@app_commands.command(description="Never answer")
async def silent(interaction: Interaction) -> None:
    pass


@app_commands.command(description="Describe a picture")
async def describe(interaction: Interaction, picture: discord.Attachment) -> None:
    await interaction.response.send_message(f"{picture.filename} is {picture.width} by {picture.height}")


@app_commands.command(description="Answer with an embed")
async def layout(interaction: Interaction) -> None:
    embed = discord.Embed(title="Making your video", description="Nearly **there**", color=0x4CCFB8)
    embed.add_field(name="Duration", value="10 s").add_field(name="Shape", value="16:9")
    embed.set_footer(text="20 credits held")
    await interaction.response.send_message(embed=embed)


@app_commands.context_menu(name="Animate image")
async def animate(interaction: Interaction, message: discord.Message) -> None:
    await interaction.response.send_modal(Form(message.attachments[0].filename))


COMMANDS: tuple[app_commands.Command[Any, Any, Any] | app_commands.ContextMenu, ...] = (
    video,
    secret,
    season,
    silent,
    describe,
    layout,
    animate,
)
