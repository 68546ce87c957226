"""Trees as JSON, so that a plan can travel: two trees are the same if their JSON is.

``{"op": …, "args": […]}``, ``{"field": …, "type": …}`` and ``{"value": …}``. Of values, timestamps are ``{"timestamp": RFC
3339}``, durations ``{"duration": "90s"}``, maps ``{"map": {…}}``, and doubles that JSON would confuse with integers, or has
not, ``{"double": "1.0"}``. A quantifier is ``{"op": "exists", "variable": …, "over": …, "body": …}``.
"""

import math
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from permissions.engine.conditions.clocks import parse_duration, parse_timestamp, to_string
from permissions.engine.conditions.errors import EvaluationError
from permissions.engine.conditions.operations import OPERATIONS
from permissions.engine.conditions.tree import Field, Node, Op, Quantifier, Value, Variable

_ARITY: dict[str, tuple[int, ...]] = {
    **{name: operation.arity for name, operation in OPERATIONS.items()},
    **dict.fromkeys(("has", "error", "is_true", "is_false"), (1,)),
    "within": (2,),
    "if": (3,),
}
_QUANTIFIERS = frozenset({"exists", "all", "exists_one"})
DEEPEST = 200


def to_json(node: Node) -> dict[str, Any]:
    """Return a tree as JSON-ready data; raises ``ValueError`` for one that still names something other than the row."""
    match node:
        case Value(value):
            return {"value": _encoded(value)}
        case Field(name, kind):
            return {"field": name} if kind is None else {"field": name, "type": kind}
        case Variable(name):
            return {"variable": name}
        case Op(op, args):
            return {"op": op, "args": [to_json(each) for each in args]}
        case Quantifier(op, variable, over, body):
            return {"op": op, "variable": variable, "over": to_json(over), "body": to_json(body)}
    raise ValueError(f"a plan names the row only, not {node.root}")


def from_json(data: Any) -> Node:
    """Read a tree; raises ``ValueError`` if the data is none."""
    return _read(data, 0)


def _read(data: Any, depth: int) -> Node:
    if not isinstance(data, Mapping) or depth > DEEPEST:
        raise ValueError("not a plan")
    match data:
        case {"field": str() as name, **rest} if rest.keys() <= {"type"} and isinstance(rest.get("type"), str | None):
            return Field(name, rest.get("type"))
        case {"value": value, **rest} if not rest:
            return Value(_decoded(value))
        case {"variable": str() as name, **rest} if not rest:
            return Variable(name)
        case {"op": str() as op, "variable": str() as variable, "over": over, "body": body} if op in _QUANTIFIERS:
            return Quantifier(op, variable, _read(over, depth + 1), _read(body, depth + 1))
        case {"op": str() as op, "args": list() as args, **rest} if not rest:
            if (op in _ARITY and len(args) in _ARITY[op]) or (op in {"and", "or"} and args):
                return Op(op, tuple(_read(each, depth + 1) for each in args))
    raise ValueError("not a plan")


def _encoded(value: Any) -> Any:
    match value:
        case float() if not math.isfinite(value) or value.is_integer():
            return {"double": repr(value)}
        case datetime():
            return {"timestamp": to_string(value)}
        case timedelta():
            return {"duration": to_string(value)}
        case list() | tuple():
            return [_encoded(each) for each in value]
        case Mapping():
            return {"map": {key: _encoded(each) for key, each in value.items()}}
    return value


def _decoded(value: Any) -> Any:
    match value:
        case None | bool() | int() | float() | str():
            return value
        case list():
            return tuple(map(_decoded, value))
        case {"map": Mapping() as entries, **rest} if not rest:
            return {key: _decoded(each) for key, each in entries.items()}
        case {"double": str() as text, **rest} if not rest:
            return float(text)
        case {"timestamp": str() as text, **rest} if not rest:
            return _parsed(parse_timestamp, text)
        case {"duration": str() as text, **rest} if not rest:
            return _parsed(parse_duration, text)
    raise ValueError("not a value of a plan")


def _parsed(parse: Callable[[str], Any], text: str) -> Any:
    try:
        return parse(text)
    except EvaluationError as failure:
        raise ValueError(failure.message) from None
