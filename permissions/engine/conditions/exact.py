"""The exact meaning of a tree, computed slowly: three-valued, with the message and the text of what failed.

The compiled function is a short cut to this; plans are matched and explanations are made with it.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

from permissions.engine.conditions.errors import EvaluationError
from permissions.engine.conditions.operations import OPERATIONS
from permissions.engine.conditions.situation import Situation
from permissions.engine.conditions.text import text_of
from permissions.engine.conditions.tree import FALSE, TRUE, Field, Node, Op, Quantifier, Reference, Value, Variable, two_valued
from permissions.engine.conditions.values import elements, kind, present, select, truth

TYPED = frozenset({"agent", "resource", "task", "action"})


class Scope(NamedTuple):
    """What names stand for during one evaluation."""

    situation: Situation
    variables: Mapping[str, Any] = {}
    within: Callable[[str, str], bool] | None = None


def evaluate(node: Node, scope: Scope) -> Any:
    """Compute the value of a tree, or raise ``EvaluationError`` with the text of the innermost part that failed."""
    try:
        return _evaluate(node, scope)
    except EvaluationError as failure:
        failure.located(lambda: text_of(node))
        raise
    except RecursionError:
        raise EvaluationError("the data is nested too deeply", clause=text_of(node)) from None


def _evaluate(node: Node, scope: Scope) -> Any:
    match node:
        case Value(value):
            return value
        case Field(name):
            return read(scope.situation, "resource", (name,))
        case Reference(root, path):
            return read(scope.situation, root, path)
        case Variable(name):
            return scope.variables[name]
        case Quantifier():
            return _quantify(node, scope)
        case Op("and" | "or" as op, args):
            return _connect(args, scope, deciding=op == "or")
        case Op("if", (test, then, otherwise)):
            return evaluate(then if truth(evaluate(test, scope)) else otherwise, scope)
        case Op("has", (part,)):
            return _has(part, scope)
        case Op("error", (Value(message),)):
            raise EvaluationError(message)
        case Op("is_true" | "is_false" as op, (part,)):
            return _is(part, scope, wanted=op == "is_true")
        case Op("within", (Value(resource_type), Value(resource_id))):
            return _within(scope, resource_type, resource_id)
    return OPERATIONS[node.op].compute(*[evaluate(each, scope) for each in node.args])


def _within(scope: Scope, resource_type: str, resource_id: str) -> bool:
    if scope.within is None:
        raise EvaluationError("nothing says which rows are within a resource")
    return scope.within(resource_type, resource_id)


def read(situation: Situation, root: str, path: tuple[str, ...]) -> Any:
    """Look up what a condition names."""
    value = getattr(situation, root)
    for depth, key in enumerate(path):
        if value is None:
            raise EvaluationError(f"there is no {'.'.join((root, *path[:depth]))}")
        if kind(value) != "map":
            raise EvaluationError(f"{'.'.join((root, *path[:depth]))} has no attributes")
        value = select(value, key)
        if value is None and not depth and root in TYPED:
            raise EvaluationError(f"there is no {key!r}")
    return value


def _has(part: Node, scope: Scope) -> bool:
    match part:
        case Field(name):
            root, path = "resource", (name,)
        case Reference(root, path):
            pass
        case Op("get", (holder, Value(key))):
            return present(evaluate(holder, scope), key)
        case _:
            raise EvaluationError("only an attribute can be present")
    holder = read(scope.situation, root, path[:-1])
    if holder is None:
        raise EvaluationError(f"there is no {'.'.join((root, *path[:-1]))}")
    return present(holder, path[-1]) and not (root in TYPED and len(path) == 1 and holder[path[-1]] is None)


def _connect(args: tuple[Node, ...], scope: Scope, *, deciding: bool) -> bool:
    failure: EvaluationError | None = None
    for each in args:
        try:
            if truth(evaluate(each, scope)) is deciding:
                return deciding
        except EvaluationError as raised:
            failure = failure or raised.located(partial(text_of, each))
    if failure is not None:
        raise failure
    return not deciding


def _quantify(node: Quantifier, scope: Scope) -> bool:
    over = elements(evaluate(node.over, scope))
    scopes = [scope._replace(variables={**scope.variables, node.variable: each}) for each in over]
    if node.op == "exists_one":
        return sum(truth(evaluate(node.body, each)) for each in scopes) == 1
    deciding = node.op == "exists"
    failure: EvaluationError | None = None
    for each in scopes:
        try:
            if truth(evaluate(node.body, each)) is deciding:
                return deciding
        except EvaluationError as raised:
            failure = failure or raised.located(partial(text_of, node.body))
    if failure is not None:
        raise failure
    return not deciding


def _is(part: Node, scope: Scope, *, wanted: bool) -> bool:
    try:
        return evaluate(part, scope) is wanted
    except EvaluationError:
        return False


def matches(node: Node, row: Mapping[str, Any], *, within: Callable[[str, str], bool] | None = None) -> bool:
    """Tell whether a row is one that a two-valued tree selects.

    ``row`` maps attribute names to values; None is the same as absent. Raises ``ValueError`` for a tree that could be an error:
    say which of the two is wanted, ``is_true(tree)`` or ``is_false(tree)``.
    """
    if node in {TRUE, FALSE}:
        return node == TRUE
    if not two_valued(node):
        raise ValueError("a tree that selects rows must be two-valued: wrap it in is_true or is_false")
    return bool(evaluate(node, Scope(Situation(resource=row), within=within)))
