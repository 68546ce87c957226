"""Attributes arrive as JSON and are compared as what the resource type declares them to be; a value of another type is absent.

Comparing an absent attribute is an error, so a grant does not hold and a guardrail does: a wrong type opens nothing that
leaving the attribute out would not.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

_INT64: Final = range(-(2**63), 2**63)


def _string(value: Any) -> Any:
    return value if isinstance(value, str) else None


def _int(value: Any) -> Any:
    if isinstance(value, bool):
        return None
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value if isinstance(value, int) and value in _INT64 else None


def _double(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


def _bool(value: Any) -> Any:
    return value if isinstance(value, bool) else None


def _timestamp(value: Any) -> Any:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if not isinstance(value, datetime) or value.tzinfo is None:
        return None
    try:
        return value.astimezone(UTC)
    except OverflowError:
        return None


def _duration(value: Any) -> Any:
    if isinstance(value, timedelta):
        return value
    if not isinstance(value, str) or not value.endswith("s"):
        return None
    try:
        return timedelta(seconds=float(value[:-1]))
    except (ValueError, OverflowError):
        return None


def _list_of(item_reader: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        if not isinstance(value, (list, tuple)):
            return None
        items = [item_reader(item) for item in value]
        return None if None in items else items

    return read


_READERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "string": _string,
    "int": _int,
    "double": _double,
    "bool": _bool,
    "timestamp": _timestamp,
    "duration": _duration,
    "list<string>": _list_of(_string),
    "list<int>": _list_of(_int),
    "list<double>": _list_of(_double),
}
ATTRIBUTE_TYPES: Final = tuple(_READERS)


def typed(declared: str, value: Any) -> Any:
    """Give a JSON value the declared type, or None when it has another one."""
    return _READERS[declared](value)


def merged(declared: Mapping[str, str], stored: Mapping[str, Any], sent: Mapping[str, Any]) -> dict[str, Any]:
    """Lay what the request sends over what is stored, each value as its declared type; undeclared names pass as they are."""
    result = dict(stored)
    for name, value in sent.items():
        kind = declared.get(name)
        read = value if kind is None else _READERS[kind](value)
        if read is None:
            result.pop(name, None)
        else:
            result[name] = read
    return result
