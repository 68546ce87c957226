"""Small organizations to ask questions about: a base in which the answer is yes, to be changed one thing at a time."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from uuid import UUID

from permissions.engine.conditions import Condition, check, load
from permissions.engine.types import (
    Assignment,
    BlueprintFacts,
    Ceiling,
    ConsentFacts,
    DelegationFacts,
    Entitlement,
    GuardrailFacts,
    Holding,
    Mode,
    Principal,
    Question,
    ResourceFacts,
    Rule,
    RunFacts,
    TeamFacts,
    TrustFacts,
    TypeFacts,
    World,
)

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
PAST = NOW - timedelta(hours=1)
FUTURE = NOW + timedelta(hours=1)
ORGANIZATION = UUID("01970000-0000-7000-8000-000000000001")

RECORD = TypeFacts(
    "record",
    "crm",
    frozenset({"read", "write", "delete"}),
    {"region": "string", "status": "string", "amount": "double", "count": "int", "tags": "list<string>"},
    ("title", "email", "iban"),
    {"title": "internal", "email": "personal", "iban": "sensitive"},
)
BLOB = TypeFacts("blob", "crm", frozenset({"read"}), {"size": "int"})
TITLE, EMAIL, IBAN = (RECORD.bits[name] for name in RECORD.fields)
ALL = RECORD.full


@cache
def _loaded(source: str, declared: tuple[tuple[str, str], ...] | None) -> Condition:
    return load(source, check(source, resource=None if declared is None else dict(declared)))


def cel(source: str, resource_type: TypeFacts | None = RECORD) -> Condition:
    """Load a condition; for rules over all types, with ``None``."""
    return _loaded(source, None if resource_type is None else tuple(resource_type.attributes.items()))


def rule(name: str, kind: str = "grant") -> Rule:
    return Rule(kind, name)


def entitlement(
    actions: str = "read", *, fields: str | None = None, name: str = "e", type_: TypeFacts = RECORD, **selector: Any
) -> Entitlement:
    """Make an entitlement; ``actions`` and ``fields`` are words, ``*`` is every action."""
    for key in ("where", "when"):
        if isinstance(selector.get(key), str):
            selector[key] = cel(selector[key], type_)
    return Entitlement(
        type_.name,
        None if actions == "*" else frozenset(actions.split()),
        rule(name),
        fields=-1 if fields is None else type_.mask(fields.split()),
        **selector,
    )


def holding(
    actions: str = "read", *, mode: Mode = Mode.USE, since: Any = None, until: Any = None, name: str = "g1", **what: Any
) -> Holding:
    return Holding(entitlement(actions, name=name, **what), mode, since, until, rule(name))


def index(*holdings: Holding) -> dict[tuple[str, str], tuple[Holding, ...]]:
    """File holdings under type and action, as the mapper does."""
    found: dict[tuple[str, str], tuple[Holding, ...]] = {}
    for each in holdings:
        actions = each.entitlement.actions
        for action in ("*",) if actions is None else sorted(actions):
            key = (each.entitlement.type, action)
            found[key] = (*found.get(key, ()), each)
    return found


def role(*entitlements: Entitlement) -> dict[tuple[str, str], tuple[Entitlement, ...]]:
    found: dict[tuple[str, str], tuple[Entitlement, ...]] = {}
    for each in entitlements:
        for action in ("*",) if each.actions is None else sorted(each.actions):
            found[each.type, action] = (*found.get((each.type, action), ()), each)
    return found


def assigned(name: str, *, mode: Mode = Mode.USE, since: Any = None, until: Any = None) -> Assignment:
    return Assignment(name, mode, since, until, rule(name, "role"))


def ceiling(**actions: str | None) -> Ceiling:
    """Limit the type ``record``: ``ceiling(read="title email")``; None for all fields, ``any`` for every action."""
    return Ceiling(
        {
            ("record", "*" if name == "any" else name): RECORD.mask(None if fields is None else fields.split())
            for name, fields in actions.items()
        }
    )


def consent(
    actions: str = "read",
    *,
    type_: str = "record",
    fields: int = ALL,
    purpose: str = "",
    task: str = "",
    since: Any = None,
    until: Any = None,
) -> ConsentFacts:
    return ConsentFacts(
        type_,
        None if actions == "*" else frozenset(actions.split()),
        fields,
        purpose,
        since,
        until,
        rule("c1", "consent"),
        task,
    )


def delegation(actions: str = "read", *, depth: int = 1, **what: Any) -> DelegationFacts:
    return DelegationFacts(holding(actions, name="d1", **what), depth)


def run(
    *, purpose: str = "", user: str | None = None, allows: Ceiling | None = None, since: datetime = PAST, until: Any = None
) -> RunFacts:
    return RunFacts("t1", purpose, user, allows, since, until, rule("run-1", "run"))


def trust(*, agents: Any = None, fields: Any = None, agreed: bool = True, until: Any = None) -> TrustFacts:
    return TrustFacts(agents, fields, agreed, until, rule("trust-1", "trust"))


def rail(effect: str, name: str = "rail", **what: Any) -> GuardrailFacts:
    """Make a guardrail; ``actions``, ``fields`` and ``data_classes`` are words."""
    for key in ("actions", "fields", "data_classes"):
        if isinstance(what.get(key), str):
            what[key] = frozenset(what[key].split())
    if isinstance(what.get("when"), str):
        what["when"] = cel(what["when"], RECORD if what.get("type") == "record" else None)
    return GuardrailFacts(name, effect, rule(name, "guardrail"), **what)


def principal(ref: str, **facts: Any) -> Principal:
    kind, _, name = ref.partition("/")
    view = {"type": kind, "kind": "agent" if kind == "agent" else "person", "id": name, "name": name, **facts.pop("view", {})}
    return Principal(kind, name, view, grants=index(*facts.pop("grants", ())), **facts)


@dataclass
class Scene:
    """A world and a question that can be changed before they are made.

    In the base, ``agent/worker`` reads ``record-1`` through the role ``reader``. Its blueprint and capabilities, its parent
    ``agent/root``, the user ``alice``, the delegator ``agent/planner`` and a task stand ready.
    """

    people: dict[str, dict[str, Any]] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    question: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.people = {
            "agent/worker": {
                "assignments": (assigned("reader"),),
                "blueprint": "clerk",
                "capabilities": ceiling(read=None, write=None),
                "parent": "agent/root",
                "view": {"department": "support", "environment": "production"},
            },
            "agent/root": {"grants": (holding("read write", mode=Mode.DELEGATE),), "parent": None},
            "user/alice": {
                "grants": (holding("read", name="alices"),),
                "consents": {"worker": (consent(),), "planner": (consent(),)},
                "view": {"department": "support", "email": "alice@acme.example"},
            },
            "agent/planner": {
                "grants": (holding("read", mode=Mode.DELEGATE),),
                "delegations": {"worker": (delegation(),)},
            },
        }
        self.facts = {
            "types": {"record": RECORD, "blob": BLOB},
            "roles": {"reader": role(entitlement("read"))},
            "blueprints": {"clerk": BlueprintFacts("clerk", ceiling(any=None))},
            "resources": {
                ("record", "record-1"): ResourceFacts(
                    "record", "record-1", {"region": "EU", "amount": 50.0}, (("folder", "f2"), ("folder", "f1"))
                ),
                ("record", "elsewhere"): ResourceFacts("record", "elsewhere", {"region": "US"}, ()),
                ("folder", "f2"): ResourceFacts("folder", "f2", {}, (("folder", "f1"),)),
            },
        }
        self.question = {"subject": "agent/worker", "action": "read", "type": "record", "resource": "record-1", "now": NOW}

    def of(self, name: str, **facts: Any) -> "Scene":
        """Change facts about a principal; ``alice`` is the user, others are agents."""
        ref = name if "/" in name else f"{'user' if name == 'alice' else 'agent'}/{name}"
        self.people.setdefault(ref, {}).update(facts)
        return self

    def world(self, **facts: Any) -> "Scene":
        self.facts.update(facts)
        return self

    def ask(self, **question: Any) -> "Scene":
        self.question.update(question)
        return self

    def rails(self, *rails: GuardrailFacts) -> "Scene":
        return self.world(guardrails=rails)

    def holds(self, *holdings: Holding) -> "Scene":
        """Let the worker hold nothing but these."""
        return self.of("worker", assignments=(), grants=holdings)

    def for_alice(self) -> "Scene":
        return self.ask(on_behalf_of="user/alice")

    def delegated(self) -> "Scene":
        return self.ask(delegation=("agent/planner",))

    def on_task(self, *runs: RunFacts) -> "Scene":
        return self.ask(task_id="t1").world(runs={("agent/worker", "t1"): runs})

    def from_partner(self, agreement: TrustFacts | None) -> "Scene":
        return self.of("worker", partner="globex").world(trusts={} if agreement is None else {"globex": agreement})

    def in_team(self, *, grants: tuple[Holding, ...] = (), assignments: tuple[Assignment, ...] = ()) -> "Scene":
        self.of("alice", grants=(), teams=("finance", "unknown"))
        return self.world(teams={"finance": TeamFacts("finance", assignments, index(*grants))}).ask(subject="user/alice")

    def made(self) -> tuple[World, Question]:
        principals = {ref: principal(ref, **dict(facts)) for ref, facts in self.people.items()}
        return World(ORGANIZATION, "acme", 7, principals=principals, **self.facts), Question(**self.question)
