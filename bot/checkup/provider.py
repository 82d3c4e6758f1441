"""Does UlazAI take the key? Asked in a way that starts nothing and costs nothing."""

import uuid

from pydantic import SecretStr

from bot.checkup.clock import ClockReadings
from bot.checkup.findings import Finding, ok, warning, wrong
from bot.config import Settings, proxy_for
from bot.errors import (
    ProviderBusyError,
    ProviderError,
    ProviderKeyError,
    ProviderNotFoundError,
    ProviderUnreachableError,
)
from bot.provider.ulazai import UlazaiProvider

_SUBJECT = "UlazAI key"
_NO_KEY = SecretStr("not-a-key")


async def check_key(settings: Settings, readings: ClockReadings) -> Finding:
    """Ask for a task that does not exist: who knows the key says 404, who does not says 401."""
    base_url = settings.ulazai_base_url
    answer = await _answer(base_url, settings.ulazai_api_key, readings)
    if not isinstance(answer, ProviderNotFoundError):
        return _trouble(base_url, answer)
    # Any other web server would answer 404 as well; only UlazAI distinguishes keys.
    if not isinstance(await _answer(base_url, _NO_KEY, readings), ProviderKeyError):
        return warning(_SUBJECT, f"{base_url} takes any key: make sure that ULAZAI_BASE_URL is UlazAI's address.")
    return ok(_SUBJECT, f"accepted by {base_url}; nothing was spent.")


async def _answer(base_url: str, key: SecretStr, readings: ClockReadings) -> ProviderError | None:
    async with UlazaiProvider(base_url, key, proxy=proxy_for(base_url), trace=readings.trace()) as provider:
        try:
            await provider.status(str(uuid.uuid4()))
        except ProviderError as error:
            return error
    return None


def _trouble(base_url: str, answer: ProviderError | None) -> Finding:
    match answer:
        case ProviderKeyError():
            return wrong(_SUBJECT, "refused: put the key from your UlazAI account into ULAZAI_API_KEY.")
        case ProviderUnreachableError():
            return wrong(_SUBJECT, f"{base_url} can't be reached: check the network and ULAZAI_BASE_URL.")
        case ProviderBusyError():
            return warning(_SUBJECT, "not known, UlazAI takes no more requests for now: check again in a while.")
        case None:
            return warning(_SUBJECT, f"{base_url} knows a task that can't be: is ULAZAI_BASE_URL UlazAI's address?")
        case _:
            return wrong(_SUBJECT, f"not known, {answer}: check again in a while, and check ULAZAI_BASE_URL.")
