"""Principals, with everything that is in their hands: agents with their ancestors, users with their teams and consents."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import F, Q

from directory.lifecycle import State
from directory.models import Agent, Organization, Run, Team, User
from permissions.engine.types import (
    Ceiling,
    ConsentFacts,
    DelegationFacts,
    Holding,
    Mode,
    Principal,
    Ref,
    Rule,
    RunFacts,
    TypeFacts,
)
from permissions.models import Consent, Delegation, ResourceType
from permissions.selectors.shared import (
    Shared,
    actions_of,
    assignments_of,
    ceiling,
    earliest,
    entitlement,
    grants_of,
    grouped,
)

_SPIFFE = "spiffe://"


def principal_facts(organization_id: UUID, refs: Iterable[Ref], shared: Shared) -> dict[Ref, Principal | None]:
    """Read principals by reference, agents with all their ancestors; an unknown reference gives None.

    A partner's agent is named by its SPIFFE id. Costs about ten queries, however many principals there are, and one more for
    each generation of agents.
    """
    wanted = set(refs)
    found: dict[Ref, Principal | None] = dict.fromkeys(wanted)
    names = {kind: {ref.partition("/")[2] for ref in wanted if ref.startswith(f"{kind}/")} for kind in ("agent", "user")}
    agents = _agents(organization_id, names["agent"])
    people = list(
        User.objects.filter(organization_id=organization_id, kind=User.Kind.PERSON, external_id__in=names["user"])
        if names["user"]
        else ()
    )
    reader = _Reader(organization_id, shared, agents, people)
    for agent in agents:
        principal = reader.agent(agent)
        found[principal.ref] = principal
    for person in people:
        found[f"user/{person.external_id}"] = reader.person(person)
    return found


def _agents(organization_id: UUID, names: set[str]) -> list[Agent]:
    local = {name for name in names if not name.startswith(_SPIFFE)}
    chosen = Q(organization_id=organization_id, external_id__in=local)
    if len(local) < len(names):
        # Of an organization that never was a partner not even the existence of an agent is told.
        chosen |= Q(spiffe_id__in=names - local, organization__trusted_by__organization_id=organization_id)
    rows = Agent.objects.select_related(
        "organization", "user", "owner", "sponsor", "sponsor_team", "blueprint", "parent", "team"
    )
    found = {row.pk: row for row in rows.filter(chosen)} if names else {}
    waiting = {row.parent_id for row in found.values() if row.parent_id is not None} - set(found)
    while waiting:
        level = {row.pk: row for row in rows.filter(pk__in=waiting)}
        found |= level
        waiting = {row.parent_id for row in level.values() if row.parent_id is not None} - set(found)
    return list(found.values())


class _Reader:
    """Reads what some accounts hold in a few queries, and hands it out one by one."""

    def __init__(self, organization_id: UUID, shared: Shared, agents: list[Agent], people: list[User]) -> None:
        self.organization_id = organization_id
        self.shared = shared
        self.types: dict[UUID, TypeFacts] = {
            pk: shared.types[name]
            for pk, name in ResourceType.objects.filter(organization_id=organization_id).values_list("pk", "name")
            if name in shared.types
        }
        accounts = [agent.user_id for agent in agents] + [person.pk for person in people]
        held = Q(user_id__in=accounts)
        self.grants = grants_of(held, organization_id, self.types, shared.time_zone)
        self.assignments = assignments_of(held, organization_id)
        self.delegations = self._delegations([agent.pk for agent in agents]) if agents else {}
        self.consents = self._consents([person.pk for person in people]) if people else {}
        self.teams = _teams_of([person.pk for person in people], organization_id) if people else {}

    def agent(self, agent: Agent) -> Principal:
        """Give one agent's facts."""
        foreign = agent.organization_id != self.organization_id
        account = agent.user_id
        blueprint = agent.blueprint.external_id if agent.blueprint is not None else None
        return Principal(
            kind="agent",
            id=agent.spiffe_id if foreign else agent.external_id,
            view=_agent_view(agent),
            inactive=_agent_inactive(agent),
            until=agent.expires_at,
            assignments=self.assignments.get(account, ()),
            grants=self.grants.get(account, {}),
            blueprint=None if foreign else blueprint,
            capabilities=self._ceiling(agent, foreign=foreign),
            parent=None if agent.parent is None else f"agent/{agent.parent.spiffe_id if foreign else agent.parent.external_id}",
            delegations=self.delegations.get(agent.pk, {}),
            partner=agent.organization.slug if foreign else None,
        )

    def _ceiling(self, agent: Agent, *, foreign: bool) -> Ceiling | None:
        own = ceiling(agent.capabilities, self.shared.types)
        inherited = ceiling(agent.blueprint.ceiling, self.shared.types) if foreign and agent.blueprint is not None else None
        if own is None or inherited is None:
            return own or inherited
        return Ceiling({key: own.mask(*key) & inherited.mask(*key) for key in {*own.allowed, *inherited.allowed}})

    def person(self, person: User) -> Principal:
        """Give one person's facts."""
        teams = self.teams.get(person.pk, ())
        return Principal(
            kind="user",
            id=person.external_id,
            view={
                **person.attributes,
                "type": "user",
                "kind": "person",
                "id": person.external_id,
                "name": person.name,
                "email": person.email,
                "teams": list(teams),
            },
            inactive="" if person.is_active else "is deactivated",
            assignments=self.assignments.get(person.pk, ()),
            grants=self.grants.get(person.pk, {}),
            teams=teams,
            consents=self.consents.get(person.pk, {}),
        )

    def _delegations(self, agents: list[UUID]) -> dict[UUID, dict[str, tuple[DelegationFacts, ...]]]:
        rows = Delegation.objects.filter(
            organization_id=self.organization_id,
            delegator_id__in=agents,
            ended_at__isnull=True,
            resource_type__in=list(self.types),
        ).select_related("delegate")
        found: dict[UUID, list[tuple[str, DelegationFacts]]] = {}
        for row in rows.order_by("pk"):
            rule = Rule("delegation", str(row.pk), label=row.reason)
            facts = entitlement(row, self.types[row.resource_type_id], rule, self.shared.time_zone)
            holding = Holding(facts, Mode.ANY, row.created_at, row.ends_at, rule)
            found.setdefault(row.delegator_id, []).append((row.delegate.external_id, DelegationFacts(holding, row.depth)))
        return {agent: grouped(pairs) for agent, pairs in found.items()}

    def _consents(self, people: list[UUID]) -> dict[UUID, dict[str, tuple[ConsentFacts, ...]]]:
        rows = Consent.objects.filter(
            organization_id=self.organization_id, user_id__in=people, ended_at__isnull=True, resource_type__in=list(self.types)
        )
        found: dict[UUID, list[tuple[str, ConsentFacts]]] = {}
        for row in rows.select_related("agent").order_by("pk"):
            resource_type = self.types[row.resource_type_id]
            classes = None if row.data_classes is None else frozenset(row.data_classes)
            facts = ConsentFacts(
                type=resource_type.name,
                actions=actions_of(row.actions),
                fields=resource_type.class_mask(classes),
                purpose=row.purpose,
                not_before=None,
                until=row.ends_at,
                rule=Rule("consent", str(row.pk), label=row.purpose),
            )
            found.setdefault(row.user_id, []).append((row.agent.external_id, facts))
        return {person: grouped(pairs) for person, pairs in found.items()}


def _agent_inactive(agent: Agent) -> str:
    if agent.organization.state != Organization.State.ACTIVE:
        return "belongs to a suspended organization"
    if agent.state != State.ACTIVE:
        return "has no owner" if agent.ownerless else f"is {agent.state}"
    if not agent.user.is_active:
        return "has a deactivated account"
    return "" if agent.owner.is_active else "has an owner who is deactivated"


def _agent_view(agent: Agent) -> Mapping[str, Any]:
    sponsor = agent.sponsor or agent.sponsor_team
    return {
        **agent.user.attributes,
        "type": "agent",
        "kind": "agent",
        "id": agent.external_id,
        "spiffe_id": agent.spiffe_id,
        "name": agent.name,
        "purpose": agent.purpose,
        "environment": agent.environment,
        "framework": agent.framework,
        "model": agent.model,
        "version": agent.version,
        "risk_tier": agent.risk_tier,
        "state": agent.state,
        "owner": agent.owner.external_id,
        "sponsor": sponsor.external_id if sponsor is not None else "",
        "team": agent.team.external_id if agent.team is not None else "",
        "blueprint": agent.blueprint.external_id if agent.blueprint is not None else "",
        "parent": agent.parent.external_id if agent.parent is not None else "",
        "depth": agent.depth,
    }


def _teams_of(people: list[UUID], organization_id: UUID) -> dict[UUID, tuple[str, ...]]:
    """List the teams that people are in, the teams around those included."""
    teams = {
        pk: (name, parent)
        for pk, name, parent in Team.objects.filter(organization_id=organization_id).values_list(
            "pk", "external_id", "parent_id"
        )
    }
    direct = (
        User.objects.filter(pk__in=people, teams__isnull=False).annotate(team_pk=F("teams__pk")).values_list("pk", "team_pk")
    )
    found: dict[UUID, set[str]] = {}
    for person, team in direct:
        names = found.setdefault(person, set())
        current: UUID | None = team
        while current is not None and current in teams and teams[current][0] not in names:
            name, parent = teams[current]
            names.add(name)
            current = parent
    return {person: tuple(sorted(names)) for person, names in found.items()}


def run_facts(
    organization_id: UUID, keys: Iterable[tuple[Ref, str]], shared: Shared
) -> dict[tuple[Ref, str], tuple[RunFacts, ...]]:
    """Read what agents are and were doing on tasks, by agent and task id, the latest last; no run gives an empty tuple."""
    wanted = list(keys)
    found: dict[tuple[Ref, str], tuple[RunFacts, ...]] = dict.fromkeys(wanted, ())
    rows = Run.objects.filter(
        organization_id=organization_id,
        agent__external_id__in={ref.partition("/")[2] for ref, _ in wanted},
        task_id__in={task for _, task in wanted},
    ).select_related("agent", "on_behalf_of")
    runs = grouped(
        ((f"agent/{row.agent.external_id}", row.task_id), _run(row, shared))
        for row in rows.order_by(F("ended_at").asc(nulls_last=True))
    )
    return found | {key: facts for key, facts in runs.items() if key in found}


def _run(row: Run, shared: Shared) -> RunFacts:
    until: datetime | None = earliest(row.ended_at, row.expires_at)
    return RunFacts(
        task_id=row.task_id,
        purpose=row.purpose,
        on_behalf_of=None if row.on_behalf_of is None else f"user/{row.on_behalf_of.external_id}",
        allows=ceiling(row.allows, shared.types),
        started_at=row.started_at,
        until=until,
        rule=Rule("run", str(row.pk), label=row.task_id),
    )
