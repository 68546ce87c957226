"""YAML 1.2 (and JSON, which it includes) as a tree that knows where everything stands.

Scalars are read by the core schema of YAML 1.2.2 (section 10.3.2) whatever the file asks for: ``NO`` is a text, ``010`` is ten.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    Event,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceStartEvent,
)

MOST_NODES: Final = 2_000_000
DEEPEST: Final = 64

_NULL: Final = re.compile(r"~|null|Null|NULL|")
_BOOL: Final = re.compile(r"true|True|TRUE|false|False|FALSE")
_INT: Final = re.compile(r"[-+]?[0-9]{1,1000}|0o[0-7]{1,1000}|0x[0-9a-fA-F]{1,1000}")
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE: Final = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_STANDARD: Final = "tag:yaml.org,2002:"
_COLLECTIONS: Final = frozenset({None, "!", f"{_STANDARD}map", f"{_STANDARD}seq"})


class BadTree(Exception):
    """The text cannot be read; line and column count from 1."""

    def __init__(self, message: str, line: int, column: int) -> None:
        super().__init__(message)
        self.message = message
        self.line = line
        self.column = column


@dataclass(slots=True)
class Node:
    """A value and where it starts: a scalar, a list of nodes, or nodes by key; an alias stands for the node it names.

    ``style`` is how a scalar was quoted: none, ``'``, ``"``, ``|`` or ``>``. ``size`` counts the nodes within.
    """

    line: int
    column: int
    value: Any
    style: str = ""
    keys: dict[str, tuple[int, int]] = field(default_factory=dict)
    size: int = 1

    def plain(self) -> Any:
        """The value without positions."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value


def read_trees(text: str) -> list[Node]:
    """Read every document of a YAML text; raises BadTree. Linear in what the text says with its aliases written out."""
    try:
        return list(_documents(YAML(typ="safe", pure=True).parse(text)))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (1, 1) if mark is None else (mark.line + 1, mark.column + 1)
        raise BadTree(_words(error), line, column) from error


def _words(error: MarkedYAMLError) -> str:
    words = str(error.problem or error.context or "this is not YAML").strip()
    if "'\\t'" in words:
        return "A tab cannot indent; use spaces."
    context = "" if error.context is None or error.problem is None else f" ({error.context})"
    return f"This is not YAML: {words}{context}."


def _documents(events: Iterator[Event]) -> Iterator[Node]:
    for event in events:
        if not isinstance(event, DocumentStartEvent):
            continue
        if event.version is not None and tuple(event.version) != (1, 2):
            raise BadTree("Only YAML 1.2 is read.", event.start_mark.line + 1, 1)
        root = _Reader(events).node(next(events), depth=0)
        following = next(events)
        if not isinstance(following, DocumentEndEvent):
            raise BadTree("Something follows the document.", following.start_mark.line + 1, following.start_mark.column + 1)
        yield root


class _Reader:
    """Reads the nodes of one document; anchors last as long as it does."""

    def __init__(self, events: Iterator[Event]) -> None:
        self.events = events
        self.anchors: dict[str, Node | None] = {}
        self.nodes = 0

    def node(self, event: Event, *, depth: int) -> Node:
        """Read what an event begins."""
        line, column = event.start_mark.line + 1, event.start_mark.column + 1
        if depth > DEEPEST:
            raise BadTree(f"This is nested more than {DEEPEST} deep.", line, column)
        if isinstance(event, AliasEvent):
            return self._alias(event, line, column)
        if isinstance(event, NodeEvent) and event.anchor is not None:
            self.anchors[event.anchor] = None
        if isinstance(event, ScalarEvent):
            node = Node(line, column, _scalar(event, line, column), event.style or "")
        elif isinstance(event, MappingStartEvent):
            node = self._mapping(event, line, column, depth=depth)
        elif isinstance(event, SequenceStartEvent):
            node = self._sequence(event, line, column, depth=depth)
        else:
            raise BadTree("This is not YAML.", line, column)
        if isinstance(event, NodeEvent) and event.anchor is not None:
            self.anchors[event.anchor] = node
        self._count(1, line, column)
        return node

    def _alias(self, event: AliasEvent, line: int, column: int) -> Node:
        target = self.anchors.get(event.anchor)
        if target is None:
            within = event.anchor in self.anchors
            raise BadTree(
                f"*{event.anchor} stands within what it names." if within else f"Nothing is anchored as &{event.anchor}.",
                line,
                column,
            )
        self._count(target.size, line, column)
        return target

    def _count(self, nodes: int, line: int, column: int) -> None:
        self.nodes += nodes
        if self.nodes > MOST_NODES:
            raise BadTree(f"With its aliases written out, this has more than {MOST_NODES:,} values.", line, column)

    def _mapping(self, start: MappingStartEvent, line: int, column: int, *, depth: int) -> Node:
        _require_known_tag(start.tag, line, column)
        node = Node(line, column, {})
        while not _ends(event := next(self.events)):
            key_line, key_column = event.start_mark.line + 1, event.start_mark.column + 1
            key = self.node(event, depth=depth + 1).value
            if not isinstance(key, str):
                raise BadTree("A key must be a text; put it in quotes.", key_line, key_column)
            if key in node.value:
                first_line, first_column = node.keys[key]
                raise BadTree(
                    f'"{key}" is here twice; first in line {first_line}, column {first_column}.', key_line, key_column
                )
            node.keys[key] = key_line, key_column
            node.value[key] = child = self.node(next(self.events), depth=depth + 1)
            node.size += child.size + 1
        return node

    def _sequence(self, start: SequenceStartEvent, line: int, column: int, *, depth: int) -> Node:
        _require_known_tag(start.tag, line, column)
        node = Node(line, column, [])
        while not _ends(event := next(self.events)):
            child = self.node(event, depth=depth + 1)
            node.value.append(child)
            node.size += child.size
        return node


def _ends(event: Event) -> bool:
    return type(event).__name__ in {"MappingEndEvent", "SequenceEndEvent"}


def _require_known_tag(tag: Any, line: int, column: int) -> None:
    if (None if tag is None else str(tag)) not in _COLLECTIONS:
        raise BadTree(f"The tag {tag} is not read.", line, column)


def _scalar(event: ScalarEvent, line: int, column: int) -> Any:
    tag = None if event.tag is None else str(event.tag)
    text: str = event.value
    if tag in (f"{_STANDARD}str", "!"):
        return text
    if tag is None:
        plain = event.implicit[0]
        return _core(text, line, column) if plain else text
    if tag in {f"{_STANDARD}{kind}" for kind in ("int", "float", "bool", "null")}:
        return _core(text, line, column)
    raise BadTree(f"The tag {tag} is not read.", line, column)


def _core(text: str, line: int, column: int) -> Any:
    if _NULL.fullmatch(text):
        return None
    if _BOOL.fullmatch(text):
        return text.lower() == "true"
    if _INT.fullmatch(text):
        return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
    if _NOT_FINITE.fullmatch(text):
        raise BadTree(f"{text} is not a number that can be stored.", line, column)
    if _FLOAT.fullmatch(text):
        number = float(text)
        if not math.isfinite(number):
            raise BadTree(f"{text} is too large a number.", line, column)
        return number
    return text
