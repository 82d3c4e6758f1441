"""A bot as it is usually written, for comparison: one task per job that sleeps ten seconds between two polls.

Each poll edits the answer. Nothing is kept: what is in flight when it stops is lost.
"""

import asyncio
import os
from typing import Any

import aiohttp
import discord
import yarl
from discord import app_commands

_LOOP_SECONDS = 10.0


class PlainBot(discord.Client):
    """The whole bot."""

    def __init__(self) -> None:
        super().__init__(intents=discord.Intents.default())
        self.tree = app_commands.CommandTree(self)
        self.tree.command(description="Make a video")(video)
        self.session: aiohttp.ClientSession | None = None

    async def setup_hook(self) -> None:
        """Run before the gateway is opened."""
        _, address, _ = await self.http.get_bot_gateway()
        discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(address)
        self.session = aiohttp.ClientSession(
            os.environ["ULAZAI_BASE_URL"], headers={"Authorization": f"Bearer {os.environ['ULAZAI_API_KEY']}"}
        )
        await self.tree.sync()

    async def close(self) -> None:
        """Close the connections."""
        if self.session:
            await self.session.close()
        await super().close()

    async def ask_provider(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Send a request to UlazAI and return the data of its answer.

        Args:
            method: of HTTP.
            path: below the base URL.
            body: sent as JSON.

        Raises:
            RuntimeError: the bot was not started.
        """
        if self.session is None:
            raise RuntimeError("not started")
        async with self.session.request(method, path, json=body) as response:
            answer: dict[str, Any] = await response.json()
        data: dict[str, Any] = answer["data"]
        return data


async def video(interaction: discord.Interaction[PlainBot], prompt: str) -> None:
    """Answer, start the video, and poll every ten seconds until it is there."""
    bot = interaction.client
    await interaction.response.defer(thinking=True)
    body = {"prompt": prompt, "generationMode": "text_to_video", "prompt_directory_optin": False}
    task_id = (await bot.ask_provider("POST", "/kling26/api/generate/", body))["task_id"]
    status: dict[str, Any] = {}
    while status.get("status") != "completed":
        await asyncio.sleep(_LOOP_SECONDS)
        status = await bot.ask_provider("GET", f"/kling26/api/status/{task_id}/")
        text = status.get("video_url") or f"Generating: {status.get('progress', 0)} %"
        await interaction.edit_original_response(content=text)


def main() -> None:
    """Run it with the settings that the other bot takes."""
    discord.http.Route.BASE = os.environ["DISCORD_API_URL"]
    PlainBot().run(os.environ["DISCORD_TOKEN"])


if __name__ == "__main__":
    main()
