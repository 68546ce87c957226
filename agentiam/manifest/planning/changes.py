"""A plan: the changes that people are shown, and the steps that services take for them, in an order that works."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, auto
from typing import Any, Literal, TypeAlias

import msgspec

from agentiam.kit.actors import Actor
from agentiam.manifest.documents import Part
from agentiam.manifest.mistakes import Mistake, Path
from agentiam.manifest.present import Present
from agentiam.manifest.reading import Source
from directory.models import Organization

Action = Literal["create", "update", "end", "remove"]
Fields: TypeAlias = Mapping[str, tuple[Any, Any]]


class Phase(IntEnum):
    """When a step is taken: what is referred to comes before what refers to it, and goes after it."""

    ORGANIZATION = auto()
    PEOPLE = auto()
    TEAMS = auto()
    APPLICATIONS = auto()
    TYPES = auto()
    RESOURCES = auto()
    ROLES = auto()
    ROLES_LOOSENED = auto()
    ROLES_FILLED = auto()
    BLUEPRINTS = auto()
    AGENTS = auto()
    TRUSTS = auto()
    ENDED = auto()
    GIVEN = auto()
    GUARDRAILS = auto()
    AGENTS_STOPPED = auto()
    ROLES_REMOVED = auto()
    RESOURCES_REMOVED = auto()
    TYPES_NARROWED = auto()
    APPLICATIONS_SUSPENDED = auto()
    PEOPLE_DEACTIVATED = auto()


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between what is wanted and what is there; ``fields`` are name: (old, new)."""

    action: Action
    kind: str
    id: str
    fields: Fields = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The change for a program."""
        fields = {name: {"old": old, "new": new} for name, (old, new) in self.fields.items()}
        return {"action": self.action, "kind": self.kind, "id": self.id, "fields": fields}


@dataclass(slots=True)
class Hand:
    """What the steps work with: the rows by their ids, growing as they are made, and who acts, why and when."""

    rows: dict[str, dict[Any, Any]]
    by: Actor
    reason: str
    now: datetime
    made: Organization | None

    @property
    def organization(self) -> Organization:
        """The organization; the first step makes it where it is missing."""
        if self.made is None:
            raise LookupError("the organization is made by the first step")
        return self.made

    @property
    def acting(self) -> dict[str, Any]:
        """Who acts, why and when, as every service takes it."""
        return {"by": self.by, "reason": self.reason, "now": self.now}


@dataclass(frozen=True, slots=True)
class Step:
    """One call of a service; ``path`` is the part of the manifest that asks for it."""

    phase: Phase
    path: Path
    run: Callable[[Hand], None]


@dataclass(slots=True)
class Plan:
    """Everything that an application of a manifest will do; notes say what it leaves undone, and why."""

    source: Source
    present: Present
    prune: bool
    now: datetime
    changes: list[Change] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    mistakes: list[Mistake] = field(default_factory=list)
    keys_for: list[tuple[str, str]] = field(default_factory=list)
    """The applications and agents that get a key, as (section, id)."""

    def change(self, action: Action, kind: str, name: str, fields: Fields | None = None) -> None:
        """Note a difference."""
        self.changes.append(Change(action, kind, name, fields or {}))

    def step(self, phase: Phase, path: Path, run: Callable[[Hand], None]) -> None:
        """Note a call of a service."""
        self.steps.append(Step(phase, path, run))

    def refuse(self, path: Path, message: str) -> None:
        """Note that something cannot be done."""
        self.mistakes.append(self.source.mistake(path, message))

    def ordered(self) -> list[Step]:
        """The steps in the order in which they are taken; within a phase as they were noted."""
        return sorted(self.steps, key=lambda step: step.phase)


def plain(value: Any) -> Any:
    """Turn a part into what JSON can say, without what is as by default."""
    if isinstance(value, Part):
        return {
            each.encode_name: plain(present)
            for each in msgspec.structs.fields(value)
            if (present := getattr(value, each.name)) != _default(each)
        }
    if isinstance(value, list):
        return [plain(each) for each in value]
    return msgspec.to_builtins(value)


def created(part: Part, *, besides: Iterable[str] = ()) -> dict[str, tuple[Any, Any]]:
    """The fields of a new part, but for what is left empty."""
    said = plain(part).items()
    return {name: (None, value) for name, value in said if name not in besides and value not in ("", None)}


def differences(old: Part, new: Part, *, besides: Iterable[str] = ()) -> dict[str, tuple[Any, Any]]:
    """The fields in which two parts differ, by the names of the format."""
    return {
        each.encode_name: (plain(before), plain(after))
        for each in msgspec.structs.fields(old)
        if each.name not in besides and (before := getattr(old, each.name)) != (after := getattr(new, each.name))
    }


def _default(described: msgspec.structs.FieldInfo) -> Any:
    if described.default_factory is not msgspec.NODEFAULT:
        return described.default_factory()
    return described.default
