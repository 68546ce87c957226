"""Whole organizations at random, with real conditions, and questions about them.

``HYPOTHESIS_PROFILE=thorough`` tries twenty times as many.
"""

import os
from collections.abc import Callable
from datetime import timedelta
from random import Random
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

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
    World,
)
from tests.engine.scenes import ALL, BLOB, NOW, ORGANIZATION, RECORD, cel, index, role

settings.register_profile("engine", max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
settings.register_profile("thorough", settings.get_profile("engine"), max_examples=2000)
EFFORT = settings.get_profile("thorough" if os.environ.get("HYPOTHESIS_PROFILE") == "thorough" else "engine")

AGENTS = ("a", "b", "c", "d")
PEOPLE = ("alice", "bob")
ROLES = ("reader", "writer")
DEPARTMENTS = ("support", "sales")
TOKEN = Rule("token", "t")
RESOURCES = ("r1", "r2", "r3", "r4")
ACTIONS = ("read", "write")
FOLDERS = ("f1", "f2")

ROW_CONDITIONS = [
    'resource.region == "EU"',
    'resource.region != "EU"',
    "resource.amount > 100.0",
    'resource.amount <= 50.0 || resource.status == "open"',
    "has(resource.region)",
    "!has(resource.status)",
    'resource.status in ["open", "new"]',
    'resource.region == "EU" && resource.amount < 200.0',
    'resource.id == "r1"',
    'resource.type == "record"',
    "10 / resource.count > 1",
    'resource.tags.exists(t, t == "vip")',
    'resource.region.startsWith("E")',
]
SITUATIONS = [
    "context.hour >= 9 && context.hour < 18",
    'subject.department == "support"',
    "action.properties.amount < 200.0",
    "resource.region == context.region",
    "resource.amount < action.properties.amount",
    'user.department == "support"',
    'agent.environment == "production"',
    'task.purpose == "refunds"',
    'now < timestamp("2026-06-01T12:00:00Z")',
    "has(context.region) || resource.amount > 100.0",
    "true",
    "false",
]
UNTYPED = [
    'resource.region == "EU"',
    "resource.amount > 100.0",
    "context.hour > 18",
    'subject.department == "sales"',
    "has(resource.status)",
]


class Maker:
    """Makes facts at random from a seed: one draw of hypothesis for a whole principal, as a world takes 80 ms otherwise."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)  # noqa: S311

    def one(self, *choices: Any) -> Any:
        return self.random.choice(choices)

    def rarely(self, value: Any, otherwise: Any = None, chance: float = 0.25) -> Any:
        return value if self.random.random() < chance else otherwise

    def some(self, count: int, make: Callable[[], Any]) -> tuple[Any, ...]:
        return tuple(make() for _ in range(self.random.randint(0 if self.random.random() < 0.15 else 1, count)))

    def instant(self) -> Any:
        return self.rarely(self.one(NOW - timedelta(hours=1), NOW, NOW + timedelta(hours=1)), chance=0.1)

    def actions(self) -> Any:
        return self.one(None, None, frozenset({"read"}), frozenset({"read"}), frozenset({"write"}), frozenset(ACTIONS))

    def mask(self) -> Any:
        return self.one(-1, -1, -1, -1, ALL, ALL, 1, 2, 3, 6, 7, 5, 0)

    def mode(self) -> Any:
        return self.one(*[Mode.ANY] * 6, Mode.USE, Mode.DELEGATE, Mode(0))

    def rule(self) -> Rule:
        return Rule("grant", str(self.random.randint(0, 999_999)))

    def where(self) -> Any:
        return self.rarely(cel(self.one(*ROW_CONDITIONS)), chance=0.4)

    def entitlement(self) -> Entitlement:
        return Entitlement(
            "record",
            self.actions(),
            self.rule(),
            resource=self.rarely(self.one(*RESOURCES), chance=0.15),
            subtree=self.rarely(self.one(("folder", "f1"), ("folder", "f2"), ("record", "r1")), chance=0.2),
            where=self.where(),
            when=self.rarely(cel(self.one(*SITUATIONS, *ROW_CONDITIONS)), chance=0.3),
            fields=self.mask(),
        )

    def holding(self) -> Holding:
        return Holding(self.entitlement(), self.mode(), self.instant(), self.instant(), self.rule())

    def grants(self) -> Any:
        return index(*self.some(4, self.holding))

    def assignment(self) -> Assignment:
        return Assignment(self.one(*ROLES, *ROLES, "ghost"), self.mode(), self.instant(), self.instant(), self.rule())

    def assignments(self) -> tuple[Assignment, ...]:
        return self.some(3, self.assignment)

    def ceiling(self) -> Any:
        allowed = {
            ("record", self.one("*", "*", *ACTIONS)): self.one(ALL, ALL, 3, 1, 0) for _ in range(self.random.randint(0, 3))
        }
        return self.rarely(Ceiling(allowed), chance=0.3)

    def consent(self) -> ConsentFacts:
        purpose = self.rarely("refunds", "")
        return ConsentFacts(
            self.one("record", "record", "blob"),
            self.actions(),
            self.mask(),
            purpose,
            self.instant(),
            self.instant(),
            self.rule(),
            self.rarely("t1", ""),
        )

    def delegation(self) -> DelegationFacts:
        return DelegationFacts(self.holding(), self.random.randint(0, 3))

    def between(self, make: Callable[[], Any]) -> dict[str, tuple[Any, ...]]:
        return {name: self.some(3, make) for name in AGENTS}

    def inactive(self) -> Any:
        return self.rarely("is suspended", "", chance=0.04)

    def attributes(self) -> dict[str, Any]:
        values = {
            "region": ("EU", "EU", "US", ""),
            "status": ("open", "new", "closed"),
            "amount": (0.0, 50.0, 100.5, 250.0),
            "count": (0, 1, 5),
            "tags": ([], ["vip"], ["old", "vip"], ["old"]),
        }
        return {name: self.one(*found) for name, found in values.items() if self.random.random() < 0.7}

    def agent(self, name: str) -> Principal:
        """An agent whose parent is one of those before it: at most three above the last."""
        view: dict[str, Any] = {"type": "agent", "kind": "agent", "id": name, "name": name}
        before = AGENTS[: AGENTS.index(name)]
        return Principal(
            "agent",
            name,
            view
            | self.rarely({"department": self.one(*DEPARTMENTS)}, {}, 0.7)
            | {"environment": self.one("production", "staging")},
            grants=self.grants(),
            inactive=self.inactive(),
            until=self.instant(),
            assignments=self.assignments(),
            blueprint=self.rarely(self.one("clerk", "clerk", "clerk", "free", "free", "free", "ghost")),
            capabilities=self.ceiling(),
            parent=self.rarely(f"agent/{self.one(*before)}", chance=0.4) if before else None,
            delegations=self.between(self.delegation),
            partner=self.rarely("globex", chance=0.1),
        )

    def person(self, name: str) -> Principal:
        return Principal(
            "user",
            name,
            {"type": "user", "kind": "person", "id": name} | self.rarely({"department": self.one(*DEPARTMENTS)}, {}, 0.7),
            grants=self.grants(),
            inactive=self.inactive(),
            assignments=self.assignments(),
            teams=self.one((), ("finance",), ("finance", "ghost")),
            consents=self.between(self.consent),
        )

    def guardrail(self) -> GuardrailFacts:
        name, over = str(self.random.randint(0, 999_999)), self.one("record", None)
        when = cel(self.one(*SITUATIONS, *ROW_CONDITIONS)) if over else cel(self.one(*UNTYPED), None)
        return GuardrailFacts(
            name,
            self.one("deny", "require_approval", "mask"),
            Rule("guardrail", name),
            type=over,
            actions=self.one(None, frozenset({"read"}), frozenset({"write"})),
            when=self.rarely(when, chance=0.7),
            fields=self.rarely(frozenset(self.random.sample([*RECORD.fields, "phone"], 2)), chance=0.5),
            data_classes=self.rarely(frozenset({self.one("internal", "personal", "secret")})),
            report_only=self.rarely(True, False),
        )

    def trust(self) -> TrustFacts:
        agents = frozenset(self.random.sample(AGENTS, 3))
        fields = {self.one("record", "record", "blob"): self.one(ALL, ALL, 1, 0)}
        return TrustFacts(
            self.rarely(agents), self.rarely(fields), self.rarely(False, True, chance=0.1), self.instant(), self.rule()
        )

    def run(self) -> RunFacts:
        started = self.one(NOW - timedelta(hours=2), NOW - timedelta(hours=2), NOW, NOW + timedelta(hours=1))
        user = self.rarely(self.one("user/alice", "user/bob"))
        return RunFacts("t1", self.one("", "refunds", "ads"), user, self.ceiling(), started, self.instant(), self.rule())

    def surroundings(self) -> dict[str, Any]:
        """What is around the principals."""
        ancestries = ((), (("folder", "f1"),), (("folder", "f2"), ("folder", "f1")))
        return {
            "inactive": self.rarely("is suspended", "", chance=0.02),
            "roles": {name: role(self.entitlement(), *self.some(2, self.entitlement)) for name in ROLES},
            "blueprints": {name: BlueprintFacts(name, self.ceiling(), self.assignments()) for name in ("clerk", "free")},
            "teams": {"finance": TeamFacts("finance", self.assignments(), self.grants())},
            "trusts": {} if self.rarely(True, chance=0.1) else {"globex": self.trust()},
            "resources": {
                **{
                    ("record", name): ResourceFacts("record", name, self.attributes(), self.one(*ancestries))
                    for name in RESOURCES[:2]
                },
                ("folder", "f2"): ResourceFacts("folder", "f2", {}, (("folder", "f1"),)),
            },
            "runs": {(f"agent/{name}", "t1"): self.some(2, self.run) for name in AGENTS[:2]},
        }


seeds = st.integers(0, 2**32)


def of(make: Callable[[Maker], Any]) -> st.SearchStrategy[Any]:
    return seeds.map(lambda seed: make(Maker(seed)))


@st.composite
def worlds(draw: Any) -> World:
    """One organization with four agents, two people, and everything that can be between them."""
    principals: dict[str, Principal | None] = {}
    for name in AGENTS:
        principals[f"agent/{name}"] = Maker(draw(seeds)).agent(name)
    for name in PEOPLE:
        principals[f"user/{name}"] = Maker(draw(seeds)).person(name)
    rails = draw(st.lists(guardrails, max_size=2))
    around = draw(of(Maker.surroundings))
    types = {"record": RECORD, "blob": BLOB}
    return World(ORGANIZATION, "acme", 1, types=types, guardrails=tuple(rails), principals=principals, **around)


guardrails = of(Maker.guardrail)
attributes = of(Maker.attributes)
departments = st.fixed_dictionaries({}, optional={"department": st.sampled_from(DEPARTMENTS)})
sent = st.builds(
    lambda found, parent: found if parent is None else {**found, "parent": {"type": "folder", "id": parent}},
    attributes,
    st.sampled_from([None, None, *FOLDERS]),
)
questions = st.builds(
    Question,
    st.sampled_from([*(f"agent/{name}" for name in AGENTS), "user/alice"] * 4 + ["agent/nobody"]),
    st.sampled_from(["read"] * 6 + ["write"] * 3 + ["fly"]),
    st.just("record"),
    st.sampled_from(RESOURCES),
    st.just(NOW),
    fields=st.sampled_from([None, None, (), ("title",), ("email",), ("title", "email"), ("title", "email", "iban")]),
    subject_properties=departments,
    action_properties=st.fixed_dictionaries({}, optional={"amount": st.sampled_from([50.0, 250.0])}),
    resource_properties=sent,
    context=st.fixed_dictionaries({}, optional={"hour": st.sampled_from([8, 12, 20]), "region": st.sampled_from(["EU", "US"])}),
    on_behalf_of=st.sampled_from([None, None, None, None, "user/alice", "user/bob"]),
    delegation=st.sampled_from(
        [(), (), (), (), (), (), ("agent/a",), ("agent/b",), ("agent/a", "agent/b"), ("agent/c", "agent/b")]
    ),
    task_id=st.sampled_from(["", "", "t1"]),
    task_purpose=st.sampled_from(["", "", "refunds"]),
    within=st.sampled_from(
        [
            None,
            None,
            None,
            (),
            (Entitlement("record", frozenset({"read"}), TOKEN),),
            (Entitlement("record", None, TOKEN, resource="r1"), Entitlement("record", frozenset({"read"}), TOKEN, fields=3)),
            (Entitlement("record", frozenset({"write"}), TOKEN),),
        ]
    ),
)
