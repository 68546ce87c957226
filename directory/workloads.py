"""Whether a workload that another issuer vouches for is the one that was registered: its subject, and what else its token says.

A subject is compared exactly, but that each ``*`` in it stands for one or more printable characters other than ``/`` and ``:``.
Two whole parts stand before the first star (``repo:acme/*``, ``spiffe://acme.example/*``), so that no pattern takes everybody's
workloads; there are three stars at most, and no two in a row.

A condition names a claim, a dotted path for one within another, and the values of which it must have one. Texts, numbers and
truth values are compared as they are: ``"1"`` is not ``1``, and ``1`` is not ``true``. A claim that is missing, or a list or an
object, is none of them.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

MOST_STARS: Final = 3
MOST_CONDITIONS: Final = 20
MOST_VALUES: Final = 20
LONGEST_PATH: Final = 200
LONGEST_VALUE: Final = 500
MOST_NUMBER: Final = 2**53

Value: TypeAlias = str | bool | int | float
_BETWEEN_PARTS: Final = re.compile(r"[:/]+")


def matches(subject: str, conditions: Mapping[str, Any], claims: Mapping[str, Any]) -> bool:
    """Tell whether verified claims are those of the workload that was registered with a subject and conditions."""
    found = claims.get("sub")
    if not isinstance(found, str) or not subject_matches(subject, found):
        return False
    return all(
        any(_same(_claim(claims, path), value) for value in allowed_values(wanted)) for path, wanted in conditions.items()
    )


def subject_matches(pattern: str, subject: str) -> bool:
    """Tell whether a subject is the one that was registered, or one of those."""
    if "*" not in pattern:
        return pattern == subject
    parts = "[^/:]+".join(map(re.escape, pattern.split("*")))
    return subject.isprintable() and re.fullmatch(parts, subject) is not None


def allowed_values(wanted: Any) -> Sequence[Value]:
    """List the values of a condition, which may be one without a list."""
    return wanted if isinstance(wanted, list) else [wanted]


def subject_problem(pattern: str) -> str:
    """Say what is wrong with a subject, or nothing."""
    if not pattern.strip() or not pattern.isprintable():
        return "The subject must be named, in printable characters."
    before, star, _ = pattern.partition("*")
    if not star:
        return ""
    if pattern.count("*") > MOST_STARS or "**" in pattern:
        return f"A subject has {MOST_STARS} stars at most, and no two in a row."
    parts = _BETWEEN_PARTS.split(before)
    if len(parts) < 3 or not all(parts[:2]):
        return "Two whole parts, each with its : or /, must stand before the first star of a subject, like repo:acme/*."
    if parts[:2] == ["system", "serviceaccount"] and (len(parts) < 4 or not parts[2]):
        return "A service account's namespace must be named: system:serviceaccount:payments:*."
    return ""


def conditions_problem(conditions: Any) -> str:
    """Say what is wrong with conditions, or nothing."""
    if not isinstance(conditions, Mapping):
        return "Conditions are an object: a claim's name, and its value or a list of values."
    if len(conditions) > MOST_CONDITIONS:
        return f"There can be {MOST_CONDITIONS} conditions at most."
    for path, wanted in conditions.items():
        if not isinstance(path, str) or len(path) > LONGEST_PATH or not path.isprintable() or not all(path.split(".")):
            return "A condition names a claim, or by a dotted path one within another."
        values = allowed_values(wanted)
        if not 0 < len(values) <= MOST_VALUES:
            return f"A condition has one to {MOST_VALUES} values."
        if not all(map(_is_value, values)):
            return f"A condition's values are texts of {LONGEST_VALUE} characters at most, numbers, true or false."
    return ""


def same_conditions(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    """Tell whether two sets of conditions are the same, in whatever order their values are."""
    return first.keys() == second.keys() and all(_kinds(first[path]) == _kinds(second[path]) for path in first)


def _kinds(wanted: Any) -> set[tuple[bool, Value]]:
    """Tell true from 1, which are one member of a set."""
    return {(isinstance(value, bool), value) for value in allowed_values(wanted)}


def _is_value(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) <= LONGEST_VALUE and "\0" not in value
    return isinstance(value, (bool, int, float)) and abs(value) <= MOST_NUMBER


def _claim(claims: Any, path: str) -> Any:
    """Follow a path; where a claim's own name has dots, the longest name that is there is taken, and no other is tried."""
    if not isinstance(claims, Mapping):
        return None
    parts = path.split(".")
    for length in range(len(parts), 0, -1):
        name = ".".join(parts[:length])
        if name in claims:
            found = claims[name]
            return found if length == len(parts) else _claim(found, ".".join(parts[length:]))
    return None


def _same(found: Any, value: Value) -> bool:
    if isinstance(found, str) or isinstance(value, str):
        return isinstance(found, str) and isinstance(value, str) and found == value
    if isinstance(found, bool) or isinstance(value, bool):
        return found is value
    return isinstance(found, (int, float)) and found == value
