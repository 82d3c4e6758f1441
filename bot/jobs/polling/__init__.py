"""When to poll a job next. Pure.

`next_poll` decides, by a job's `PollState` and the `StatisticsByKind` of earlier jobs. The rest of the bot
imports from here only.
"""

from bot.jobs.polling.forecast import MEMORY
from bot.jobs.polling.policy import (
    PollState,
    StatisticsByKind,
    VideoKind,
    expected_end,
    expected_finish,
    expected_wait,
    initial_poll_state,
    next_poll,
    progress_now,
)

__all__ = [
    "MEMORY",
    "PollState",
    "StatisticsByKind",
    "VideoKind",
    "expected_end",
    "expected_finish",
    "expected_wait",
    "initial_poll_state",
    "next_poll",
    "progress_now",
]
