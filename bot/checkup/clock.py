"""Is this machine's clock right? Interactions are dead after three seconds, and times are shown to members."""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from types import SimpleNamespace

import aiohttp

from bot.checkup.findings import Finding, ok, warning, wrong
from bot.clock import Clock

_SUBJECT = "clock"
_TOLERANCE = timedelta(seconds=30)


class ClockReadings:
    """Compares our clock with what servers say in the `Date` of their answers (RFC 9110, 6.6.1)."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._differences: list[timedelta] = []

    def trace(self) -> aiohttp.TraceConfig:
        """Return a trace that reads the `Date` of an aiohttp session's answers."""
        config = aiohttp.TraceConfig()
        config.on_request_end.append(self._note)
        return config

    def finding(self) -> Finding:
        """Say what came of it."""
        if not self._differences:
            return warning(_SUBJECT, "no server reported its time, so it is not known whether this machine's is right.")
        # A cache may give an old date; who agrees with us best is believed.
        ahead = min(self._differences, key=abs)
        seconds = abs(round(ahead.total_seconds()))
        if abs(ahead) <= _TOLERANCE:
            return ok(_SUBJECT, f"right to {max(seconds, 1)} s.")
        side = "fast" if ahead > timedelta() else "slow"
        return wrong(_SUBJECT, f"{seconds} s {side}: let the machine set it by itself (timedatectl set-ntp true).")

    async def _note(
        self, session: aiohttp.ClientSession, context: SimpleNamespace, params: aiohttp.TraceRequestEndParams
    ) -> None:
        del session, context
        now = self._clock.now()
        try:
            date = parsedate_to_datetime(params.response.headers.get("Date", ""))
        except ValueError:
            return
        aware: datetime = date if date.tzinfo else date.replace(tzinfo=UTC)
        self._differences.append(now - aware)
