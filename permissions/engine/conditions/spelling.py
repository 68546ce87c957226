"""``resource["status"]`` is ``resource.status``: rewritten in the text, in place, so that the checker knows the type of both.

Guided by the parsed expression, never by looking for brackets: only an index with a constant key on a variable whose
attributes are declared (or on its ``properties`` or ``attributes``) is rewritten, to the same number of characters.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from permissions.engine.conditions.declared import ALIASES
from permissions.engine.conditions.errors import ConditionError

_LITERAL = re.compile(r"""[rR]?(?:\"{3}.*?\"{3}|'{3}.*?'{3}|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')[ \t]*\]""")
_KEYWORDS = frozenset({"in", "true", "false", "null"})


def position(source: str, offset: int) -> tuple[int, int]:
    """Return line and column, from 1, of an offset in code points."""
    before = source[:offset]
    return before.count("\n") + 1, offset - before.rfind("\n")


def with_dots(source: str, parsed: Any, declared: Mapping[str, Mapping[str, str]]) -> str:
    """Return the text with constant indexes on declared variables as selections, every other character in its place."""
    offsets = {entry.key: entry.value for entry in parsed.source.positions}
    for index, root, key in _indexes(parsed.expr, declared):
        start = offsets.get(index.id, -1)
        found = _LITERAL.match(source, offsets.get(key.id, -1)) if source[start : start + 1] == "[" else None
        if found is None:
            continue
        name = key.const.string
        if not (name.isascii() and name.isidentifier()):
            line, column = position(source, start)
            raise ConditionError(f"{root} has no attribute {name!r}", source=source, line=line, column=column)
        selection = f".`{name}`" if name in _KEYWORDS else f".{name}"
        source = source[:start] + selection.ljust(found.end() - start) + source[found.end() :]
    return source


def _indexes(expr: Any, declared: Mapping[str, Mapping[str, str]]) -> Iterator[tuple[Any, str, Any]]:
    which = expr.WhichOneof("kind")
    if which == "call":
        call = expr.call
        if call.function == "_[_]":
            root, key = _root(call.args[0]), call.args[1]
            if root in declared and key.WhichOneof("kind") == "const" and key.const.WhichOneof("kind") == "string":
                yield expr, root, key
        parts = [*([call.target] if call.HasField("target") else []), *call.args]
    elif which == "select":
        parts = [expr.select.operand]
    elif which == "list":
        parts = list(expr.list.elements)
    elif which == "comprehension":
        parts = [expr.comprehension.iter_range, expr.comprehension.loop_step]
    else:
        parts = []
    for part in parts:
        yield from _indexes(part, declared)


def _root(expr: Any) -> str:
    if expr.WhichOneof("kind") == "select" and expr.select.field in ALIASES and not expr.select.test_only:
        expr = expr.select.operand
    return str(expr.ident.name) if expr.WhichOneof("kind") == "ident" else ""
