"""UlazAI's Kling 2.6 API on loopback, with its prices, validation, durations and playable clips."""

from sandbox.ulazai.server import LocalUlazAI
from sandbox.ulazai.values import Charge, Generation, ProgressPolicy, Task, TaskState

__all__ = ["Charge", "Generation", "LocalUlazAI", "ProgressPolicy", "Task", "TaskState"]
