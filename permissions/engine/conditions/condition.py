"""A condition: checked once when it is saved, loaded into a function, asked many times."""

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

from permissions.engine.conditions import clauses as explanations
from permissions.engine.conditions import residual as partial
from permissions.engine.conditions.binding import parse, type_check
from permissions.engine.conditions.clauses import Change, Clause
from permissions.engine.conditions.compile import compiled
from permissions.engine.conditions.declared import ResourceAttributes, declared_for
from permissions.engine.conditions.errors import ConditionError
from permissions.engine.conditions.situation import Situation
from permissions.engine.conditions.spelling import position, with_dots
from permissions.engine.conditions.translate import translate
from permissions.engine.conditions.tree import Field, Node, Reference, walk
from permissions.engine.conditions.wire import decode
from permissions.engine.conditions.zones import in_zone

LONGEST_SOURCE = 2000


class Condition:
    """A loaded condition. Immutable; equal to another of the same text and checked bytes.

    ``references`` names everything that it looks at, like ``resource.region``, ``context.ip`` and ``now``.
    """

    __slots__ = ("_prepared", "checked", "holds", "references", "source", "time_zone", "tree")

    source: str
    checked: bytes
    time_zone: str
    tree: Node
    references: frozenset[str]
    _prepared: tuple[tuple[explanations.Ready, ...] | None, ...]
    """What explanations need, made when the first one is asked for."""
    holds: Callable[[Situation], bool]
    """Tell whether the condition holds in a situation; raises ``EvaluationError`` where it has no answer."""

    def __init__(self, source: str, checked: bytes, tree: Node, *, time_zone: str = "UTC") -> None:
        values = {
            "source": source,
            "checked": checked,
            "time_zone": time_zone,
            "tree": tree,
            "references": frozenset(_reference(each) for each in walk(tree) if isinstance(each, Field | Reference)),
            "holds": compiled(tree),
            "_prepared": (),
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"a condition cannot be changed: {name}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"a condition cannot be changed: {name}")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Condition) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    @property
    def _key(self) -> tuple[str, bytes, str]:
        return self.source, self.checked, self.time_zone

    def __repr__(self) -> str:
        return f"Condition({self.source!r})"

    def __reduce__(self) -> tuple[Callable[[str, bytes, str], "Condition"], tuple[str, bytes, str]]:
        return load, self._key

    def clauses(self, situation: Situation) -> tuple[Clause, ...]:
        """Return every leaf of the condition with what it needs and what it sees."""
        if not self._prepared:
            object.__setattr__(self, "_prepared", (explanations.ready(self.tree),))
        return explanations.clauses(self.tree, situation, self._prepared[0])

    def smallest_change(self, situation: Situation) -> tuple[Change, ...] | None:
        """Return the fewest changes that would make the condition hold; none if it does, None if it has no simple answer."""
        return explanations.smallest_change(self.tree, situation)

    def residual(self, situation: Situation, *, left_open: Iterable[str] = ()) -> Node:
        """Return what is left of the condition when everything but the row, and what is left open, is known.

        Attributes that ``situation.resource`` gives are taken as known. The tree is three-valued: wrap it in ``is_true``
        where the condition must hold, in ``is_false`` where it must not.
        """
        return partial.residual(self.tree, situation, left_open=left_open)


def _reference(node: Field | Reference) -> str:
    return f"resource.{node.name}" if isinstance(node, Field) else ".".join((node.root, *node.path))


def check(source: str, *, resource: ResourceAttributes | None = None, row_only: bool = False) -> bytes:
    """Parse and type-check a condition against what a resource type declares; returns the bytes to store beside it.

    With ``resource=None`` the rule is for all types and the attributes of its resource are open. With ``row_only`` it may
    look at nothing but the resource. Raises ``ConditionError`` with line and column; ``ValueError`` for a declaration that
    cannot be. Costs about 0.2 ms, 1 ms for the first condition of a type.
    """
    _refuse_unreadable(source)
    declared = declared_for(resource)
    text = with_dots(source, decode(parse(source)), declared) if "[" in source else source
    try:
        checked = type_check(text, resource)
    except ConditionError as refused:
        raise ConditionError(refused.message, source=source, line=refused.line, column=refused.column) from None
    tree = _translated(checked, source)
    outside = sorted(_reference(each) for each in walk(tree) if isinstance(each, Reference)) if row_only else []
    if outside:
        line, column = position(source, max(source.find(outside[0]), 0))
        raise ConditionError(
            f"a condition on rows can use resource only, not {outside[0]}", source=source, line=line, column=column
        )
    return checked


def _refuse_unreadable(source: str) -> None:
    if len(source) > LONGEST_SOURCE:
        raise ConditionError(f"a condition can have at most {LONGEST_SOURCE} characters", source=source)
    for offset, character in enumerate(source):
        if (character < " " and character not in "\t\n\r") or "\ud800" <= character <= "\udfff":
            line, column = position(source, offset)
            raise ConditionError(
                f"the character U+{ord(character):04X} cannot be used", source=source, line=line, column=column
            )


def _translated(checked: bytes, source: str) -> Node:
    try:
        return translate(decode(checked), source)
    except ConditionError:
        raise
    except ValueError as failure:
        raise ConditionError(str(failure), source=source) from None


@lru_cache(maxsize=8192)
def load(source: str, checked: bytes, time_zone: str = "UTC") -> Condition:
    """Make a condition of its text and the bytes that ``check`` gave; the last 8,192 are kept.

    Parts of timestamps that name no zone are read in ``time_zone``. Raises ``ConditionError`` if the bytes are not an
    expression that conditions may be. Costs about 0.5 ms the first time.
    """
    return Condition(source, checked, in_zone(_translated(checked, source), time_zone), time_zone=time_zone)
