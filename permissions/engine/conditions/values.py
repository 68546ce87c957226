"""What CEL's operators do with values, in Python: the exact rules, wherever a short cut does not apply.

Every function raises ``EvaluationError`` for arguments that CEL has no overload for. Integers have 64 bits, numbers of both
types compare on one number line, timestamps and durations are exact to a microsecond (finer digits are cut off), and a
difference of timestamps fits 64 bits of nanoseconds (292 years).
"""

import math
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from permissions.engine.conditions.errors import EvaluationError

INT_MIN, INT_MAX = -(2**63), 2**63 - 1
LONGEST = timedelta(microseconds=INT_MAX // 1000)
KINDS: dict[type, str] = {
    type(None): "null",
    bool: "bool",
    int: "int",
    float: "double",
    str: "string",
    datetime: "timestamp",
    timedelta: "duration",
    list: "list",
    tuple: "list",
    dict: "map",
}
ORDERED = frozenset({"bool", "string", "timestamp", "duration"})
NUMBERS = frozenset({"int", "double"})
_PLAIN = frozenset({int, float, str})


def kind(value: Any) -> str:
    """Name the CEL type of a value."""
    found = KINDS.get(value.__class__) or next((name for cls, name in KINDS.items() if isinstance(value, cls)), None)
    if found is None and isinstance(value, Mapping):
        return "map"
    if found is None or (found == "timestamp" and value.tzinfo is None):
        what = "a datetime without a time zone" if found else f"a {type(value).__name__}"
        raise EvaluationError(f"{what} is no value that a condition can use")
    return found


def no_overload(what: str, *values: Any) -> EvaluationError:
    """Make the error of an operation that does not exist for values of these types."""
    return EvaluationError(f"{what} cannot be applied to {' and '.join(map(kind, values))}")


def truth(value: Any) -> bool:
    """Return a truth value as it is."""
    if value is True or value is False:
        return bool(value)
    raise EvaluationError(f"expected true or false, found {kind(value)}")


def negate_truth(value: Any) -> bool:
    """Negate a truth value."""
    return not truth(value)


def equal(left: Any, right: Any) -> bool:
    """Compare for equality: values of different types are unequal, numbers are equal across types."""
    first, second = kind(left), kind(right)
    if first == second == "list":
        return len(left) == len(right) and all(map(equal, left, right))
    if first == second == "map":
        return left.keys() == right.keys() and all(equal(value, right[key]) for key, value in left.items())
    if first == second or (first in NUMBERS and second in NUMBERS):
        return bool(left == right)
    return False


def unequal(left: Any, right: Any) -> bool:
    """Compare for inequality."""
    return not equal(left, right)


def comparable(symbol: str, left: Any, right: Any) -> None:
    """Raise unless two values have an order."""
    first, second = kind(left), kind(right)
    if not ((first == second and first in ORDERED) or (first in NUMBERS and second in NUMBERS)):
        raise no_overload(f"'{symbol}'", left, right)


def less(left: Any, right: Any) -> bool:
    """Compare with ``<``."""
    if left.__class__ is not right.__class__ or left.__class__ not in _PLAIN:
        comparable("<", left, right)
    return bool(left < right)


def less_or_equal(left: Any, right: Any) -> bool:
    """Compare with ``<=``."""
    if left.__class__ is not right.__class__ or left.__class__ not in _PLAIN:
        comparable("<=", left, right)
    return bool(left <= right)


def greater(left: Any, right: Any) -> bool:
    """Compare with ``>``."""
    if left.__class__ is not right.__class__ or left.__class__ not in _PLAIN:
        comparable(">", left, right)
    return bool(left > right)


def greater_or_equal(left: Any, right: Any) -> bool:
    """Compare with ``>=``."""
    if left.__class__ is not right.__class__ or left.__class__ not in _PLAIN:
        comparable(">=", left, right)
    return bool(left >= right)


def member(needle: Any, haystack: Any) -> bool:
    """Tell whether a list has an element, or a map a key."""
    holder = kind(haystack)
    if holder == "list":
        return any(equal(needle, each) for each in haystack)
    if holder == "map" and kind(needle) in {"string", "int", "double", "bool"}:
        return isinstance(needle, str) and needle in haystack
    raise no_overload("'in'", needle, haystack)


def select(holder: Any, key: Any) -> Any:
    """Look up a key in a map, or a position in a list."""
    where = kind(holder)
    if where == "map":
        if isinstance(key, str) and key in holder:
            return holder[key]
        raise EvaluationError(f"there is no {key!r}" if isinstance(key, str) else f"there is no key of type {kind(key)}")
    if where == "list" and kind(key) in NUMBERS and key == int(key if math.isfinite(key) else 0):
        if 0 <= key < len(holder):
            return holder[int(key)]
        raise EvaluationError(f"there is no element {int(key)}: the list has {len(holder)}")
    raise no_overload("'[]'", holder, key)


def present(holder: Any, key: str) -> bool:
    """Tell whether a map has a key."""
    if kind(holder) != "map":
        raise EvaluationError(f"{kind(holder)} has no attributes")
    return key in holder


def in_range(value: int) -> int:
    """Return an integer that fits 64 bits."""
    if INT_MIN <= value <= INT_MAX:
        return value
    raise EvaluationError("integer overflow")


def _moment(compute: Callable[[], datetime]) -> datetime:
    try:
        return compute()
    except OverflowError:
        raise EvaluationError("timestamp overflow") from None


def _span(value: timedelta) -> timedelta:
    if abs(value) > LONGEST:
        raise EvaluationError("duration overflow")
    return value


def add(left: Any, right: Any) -> Any:
    """Add numbers, timestamps and durations; join strings and lists."""
    if left.__class__ is int and right.__class__ is int:
        return in_range(left + right)
    match kind(left), kind(right):
        case "int", "int":
            return in_range(left + right)
        case ("double", "double") | ("string", "string"):
            return left + right
        case "list", "list":
            return (*left, *right)
        case "duration", "duration":
            return _span(left + right)
        case ("timestamp", "duration") | ("duration", "timestamp"):
            return _moment(lambda: left + right)
    raise no_overload("'+'", left, right)


def subtract(left: Any, right: Any) -> Any:
    """Subtract numbers, timestamps and durations."""
    if left.__class__ is int and right.__class__ is int:
        return in_range(left - right)
    match kind(left), kind(right):
        case "int", "int":
            return in_range(left - right)
        case "double", "double":
            return left - right
        case ("duration", "duration") | ("timestamp", "timestamp"):
            return _span(left - right)
        case "timestamp", "duration":
            return _moment(lambda: left - right)
    raise no_overload("'-'", left, right)


def multiply(left: Any, right: Any) -> Any:
    """Multiply numbers of one type."""
    if left.__class__ is int and right.__class__ is int:
        return in_range(left * right)
    match kind(left), kind(right):
        case "int", "int":
            return in_range(left * right)
        case "double", "double":
            return left * right
    raise no_overload("'*'", left, right)


def divide(left: Any, right: Any) -> Any:
    """Divide numbers of one type: integers towards zero, doubles as IEEE 754 has it."""
    match kind(left), kind(right):
        case "int", "int":
            return in_range(_quotient(left, right))
        case "double", "double":
            if right:
                return left / right
            return math.nan if not left or math.isnan(left) else math.copysign(math.inf, left) * math.copysign(1.0, right)
    raise no_overload("'/'", left, right)


def _quotient(left: int, right: int) -> int:
    if not right:
        raise EvaluationError("division by zero")
    quotient = abs(left) // abs(right)
    return quotient if (left < 0) == (right < 0) else -quotient


def modulo(left: Any, right: Any) -> int:
    """Return the remainder of an integer division, with the sign of the dividend."""
    if kind(left) != "int" or kind(right) != "int":
        raise no_overload("'%'", left, right)
    return int(left) - int(right) * in_range(_quotient(left, right))


def minus(value: Any) -> Any:
    """Negate a number."""
    match kind(value):
        case "int":
            return in_range(-value)
        case "double":
            return -value
    raise no_overload("'-'", value)


def size(value: Any) -> int:
    """Count code points, elements or keys."""
    if kind(value) in {"string", "list", "map"}:
        return len(value)
    raise no_overload("size", value)


def strings(name: str, *values: Any) -> None:
    """Raise unless all values are strings."""
    if any(kind(value) != "string" for value in values):
        raise no_overload(name, *values)


def starts_with(text: Any, prefix: Any) -> bool:
    """Tell whether a string starts with another."""
    strings("startsWith", text, prefix)
    return bool(text.startswith(prefix))


def ends_with(text: Any, suffix: Any) -> bool:
    """Tell whether a string ends with another."""
    strings("endsWith", text, suffix)
    return bool(text.endswith(suffix))


def contains(text: Any, part: Any) -> bool:
    """Tell whether a string has another in it."""
    strings("contains", text, part)
    return part in text


def elements(over: Any) -> Iterable[Any]:
    """Return what a quantifier ranges over: a list's elements or a map's keys."""
    if kind(over) in {"list", "map"}:
        return tuple(over)
    raise no_overload("a quantifier", over)


def make_list(*values: Any) -> tuple[Any, ...]:
    """Make a list."""
    return values
