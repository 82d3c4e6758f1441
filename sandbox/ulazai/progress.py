"""Ways for a task's progress to behave: the documentation promises none of them."""

from sandbox.ulazai.values import ProgressPolicy, Task


def linear(task: Task, now: float) -> int:
    """Grow evenly with time, up to 99."""
    whole = task.ends_at - task.created_at
    if whole <= 0:
        return 99
    return max(0, min(99, int(100 * (now - task.created_at) / whole)))


def absent(_task: Task, _now: float) -> None:
    """Leave the field out."""


def standing_still(percent: int) -> ProgressPolicy:
    """Stay at one value from start to end."""
    return lambda _task, _now: percent


def jumping(task: Task, now: float) -> int:
    """Leap about, also backwards."""
    return (linear(task, now) * 37 + 11) % 100
