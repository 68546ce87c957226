"""From the checked expression to our tree: the allow-list, the aliases, and the constants that can be computed once."""

from collections.abc import Callable
from typing import Any

from permissions.engine.conditions.clocks import CALENDAR, parse_network, time_zone
from permissions.engine.conditions.declared import ALIASED, ALIASES, BUILT_IN, ROOTS
from permissions.engine.conditions.errors import ConditionError, EvaluationError
from permissions.engine.conditions.exact import TYPED
from permissions.engine.conditions.operations import BY_FUNCTION, LOGIC, OPERATIONS
from permissions.engine.conditions.spelling import position
from permissions.engine.conditions.tree import Field, Node, Op, Quantifier, Reference, Value, Variable

LONGEST_LIST = 200
DEEPEST_QUANTIFIER = 2
_PRIMITIVES = {1: "bool", 2: "int", 4: "double", 5: "string"}
_WELL_KNOWN = {2: "timestamp", 3: "duration"}
_MESSAGES = {"google.protobuf.Timestamp": "timestamp", "google.protobuf.Duration": "duration"}
_FOLDED = frozenset({"timestamp", "duration", "neg"})


def translate(checked: Any, source: str) -> Node:
    """Translate a decoded expression; raises ``ConditionError`` for what conditions may not contain."""
    translator = _Translator(checked, source)
    if not checked.HasField("expr"):
        raise ConditionError("the condition is empty", source=source)
    node = translator.visit(checked.expr, ())
    kind = translator.type_of(checked.expr)
    if kind not in {"bool", None}:
        raise ConditionError(f"the condition gives a {kind}, not true or false", source=source)
    if isinstance(node, Value) and not isinstance(node.value, bool):
        raise ConditionError("the condition is not true or false", source=source)
    return node


class _Translator:
    def __init__(self, checked: Any, source: str) -> None:
        self.source = source
        self.offsets = {entry.key: entry.value for entry in checked.source.positions}
        self.types = {entry.key: entry.value for entry in checked.types}

    def refused(self, message: str, expr: Any, *, name: str = "") -> ConditionError:
        offset = min(max(self.offsets.get(expr.id, 0), 0), len(self.source))
        if name and self.source[:offset].endswith(name):
            offset -= len(name)
        line, column = position(self.source, offset)
        return ConditionError(message, source=self.source, line=line, column=column)

    def type_of(self, expr: Any) -> str | None:
        """Name the static type of an expression, as attributes are declared; None if it is open."""
        found = self.types.get(expr.id)
        return None if found is None else _type_name(found)

    def visit(self, expr: Any, bound: tuple[str, ...]) -> Node:
        which = expr.WhichOneof("kind")
        visitor: Callable[[Any, tuple[str, ...]], Node] | None = {
            "const": self.constant,
            "ident": self.name,
            "select": self.selection,
            "call": self.call,
            "list": self.list,
            "comprehension": self.quantifier,
        }.get(which)
        if visitor is None:
            raise self.refused("maps and messages cannot be written in a condition", expr)
        node = visitor(expr, bound)
        if isinstance(node, Reference) and node.root == "resource":
            raise self.refused("resource can be used with the name of an attribute only", expr)
        return node

    def constant(self, expr: Any, _bound: tuple[str, ...]) -> Node:
        which = expr.const.WhichOneof("kind")
        if which not in {"null", "bool", "int", "double", "string"}:
            raise self.refused("unsigned integers and bytes cannot be used in a condition", expr)
        return Value(None if which == "null" else getattr(expr.const, which))

    def name(self, expr: Any, bound: tuple[str, ...]) -> Node:
        name = expr.ident.name.removeprefix(".")
        if name in bound:
            return Variable(name)
        if name not in ROOTS:
            raise self.refused(f"'{name}' cannot be used as a value", expr)
        return Reference(name)

    def operand(self, expr: Any, bound: tuple[str, ...]) -> Node:
        """Translate what something is selected from: here the resource may stand alone."""
        return self.name(expr, bound) if expr.WhichOneof("kind") == "ident" else self._selected_from(expr, bound)

    def _selected_from(self, expr: Any, bound: tuple[str, ...]) -> Node:
        if expr.WhichOneof("kind") == "select" and expr.select.field in ALIASES and not expr.select.test_only:
            return self.selection(expr, bound)
        return self.visit(expr, bound)

    def selection(self, expr: Any, bound: tuple[str, ...]) -> Node:
        holder = self.operand(expr.select.operand, bound)
        key = expr.select.field
        if not expr.select.test_only:
            return self.selected(holder, key, expr, self.type_of(expr))
        if _is_alias(holder, key):
            raise self.refused(f"has() needs the name of an attribute after {key}", expr)
        # The checker gives the type of the question here, not of the attribute.
        return Op("has", (self.selected(holder, key, expr, None),))

    def selected(self, holder: Node, key: str, expr: Any, kind: str | None) -> Node:
        if _is_alias(holder, key):
            return holder
        if holder == Reference("now"):
            raise self.refused("timestamp has no attributes", expr)
        if holder == Reference("resource"):
            return Field(key, BUILT_IN.get(key) or kind)
        if isinstance(holder, Reference):
            return Reference(holder.root, (*holder.path, key))
        return Op("get", (holder, Value(key)))

    def list(self, expr: Any, bound: tuple[str, ...]) -> Node:
        if len(expr.list.elements) > LONGEST_LIST or expr.list.optional:
            raise self.refused(f"a list can have at most {LONGEST_LIST} elements", expr)
        elements = tuple(self.visit(each, bound) for each in expr.list.elements)
        if all(isinstance(each, Value) for each in elements):
            return Value(tuple(each.value for each in elements if isinstance(each, Value)))
        return Op("list", elements)

    def call(self, expr: Any, bound: tuple[str, ...]) -> Node:
        call = expr.call
        parts = [*([call.target] if call.HasField("target") else []), *call.args]
        function = call.function
        if function == "_[_]":
            return self.index(expr, bound)
        args = tuple(self.visit(each, bound) for each in parts)
        if function == "dyn" and len(args) == 1:
            return args[0]
        if function in LOGIC:
            return _logic(LOGIC[function], args)
        op = BY_FUNCTION.get(function)
        if op is None or len(args) not in OPERATIONS[op].arity:
            raise self.refused(f"'{function}' cannot be used in a condition", expr, name=function)
        self.restricted(op, args, expr, parts)
        if op in _FOLDED and all(isinstance(each, Value) for each in args):
            known = [each.value for each in args if isinstance(each, Value)]
            return Value(self.folded(lambda: OPERATIONS[op].compute(*known), expr, function))
        return Op(op, args)

    def folded(self, compute: Callable[[], Any], expr: Any, name: str = "") -> Any:
        try:
            return compute()
        except EvaluationError as failure:
            raise self.refused(failure.message, expr, name=name) from None

    def restricted(self, op: str, args: tuple[Node, ...], expr: Any, parts: Any) -> None:
        """Refuse what could only ever be an error, and what differs between implementations."""
        if op in {"eq", "ne"} and Value(None) in args and any(map(_never_null, args)):
            raise self.refused("an attribute is never null: ask has() whether it is there", expr)
        if op == "string" and self.type_of(parts[0]) == "double":
            raise self.refused("a double cannot be converted to a string", expr, name="string")
        last = args[-1]
        if isinstance(last, Value) and isinstance(last.value, str):
            if op in CALENDAR and len(args) == 2:
                self.folded(lambda: time_zone(last.value), parts[-1])
            if op == "ip_in_range":
                self.folded(lambda: parse_network(last.value), parts[-1])

    def index(self, expr: Any, bound: tuple[str, ...]) -> Node:
        holder_expr, key_expr = expr.call.args
        holder, key = self.operand(holder_expr, bound), self.visit(key_expr, bound)
        if isinstance(key, Value) and isinstance(key.value, str) and isinstance(holder, Reference):
            # Where attributes are declared every index has become a selection: this one has no type.
            return self.selected(holder, key.value, expr, None)
        if holder == Reference("resource"):
            raise self.refused("an attribute of resource can be named by a constant only", expr)
        return Op("get", (holder, key))

    def quantifier(self, expr: Any, bound: tuple[str, ...]) -> Node:
        loop = expr.comprehension
        op, body = _macro(loop)
        if body is None:
            raise self.refused("of the macros only has, exists, all and exists_one can be used", expr)
        if len(bound) >= DEEPEST_QUANTIFIER:
            raise self.refused(f"exists, all and exists_one can be nested {DEEPEST_QUANTIFIER} deep at most", expr)
        return Quantifier(op, loop.iter_var, self.visit(loop.iter_range, bound), self.visit(body, (*bound, loop.iter_var)))


def _type_name(found: Any) -> str | None:
    match found.WhichOneof("kind"):
        case "primitive":
            return _PRIMITIVES.get(found.primitive, "value of another type")
        case "well_known":
            return _WELL_KNOWN.get(found.well_known)
        case "message":
            return _MESSAGES.get(found.message, str(found.message).removeprefix("agentiam.").lower())
        case "list":
            return f"list<{_type_name(found.list.element)}>"
    return None


def _is_alias(holder: Node, key: str) -> bool:
    return isinstance(holder, Reference) and not holder.path and holder.root in ALIASED and key in ALIASES


def _never_null(node: Node) -> bool:
    return isinstance(node, Field) or (isinstance(node, Reference) and node.root in TYPED and len(node.path) == 1)


def _logic(op: str, args: tuple[Node, ...]) -> Node:
    if op == "if":
        return Op(op, args)
    flat: list[Node] = []
    for each in args:
        flat.extend(each.args if isinstance(each, Op) and each.op == op else (each,))
    return Op(op, tuple(flat))


def _calls(expr: Any, function: str) -> Any:
    """Return the arguments of a call of this function, or nothing."""
    if expr.WhichOneof("kind") == "call" and expr.call.function == function and not expr.call.HasField("target"):
        return list(expr.call.args)
    return []


def _macro(loop: Any) -> tuple[str, Any]:
    """Recognize the loop that a macro was expanded to; returns its name and its body, or None for any other loop."""

    def is_result(expr: Any) -> bool:
        return bool(expr.WhichOneof("kind") == "ident" and expr.ident.name == loop.accu_var)

    def constant(expr: Any, which: str, value: Any) -> bool:
        return bool(
            expr.WhichOneof("kind") == "const"
            and expr.const.WhichOneof("kind") == which
            and getattr(expr.const, which) == value
        )

    if loop.iter_var2 or loop.accu_var != "@result":
        return "", None
    if constant(loop.accu_init, "int", 0):
        step, tested = _calls(loop.loop_step, "_?_:_"), _calls(loop.result, "_==_")
        whole = constant(loop.loop_condition, "bool", value=True) and len(step) == 3 and len(tested) == 2
        counted = _calls(step[1], "_+_") if whole else []
        right = whole and len(counted) == 2 and is_result(counted[0]) and constant(counted[1], "int", 1) and is_result(step[2])
        return "exists_one", step[0] if right and is_result(tested[0]) and constant(tested[1], "int", 1) else None
    for name, function, start in (("exists", "_||_", False), ("all", "_&&_", True)):
        step, kept = _calls(loop.loop_step, function), _calls(loop.loop_condition, "@not_strictly_false")
        condition = _calls(kept[0], "!_") if kept and not start else kept
        if (
            constant(loop.accu_init, "bool", start)
            and len(step) == 2
            and is_result(step[0])
            and len(condition) == 1
            and is_result(condition[0])
            and is_result(loop.result)
        ):
            return name, step[1]
    return "", None
