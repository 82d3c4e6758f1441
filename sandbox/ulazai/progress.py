"""Progress policies: how a task's reported progress develops, which UlazAI does not document."""

from sandbox.ulazai.values import ProgressPolicy, Task


def linear(task: Task, now: float) -> int:
    """Return progress that is linear in time, up to 99."""
    whole = task.ends_at - task.created_at
    if whole <= 0:
        return 99
    return max(0, min(99, int(100 * (now - task.created_at) / whole)))


def absent(_task: Task, _now: float) -> None:
    """Return None: the response has no progress field."""


def constant(percent: int) -> ProgressPolicy:
    """Return a policy that always reports this percentage."""
    return lambda _task, _now: percent


def jumping(task: Task, now: float) -> int:
    """Return progress that jumps, also backwards."""
    return (linear(task, now) * 37 + 11) % 100
