"""The one form of a condition, from which the function, the plan and the explanation are made.

Logic is CEL's: three-valued (true, false, error). ``is_true`` and ``is_false`` make two values of the three: an error is
neither. A tree whose outermost operations are those, ``within``, or ``and``/``or``/``not`` over them is two-valued.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias


@dataclass(frozen=True, slots=True, eq=False)
class Value:
    """A known value; lists are tuples. Equal only to the same value of the same type (1, 1.0 and True are three)."""

    value: Any

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Value) and repr(self.value) == repr(other.value)

    def __hash__(self) -> int:
        return hash(repr(self.value))


@dataclass(frozen=True, slots=True)
class Field:
    """An attribute of the resource: a column of the row. ``type`` is the declared one, None if it was not known."""

    name: str
    type: str | None = None


@dataclass(frozen=True, slots=True)
class Reference:
    """Something else that the condition names: ``Reference("context", ("ip",))``."""

    root: str
    path: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Variable:
    """The name that a quantifier binds."""

    name: str


@dataclass(frozen=True, slots=True)
class Op:
    """An operation on its arguments."""

    op: str
    args: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Quantifier:
    """``exists``, ``all`` or ``exists_one`` over a list."""

    op: str
    variable: str
    over: "Node"
    body: "Node"


Node: TypeAlias = Value | Field | Reference | Variable | Op | Quantifier

TRUE = Value(True)  # noqa: FBT003
FALSE = Value(False)  # noqa: FBT003
COMPARISONS = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
MIRRORED = {"eq": "eq", "ne": "ne", "lt": "gt", "le": "ge", "gt": "lt", "ge": "le"}


def error(message: str) -> Op:
    """Make the node that is an error wherever its value is needed."""
    return Op("error", (Value(message),))


def within(resource_type: str, resource_id: str) -> Op:
    """Make the node that is true of rows in the subtree of a resource."""
    return Op("within", (Value(resource_type), Value(resource_id)))


def is_error(node: Node) -> bool:
    """Tell whether a node is an unavoidable error."""
    return isinstance(node, Op) and node.op == "error"


def children(node: Node) -> tuple[Node, ...]:
    """Return the nodes directly below a node."""
    if isinstance(node, Op):
        return node.args
    return (node.over, node.body) if isinstance(node, Quantifier) else ()


def walk(node: Node) -> Iterator[Node]:
    """Yield a node and everything below it."""
    yield node
    for child in children(node):
        yield from walk(child)


def two_valued(node: Node) -> bool:
    """Tell whether a node is never an error and always a truth value."""
    if isinstance(node, Value):
        return isinstance(node.value, bool)
    if not isinstance(node, Op):
        return False
    if node.op in {"and", "or", "not"}:
        return all(map(two_valued, node.args))
    return node.op in {"is_true", "is_false", "within"}


def all_of(nodes: Iterable[Node]) -> Node:
    """Return the conjunction, simplified: true if there is nothing to join."""
    return _joined("and", nodes, FALSE, TRUE)


def any_of(nodes: Iterable[Node]) -> Node:
    """Return the disjunction, simplified: false if there is nothing to join."""
    return _joined("or", nodes, TRUE, FALSE)


def _joined(op: str, nodes: Iterable[Node], absorbing: Value, neutral: Value) -> Node:
    kept: dict[Node, None] = {}
    for node in nodes:
        for part in node.args if isinstance(node, Op) and node.op == op else (node,):
            if part == absorbing:
                return absorbing
            if part != neutral:
                kept[_truth_or_error(part)] = None
    if not kept:
        return neutral
    return next(iter(kept)) if len(kept) == 1 and _gives_truth(next(iter(kept))) else Op(op, tuple(kept))


def _truth_or_error(node: Node) -> Node:
    if isinstance(node, Value) and not isinstance(node.value, bool):
        return error("not a truth value")
    return node


def _gives_truth(node: Node) -> bool:
    return not isinstance(node, Field | Reference | Variable) and not (isinstance(node, Op) and node.op in {"get", "if"})


def negation(node: Node) -> Node:
    """Return the opposite; an error stays an error."""
    if isinstance(node, Value) and isinstance(node.value, bool):
        return FALSE if node.value else TRUE
    if not isinstance(node, Op):
        return Op("not", (_truth_or_error(node),))
    match node.op:
        case "not" if _gives_truth(node.args[0]):
            return node.args[0]
        case "and":
            return any_of(map(negation, node.args))
        case "or":
            return all_of(map(negation, node.args))
        case "eq":
            return Op("ne", node.args)
        case "ne":
            return Op("eq", node.args)
        case "error":
            return node
    return Op("not", (node,))


def is_true(node: Node) -> Node:
    """Return the two-valued tree that holds exactly where the node is true."""
    if two_valued(node):
        return node
    if isinstance(node, Value) or is_error(node):
        return FALSE
    if isinstance(node, Op):
        match node.op:
            case "and":
                return all_of(map(is_true, node.args))
            case "or":
                return any_of(map(is_true, node.args))
            case "not":
                return is_false(node.args[0])
            case "if":
                return _either(node, is_true)
    return Op("is_true", (node,))


def is_false(node: Node) -> Node:
    """Return the two-valued tree that holds exactly where the node is false."""
    if two_valued(node):
        return negation(node)
    if isinstance(node, Value) or is_error(node):
        return FALSE
    if isinstance(node, Op):
        match node.op:
            case "and":
                return any_of(map(is_false, node.args))
            case "or":
                return all_of(map(is_false, node.args))
            case "not":
                return is_true(node.args[0])
            case "if":
                return _either(node, is_false)
    return Op("is_false", (node,))


def _either(node: Op, outcome: Any) -> Node:
    test, then, otherwise = node.args
    return any_of((all_of((is_true(test), outcome(then))), all_of((is_false(test), outcome(otherwise)))))


def equals(name: str, value: str) -> Node:
    """Make the two-valued node that is true of rows whose text attribute has this value."""
    return Op("is_true", (Op("eq", (Field(name, "string"), Value(value))),))
