"""The workload of all measurements.

50 roles of 20 entitlements on (type, action) pairs, each with a row condition and a list of fields; 3 roles and 20 direct
grants for each agent; questions of which about three in five are allowed. The same numbers come out of the same seed.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from permissions.engine.conditions import Condition, check, load
from permissions.engine.types import Assignment, Entitlement, Holding, Mode, Principal, Question, Rule, TypeFacts, World

TYPES: Final = 10
ACTIONS: Final = ("read", "write", "export", "delete", "approve")
FIELDS: Final = ("title", "email", "phone", "amount", "iban", "notes")
ATTRIBUTES: Final = {"region": "string", "status": "string", "amount": "double"}
REGIONS: Final = ("EU", "US", "APAC")
ROLES: Final = 50
ENTITLEMENTS_A_ROLE: Final = 20
ROLES_AN_AGENT: Final = 3
GRANTS_AN_AGENT: Final = 20
SOURCES: Final = (
    'resource.region == "EU"',
    'resource.region in ["EU", "US"]',
    'resource.status == "open" && resource.amount < 1000.0',
    'resource.amount <= 500.0 || resource.region == "APAC"',
)


@dataclass(frozen=True, slots=True)
class Wish:
    """One entitlement of the workload, before it is a row or a fact."""

    type: str
    action: str
    source: str
    fields: tuple[str, ...]


def type_name(number: int) -> str:
    """Name a resource type."""
    return f"type{number}"


def pairs() -> list[tuple[str, str]]:
    """List every type with every action."""
    return [(type_name(number), action) for number in range(TYPES) for action in ACTIONS]


def wishes(seed: str, count: int) -> list[Wish]:
    """Draw entitlements, the same for the same seed."""
    draw = random.Random(seed)
    chosen = draw.sample(pairs(), count)
    return [
        Wish(name, action, draw.choice(SOURCES), tuple(sorted(draw.sample(FIELDS, draw.randint(3, 6)))))
        for name, action in chosen
    ]


def roles_of(agent: int) -> list[int]:
    """Draw the roles of one agent."""
    return random.Random(f"roles{agent}").sample(range(ROLES), ROLES_AN_AGENT)


@dataclass(frozen=True, slots=True)
class Wanted:
    """One question of the workload."""

    agent: int
    type: str
    action: str
    region: str
    status: str
    amount: float


def questions(agents: int, count: int) -> Iterator[Wanted]:
    """Draw questions; an agent asks mostly for what it was given something for."""
    draw = random.Random(f"questions{agents}")
    held = {}
    for _ in range(count):
        agent = draw.randrange(agents)
        if agent not in held:
            held[agent] = [(wish.type, wish.action) for wish in wishes(f"agent{agent}", GRANTS_AN_AGENT)]
        name, action = draw.choice(held[agent]) if draw.random() < 0.8 else draw.choice(pairs())
        yield Wanted(agent, name, action, draw.choice(REGIONS), draw.choice(("open", "closed")), draw.uniform(1, 1_500))


def _conditions() -> dict[str, Condition]:
    return {source: load(source, check(source, resource=ATTRIBUTES)) for source in SOURCES}


def world(agents: int) -> World:
    """Build the world in memory, without a database."""
    classes = dict.fromkeys(FIELDS, "internal")
    types = {
        type_name(number): TypeFacts(type_name(number), "bench", frozenset(ACTIONS), ATTRIBUTES, FIELDS, classes)
        for number in range(TYPES)
    }
    conditions = _conditions()
    made: dict[Wish, Entitlement] = {}

    def entitlement(wish: Wish, rule: Rule) -> Entitlement:
        found = made.get(wish)
        if found is None:
            mask = types[wish.type].mask(wish.fields)
            actions = frozenset([wish.action])
            found = made[wish] = Entitlement(wish.type, actions, rule, where=conditions[wish.source], fields=mask)
        return found

    roles = {}
    for number in range(ROLES):
        rule = Rule("role", f"role{number}")
        drawn = wishes(f"role{number}", ENTITLEMENTS_A_ROLE)
        roles[f"role{number}"] = {(wish.type, wish.action): (entitlement(wish, rule),) for wish in drawn}
    principals: dict[str, Principal | None] = {}
    grant = Rule("grant", "bench")
    for agent in range(agents):
        grants = {
            (wish.type, wish.action): (Holding(entitlement(wish, grant), Mode.USE, None, None, grant),)
            for wish in wishes(f"agent{agent}", GRANTS_AN_AGENT)
        }
        assigned = tuple(
            Assignment(f"role{each}", Mode.USE, None, None, Rule("role", f"role{each}")) for each in roles_of(agent)
        )
        view = {"type": "agent", "id": f"agent{agent}", "environment": "production"}
        principals[f"agent/agent{agent}"] = Principal("agent", f"agent{agent}", view, assignments=assigned, grants=grants)
    return World(UUID(int=1), "bench", 1, types=types, roles=roles, principals=principals)


def engine_questions(agents: int, count: int) -> list[Question]:
    """Give the workload's questions as the engine takes them."""
    now = datetime.now(UTC)
    return [
        Question(
            f"agent/agent{each.agent}",
            each.action,
            each.type,
            "r1",
            now,
            resource_properties={"region": each.region, "status": each.status, "amount": each.amount},
        )
        for each in questions(agents, count)
    ]
