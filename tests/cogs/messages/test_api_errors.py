"""What the cogs make of an answer that does not come."""

import aiohttp
import pytest

from bot.errors import DeliveryDelayedError
from cogs.messages.api_errors import discord_errors


async def test_a_closed_http_session_is_a_temporary_error() -> None:
    session = aiohttp.ClientSession()
    await session.close()
    with pytest.raises(DeliveryDelayedError):
        async with discord_errors():
            await session.get("http://127.0.0.1:9/")
