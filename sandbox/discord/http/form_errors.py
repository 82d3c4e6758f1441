"""Discord's nested form errors (code 50035), collected field by field.

Source: Discord's API reference, "Error Messages".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.discord.world.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Collection

    from sandbox.discord.world.models import JsonObject

Path = tuple[str | int, ...]


class FormErrors:
    """Collects the errors of a request, to report them together.

    Args:
        prefix: where in the request's JSON the checked part lies.
    """

    def __init__(self, prefix: Path = ()) -> None:
        self._prefix = prefix
        self._tree: JsonObject = {}

    def add(self, path: Path, code: str, message: str) -> None:
        """Add an error of the field at `path`.

        Args:
            path: keys and indexes of the field.
            code: Discord's code.
            message: Discord's message.
        """
        node = self._tree
        for key in (*self._prefix, *path):
            node = node.setdefault(str(key), {})
        node.setdefault("_errors", []).append({"code": code, "message": message})

    def raise_if_any(self) -> None:
        """Raise the collected errors, if there are any.

        Raises:
            ApiError: 50035 with the errors by field.
        """
        if self._tree:
            raise ApiError(50035, errors=self._tree)

    def check_length(self, path: Path, value: object, least: int, most: int) -> bool:
        """Check that `value` is text of `least` to `most` characters; returns whether it is.

        Args:
            path: keys and indexes of the field.
            value: of the field, of any type; None: it is missing.
            least: fewest characters.
            most: most characters.
        """
        if not isinstance(value, str):
            self.missing(path) if value is None else self.wrong_type(path, "string")
            return False
        if least <= len(value) <= most:
            return True
        self._wrong_length(path, least, most, len(value))
        return False

    def check_count(self, path: Path, values: Collection[object], least: int, most: int) -> None:
        """Check that there are `least` to `most` values.

        Args:
            path: keys and indexes of the field.
            values: of the field.
            least: fewest values.
            most: most values.
        """
        if not least <= len(values) <= most:
            self._wrong_length(path, least, most, len(values))

    def check_choice(self, path: Path, value: object, choices: Collection[object]) -> bool:
        """Check that `value` is one of `choices`; returns whether it is.

        Args:
            path: keys and indexes of the field.
            value: of the field, of any type.
            choices: the allowed values.
        """
        if value in choices and not isinstance(value, bool):
            return True
        listed = ", ".join(str(choice) for choice in sorted(choices, key=str))
        self.add(path, "BASE_TYPE_CHOICES", f"Value must be one of {{{listed}}}.")
        return False

    def missing(self, path: Path) -> None:
        """Add the error of a missing required field."""
        self.add(path, "BASE_TYPE_REQUIRED", "This field is required")

    def wrong_type(self, path: Path, wanted: str) -> None:
        """Add the error of a field that has another type than `wanted`."""
        self.add(path, "BASE_TYPE_BAD_TYPE", f"Could not interpret value as {wanted}.")

    def _wrong_length(self, path: Path, least: int, most: int, length: int) -> None:
        if length > most and least == 0:
            self.add(path, "BASE_TYPE_MAX_LENGTH", f"Must be {most} or fewer in length.")
        else:
            message = f"Must be between {least} and {most} in length."
            self.add(path, "BASE_TYPE_BAD_LENGTH", message)


def snowflake(value: object, errors: FormErrors, path: Path) -> int | None:
    """Return the id in a string or number, or add an error and return None.

    Args:
        value: of the field, of any type.
        errors: collects the error.
        path: keys and indexes of the field.
    """
    try:
        return int(str(value))
    except ValueError:
        errors.add(path, "NUMBER_TYPE_COERCE", f'Value "{value}" is not snowflake.')
        return None
