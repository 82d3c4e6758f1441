"""Rows that compare a measurement with its goal."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Goal:
    """Goal of a measured value.

    Attributes:
        name: of the value, with its unit.
        at_most: upper limit; None where there is no goal.
        digits: decimals that are shown.
    """

    name: str
    at_most: float | None
    digits: int

    def show(self, value: float | None) -> str:
        """Format a value for a table."""
        return "" if value is None else f"{value:,.{self.digits}f}"


def goal_row(goal: Goal, measured: float, other: float | None = None) -> list[str]:
    """Return a row of a table: name, goal, measurement, its ratio to the goal, and the other measurement.

    Args:
        goal: of the value.
        measured: the value.
        other: the value that it is compared with, such as another bot's.
    """
    ratio = f"{measured / goal.at_most:.2f}" if goal.at_most else ""
    return [goal.name, goal.show(goal.at_most), goal.show(measured), ratio, goal.show(other)]
