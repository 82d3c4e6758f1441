"""UlazAI's Kling 2.6 API on loopback, with its prices, its rules and its pace, and clips that play."""

from sandbox.ulazai.server import LocalUlazAI
from sandbox.ulazai.values import Charge, Generation, ProgressPolicy, Task, TaskState

__all__ = ["Charge", "Generation", "LocalUlazAI", "ProgressPolicy", "Task", "TaskState"]
