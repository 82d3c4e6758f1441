"""UlazAI's Kling 2.6 API on loopback, with its prices, its rules and its pace, and clips that play."""

from bot.sandbox.ulazai.server import LocalUlazAI
from bot.sandbox.ulazai.values import Charge, Generation, ProgressPolicy, Task, TaskState

__all__ = ["Charge", "Generation", "LocalUlazAI", "ProgressPolicy", "Task", "TaskState"]
