"""What is wrong with a manifest, and where: file, line and column, so that an editor can jump there."""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

MOST_SHOWN: Final = 50

Path: TypeAlias = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A position in a file; line and column count from 1, in code points, and are 0 for what stands nowhere in it."""

    file: str
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing that is wrong; ``path`` names the value like ``agents[0].owner``, ``excerpt`` is the line with a caret."""

    place: Place
    message: str
    path: str = ""
    excerpt: str = ""

    def as_json(self) -> dict[str, Any]:
        """The mistake for a program."""
        return {
            "file": self.place.file,
            "line": self.place.line,
            "column": self.place.column,
            "message": self.message,
            "path": self.path,
        }

    def as_text(self) -> str:
        """The mistake for a person, in the form that editors and compilers share."""
        what = f"{self.path}: {self.message}" if self.path else self.message
        lines = [f"{self.place}: {what}", *(f"    {line}" for line in self.excerpt.splitlines())]
        return "\n".join(lines)


class Unusable(Exception):
    """The manifest cannot be used as it is; nothing was changed. At most the first 50 mistakes are kept."""

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        found = sorted(mistakes, key=lambda mistake: mistake.place)
        self.mistakes = tuple(found[:MOST_SHOWN])
        self.left_out = len(found) - len(self.mistakes)
        super().__init__("\n".join(mistake.as_text() for mistake in self.mistakes))


class Refused(Exception):
    """A service refused a change that the manifest asks for; nothing was changed."""

    def __init__(self, mistake: Mistake) -> None:
        self.mistakes = (mistake,)
        super().__init__(mistake.as_text())


def path_text(path: Path) -> str:
    """Write a path the way people do: ``agents[0].owner``."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def excerpt(text: str, place: Place) -> str:
    """Quote the line of a text with a caret under the column."""
    lines = text.split("\n")
    if not 0 < place.line <= len(lines):
        return ""
    line = "".join(character if character.isprintable() else " " for character in lines[place.line - 1].rstrip("\r"))
    start = max(0, place.column - 80)
    return f"{line[start : start + 120]}\n{' ' * (place.column - 1 - start)}^"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Suggest the known name that is closest, as the end of a sentence; empty when none is close."""
    close: Sequence[str] = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f' Did you mean "{close[0]}"?' if close else ""
