"""The one module that touches the CEL binding: parse and type-check a text, get the checked expression as bytes.

Its errors come as text with line and column; they are translated here. The binding limits nesting itself (32).
"""

import difflib
import re
from collections.abc import Mapping
from functools import lru_cache

from cel_expr_python import cel

from permissions.engine.conditions.declared import ROOTS, message_of, message_types
from permissions.engine.conditions.errors import ConditionError

_ERROR = re.compile(r"ERROR: <input>:(-?\d+):(-?\d+): ([^\n]*)")
_UNDECLARED = re.compile(r"undeclared reference to '(.*)' \(in container ''\)")
_OVERLOAD = re.compile(r"found no matching overload for '(.*)' applied to '\((.*)\)'")
_FIELD = re.compile(r"undefined field '(.*)' not found in struct 'agentiam\.([A-Za-z]+?)(?:Attributes)?'")
_OPERAND = re.compile(r"expression of type '(.*)' cannot be the operand of a select operation")
_TYPES = {"google.protobuf.Duration": "duration", "google.protobuf.Timestamp": "timestamp", "null_type": "null"}


@lru_cache(maxsize=256)
def _environment(resource: tuple[tuple[str, str], ...] | None) -> tuple[cel.Env, Mapping[str, Mapping[str, str]]]:
    pool, declared = message_types(resource)
    variables = {root: cel.Type(message_of(root)) if root in declared else cel.Type.DYN for root in ROOTS}
    variables["now"] = cel.Type.TIMESTAMP
    return cel.NewEnv(descriptor_pool=pool, variables=variables, functions=_functions()), declared


@lru_cache(maxsize=1)
def _open_environment() -> cel.Env:
    return cel.NewEnv(variables=dict.fromkeys(ROOTS, cel.Type.DYN), functions=_functions())


def _functions() -> list[cel.FunctionDecl]:
    overload = cel.Overload("ip_in_range", return_type=cel.Type.BOOL, parameters=[cel.Type.STRING, cel.Type.STRING])
    return [cel.FunctionDecl("ipInRange", [overload])]


def parse(source: str) -> bytes:
    """Parse a condition whose names may have any type; returns the expression as bytes."""
    return _compiled(_open_environment(), source, {})


def type_check(source: str, resource: Mapping[str, str] | None) -> bytes:
    """Parse and type-check a condition; returns the checked expression as bytes."""
    environment, declared = _environment(None if resource is None else tuple(sorted(resource.items())))
    return _compiled(environment, source, declared)


def _compiled(environment: cel.Env, source: str, declared: Mapping[str, Mapping[str, str]]) -> bytes:
    try:
        return bytes(environment.compile(source).serialize())
    except (RuntimeError, ValueError) as raised:
        raise _translated(str(raised), source, declared) from None


def _translated(text: str, source: str, declared: Mapping[str, Mapping[str, str]]) -> ConditionError:
    found = _ERROR.search(text)
    if found is None or "recursion" in text:
        return ConditionError("the condition is nested too deeply", source=source)
    line, column = max(int(found[1]), 1), max(int(found[2]), 1)
    message = found[3]
    if missing := _FIELD.fullmatch(message):
        root = missing[2].lower()
        message = unknown_attribute(root, missing[1], declared[root])
    elif undeclared := _UNDECLARED.fullmatch(message):
        name = undeclared[1].split(".")[0]
        called = source.split("\n")[line - 1][column - 1 : column] == "("
        column = _start(source, line, column, name)
        message = (
            f"there is no function '{name}'"
            if called
            else f"there is no '{name}'{_nearest(name, ROOTS)}; known are {', '.join(ROOTS)}"
        )
    elif overload := _OVERLOAD.fullmatch(message):
        message = _wrong_types(overload[1], overload[2])
        column = _start(source, line, column, overload[1])
    elif operand := _OPERAND.fullmatch(message):
        message = f"{_TYPES.get(operand[1], operand[1])} has no attributes"
    else:
        message = message.split(" expecting {")[0]
    return ConditionError(message, source=source, line=line, column=column)


def _start(source: str, line: int, column: int, name: str) -> int:
    """Return the column where a name starts, if the given one is just behind it."""
    return column - len(name) if source.split("\n")[line - 1][: column - 1].endswith(name) else column


def _nearest(name: str, known: Mapping[str, str] | tuple[str, ...]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f": did you mean '{near[0]}'?" if near else ""


def unknown_attribute(root: str, name: str, attributes: Mapping[str, str]) -> str:
    """Say that a variable has no such attribute, and which it has."""
    return f"{root} has no attribute '{name}'{_nearest(name, dict(attributes))}; declared are {', '.join(sorted(attributes))}"


def _wrong_types(function: str, types: str) -> str:
    symbol = "in" if function == "@in" else function.replace("_", "") if function.startswith(("_", "!", "-")) else function
    for long, short in _TYPES.items():
        types = types.replace(long, short)
    message = f"'{symbol}' cannot be applied to {types.replace('agentiam.', '').replace(', ', ' and ')}"
    return f"{message}; write the integer as a double, like 1.0" if {"int", "double"} <= set(types.split(", ")) else message
