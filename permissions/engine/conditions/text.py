"""A tree as the text of a condition, for people to read."""

import json
from datetime import datetime, timedelta
from typing import Any

from permissions.engine.conditions.clocks import to_string
from permissions.engine.conditions.operations import OPERATIONS
from permissions.engine.conditions.tree import COMPARISONS, Field, Node, Op, Quantifier, Reference, Value, Variable

_INFIX = {
    "or": ("||", 2),
    "and": ("&&", 3),
    **{op: (symbol, 4) for op, symbol in COMPARISONS.items()},
    "in": ("in", 4),
    "add": ("+", 5),
    "sub": ("-", 5),
    "mul": ("*", 6),
    "div": ("/", 6),
    "mod": ("%", 6),
}
_PREFIX = {"not": "!", "neg": "-"}
_MEMBER = 8


def literal(value: Any) -> str:
    """Write a value as CEL would."""
    match value:
        case None | bool() | str():
            return json.dumps(value, ensure_ascii=False)
        case datetime():
            return f'timestamp("{to_string(value)}")'
        case timedelta():
            return f'duration("{to_string(value)}")'
        case list() | tuple():
            return f"[{', '.join(map(literal, value))}]"
        case dict():
            return f"{{{', '.join(f'{literal(key)}: {literal(each)}' for key, each in value.items())}}}"
    return str(value)


def text_of(node: Node) -> str:
    """Write a tree as the text of a condition."""
    return _write(node)[0]


def _write(node: Node) -> tuple[str, int]:
    """Return the text and how tightly it binds."""
    match node:
        case Value(value):
            negative = isinstance(value, int | float) and str(value).startswith("-")
            return literal(value), 7 if negative else _MEMBER + 1
        case Field(name):
            return f"resource.{name}", _MEMBER
        case Reference(root, path):
            return ".".join((root, *path)), _MEMBER
        case Variable(name):
            return name, _MEMBER + 1
        case Quantifier(op, variable, over, body):
            return f"{_at_least(over, _MEMBER)}.{op}({variable}, {text_of(body)})", _MEMBER
    return _operation(node)


def _at_least(node: Node, binding: int) -> str:
    text, own = _write(node)
    return text if own >= binding else f"({text})"


def _operation(node: Op) -> tuple[str, int]:
    op, args = node.op, node.args
    if op in _INFIX:
        symbol, binding = _INFIX[op]
        first, *rest = args
        chained = binding + (op in COMPARISONS or op == "in")
        return f" {symbol} ".join([_at_least(first, chained), *(_at_least(each, binding + 1) for each in rest)]), binding
    if op in _PREFIX:
        return f"{_PREFIX[op]}{_at_least(args[0], 8)}", 7
    if op == "if":
        return f"{_at_least(args[0], 2)} ? {_at_least(args[1], 2)} : {_at_least(args[2], 1)}", 1
    if op == "get" and isinstance(args[1], Value) and isinstance(args[1].value, str) and args[1].value.isidentifier():
        return f"{_at_least(args[0], _MEMBER)}.{args[1].value}", _MEMBER
    if op == "get":
        return f"{_at_least(args[0], _MEMBER)}[{text_of(args[1])}]", _MEMBER
    if op == "list":
        return f"[{', '.join(map(text_of, args))}]", _MEMBER + 1
    operation = OPERATIONS.get(op)
    if operation is not None and operation.method:
        return f"{_at_least(args[0], _MEMBER)}.{operation.function}({', '.join(map(text_of, args[1:]))})", _MEMBER
    name = operation.function if operation is not None else op
    return f"{name}({', '.join(map(text_of, args))})", _MEMBER
