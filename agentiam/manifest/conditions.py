"""Where in a file a place within a condition lies: quotes, escapes and the indentation of a block are counted in."""

import re
from typing import Final

from agentiam.manifest.mistakes import Path, Place
from agentiam.manifest.reading import Part

_ESCAPE: Final = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)|.", re.DOTALL)


def condition_place(part: Part, path: Path, text: str, line: int, column: int) -> Place:
    """Find a line and column of a text in the file that it stands in; where lines were folded, the beginning of the text."""
    node = part.find(path)
    start = part.place(path)
    if node is None or not isinstance(node.value, str):
        return start
    lines = part.text.split("\n")
    if node.style == "|":
        return _in_block(start, lines, text, line, column)
    first = lines[start.line - 1][start.column - 1 :] if start.line <= len(lines) else ""
    if line != 1 or node.style == ">" or (node.style and first[:1] != node.style):
        return start
    match node.style:
        case "'":
            width = _width(re.compile("''|."), first[1:], column - 1)
        case '"':
            width = _width(_ESCAPE, first[1:], column - 1)
        case _:
            return Place(start.file, start.line, start.column + column - 1) if text in first else start
    return start if width is None else Place(start.file, start.line, start.column + 1 + width)


def _in_block(start: Place, lines: list[str], text: str, line: int, column: int) -> Place:
    wanted = text.split("\n")
    within = wanted[line - 1] if line <= len(wanted) else ""
    row = start.line + line
    if row > len(lines) or not lines[row - 1].endswith(within):
        return start
    return Place(start.file, row, len(lines[row - 1]) - len(within) + column)


def _width(unit: re.Pattern[str], raw: str, count: int) -> int | None:
    """Count the characters in which so many characters of a value are written; None where they go on in another line."""
    width = 0
    for _ in range(count):
        found = unit.match(raw, width)
        if found is None:
            return None
        width = found.end()
    return width
