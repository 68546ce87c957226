"""JSON data as YAML that people like to read: blocks, short lists in a line, and quotes wherever a reader could be misled."""

import re
from collections.abc import Iterator
from typing import Any, Final

_PLAIN: Final = re.compile(r"[A-Za-z_/][A-Za-z0-9_./@+-]*( [A-Za-z0-9_./@+(-][A-Za-z0-9_./@+()-]*)*")
# What some reader of YAML takes for something else than a text.
_MISLEADING: Final = frozenset(["true", "false", "null", "yes", "no", "on", "off", "y", "n", "~"])
_LONGEST_IN_A_LINE: Final = 100


def yaml_text(document: dict[str, Any]) -> str:
    """Write a mapping as a YAML 1.2 document."""
    return "".join(f"{line}\n" for line in _mapping(document, ""))


def _mapping(value: dict[str, Any], indent: str) -> Iterator[str]:
    for key, each in value.items():
        yield from _entry(f"{indent}{_scalar(key)}:", each, indent)


def _entry(start: str, value: Any, indent: str) -> Iterator[str]:
    short = _short(value)
    if short is not None and len(start) + len(short) < _LONGEST_IN_A_LINE:
        yield f"{start} {short}"
    elif isinstance(value, dict) and value:
        yield start
        yield from _mapping(value, f"{indent}  ")
    elif isinstance(value, list) and value:
        yield start
        for each in value:
            yield from _item(each, f"{indent}  ")
    elif isinstance(value, str) and _can_be_block(value):
        yield f"{start} |-"
        yield from (f"{indent}  {line}" if line else "" for line in value.split("\n"))
    else:
        yield f"{start} {_scalar(value) if isinstance(value, str) else short}"


def _item(value: Any, indent: str) -> Iterator[str]:
    short = _short(value)
    if short is not None and len(indent) + len(short) + 2 < _LONGEST_IN_A_LINE:
        yield f"{indent}- {short}"
    elif isinstance(value, dict) and value:
        lines = _mapping(value, f"{indent}  ")
        first = next(lines)
        yield f"{indent}- {first[len(indent) + 2 :]}"
        yield from lines
    elif isinstance(value, list) and value:
        yield f"{indent}-"
        for each in value:
            yield from _item(each, f"{indent}  ")
    else:
        yield f"{indent}- {_scalar(value) if isinstance(value, str) else short}"


def _short(value: Any) -> str | None:
    """Write a value in a line if it is simple enough: a scalar, or a collection of scalars and short collections of them."""
    if isinstance(value, str) and "\n" in value and _can_be_block(value):
        return None
    if isinstance(value, list):
        parts = [_short(each) for each in value]
        return None if None in parts else f"[{', '.join(map(str, parts))}]"
    if isinstance(value, dict):
        entries = {key: _short(each) for key, each in value.items()}
        return (
            None if None in entries.values() else f"{{{', '.join(f'{_scalar(key)}: {text}' for key, text in entries.items())}}}"
        )
    return _scalar(value)


def _scalar(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
    text = str(value)
    if _PLAIN.fullmatch(text) and text.lower() not in _MISLEADING:
        return text
    if text and text.isprintable():
        return "'" + text.replace("'", "''") + "'"
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    if character.isprintable():
        return character
    simple = {"\n": "\\n", "\t": "\\t"}.get(character)
    code = ord(character)
    return simple or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}")


def _can_be_block(text: str) -> bool:
    """Tell whether a text of several lines reads back the same from a block."""
    lines = text.split("\n")
    return (
        len(lines) > 1
        and bool(lines[0])
        and bool(lines[-1])
        and not any(line[:1] in " \t" or line[-1:] in " \t" for line in lines if line)
        and all(line.isprintable() for line in lines)
    )
