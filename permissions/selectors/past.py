"""An organization's world as it stood at an instant, put together from versions; to be looked at, never for deciding.

Versions say what a row was. They are no proof, as rows of them can be deleted: what was decided then is in the event log. The
facts are made of the rows by the same functions as those of now; conditions are checked again, since versions keep the text.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from django.db import models

from directory.models import Agent, Blueprint, Organization, Run, Team, User
from permissions.engine import conditions
from permissions.engine.types import Principal, Ref, ResourceFacts, ResourceKey, RunFacts, TeamFacts, TypeFacts
from permissions.models import (
    Application,
    BlueprintRole,
    Consent,
    Delegation,
    Entitlement,
    Grant,
    Guardrail,
    GuardrailVersion,
    Resource,
    ResourceType,
    Role,
    RoleAssignment,
    RoleInclusion,
)
from permissions.selectors.principals import Hands, consent_facts, delegation_facts, run_of, teams_around
from permissions.selectors.resources import facts_within
from permissions.selectors.shared import (
    Shared,
    assignment_facts,
    blueprint_facts,
    grant_facts,
    grouped,
    guardrail_facts,
    inactive_organization,
    role_facts,
    type_facts,
)
from permissions.selectors.signals import risks_of, with_ancestors
from permissions.worlds import Known, Needs, known_of

M = TypeVar("M", bound=models.Model)

_IN_FORCE = ("published", "report_only")


class NotYet(LookupError):
    """The organization did not exist at that instant."""


class Past:
    """Gives the world of one organization at one instant, in the two steps in which ``Worlds`` gives that of now.

    Partners' agents are unknown in it. Some thirty queries for what is shared, twenty for principals.
    """

    def __init__(self, at: datetime) -> None:
        self._at = at
        self._types: dict[UUID, TypeFacts] = {}
        self.includes: Mapping[str, tuple[str, ...]] = {}
        """Which roles a role included itself."""

    def current(self, organization_id: UUID) -> Known:
        """Put together what all decisions shared; raises NotYet."""
        organization = self._rows(Organization, id=organization_id).get(organization_id)
        if organization is None:
            raise NotYet("The organization did not exist then.")
        organization.revision = 0
        shared = self._shared(organization)
        return known_of(organization, shared, registered=frozenset(shared.types))

    def with_needs(self, known: Known, needs: Needs) -> Known:
        """Put together what a question names."""
        organization_id = known.world.organization_id
        known.principals.update(self._principals(organization_id, needs.principals, known.shared))
        known.resources.update(self._resources(organization_id, needs.resources, known.shared.types))
        known.runs.update(self._runs(organization_id, needs.runs, known.shared))
        return known

    def _versions(self, model: type[models.Model], **chosen: Any) -> list[Any]:
        """Read the versions that stood; of two of the same instant, the one that was written last."""
        history: Any = model.history  # type: ignore[attr-defined]  # added by simple-history
        rows = history.filter(history_date__lte=self._at, **chosen).latest_of_each().order_by("history_date", "history_id")
        key = model._meta.pk.attname  # noqa: SLF001  (Django's documented name)
        latest = {getattr(row, key): row for row in rows}
        return [row for row in latest.values() if row.history_type != "-"]

    def _rows(self, model: type[M], **chosen: Any) -> dict[Any, M]:
        """Read rows as they stood, in the order of their keys."""
        made = [
            model(**{field.attname: getattr(version, field.attname) for field in version.tracked_fields})
            for version in self._versions(model, **chosen)
        ]
        return {row.pk: row for row in sorted(made, key=lambda row: row.pk)}

    def _shared(self, organization: Organization) -> Shared:
        own = {"organization_id": organization.pk}
        zone = organization.time_zone
        applications = self._rows(Application, **own)
        declared = _linked(self._rows(ResourceType, **own).values(), "application", applications)
        types = self._types = type_facts(declared)
        by_name = {facts.name: facts for facts in types.values()}
        roles = self._rows(Role, **own)
        entitlements = self._rows(Entitlement, role_id__in=list(roles)).values()
        included = self._rows(RoleInclusion, role_id__in=list(roles)).values()
        edges = [(each.role_id, each.included_id) for each in included if each.included_id in roles]
        self.includes = grouped((roles[role].external_id, roles[other].external_id) for role, other in edges)
        blueprints = self._rows(Blueprint, **own)
        handed = self._rows(BlueprintRole, blueprint_id__in=list(blueprints)).values()
        handed_out = _linked(_linked(handed, "role", roles), "blueprint", blueprints)
        return Shared(
            slug=organization.slug,
            time_zone=zone,
            inactive=inactive_organization(organization),
            subject_types=organization.subject_types,
            types=by_name,
            roles=role_facts(
                {pk: role.external_id for pk, role in roles.items()},
                self._checked(entitlements),
                edges,
                types,
                zone,
            ),
            blueprints=blueprint_facts(blueprints.values(), handed_out, by_name),
            teams=self._teams(organization, roles),
            guardrails=self._guardrails(organization),
            trusts={},
        )

    def _teams(self, organization: Organization, roles: Mapping[UUID, Role]) -> dict[str, TeamFacts]:
        grants = self._grants(organization.time_zone, organization_id=organization.pk, team__isnull=False)
        assigned = self._live(RoleAssignment, organization_id=organization.pk, team__isnull=False)
        assignments = assignment_facts(_linked(assigned, "role", roles))
        return {
            row.external_id: TeamFacts(row.external_id, assignments.get(pk, ()), grants.get(pk, {}))
            for pk, row in self._rows(Team, organization_id=organization.pk).items()
        }

    def _guardrails(self, organization: Organization) -> Any:
        guardrails = self._rows(Guardrail, organization_id=organization.pk)
        versions = self._rows(GuardrailVersion, guardrail_id__in=list(guardrails)).values()
        standing = _linked([each for each in versions if each.state in _IN_FORCE], "guardrail", guardrails)
        over = [each for each in standing if each.resource_type_id is None or each.resource_type_id in self._types]
        for each in over:
            each.when_checked = self._check(each.when, each.resource_type_id)
        ordered = sorted(over, key=lambda each: each.guardrail.external_id)
        return guardrail_facts(ordered, self._types, organization.time_zone)

    def _live(self, model: type[M], **chosen: Any) -> list[M]:
        return [row for row in self._rows(model, **chosen).values() if row.ended_at is None]  # type: ignore[attr-defined]

    def _grants(self, zone: str, **chosen: Any) -> Any:
        return grant_facts(self._checked(self._live(Grant, **chosen)), self._types, zone)

    def _checked(self, rows: Iterable[M]) -> list[M]:
        """Keep the entitlements of types that were declared, with their conditions checked."""
        kept: list[Any] = [row for row in rows if row.resource_type_id in self._types]  # type: ignore[attr-defined]
        for row in kept:
            row.where_checked = self._check(row.where, row.resource_type_id)
            row.when_checked = self._check(row.when, row.resource_type_id)
        return kept

    def _check(self, source: str, type_id: UUID | None) -> bytes | None:
        """Check a condition as it was checked; what cannot be read any more holds for no grant and against every request."""
        if not source:
            return None
        try:
            return conditions.check(source, resource=None if type_id is None else self._types[type_id].attributes)
        except conditions.ConditionError:
            return b""

    def _principals(self, organization_id: UUID, refs: Iterable[Ref], shared: Shared) -> dict[Ref, Principal | None]:
        wanted = set(refs)
        found: dict[Ref, Principal | None] = dict.fromkeys(wanted)
        names = {kind: [ref.partition("/")[2] for ref in wanted if ref.startswith(f"{kind}/")] for kind in ("agent", "user")}
        agents = self._agents(organization_id, names["agent"])
        people = list(
            self._rows(
                User, organization_id=organization_id, kind=User.Kind.PERSON.value, external_id__in=names["user"]
            ).values()
        )
        hands = self._hands(organization_id, shared, agents, people)
        return (
            found
            | {f"agent/{agent.external_id}": hands.agent(agent) for agent in agents}
            | {f"user/{person.external_id}": hands.person(person) for person in people}
        )

    def _agents(self, organization_id: UUID, names: list[str]) -> list[Agent]:
        """Read agents and all that they descend from, with what is told of them."""
        found = self._rows(Agent, organization_id=organization_id, external_id__in=names)
        while missing := {row.parent_id for row in found.values() if row.parent_id is not None} - found.keys():
            above = self._rows(Agent, id__in=list(missing))
            if not above:
                break
            found |= above
        rows = list(found.values())
        accounts = {key for row in rows for key in (row.user_id, row.owner_id, row.sponsor_id) if key is not None}
        people = self._rows(User, id__in=list(accounts))
        teams = self._rows(Team, organization_id=organization_id)
        _linked(rows, "organization", self._rows(Organization, id=organization_id))
        for name in ("user", "owner", "sponsor"):
            _linked(rows, name, people)
        for name in ("team", "sponsor_team"):
            _linked(rows, name, teams)
        _linked(rows, "blueprint", self._rows(Blueprint, organization_id=organization_id))
        return list(_linked(rows, "parent", found))

    def _hands(self, organization_id: UUID, shared: Shared, agents: list[Agent], people: list[User]) -> Hands:
        own = {"organization_id": organization_id}
        accounts = [agent.user_id for agent in agents] + [person.pk for person in people]
        assigned = self._live(RoleAssignment, user_id__in=accounts, **own)
        roles = self._rows(Role, id__in=list({each.role_id for each in assigned}))
        delegated = self._checked(self._live(Delegation, delegator_id__in=[agent.pk for agent in agents], **own))
        consented = [
            each
            for each in self._live(Consent, user_id__in=[person.pk for person in people], **own)
            if each.resource_type_id in self._types
        ]
        runs = self._rows(Run, id__in=[each.run_id for each in consented if each.run_id is not None])
        consented = list(_linked(consented, "run", runs))
        others = self._rows(Agent, id__in=[each.delegate_id for each in delegated] + [each.agent_id for each in consented])
        return Hands(
            organization_id,
            shared,
            self._grants(shared.time_zone, user_id__in=accounts, **own),
            assignment_facts(_linked(assigned, "role", roles)),
            delegation_facts(_linked(delegated, "delegate", others), self._types, shared.time_zone),
            consent_facts(_linked(consented, "agent", others), self._types),
            self._memberships(organization_id, people) if people else {},
            with_ancestors(agents, risks_of((agent.pk for agent in agents), at=self._at)) if agents else {},
        )

    def _memberships(self, organization_id: UUID, people: list[User]) -> dict[UUID, tuple[str, ...]]:
        versions = self._versions(Team, organization_id=organization_id)
        wanted = {person.pk for person in people}
        direct = [
            (member.user_id, version.id) for version in versions for member in version.members.all() if member.user_id in wanted
        ]
        return teams_around({each.id: (each.external_id, each.parent_id) for each in versions}, direct)

    def _resources(
        self, organization_id: UUID, keys: Iterable[ResourceKey], types: Mapping[str, TypeFacts]
    ) -> dict[ResourceKey, ResourceFacts | None]:
        wanted = set(keys)
        found: dict[ResourceKey, ResourceFacts | None] = dict.fromkeys(wanted)
        named = [external_id for _, external_id in wanted]
        rows = self._rows(Resource, organization_id=organization_id, external_id__in=named) if named else {}
        kinds = {pk: facts.name for pk, facts in self._types.items()}
        known = dict(rows)
        while missing := {row.parent_id for row in known.values() if row.parent_id is not None} - known.keys():
            around = self._rows(Resource, id__in=list(missing))
            if not around:
                break
            known |= around
        above = {
            pk: ((kinds.get(row.type_id, ""), row.external_id), row.parent_id if row.parent_id in known else None)
            for pk, row in known.items()
        }
        declared = self._rows(ResourceType, organization_id=organization_id)
        own = [row for row in _linked(rows.values(), "type", declared) if (kinds.get(row.type_id), row.external_id) in wanted]
        for row in own:
            row.parent_id = row.parent_id if row.parent_id in known else None
        return found | facts_within(own, above, types)

    def _runs(
        self, organization_id: UUID, keys: Iterable[tuple[Ref, str]], shared: Shared
    ) -> dict[tuple[Ref, str], tuple[RunFacts, ...]]:
        wanted = set(keys)
        found: dict[tuple[Ref, str], tuple[RunFacts, ...]] = dict.fromkeys(wanted, ())
        if not wanted:
            return found
        rows = list(self._rows(Run, organization_id=organization_id, task_id__in=[task for _, task in wanted]).values())
        agents = self._rows(Agent, id__in=list({row.agent_id for row in rows}))
        people = self._rows(User, id__in=list({row.on_behalf_of_id for row in rows if row.on_behalf_of_id is not None}))
        _linked(_linked(rows, "agent", agents), "on_behalf_of", people)
        ordered = sorted(rows, key=lambda row: (row.ended_at is None, row.ended_at or row.started_at))
        runs = grouped(((f"agent/{row.agent.external_id}", row.task_id), run_of(row, shared)) for row in ordered)
        return found | {key: facts for key, facts in runs.items() if key in found}


def _linked(rows: Iterable[M], name: str, others: Mapping[Any, models.Model]) -> list[M]:
    """Let rows refer to each other as they stood; what a row refers to and did not stand makes the row go."""
    kept = []
    for row in rows:
        key = getattr(row, f"{name}_id")
        if key is not None and key not in others:
            continue
        setattr(row, name, None if key is None else others[key])
        kept.append(row)
    return kept
