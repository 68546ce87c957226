"""Every operation that a condition may contain: its name in a tree, its name in CEL, and what it does with known values.

What is not listed here cannot be saved. Left out on purpose: ``matches`` (a regular expression can take for ever), map and
filter, bytes, unsigned integers, map and message literals, and ``string()`` of a double (implementations differ in the
digits).
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from permissions.engine.conditions import clocks, values


class Operation(NamedTuple):
    """One operation: its CEL function, how many arguments it takes, what it does, what it gives, how it is called."""

    function: str
    arity: tuple[int, ...]
    compute: Callable[..., Any]
    gives_truth: bool = False
    method: bool = False


OPERATIONS: dict[str, Operation] = {
    "eq": Operation("_==_", (2,), values.equal, gives_truth=True),
    "ne": Operation("_!=_", (2,), values.unequal, gives_truth=True),
    "lt": Operation("_<_", (2,), values.less, gives_truth=True),
    "le": Operation("_<=_", (2,), values.less_or_equal, gives_truth=True),
    "gt": Operation("_>_", (2,), values.greater, gives_truth=True),
    "ge": Operation("_>=_", (2,), values.greater_or_equal, gives_truth=True),
    "in": Operation("@in", (2,), values.member, gives_truth=True),
    "not": Operation("!_", (1,), values.negate_truth, gives_truth=True),
    "add": Operation("_+_", (2,), values.add),
    "sub": Operation("_-_", (2,), values.subtract),
    "mul": Operation("_*_", (2,), values.multiply),
    "div": Operation("_/_", (2,), values.divide),
    "mod": Operation("_%_", (2,), values.modulo),
    "neg": Operation("-_", (1,), values.minus),
    "get": Operation("_[_]", (2,), values.select),
    "list": Operation("list", tuple(range(201)), values.make_list),
    "size": Operation("size", (1,), values.size),
    "starts_with": Operation("startsWith", (2,), values.starts_with, gives_truth=True, method=True),
    "ends_with": Operation("endsWith", (2,), values.ends_with, gives_truth=True, method=True),
    "contains": Operation("contains", (2,), values.contains, gives_truth=True, method=True),
    "int": Operation("int", (1,), clocks.to_int),
    "double": Operation("double", (1,), clocks.to_double),
    "string": Operation("string", (1,), clocks.to_string),
    "bool": Operation("bool", (1,), clocks.to_bool, gives_truth=True),
    "timestamp": Operation("timestamp", (1,), clocks.to_timestamp),
    "duration": Operation("duration", (1,), clocks.to_duration),
    "ip_in_range": Operation("ipInRange", (2,), clocks.ip_in_range, gives_truth=True),
    **{name: Operation(name, (1, 2), clocks.calendar(name), method=True) for name in clocks.CALENDAR},
}
LOGIC = {"_&&_": "and", "_||_": "or", "_?_:_": "if"}
BY_FUNCTION = {operation.function: name for name, operation in OPERATIONS.items() if name != "list"}
TRUTHS = frozenset({"and", "or", "has", "is_true", "is_false", "within"}) | {
    name for name, operation in OPERATIONS.items() if operation.gives_truth
}
