"""What can be wrong with a condition: its text when it is saved, its data when it is evaluated."""

from collections.abc import Callable


class ConditionError(ValueError):
    """Say what is wrong with the text of a condition, and where.

    ``line`` and ``column`` count from 1, in code points.
    """

    def __init__(self, message: str, *, source: str = "", line: int = 1, column: int = 1) -> None:
        super().__init__(message)
        self.message = message
        self.source = source
        self.line = line
        self.column = column

    def caret(self) -> str:
        """Return the source line with a caret under the column."""
        lines = self.source.split("\n")
        text = lines[self.line - 1] if self.line <= len(lines) else ""
        shown = "".join(character if character.isprintable() else " " for character in text)
        return f"{shown}\n{' ' * (self.column - 1)}^"

    def __str__(self) -> str:
        return f"line {self.line}, column {self.column}: {self.message}"


class EvaluationError(Exception):
    """Say why a condition has no answer for the data it was given."""

    def __init__(self, message: str, *, clause: str = "") -> None:
        super().__init__(message)
        self.message = message
        self._clause = clause
        self._describe: Callable[[], str] | None = None

    @property
    def clause(self) -> str:
        """The text of the innermost part that failed, or empty; written only when somebody asks."""
        if not self._clause and self._describe is not None:
            self._clause = self._describe()
        return self._clause

    def located(self, describe: Callable[[], str]) -> "EvaluationError":
        """Say how to write the part that failed, unless a part within it is known already."""
        if not self._clause and self._describe is None:
            self._describe = describe
        return self

    def __str__(self) -> str:
        return f"{self.clause}: {self.message}" if self.clause else self.message
