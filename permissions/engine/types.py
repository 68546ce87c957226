"""What the engine is given and what it answers: plain immutable values, no database, no clock.

Fields of a resource type are bits of an integer, so that "which cells" is one ``&`` per term of the authority formula. A type
that declares no fields has one bit that stands for the whole object.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntFlag, StrEnum
from typing import Any, Final, NamedTuple, TypeAlias
from uuid import UUID

from permissions.engine.conditions import Condition

Ref: TypeAlias = str
"""``agent/<id>`` or ``user/<id>``."""

ResourceKey: TypeAlias = tuple[str, str]
"""Type and id of a resource."""


class _Nothing(dict[Any, Any]):
    """A mapping that is and stays empty; hashable, so that it can be a default."""

    __slots__ = ()

    def __hash__(self) -> int:  # type: ignore[override]
        return 0

    def __setitem__(self, key: Any, value: Any) -> None:
        raise TypeError("this mapping stays empty")

    setdefault = update = __ior__ = __setitem__  # type: ignore[assignment]


EMPTY: Final[Mapping[Any, Any]] = _Nothing()


class Effect(StrEnum):
    """The three answers."""

    ALLOW = "allow"
    DENY = "deny"
    ESCALATE = "escalate"


class Mode(IntFlag):
    """What a holding is for: using it, or handing it on."""

    USE = 1
    DELEGATE = 2
    ANY = 3

    # The flags' own operator makes a member out of every result: 1 µs against 0.1, several times in each decision.
    __and__ = __rand__ = int.__and__  # type: ignore[assignment]


class Rule(NamedTuple):
    """Names a rule in an answer: what it is, its id, its version, and through what it came."""

    kind: str
    id: str
    version: int = 1
    label: str = ""
    via: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Entitlement:
    """The unit of what can be held: a type, actions, a selector, fields, and a condition on the situation."""

    type: str
    actions: frozenset[str] | None
    rule: Rule
    resource: str | None = None
    subtree: ResourceKey | None = None
    where: Condition | None = None
    when: Condition | None = None
    fields: int = -1

    def covers(self, action: str) -> bool:
        """Tell whether the action is among its actions; None stands for every action of the type."""
        return self.actions is None or action in self.actions


class Holding(NamedTuple):
    """An entitlement in somebody's hands: for what use, and from when to when."""

    entitlement: Entitlement
    mode: int
    not_before: datetime | None
    until: datetime | None
    rule: Rule


Index: TypeAlias = Mapping[tuple[str, str], tuple[Holding, ...]]
"""Holdings by type and action; the action ``*`` stands for every action of the type."""


class Assignment(NamedTuple):
    """A role in somebody's hands."""

    role: str
    mode: int
    not_before: datetime | None
    until: datetime | None
    rule: Rule


@dataclass(frozen=True, slots=True)
class Ceiling:
    """What can never be exceeded: for each type and action, the fields; ``*`` stands for every action of the type."""

    allowed: Mapping[tuple[str, str], int]

    def mask(self, type_name: str, action: str) -> int:
        """Give the fields that stay possible."""
        return self.allowed.get((type_name, action), 0) | self.allowed.get((type_name, "*"), 0)


@dataclass(frozen=True, slots=True)
class TypeFacts:
    """A resource type: its actions, its typed attributes, its fields with their data classes."""

    name: str
    application: str
    actions: frozenset[str]
    attributes: Mapping[str, str] = EMPTY
    fields: tuple[str, ...] = ()
    data_classes: Mapping[str, str] = EMPTY
    bits: Mapping[str, int] = field(init=False, repr=False, compare=False)
    full: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Give each field its bit."""
        bits = {name: 1 << position for position, name in enumerate(self.fields)}
        object.__setattr__(self, "bits", bits)
        object.__setattr__(self, "full", (1 << len(bits)) - 1 if bits else 1)

    def mask(self, names: frozenset[str] | tuple[str, ...] | list[str] | None) -> int:
        """Turn names of fields into bits; None stands for all, and unknown names for nothing."""
        if names is None:
            return self.full
        result = 0
        for name in names:
            result |= self.bits.get(name, 0)
        return result

    def class_mask(self, data_classes: frozenset[str] | None) -> int:
        """Give the fields of these data classes; a type without fields has no class to leave out."""
        if data_classes is None or not self.fields:
            return self.full
        return self.mask([name for name in self.fields if self.data_classes.get(name) in data_classes])

    def names(self, mask: int) -> tuple[str, ...]:
        """Turn bits into names, in the order in which the type declares them."""
        return tuple(name for name, bit in self.bits.items() if mask & bit)


@dataclass(frozen=True, slots=True)
class ResourceFacts:
    """A registered resource: its stored attributes and the chain of resources it lies in, nearest first."""

    type: str
    id: str
    attributes: Mapping[str, Any] = EMPTY
    ancestors: tuple[ResourceKey, ...] = ()


class ConsentFacts(NamedTuple):
    """A user's yes to one agent; ``fields`` and data classes narrow it to cells."""

    type: str
    actions: frozenset[str] | None
    fields: int
    purpose: str
    not_before: datetime | None
    until: datetime | None
    rule: Rule
    task: str = ""
    """The task that it was given for; empty for any."""


class DelegationFacts(NamedTuple):
    """One agent lets another act for it; ``depth`` counts the links that may follow the delegator."""

    holding: Holding
    depth: int


class RunFacts(NamedTuple):
    """One task that an agent is or was on."""

    task_id: str
    purpose: str
    on_behalf_of: str | None
    allows: Ceiling | None
    started_at: datetime
    until: datetime | None
    rule: Rule


class TrustFacts(NamedTuple):
    """What a partner's agents may touch here; it stands only while both sides agree."""

    agents: frozenset[str] | None
    fields: Mapping[str, int] | None
    agreed: bool
    until: datetime | None
    rule: Rule


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody who may act: an agent or a user, with everything that is in their hands."""

    kind: str
    id: str
    view: Mapping[str, Any]
    inactive: str = ""
    """Why it may not act at all; empty when it may."""
    until: datetime | None = None
    assignments: tuple[Assignment, ...] = ()
    grants: Index = EMPTY
    teams: tuple[str, ...] = ()
    blueprint: str | None = None
    capabilities: Ceiling | None = None
    parent: Ref | None = None
    consents: Mapping[str, tuple[ConsentFacts, ...]] = EMPTY
    delegations: Mapping[str, tuple[DelegationFacts, ...]] = EMPTY
    partner: str | None = None
    """The trust through which a partner's agent comes; None for the organization's own."""
    ref: Ref = field(init=False)
    """Its kind and id."""

    def __post_init__(self) -> None:
        """Write the reference once: every decision names it several times."""
        object.__setattr__(self, "ref", f"{self.kind}/{self.id}")


@dataclass(frozen=True, slots=True)
class BlueprintFacts:
    """What agents of one kind inherit, and what they never exceed."""

    id: str
    ceiling: Ceiling | None = None
    roles: tuple[Assignment, ...] = ()


@dataclass(frozen=True, slots=True)
class TeamFacts:
    """What a team holds, for everybody in it."""

    id: str
    assignments: tuple[Assignment, ...] = ()
    grants: Index = EMPTY


@dataclass(frozen=True, slots=True)
class GuardrailFacts:
    """A rule of the organization that only narrows; its fields are names and classes, as it can stand over many types."""

    id: str
    effect: str
    rule: Rule
    type: str | None = None
    actions: frozenset[str] | None = None
    when: Condition | None = None
    fields: frozenset[str] | None = None
    data_classes: frozenset[str] | None = None
    reason: str = ""
    report_only: bool = False

    def scope(self, resource_type: TypeFacts) -> int | None:
        """Give the fields it is about; None when it is about the whole request."""
        if self.fields is None and self.data_classes is None:
            return None
        by_name = 0 if self.fields is None else resource_type.mask(self.fields)
        by_class = 0 if self.data_classes is None or not resource_type.fields else resource_type.class_mask(self.data_classes)
        return by_name | by_class


@dataclass(frozen=True, slots=True)
class World:
    """Everything about one organization that an answer can depend on, as it stood at one revision."""

    organization_id: UUID
    organization: str
    revision: int
    time_zone: str = "UTC"
    inactive: str = ""
    types: Mapping[str, TypeFacts] = EMPTY
    roles: Mapping[str, Mapping[tuple[str, str], tuple[Entitlement, ...]]] = EMPTY
    blueprints: Mapping[str, BlueprintFacts] = EMPTY
    teams: Mapping[str, TeamFacts] = EMPTY
    guardrails: tuple[GuardrailFacts, ...] = ()
    trusts: Mapping[str, TrustFacts] = EMPTY
    principals: Mapping[Ref, Principal | None] = EMPTY
    resources: Mapping[ResourceKey, ResourceFacts | None] = EMPTY
    runs: Mapping[tuple[Ref, str], tuple[RunFacts, ...]] = EMPTY
    """What an agent is and was doing on a task, by agent and task id."""
    guardrail_index: dict[tuple[str, str], tuple[GuardrailFacts, ...]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def guardrails_for(self, type_name: str, action: str) -> tuple[GuardrailFacts, ...]:
        """List the guardrails over one action of one type; computed once for each pair."""
        key = (type_name, action)
        found = self.guardrail_index.get(key)
        if found is None:
            found = tuple(
                rail
                for rail in self.guardrails
                if (rail.type is None or rail.type == type_name) and (rail.actions is None or action in rail.actions)
            )
            self.guardrail_index[key] = found
        return found


@dataclass(frozen=True, slots=True)
class Question:
    """May this subject do this, on this object, with these fields, for this user, on this task, now?"""

    subject: Ref
    action: str
    type: str
    resource: str
    now: datetime
    fields: tuple[str, ...] | None = None
    subject_properties: Mapping[str, Any] = EMPTY
    action_properties: Mapping[str, Any] = EMPTY
    resource_properties: Mapping[str, Any] = EMPTY
    context: Mapping[str, Any] = EMPTY
    on_behalf_of: Ref | None = None
    delegation: tuple[Ref, ...] = ()
    task_id: str = ""
    task_purpose: str = ""
    within: tuple[Entitlement, ...] | None = None
    """What the token of whoever asks was issued for, and nothing beyond; None where no token limits it."""


class Lost(NamedTuple):
    """The term of the authority formula that lost, and why."""

    term: str
    who: str
    reason: str


class Failure(NamedTuple):
    """A rule that could not be computed, and the error."""

    rule: Rule
    error: str


class Decision(NamedTuple):
    """One answer. ``allowed``, ``masked`` and ``denied`` are bits of the type's fields."""

    effect: Effect
    lost: Lost | None = None
    rules: tuple[Rule, ...] = ()
    allowed: int = 0
    masked: int = 0
    denied: int = 0
    failures: tuple[Failure, ...] = ()
    reported: tuple[Rule, ...] = ()
    """Guardrails in report-only mode that would have had a say."""

    @property
    def allows(self) -> bool:
        """Tell whether it is a yes."""
        return self.effect is Effect.ALLOW
