"""Rows that hold what was measured against a goal."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Goal:
    """What is wanted of a figure.

    Attributes:
        name: of the figure, with its unit.
        at_most: what it should not exceed; None where there is no goal.
        digits: how many are shown after the point.
    """

    name: str
    at_most: float | None
    digits: int

    def show(self, value: float | None) -> str:
        """Return a value of this figure for a table."""
        return "" if value is None else f"{value:,.{self.digits}f}"


def goal_row(goal: Goal, measured: float, other: float | None = None) -> list[str]:
    """Return a table's row: name, goal, what was measured, its ratio to the goal, and what it is elsewhere."""
    ratio = f"{measured / goal.at_most:.2f}" if goal.at_most else ""
    return [goal.name, goal.show(goal.at_most), goal.show(measured), ratio, goal.show(other)]
