"""What the cogs make of an answer that does not come."""

import aiohttp
import pytest

from bot.errors import DeliveryDelayedError
from cogs.messages.api_errors import discord_errors


async def test_a_session_that_was_closed_meanwhile_is_trouble_that_passes() -> None:
    session = aiohttp.ClientSession()
    await session.close()
    with pytest.raises(DeliveryDelayedError):
        async with discord_errors():
            await session.get("http://127.0.0.1:9/")
