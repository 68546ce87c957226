"""Why a condition holds or does not: its leaves with what they need and see, and the least that would have to be different."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import product
from typing import Any, NamedTuple

from permissions.engine.conditions.clocks import to_string
from permissions.engine.conditions.compile import compiled
from permissions.engine.conditions.errors import EvaluationError
from permissions.engine.conditions.exact import Scope, evaluate
from permissions.engine.conditions.situation import Situation
from permissions.engine.conditions.text import text_of
from permissions.engine.conditions.tree import COMPARISONS, MIRRORED, Field, Node, Op, Quantifier, Reference, walk

MOST_ALTERNATIVES = 64
_OPPOSITE = {"eq": "ne", "ne": "eq", "lt": "ge", "ge": "lt", "gt": "le", "le": "gt"}
_NAMES = {"starts_with": "startsWith", "ends_with": "endsWith", "contains": "contains"}


class Clause(NamedTuple):
    """One leaf of a condition, as it came out.

    ``outcome`` is ``true``, ``false`` or ``error``; ``needed`` says what ``reference`` must be for the leaf to be true, as an
    operator and a value; ``seen`` is what it was (None also where it is absent: then ``error`` says so). Values are JSON-like.
    """

    text: str
    outcome: str
    reference: str
    needed: dict[str, Any]
    seen: Any
    error: str


class Change(NamedTuple):
    """One thing that would have to be different for a condition to hold."""

    reference: str
    needed: dict[str, Any]
    seen: Any


class _Leaf(NamedTuple):
    node: Node
    wanted: bool

    @property
    def text(self) -> str:
        return text_of(self.node if self.wanted else Op("not", (self.node,)))

    def holds(self, scope: Scope) -> bool:
        return evaluate(self.node, scope) is self.wanted


def plain(value: Any) -> Any:
    """Return a value as JSON has it: timestamps and durations as text."""
    match value:
        case datetime() | timedelta():
            return to_string(value)
        case list() | tuple():
            return [plain(each) for each in value]
        case dict():
            return {str(key): plain(each) for key, each in value.items()}
    return value


class Ready(NamedTuple):
    """A leaf with everything about it that no situation changes; ``needed`` is None where it must be computed each time."""

    leaf: _Leaf
    text: str
    subject: Field | Reference | None
    reference: str
    holds: Callable[[Situation], bool]
    needed: dict[str, Any] | None


def ready(tree: Node) -> tuple[Ready, ...] | None:
    """Prepare the leaves of a condition once; None for one with a choice, whose leaves depend on the situation."""
    if any(isinstance(each, Op) and each.op == "if" for each in walk(tree)):
        return None
    nowhere = Scope(Situation())
    return tuple(_ready(leaf, nowhere) for leaf in _leaves(tree, nowhere, wanted=True))


def _ready(leaf: _Leaf, nowhere: Scope) -> Ready:
    subject = _subject(leaf.node)
    known = all(each == subject or not isinstance(each, Field | Reference) for each in walk(leaf.node))
    needed = _needed(leaf, nowhere) if known else None
    return Ready(leaf, leaf.text, subject, _written(subject), compiled(leaf.node), needed[1] if needed else None)


def clauses(tree: Node, situation: Situation, prepared: tuple[Ready, ...] | None = None) -> tuple[Clause, ...]:
    """Return every leaf that counts: of a choice, the test and the side that was taken."""
    if prepared is not None:
        return tuple(_quick_clause(each, situation) for each in prepared)
    scope = Scope(situation)
    return tuple(_clause(leaf, scope) for leaf in _leaves(tree, scope, wanted=True))


def _quick_clause(prepared: Ready, situation: Situation) -> Clause:
    leaf, text, subject, reference, holds, needed = prepared
    try:
        outcome = "true" if holds(situation) is leaf.wanted else "false"
    except EvaluationError:
        return _clause(leaf, Scope(situation))
    if needed is None:
        return _clause(leaf, Scope(situation))
    return Clause(text, outcome, reference, needed, _seen(subject, Scope(situation)), "")


def _leaves(node: Node, scope: Scope, *, wanted: bool) -> Iterator[_Leaf]:
    match node:
        case Op("and" | "or", args):
            for each in args:
                yield from _leaves(each, scope, wanted=wanted)
        case Op("not", (part,)):
            yield from _leaves(part, scope, wanted=not wanted)
        case Op("if", (test, then, otherwise)):
            try:
                taken = evaluate(test, scope) is True
            except EvaluationError:
                yield from _leaves(test, scope, wanted=True)
                return
            yield from _leaves(test, scope, wanted=taken)
            yield from _leaves(then if taken else otherwise, scope, wanted=wanted)
        case _:
            yield _Leaf(node, wanted)


def _clause(leaf: _Leaf, scope: Scope) -> Clause:
    error = ""
    try:
        value = evaluate(leaf.node, scope)
        outcome = "true" if value is leaf.wanted else "false" if isinstance(value, bool) else "error"
        if outcome == "error":
            error = "not a truth value"
    except EvaluationError as failure:
        outcome, error = "error", str(failure)
    subject = _subject(leaf.node)
    needed = _needed(leaf, scope)
    return Clause(leaf.text, outcome, _written(subject), needed[1] if needed else {"op": "holds"}, _seen(subject, scope), error)


def _subject(node: Node) -> Field | Reference | None:
    """Return what decides a leaf: an attribute of the resource if there is one, else the first thing named."""
    named = [each for each in walk(node) if isinstance(each, Field | Reference)]
    return next((each for each in named if isinstance(each, Field)), named[0] if named else None)


def _written(subject: Field | Reference | None) -> str:
    return "" if subject is None else text_of(subject)


def _seen(subject: Field | Reference | None, scope: Scope) -> Any:
    if subject is None:
        return None
    try:
        return plain(evaluate(subject, scope))
    except EvaluationError:
        return None


def _needed(leaf: _Leaf, scope: Scope) -> tuple[Any, dict[str, Any]] | None:
    """Say what the leaf's subject must be, as (known value, operator and value); None if that has no simple form."""
    subject = _subject(leaf.node)
    match leaf.node:
        case Field() | Reference():
            return leaf.wanted, {"op": "==", "value": leaf.wanted}
        case Op("has", (part,)) if part == subject:
            return None, {"op": "present" if leaf.wanted else "absent"}
        case Op(op, (left, right)) if op in COMPARISONS and subject in {left, right}:
            other = right if left == subject else left
            turned = op if left == subject else MIRRORED[op]
            return _with(other, COMPARISONS[turned if leaf.wanted else _OPPOSITE[turned]], scope)
        case Op("in", (left, right)) if left == subject:
            return _with(right, "in" if leaf.wanted else "not in", scope)
        case Op("in", (left, right)) if right == subject:
            return _with(left, "contains" if leaf.wanted else "lacks", scope)
        case Op("starts_with" | "ends_with" | "contains" as op, (left, right)) if left == subject:
            return _with(right, _NAMES[op] if leaf.wanted else f"not {_NAMES[op]}", scope)
        case Op("ip_in_range", (left, right)) if left == subject:
            return _with(right, "in network" if leaf.wanted else "not in network", scope)
    return None


def _with(other: Node, op: str, scope: Scope) -> tuple[Any, dict[str, Any]] | None:
    try:
        value = evaluate(other, scope)
    except EvaluationError:
        return None
    return value, {"op": op, "value": plain(value)}


def smallest_change(tree: Node, situation: Situation) -> tuple[Change, ...] | None:
    """Return the fewest changes that would make the condition true, each tried out before it is said."""
    scope = Scope(situation)
    try:
        alternatives = _alternatives(tree, wanted=True)
    except OverflowError:
        return None
    best: tuple[Change, ...] | None = None
    for alternative in alternatives:
        changes = _changes(tree, alternative, scope)
        if changes is not None and (
            best is None or len({each.reference for each in changes}) < len({each.reference for each in best})
        ):
            best = changes
    return best


def _alternatives(node: Node, *, wanted: bool) -> list[tuple[_Leaf, ...]]:
    """Return the ways in which a condition can be true, each a list of leaves."""
    match node:
        case Op("and" | "or" as op, args):
            parts = [_alternatives(each, wanted=wanted) for each in args]
            if (op == "or") is wanted:
                ways = [way for part in parts for way in part]
            else:
                count = 1
                for part in parts:
                    count *= len(part)
                    _limit(count)
                ways = [tuple(leaf for way in chosen for leaf in way) for chosen in product(*parts)]
        case Op("not", (part,)):
            return _alternatives(part, wanted=not wanted)
        case Op("if", (test, then, otherwise)):
            ways = [
                (*first, *second)
                for outcome, side in ((True, then), (False, otherwise))
                for first in _alternatives(test, wanted=outcome)
                for second in _alternatives(side, wanted=wanted)
            ]
        case _:
            return [(_Leaf(node, wanted),)]
    _limit(len(ways))
    return ways


def _limit(count: int) -> None:
    if count > MOST_ALTERNATIVES:
        raise OverflowError


def _changes(tree: Node, leaves: tuple[_Leaf, ...], scope: Scope) -> tuple[Change, ...] | None:
    failing: dict[Field | Reference, list[tuple[Any, dict[str, Any]]]] = {}
    for leaf in leaves:
        try:
            if leaf.holds(scope):
                continue
        except EvaluationError:
            pass
        subject, needed = _subject(leaf.node), _needed(leaf, scope)
        if subject is None or needed is None or isinstance(leaf.node, Quantifier):
            return None
        failing.setdefault(subject, []).append(needed)
    situation = scope.situation
    for subject in failing:
        about = [leaf for leaf in leaves if _subject(leaf.node) == subject]
        changed = _witnessed(subject, about, situation)
        if changed is None:
            return None
        situation = changed
    try:
        if evaluate(tree, Scope(situation)) is not True:
            return None
    except EvaluationError:
        return None
    return tuple(
        Change(text_of(subject), needed, _seen(subject, scope)) for subject, needs in failing.items() for _, needed in needs
    )


def _witnessed(subject: Field | Reference, about: list[_Leaf], situation: Situation) -> Situation | None:
    """Find a value of the subject with which all leaves about it hold; returns the situation with it."""
    scope = Scope(situation)
    candidates: list[tuple[Any, ...]] = [()]
    for leaf in about:
        needed = _needed(leaf, scope)
        if needed is not None:
            candidates.extend((each,) for each in _candidates(needed[0], needed[1]["op"]))
    for candidate in candidates:
        changed = _replaced(situation, subject, candidate)
        if changed is None:
            continue
        try:
            if all(leaf.holds(Scope(changed)) for leaf in about):
                return changed
        except EvaluationError:
            continue
    return None


def _candidates(value: Any, op: str) -> Iterator[Any]:
    """Yield values that might do, the simplest first."""
    match op:
        case "present":
            yield from ("x", 1, True)
        case "in":
            yield from value if isinstance(value, list | tuple) else ()
        case "contains" | "lacks" | "startsWith" | "endsWith":
            yield from (value, [value], [], "")
        case "in network":
            yield str(value).split("/", maxsplit=1)[0]
        case _:
            yield value
            yield from _neighbours(value)


def _neighbours(value: Any) -> Iterator[Any]:
    """Yield values next to one."""
    match value:
        case bool():
            yield not value
        case int():
            yield from (value + 1, value - 1)
        case float():
            yield from (value + 1.0, value - 1.0, value + abs(value) / 2, value - abs(value) / 2)
        case str():
            yield from (f"{value}x", "", f"x{value}")
        case datetime():
            yield from (value + timedelta(microseconds=1), value - timedelta(microseconds=1))
        case timedelta():
            yield from (value + timedelta(microseconds=1), value - timedelta(microseconds=1))
        case _:
            yield from ("", 0)


def _replaced(situation: Situation, subject: Field | Reference, value: tuple[Any, ...]) -> Situation | None:
    """Return the situation in which the subject has this value, or is absent for ``()``; None if it cannot."""
    root, path = ("resource", (subject.name,)) if isinstance(subject, Field) else (subject.root, subject.path)
    changed = Situation(*[getattr(situation, name) for name in _ORDER])
    if not path:
        setattr(changed, root, value[0] if value else None)
        return changed
    top = dict(getattr(situation, root) or {})
    holder = top
    for key in path[:-1]:
        inner = holder.get(key)
        if inner is not None and not isinstance(inner, dict):
            return None
        holder[key] = dict(inner or {})
        holder = holder[key]
    if value:
        holder[path[-1]] = value[0]
    else:
        holder.pop(path[-1], None)
    setattr(changed, root, top)
    return changed


_ORDER = ("subject", "agent", "user", "resource", "action", "context", "task", "now")
