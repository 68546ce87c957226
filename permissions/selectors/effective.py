"""Effective access: everything an agent can and cannot do at an instant, with what it comes through and what stands in the way.

By the evaluator that decides, on the world that it decides on. The rules are those of now, seen by the clock of the instant; or
those that stood at an instant behind, out of the versions of every row.
"""

from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import UUID

from directory.models import Agent, User
from permissions.engine.authority import inactive
from permissions.engine.effective import Access, access
from permissions.engine.types import Question, Ref, Rule, World
from permissions.models import Grant, RoleAssignment, RoleInclusion
from permissions.questions import needs
from permissions.selectors.past import Past
from permissions.worlds import Needs, Worlds, worlds_here

MOST_ROWS: Final = 5_000


class TooMuch(ValueError):
    """There are more types and actions than can be reckoned at once; name some."""


@dataclass(frozen=True, slots=True)
class Given:
    """How something came into somebody's hands: from where, why, by whom."""

    source: str
    reason: str
    by: str


@dataclass(frozen=True, slots=True)
class EffectiveAccess:
    """What one agent can do at one instant: a row for each type and action."""

    agent: str
    acting_for: str | None
    at: datetime
    revision: int | None
    """None of rules that stood once: their number is not in the versions."""
    inactive: str
    """Why it may not act at all; empty when it may."""
    rows: tuple[Access, ...]
    world: World
    given: Mapping[str, Given]
    """Of grants and assignments, by ``grant/<id>`` and ``assignment/<id>``."""
    includes: Mapping[str, tuple[str, ...]]
    """Which roles a role includes itself."""

    def through(self, rule: Rule, owner: str) -> tuple[str, ...]:
        """Name the roles by which an assigned role comes to an entitlement of another, both ends included."""
        if rule.kind != "role":
            return ()
        return _path(self.includes, rule.id, owner)


def effective_access(
    agent: Agent,
    *,
    acting_for: User | None = None,
    delegation: tuple[Ref, ...] = (),
    task_id: str = "",
    types: Collection[str] | None = None,
    actions: Collection[str] | None = None,
    at: datetime,
    as_of: datetime | None = None,
) -> EffectiveAccess:
    """Reckon what an agent can do at an instant, perhaps on a user's behalf.

    A later instant sees what has begun or ended by then; ``as_of`` takes the rules that stood then, None those of now.
    ``types`` and ``actions`` None stand for all. Costs a few queries, however much there is, and some fifty for rules that
    stood once. Raises TooMuch for more than 5,000 rows, and NotYet.
    """
    past = None if as_of is None else Past(as_of)
    worlds: Worlds | Past = past or worlds_here()
    known = worlds.current(agent.organization_id)
    question = _question(agent, acting_for, delegation, task_id, at)
    wanted = needs(question)
    known = worlds.with_needs(known, Needs(wanted.principals, frozenset(), wanted.runs))
    rows = _rows(known.world, question, types, actions)
    return EffectiveAccess(
        agent=agent.external_id,
        acting_for=None if acting_for is None else acting_for.external_id,
        at=at,
        revision=known.world.revision if past is None else None,
        inactive=inactive(known.world.principals.get(question.subject), at),
        rows=rows,
        world=known.world,
        given=_given(rows),
        includes=_includes(agent.organization_id) if past is None else past.includes,
    )


def _question(agent: Agent, acting_for: User | None, delegation: tuple[Ref, ...], task_id: str, at: datetime) -> Question:
    return Question(
        subject=f"agent/{agent.external_id}",
        action="",
        type="",
        resource="",
        now=at,
        on_behalf_of=None if acting_for is None else f"user/{acting_for.external_id}",
        delegation=delegation,
        task_id=task_id,
    )


def _rows(
    world: World, question: Question, types: Collection[str] | None, actions: Collection[str] | None
) -> tuple[Access, ...]:
    pairs = [
        (name, action)
        for name in sorted(world.types)
        if types is None or name in types
        for action in sorted(world.types[name].actions)
        if actions is None or action in actions
    ]
    if len(pairs) > MOST_ROWS:
        raise TooMuch(f"There are {len(pairs)} pairs of types and actions; at most {MOST_ROWS} can be reckoned at once.")
    return tuple(access(world, replace(question, type=name, action=action)) for name, action in pairs)


def _given(rows: Iterable[Access]) -> dict[str, Given]:
    """Read how the grants and assignments of some rows were given; two queries at most."""
    sources = {each.rule for row in rows for term in row.terms for each in term.sources}
    grants = {UUID(rule.id) for rule in sources if rule.kind == "grant"}
    marks = {via for rule in sources for via in rule.via if via.startswith("assignment/")}
    assignments = {UUID(mark.partition("/")[2]) for mark in marks}
    found: dict[str, Given] = {}
    for kind, model, wanted in (("grant", Grant, grants), ("assignment", RoleAssignment, assignments)):
        held = model._default_manager.filter(pk__in=wanted) if wanted else model._default_manager.none()  # noqa: SLF001  (Django's documented name)
        for pk, source, reason, by in held.values_list("pk", "source", "reason", "given_by"):
            found[f"{kind}/{pk}"] = Given(source, reason, by)
    return found


def _includes(organization_id: UUID) -> dict[str, tuple[str, ...]]:
    rows = RoleInclusion.objects.filter(role__organization_id=organization_id).order_by("pk")
    found: dict[str, list[str]] = defaultdict(list)
    for role, included in rows.values_list("role__external_id", "included__external_id"):
        found[role].append(included)
    return {role: tuple(names) for role, names in found.items()}


def _path(includes: Mapping[str, tuple[str, ...]], start: str, goal: str) -> tuple[str, ...]:
    """Find the shortest way from a role to one that it includes."""
    came_from: dict[str, str | None] = {start: None}
    ahead = deque([start])
    while ahead and goal not in came_from:
        role = ahead.popleft()
        for each in includes.get(role, ()):
            if each not in came_from:
                came_from[each] = role
                ahead.append(each)
    path: list[str] = []
    step: str | None = goal if goal in came_from else None
    while step is not None:
        path.insert(0, step)
        step = came_from[step]
    return tuple(path)
