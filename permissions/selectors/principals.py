"""Principals, with everything that is in their hands: agents with their ancestors, users with their teams and consents."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import F, Q

from directory.lifecycle import State
from directory.models import Agent, Organization, Run, Team, User
from permissions.engine.types import (
    Assignment,
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
from permissions.selectors.signals import risks_of, with_ancestors

_SPIFFE = "spiffe://"


def principal_facts(organization_id: UUID, refs: Iterable[Ref], shared: Shared) -> dict[Ref, Principal | None]:
    """Read principals by reference, agents with all their ancestors; an unknown reference gives None.

    A partner's agent is named by its SPIFFE id. Costs about eleven queries, however many principals there are, and one more for
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
    hands = _hands(organization_id, shared, agents, people)
    for agent in agents:
        principal = hands.agent(agent)
        found[principal.ref] = principal
    for person in people:
        found[f"user/{person.external_id}"] = hands.person(person)
    return found


def _hands(organization_id: UUID, shared: Shared, agents: list[Agent], people: list[User]) -> "Hands":
    """Read what some accounts hold in a few queries."""
    declared = ResourceType.objects.filter(organization_id=organization_id).values_list("pk", "name")
    types = {pk: shared.types[name] for pk, name in declared if name in shared.types}
    held = Q(user_id__in=[agent.user_id for agent in agents] + [person.pk for person in people])
    live: dict[str, Any] = {"organization_id": organization_id, "ended_at__isnull": True, "resource_type__in": list(types)}
    delegations = Delegation.objects.filter(delegator_id__in=[agent.pk for agent in agents], **live).select_related("delegate")
    consents = Consent.objects.filter(user_id__in=[person.pk for person in people], **live).select_related("agent", "run")
    zone = shared.time_zone
    return Hands(
        organization_id,
        shared,
        grants_of(held, organization_id, types, zone),
        assignments_of(held, organization_id),
        delegation_facts(delegations.order_by("pk"), types, zone) if agents else {},
        consent_facts(consents.order_by("pk"), types) if people else {},
        _teams_of([person.pk for person in people], organization_id) if people else {},
        with_ancestors(agents, risks_of(agent.pk for agent in agents)) if agents else {},
    )


def _agents(organization_id: UUID, names: set[str]) -> list[Agent]:
    local = {name for name in names if not name.startswith(_SPIFFE)}
    chosen = Q(organization_id=organization_id, external_id__in=local)
    if len(local) < len(names):
        # Of an organization that never agreed to be a partner not even the existence of an agent is told.
        chosen |= Q(
            spiffe_id__in=names - local,
            organization__trusted_by__organization_id=organization_id,
            organization__trusted_by__agreed_there_at__isnull=False,
        )
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


@dataclass(slots=True)
class Hands:
    """What is in the hands of some accounts, filed by account, agent and person; hands it out one by one."""

    organization_id: UUID
    shared: Shared
    grants: dict[UUID, dict[tuple[str, str], tuple[Holding, ...]]]
    assignments: dict[UUID, tuple[Assignment, ...]]
    delegations: dict[UUID, dict[str, tuple[DelegationFacts, ...]]]
    consents: dict[UUID, dict[str, tuple[ConsentFacts, ...]]]
    teams: dict[UUID, tuple[str, ...]]
    risks: Mapping[UUID, tuple[int, list[str]]]

    def agent(self, agent: Agent) -> Principal:
        """Give one agent's facts."""
        foreign = agent.organization_id != self.organization_id
        account = agent.user_id
        blueprint = agent.blueprint.external_id if agent.blueprint is not None else None
        # Once the trust is over, what becomes of the agent at home is nobody's business here: the trust is what loses.
        told = not foreign or agent.organization.slug in self.shared.trusts
        return Principal(
            kind="agent",
            id=agent.spiffe_id if foreign else agent.external_id,
            view=_agent_view(agent, *self.risks.get(agent.pk, (0, [])))
            if told
            else {"type": "agent", "kind": "agent", "spiffe_id": agent.spiffe_id},
            inactive=_agent_inactive(agent) if told else "",
            until=agent.expires_at if told else None,
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


def delegation_facts(
    rows: Iterable[Delegation], types: Mapping[UUID, TypeFacts], zone: str
) -> dict[UUID, dict[str, tuple[DelegationFacts, ...]]]:
    """File delegations, with their delegates, by delegator and delegate."""
    found: dict[UUID, list[tuple[str, DelegationFacts]]] = {}
    for row in rows:
        rule = Rule("delegation", str(row.pk), label=row.reason)
        facts = entitlement(row, types[row.resource_type_id], rule, zone)
        holding = Holding(facts, Mode.ANY, row.created_at, row.ends_at, rule)
        found.setdefault(row.delegator_id, []).append((row.delegate.external_id, DelegationFacts(holding, row.depth)))
    return {agent: grouped(pairs) for agent, pairs in found.items()}


def consent_facts(rows: Iterable[Consent], types: Mapping[UUID, TypeFacts]) -> dict[UUID, dict[str, tuple[ConsentFacts, ...]]]:
    """File consents, with their agents, by person and agent."""
    found: dict[UUID, list[tuple[str, ConsentFacts]]] = {}
    for row in rows:
        if row.run is not None and row.run.ended_at is not None:
            continue
        resource_type = types[row.resource_type_id]
        classes = None if row.data_classes is None else frozenset(row.data_classes)
        facts = ConsentFacts(
            type=resource_type.name,
            actions=actions_of(row.actions),
            fields=resource_type.class_mask(classes),
            purpose=row.purpose,
            not_before=None,
            until=row.ends_at if row.run is None else earliest(row.ends_at, row.run.expires_at),
            rule=Rule("consent", str(row.pk), label=row.purpose),
            task="" if row.run is None else row.run.task_id,
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


def _agent_view(agent: Agent, risk: int, signs: list[str]) -> Mapping[str, Any]:
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
        "risk": risk,
        "signs": signs,
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
    return teams_around(teams, direct)


def teams_around(
    teams: Mapping[UUID, tuple[str, UUID | None]], direct: Iterable[tuple[UUID, UUID]]
) -> dict[UUID, tuple[str, ...]]:
    """Name, for each person, the teams that they are in and those around these; teams are given with their parents."""
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
        ((f"agent/{row.agent.external_id}", row.task_id), run_of(row, shared))
        for row in rows.order_by(F("ended_at").asc(nulls_last=True))
    )
    return found | {key: facts for key, facts in runs.items() if key in found}


def run_of(row: Run, shared: Shared) -> RunFacts:
    """Turn a run into the engine's."""
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
