"""A tree as one Python function: the fast answer.

The function follows the tree with Python's own operators where those agree with CEL for the types at hand, and with the
functions of ``values`` where they do not. Whenever anything raises, the answer is taken from the exact evaluation instead:
``and`` and ``or`` forgive errors that Python's do not. Constants enter the function as constants, never as text.
"""

import ast
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from permissions.engine.conditions.errors import EvaluationError
from permissions.engine.conditions.exact import TYPED, Scope, evaluate
from permissions.engine.conditions.operations import OPERATIONS, TRUTHS
from permissions.engine.conditions.situation import Situation
from permissions.engine.conditions.tree import (
    COMPARISONS,
    MIRRORED,
    Field,
    Node,
    Op,
    Quantifier,
    Reference,
    Value,
    Variable,
    walk,
)
from permissions.engine.conditions.values import elements, present, truth

SHORT_CUT_FAILURES = (EvaluationError, LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError)
_PYTHON = {"eq": ast.Eq(), "ne": ast.NotEq(), "lt": ast.Lt(), "le": ast.LtE(), "gt": ast.Gt(), "ge": ast.GtE()}
_LOAD, _STORE = ast.Load(), ast.Store()


def _absent() -> Any:
    raise EvaluationError("absent")


def _exists(over: Any, body: Callable[[Any], Any]) -> bool:
    return any(truth(body(each)) for each in elements(over))


def _all(over: Any, body: Callable[[Any], Any]) -> bool:
    return all(truth(body(each)) for each in elements(over))


def _exists_one(over: Any, body: Callable[[Any], Any]) -> bool:
    return sum(truth(body(each)) for each in elements(over)) == 1


def compiled(node: Node) -> Callable[[Situation], bool]:
    """Make the function that tells whether a condition holds; it raises ``EvaluationError`` where the condition is an error."""

    def exactly(situation: Situation) -> bool:
        return truth(evaluate(node, Scope(situation)))

    if isinstance(node, Value | Variable):
        return exactly
    writer = _Writer()
    answer = writer.condition(node)
    arguments = ast.arguments(posonlyargs=[], args=[ast.arg("situation")], kwonlyargs=[], kw_defaults=[], defaults=[])
    roots = sorted(
        {each.root if isinstance(each, Reference) else "resource" for each in walk(node) if isinstance(each, Field | Reference)}
    )
    reads: list[ast.stmt] = [ast.Assign([_stored(root)], ast.Attribute(_name("situation"), root, _LOAD)) for root in roots]
    failing = ast.ExceptHandler(_name("FAILURES"), None, [ast.Return(_called("exactly", _name("situation")))])
    body: list[ast.stmt] = [ast.Try([*reads, ast.Return(answer)], [failing], [], [])]
    module = ast.Module([ast.FunctionDef("holds", arguments, body, [])], [])
    space: dict[str, Any] = {**writer.space, "exactly": exactly, "FAILURES": SHORT_CUT_FAILURES, "__builtins__": {}}
    exec(compile(ast.fix_missing_locations(module), "<condition>", "exec"), space)  # noqa: S102 - built of our own tree
    function: Callable[[Situation], bool] = space["holds"]
    return function


def _name(name: str) -> ast.Name:
    return ast.Name(name, _LOAD)


def _stored(name: str) -> ast.Name:
    return ast.Name(name, _STORE)


def _called(function: str, *args: ast.expr) -> ast.Call:
    return ast.Call(_name(function), list(args), [])


def _method(holder: ast.expr, name: str, *args: ast.expr) -> ast.Call:
    return ast.Call(ast.Attribute(holder, name, _LOAD), list(args), [])


def _compare(left: ast.expr, operator: ast.cmpop, right: ast.expr) -> ast.Compare:
    return ast.Compare(left, [operator], [right])


def _is(left: ast.expr, what: str) -> ast.Compare:
    return _compare(left, ast.Is(), _name(what))


class _Writer:
    """Writes the expressions of one function; ``space`` holds the names that they use."""

    def __init__(self) -> None:
        self.space: dict[str, Any] = {
            **{f"do_{name}": operation.compute for name, operation in OPERATIONS.items()},
            **{cls.__name__: cls for cls in (str, int, float, list)},
            "absent": _absent,
            "truth": truth,
            "present": present,
            "exists": _exists,
            "all": _all,
            "exists_one": _exists_one,
        }
        self.count = 0

    def fresh(self, prefix: str) -> str:
        self.count += 1
        return f"{prefix}{self.count}"

    def constant(self, value: Any) -> ast.expr:
        if value is None or isinstance(value, bool | int | float | str):
            return ast.Constant(value)
        name = self.fresh("constant")
        self.space[name] = value
        return _name(name)

    def kept(self, value: ast.expr) -> tuple[ast.expr, ast.expr]:
        """Return an expression that keeps the value under a name, and the name."""
        name = self.fresh("kept")
        return ast.NamedExpr(_stored(name), value), _name(name)

    def condition(self, node: Node) -> ast.expr:
        """Write an expression that is True or False."""
        expression = self.value(node)
        truthful = isinstance(node, Quantifier) or (isinstance(node, Op) and node.op in TRUTHS)
        return expression if truthful else _called("truth", expression)

    def value(self, node: Node) -> ast.expr:
        match node:
            case Value(value):
                return self.constant(value)
            case Field(name):
                return self.attribute("resource", (name,))
            case Reference(root, path):
                return self.attribute(root, path)
            case Variable(name):
                return _name(f"each_{name}")
            case Quantifier(op, variable, over, body):
                arguments = ast.arguments(
                    posonlyargs=[], args=[ast.arg(f"each_{variable}")], kwonlyargs=[], kw_defaults=[], defaults=[]
                )
                return _called(op, self.value(over), ast.Lambda(arguments, self.value(body)))
        return self.operation(node.op, node.args)

    def attribute(self, root: str, path: tuple[str, ...]) -> ast.expr:
        value: ast.expr = _name(root)
        for depth, key in enumerate(path):
            value = ast.Subscript(value, ast.Constant(key), _LOAD)
            if not depth and root in TYPED:
                keep, name = self.kept(value)
                value = ast.IfExp(_compare(keep, ast.IsNot(), ast.Constant(None)), name, _called("absent"))
        return value

    def operation(self, op: str, args: tuple[Node, ...]) -> ast.expr:
        if op in {"and", "or"}:
            return ast.BoolOp(ast.And() if op == "and" else ast.Or(), [*map(self.condition, args), *self.single(args, op)])
        if op == "not":
            return ast.UnaryOp(ast.Not(), self.condition(args[0]))
        if op == "if":
            test, then, otherwise = args
            return ast.IfExp(self.condition(test), self.value(then), self.value(otherwise))
        if op == "has":
            return self.presence(args[0])
        if op in COMPARISONS:
            return self.comparison(op, *args)
        if op == "in":
            return self.membership(*args)
        if op in {"starts_with", "ends_with"} and isinstance(args[1], Value) and isinstance(args[1].value, str):
            return _method(
                self.value(args[0]), "startswith" if op == "starts_with" else "endswith", ast.Constant(args[1].value)
            )
        return self.generic(op, args)

    def single(self, args: tuple[Node, ...], op: str) -> list[ast.expr]:
        """Return what makes a Python operator of a lone argument."""
        return [] if len(args) > 1 else [ast.Constant(op == "and")]

    def generic(self, op: str, args: tuple[Node, ...]) -> ast.expr:
        return _called(f"do_{op}", *map(self.value, args))

    def presence(self, part: Any) -> ast.expr:
        match part:
            case Op(_, (holder, Value(key))):
                return _called("present", self.value(holder), ast.Constant(key))
            case Reference(root, path):
                pass
            case _:
                root, path = "resource", (part.name,)
        if root in TYPED and len(path) == 1:
            found = _method(_name(root), "get", ast.Constant(path[0]))
            return _compare(found, ast.IsNot(), ast.Constant(None))
        return _called("present", self.attribute(root, path[:-1]), ast.Constant(path[-1]))

    def comparison(self, op: str, left: Node, right: Node) -> ast.expr:
        if isinstance(left, Value) and not isinstance(right, Value):
            op, left, right = MIRRORED[op], right, left
        if isinstance(right, Value) and not isinstance(left, Value):
            written = self.with_constant(op, left, right.value)
            if written is not None:
                return written
        if isinstance(right, Field | Reference | Variable) and op in {"eq", "ne"}:
            keep, name = self.kept(self.value(left))
            plain = _compare(name, _PYTHON[op], self.value(right))
            return ast.IfExp(
                _is(ast.Attribute(keep, "__class__", _LOAD), "str"), plain, _called(f"do_{op}", name, self.value(right))
            )
        return self.generic(op, (left, right))

    def with_constant(self, op: str, left: Node, constant: Any) -> ast.expr | None:
        """Write a comparison with a constant, where Python's own operator agrees with CEL's."""
        same = op in {"eq", "ne"}
        if constant is None or isinstance(constant, bool):
            if not same:
                return None
            return _compare(self.value(left), ast.Is() if op == "eq" else ast.IsNot(), ast.Constant(constant))
        if isinstance(constant, str) or (isinstance(constant, datetime | timedelta) and not same):
            return _compare(self.value(left), _PYTHON[op], self.constant(constant))
        if not isinstance(constant, int | float):
            return None
        if same and constant not in {0, 1}:
            return _compare(self.value(left), _PYTHON[op], self.constant(constant))
        keep, name = self.kept(self.value(left))
        keep_class, name_class = self.kept(ast.Attribute(keep, "__class__", _LOAD))
        number = ast.BoolOp(ast.Or(), [_is(keep_class, "int"), _is(name_class, "float")])
        plain = _compare(name, _PYTHON[op], self.constant(constant))
        return ast.IfExp(number, plain, _called(f"do_{op}", name, self.constant(constant)))

    def membership(self, needle: Node, haystack: Node) -> ast.expr:
        if isinstance(haystack, Value) and isinstance(haystack.value, tuple) and all(map(_unmistakable, haystack.value)):
            return _compare(self.value(needle), ast.In(), self.constant(frozenset(haystack.value)))
        if isinstance(needle, Value) and isinstance(needle.value, str):
            keep, name = self.kept(self.value(haystack))
            is_list = _is(ast.Attribute(keep, "__class__", _LOAD), "list")
            wanted = ast.Constant(needle.value)
            return ast.IfExp(is_list, _compare(wanted, ast.In(), name), _called("do_in", wanted, name))
        return self.generic("in", (needle, haystack))


def _unmistakable(value: Any) -> bool:
    """Tell whether nothing of another CEL type equals a constant in Python."""
    return isinstance(value, str) or (isinstance(value, int | float) and not isinstance(value, bool) and value not in {0, 1})
