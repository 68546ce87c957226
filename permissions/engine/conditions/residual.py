"""Partial evaluation: everything but the row is known, and what is left is the condition on the row."""

from collections.abc import Iterable, Mapping

from permissions.engine.conditions.errors import EvaluationError
from permissions.engine.conditions.exact import Scope, evaluate
from permissions.engine.conditions.situation import Situation
from permissions.engine.conditions.tree import (
    TRUE,
    Field,
    Node,
    Op,
    Quantifier,
    Reference,
    Value,
    Variable,
    all_of,
    any_of,
    error,
    is_error,
    negation,
)
from permissions.engine.conditions.values import elements

UNROLLED = 1000


def residual(
    node: Node, situation: Situation, variables: dict[str, Node] | None = None, *, left_open: Iterable[str] = ()
) -> Node:
    """Evaluate a tree as far as it can be while the row is unknown.

    Attributes that ``situation.resource`` gives are known, all others are the row's. What ``left_open`` names, ``context`` or
    ``action.properties``, is not known either, and stays as it is written. The result contains fields of the row and that
    only; it is three-valued: wrap it in ``is_true`` or ``is_false``.
    """
    return _Residual(situation, left_open).visit(node, variables or {})


class _Residual:
    def __init__(self, situation: Situation, left_open: Iterable[str]) -> None:
        self.scope = Scope(situation)
        self.left_open = tuple(tuple(each.split(".")) for each in left_open)
        self.known = {name for name, value in (situation.resource or {}).items() if value is not None}

    def visit(self, node: Node, variables: dict[str, Node]) -> Node:
        match node:
            case Value():
                return node
            case Field(name):
                return self.settled(node) if name in self.known else node
            case Reference():
                return node if self.is_open(node) else self.settled(node)
            case Variable(name):
                return variables.get(name, node)
            case Quantifier():
                return self.quantifier(node, variables)
            case Op("and", args):
                return all_of(self.visit(each, variables) for each in args)
            case Op("or", args):
                return any_of(self.visit(each, variables) for each in args)
            case Op("if", (test, then, otherwise)):
                return self.choice(self.visit(test, variables), then, otherwise, variables)
            case Op("has", (part,)):
                return self.presence(part, variables)
        return self.operation(node.op, tuple(self.visit(each, variables) for each in node.args))

    def is_open(self, node: Reference) -> bool:
        """Tell whether a reference names something that is left open, a part of that, or what that is a part of."""
        path = (node.root, *node.path)
        return any(path[: len(each)] == each[: len(path)] for each in self.left_open)

    def settled(self, node: Node) -> Node:
        try:
            return Value(frozen(evaluate(node, self.scope)))
        except EvaluationError as failure:
            return error(str(failure))

    def operation(self, op: str, args: tuple[Node, ...]) -> Node:
        failed = next((each for each in args if is_error(each)), None)
        if failed is not None:
            return failed
        if all(isinstance(each, Value) for each in args):
            return self.settled(Op(op, args))
        return negation(args[0]) if op == "not" else Op(op, args)

    def choice(self, test: Node, then: Node, otherwise: Node, variables: dict[str, Node]) -> Node:
        match test:
            case Value(bool() as taken):
                return self.visit(then if taken else otherwise, variables)
            case Value():
                return error("expected true or false before '?'")
            case Op("error"):
                return test
        return Op("if", (test, self.visit(then, variables), self.visit(otherwise, variables)))

    def presence(self, part: Node, variables: dict[str, Node]) -> Node:
        match part:
            case Field(name):
                return TRUE if name in self.known else Op("has", (part,))
            case Reference() if self.is_open(part):
                return Op("has", (part,))
            case Op("get", (holder, key)):
                inner = self.visit(holder, variables)
                if is_error(inner):
                    return inner
                left = Op("has", (Op("get", (inner, key)),))
                return self.settled(left) if isinstance(inner, Value) else left
        return self.settled(Op("has", (part,)))

    def quantifier(self, node: Quantifier, variables: dict[str, Node]) -> Node:
        over = self.visit(node.over, variables)
        if is_error(over):
            return over
        if not isinstance(over, Value) or node.op == "exists_one":
            hidden = {name: value for name, value in variables.items() if name != node.variable}
            left = Quantifier(node.op, node.variable, over, self.visit(node.body, hidden))
            return self.settled(left) if isinstance(over, Value) and not _open(left.body, {node.variable}) else left
        try:
            each = list(elements(over.value))
        except EvaluationError as failure:
            return error(str(failure))
        if len(each) > UNROLLED:
            return error(f"more than {UNROLLED} elements to look at in a plan")
        bodies = (self.visit(node.body, {**variables, node.variable: Value(value)}) for value in each)
        return any_of(bodies) if node.op == "exists" else all_of(bodies)


def frozen(value: object) -> object:
    """Return a value with its lists as tuples."""
    if isinstance(value, Mapping):
        return {key: frozen(each) for key, each in value.items()}
    return tuple(map(frozen, value)) if isinstance(value, list | tuple) else value


def _open(node: Node, bound: set[str]) -> bool:
    match node:
        case Field() | Reference():
            return True
        case Variable(name):
            return name not in bound
        case Op(_, args):
            return any(_open(each, bound) for each in args)
        case Quantifier(_, variable, over, body):
            return _open(over, bound) or _open(body, bound | {variable})
    return False
