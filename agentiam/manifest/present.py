"""What an organization is at present, read from the database into the classes of the format, with the rows behind it."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from agentiam.manifest import documents
from agentiam.manifest.settling import (
    content,
    settled_agent,
    settled_assignment,
    settled_blueprint,
    settled_consent,
    settled_delegation,
    settled_grant,
    settled_guardrail,
    settled_limits,
    settled_role,
    settled_team,
    settled_trust,
    utc,
)
from directory.lifecycle import State
from directory.models import Agent, Blueprint, Organization, Team, User
from permissions.models import (
    Application,
    BlueprintRole,
    Consent,
    Delegation,
    EntitlementTerms,
    Grant,
    Guardrail,
    GuardrailVersion,
    Held,
    Resource,
    ResourceType,
    Role,
    RoleAssignment,
    Trust,
)

P = TypeVar("P", bound=documents.Part)
R = TypeVar("R")

# What was approved, delegated or comes from a blueprint is the consequence of something else, and not anybody's plan.
_PLANNED = (Held.Source.MANUAL.value, Held.Source.REPLACEMENT.value)

# Those that are not in the directory yet, and those that have left it; whatever they hold is of no effect.
_INERT = (State.DISCOVERED.value, State.RETIRED.value)


@dataclass(slots=True)
class Standing:
    """A guardrail's wordings that can still change: the one in force, and the draft."""

    guardrail: Guardrail
    in_force: GuardrailVersion | None = None
    draft: GuardrailVersion | None = None


@dataclass(slots=True)
class Present:
    """The parts by their ids, and the rows by the same ids; both are empty for an organization that is not there yet."""

    organization: Organization | None = None
    described: documents.Organization | None = None
    people: dict[str, documents.Person] = field(default_factory=dict)
    teams: dict[str, documents.Team] = field(default_factory=dict)
    applications: dict[str, documents.Application] = field(default_factory=dict)
    types: dict[str, documents.ResourceType] = field(default_factory=dict)
    resources: dict[tuple[str, str], documents.Resource] = field(default_factory=dict)
    roles: dict[str, documents.Role] = field(default_factory=dict)
    blueprints: dict[str, documents.Blueprint] = field(default_factory=dict)
    agents: dict[str, documents.Agent] = field(default_factory=dict)
    guardrails: dict[str, documents.Guardrail] = field(default_factory=dict)
    trusts: dict[str, documents.Trust] = field(default_factory=dict)
    agreements: set[str] = field(default_factory=set)
    assignments: dict[bytes, documents.Assignment] = field(default_factory=dict)
    grants: dict[bytes, documents.Grant] = field(default_factory=dict)
    consents: dict[bytes, documents.Consent] = field(default_factory=dict)
    delegations: dict[bytes, documents.Delegation] = field(default_factory=dict)
    rows: dict[str, dict[Any, Any]] = field(default_factory=lambda: defaultdict(dict))


def read_present(slug: str, *, now: datetime) -> Present:
    """Read an organization; a fixed number of queries."""
    organization = Organization.objects.filter(slug=slug).first()
    present = Present(organization=organization)
    if organization is None:
        return present
    fields = documents.Organization.__struct_fields__
    present.described = documents.Organization(**{name: getattr(organization, name) for name in fields})
    _read_directory(present, organization)
    _read_catalogue(present, organization)
    _read_agents(present, organization)
    _read_guardrails(present, organization)
    _read_holdings(present, organization, now=now)
    _read_relations(present, organization, now=now)
    return present


def _read_directory(present: Present, organization: Organization) -> None:
    for user in User.objects.people().in_organization(organization.pk):
        present.rows["people"][user.external_id] = user
        present.people[user.external_id] = documents.Person(
            id=user.external_id,
            name=user.name,
            username=user.username,
            email=user.email,
            attributes=user.attributes,
            console_roles=sorted(user.console_roles),
            active=user.is_active,
        )
    teams = Team.objects.in_organization(organization.pk).select_related("parent").prefetch_related("members")
    for team in teams:
        present.rows["teams"][team.external_id] = team
        present.teams[team.external_id] = settled_team(
            documents.Team(
                id=team.external_id,
                name=team.name,
                parent="" if team.parent is None else team.parent.external_id,
                members=[member.external_id for member in team.members.all()],
            )
        )


def _read_catalogue(present: Present, organization: Organization) -> None:
    rows = present.rows
    of_application: dict[Any, list[documents.ResourceType]] = defaultdict(list)
    for row in ResourceType.objects.in_organization(organization.pk).order_by("name"):
        rows["types"][row.name] = row
        described = documents.ResourceType(
            name=row.name, actions=sorted(row.actions), attributes=row.attributes, fields=row.fields
        )
        present.types[row.name] = described
        of_application[row.application_id].append(described)
    for application in Application.objects.in_organization(organization.pk):
        rows["applications"][application.slug] = application
        present.applications[application.slug] = documents.Application(
            slug=application.slug,
            name=application.name,
            audience=application.audience,
            state=application.state,  # type: ignore[arg-type]  # a constraint of the table: one of the two
            believes=documents.Believes(
                resource_properties=application.believes_resource_properties,
                subject_properties=application.believes_subject_properties,
            ),
            requires_tokens=application.requires_tokens,
            token_format=application.token_format,  # type: ignore[arg-type]  # as above
            token_algorithm=application.token_algorithm,  # type: ignore[arg-type]  # its choices
            token_seconds=application.token_seconds,
            resource_types=of_application[application.pk],
        )
    for resource in Resource.objects.in_organization(organization.pk).select_related("type", "parent__type"):
        key = resource.type.name, resource.external_id
        rows["resources"][key] = resource
        present.resources[key] = documents.Resource(
            type=resource.type.name, id=resource.external_id, attributes=resource.attributes, parent=_ref(resource.parent)
        )
    _read_roles(present, organization)


def _read_roles(present: Present, organization: Organization) -> None:
    roles = Role.objects.in_organization(organization.pk)
    for role in roles.prefetch_related("entitlements__resource_type", "inclusions__included"):
        present.rows["roles"][role.external_id] = role
        present.roles[role.external_id] = settled_role(
            documents.Role(
                id=role.external_id,
                name=role.name,
                description=role.description,
                entitlements=[documents.Entitlement(**entitlement_values(each)) for each in role.entitlements.all()],
                includes=[each.included.external_id for each in role.inclusions.all()],
            )
        )
    held = defaultdict(list)
    for link in BlueprintRole.objects.filter(blueprint__organization=organization).select_related("role"):
        held[link.blueprint_id].append(link.role.external_id)
    for row in Blueprint.objects.in_organization(organization.pk):
        present.rows["blueprints"][row.external_id] = row
        present.blueprints[row.external_id] = settled_blueprint(_blueprint(row, held[row.pk]))


def _blueprint(row: Blueprint, roles: list[str]) -> documents.Blueprint:
    return documents.Blueprint(
        id=row.external_id,
        name=row.name,
        description=row.description,
        roles=roles,
        ceiling=None if row.ceiling is None else [documents.Limit(**each) for each in row.ceiling],
        sign_offs=row.sign_offs,
        credentials=documents.CredentialTerms(methods=row.credential_methods, days=row.credential_days),
        spawn=documents.SpawnTerms(depth=row.spawn_depth, children=row.spawn_children, seconds=row.spawn_seconds),
        suspend_at_risk=row.suspend_at_risk,
    )


def _read_agents(present: Present, organization: Organization) -> None:
    agents = Agent.objects.in_organization(organization.pk).order_by("depth", "id")
    for row in agents.select_related("user", "owner", "sponsor", "sponsor_team", "team", "blueprint", "parent"):
        present.rows["agents"][row.external_id] = row
        # One that was only seen is nobody's plan yet; registering it takes it over.
        if row.state != State.DISCOVERED:
            present.agents[row.external_id] = settled_agent(_agent(row), {})


def _agent(row: Agent) -> documents.Agent:
    sponsor = f"team/{row.sponsor_team.external_id}" if row.sponsor_team else row.sponsor.external_id if row.sponsor else ""
    return documents.Agent(
        id=row.external_id,
        name=row.name,
        purpose=row.purpose,
        owner=row.owner.external_id,
        sponsor=sponsor,
        parent="" if row.parent is None else row.parent.external_id,
        blueprint="" if row.blueprint is None else row.blueprint.external_id,
        state=row.state,  # type: ignore[arg-type]  # a constraint of the table: one of the states
        environment=row.environment,  # type: ignore[arg-type]  # validated when it is saved
        risk_tier=row.risk_tier,  # type: ignore[arg-type]  # validated when it is saved
        framework=row.framework,
        model=row.model,
        version=row.version,
        hashes=documents.Hashes(model=row.model_hash, charter=row.charter_hash, tools=row.tools_hash),
        team="" if row.team is None else row.team.external_id,
        capabilities=None
        if row.capabilities is None
        else settled_limits([documents.Capability(**each) for each in row.capabilities]),
        expires=row.expires_at,
    )


def _read_guardrails(present: Present, organization: Organization) -> None:
    standing: dict[str, Standing] = {}
    versions = GuardrailVersion.objects.filter(
        guardrail__organization=organization, state__in=["published", "report_only", "draft"]
    )
    for version in versions.select_related("guardrail", "resource_type"):
        known = standing.setdefault(version.guardrail.external_id, Standing(version.guardrail))
        if version.state == GuardrailVersion.State.DRAFT:
            known.draft = version
        else:
            known.in_force = version
    for external_id, each in standing.items():
        present.rows["guardrails"][external_id] = each
        wording = each.in_force or each.draft
        if wording is not None:
            present.guardrails[external_id] = guardrail_of(each.guardrail, wording)


def guardrail_of(guardrail: Guardrail, version: GuardrailVersion) -> documents.Guardrail:
    """Describe a guardrail by one of its wordings."""
    return settled_guardrail(
        documents.Guardrail(
            id=guardrail.external_id,
            name=guardrail.name,
            effect=version.effect,  # type: ignore[arg-type]  # a constraint of the table: one of the effects
            type=None if version.resource_type is None else version.resource_type.name,
            actions=version.actions,
            when=version.when,
            fields=version.fields,
            data_classes=version.data_classes,
            reason=version.reason,
            state=version.state,  # type: ignore[arg-type]  # only such are read
        )
    )


def _read_holdings(present: Present, organization: Organization, *, now: datetime) -> None:
    def held(row: RoleAssignment | Grant) -> dict[str, Any]:
        return {
            "to": _principal(row, organization),
            "use": row.use,
            "delegate": row.delegate,
            "start": row.starts_at,
            "until": row.ends_at,
            "reason": row.reason,
        }

    related = ("user__agent", "team")
    assignments = RoleAssignment.objects.in_organization(organization.pk).not_over(now).filter(source__in=_PLANNED)
    assignments = assignments.exclude(user__agent__state__in=_INERT)
    _gather(
        present.assignments,
        present.rows["assignments"],
        assignments.select_related(*related, "role"),
        lambda row: settled_assignment(documents.Assignment(role=row.role.external_id, **held(row))),
    )
    grants = Grant.objects.in_organization(organization.pk).not_over(now).filter(source__in=_PLANNED)
    grants = grants.exclude(user__agent__state__in=_INERT)
    _gather(
        present.grants,
        present.rows["grants"],
        grants.select_related(*related, "resource_type").defer("where_checked", "when_checked"),
        lambda row: settled_grant(documents.Grant(**entitlement_values(row), **held(row))),
    )


def _read_relations(present: Present, organization: Organization, *, now: datetime) -> None:
    consents = Consent.objects.in_organization(organization.pk).filter(run=None).not_over(now).exclude(agent__state__in=_INERT)
    _gather(
        present.consents,
        present.rows["consents"],
        consents.select_related("user", "agent", "resource_type"),
        lambda row: settled_consent(
            documents.Consent(
                user=row.user.external_id,
                agent=row.agent.external_id,
                type=row.resource_type.name,
                actions=row.actions,
                data_classes=row.data_classes,
                purpose=row.purpose,
                until=row.ends_at,
            )
        ),
    )
    delegations = Delegation.objects.in_organization(organization.pk).not_over(now)
    delegations = delegations.exclude(delegator__state__in=_INERT).exclude(delegate__state__in=_INERT)
    _gather(
        present.delegations,
        present.rows["delegations"],
        delegations.select_related("delegator", "delegate", "resource_type"),
        lambda row: settled_delegation(
            documents.Delegation(
                **entitlement_values(row),
                giver=f"agent/{row.delegator.external_id}",
                to=f"agent/{row.delegate.external_id}",
                depth=row.depth,
                until=row.ends_at,
                reason=row.reason,
            )
        ),
    )
    _read_trusts(present, organization, now=now)


def _read_trusts(present: Present, organization: Organization, *, now: datetime) -> None:
    for row in Trust.objects.filter(organization=organization, ended_at__isnull=True).select_related("partner"):
        key = row.issuer if row.partner is None else row.partner.slug
        present.rows["trusts"][key] = row
        if row.ends_at is not None and row.ends_at <= now:
            continue
        present.trusts[key] = settled_trust(
            documents.Trust(
                partner="" if row.partner is None else row.partner.slug,
                issuer=row.issuer,
                keys=row.keys,
                agents=row.agents,
                types=row.types,
                data_classes=row.data_classes,
                until=row.ends_at,
            )
        )
    for row in Trust.objects.filter(partner=organization).not_over(now).select_related("organization"):
        present.rows["agreements"][row.organization.slug] = row
        if row.agreed_there_at is not None:
            present.agreements.add(row.organization.slug)


def _gather(parts: dict[bytes, P], rows: dict[bytes, list[R]], found: Iterable[R], describe: Callable[[R], P]) -> None:
    """Collect rows by what they say; several rows that say the same are one part."""
    for row in found:
        part = describe(row)
        key = content(part)
        parts[key] = part
        rows.setdefault(key, []).append(row)


def _principal(row: RoleAssignment | Grant, organization: Organization) -> str:
    if row.team is not None:
        return f"team/{row.team.external_id}"
    user = row.user
    if user is None or user.is_person:
        return f"user/{'' if user is None else user.external_id}"
    # A partner's agent is named by the id that is the same everywhere.
    return f"agent/{user.external_id if user.organization_id == organization.pk else user.agent.spiffe_id}"


def _ref(resource: Resource | None) -> documents.ResourceRef | None:
    return None if resource is None else documents.ResourceRef(type=resource.type.name, id=resource.external_id)


def entitlement_values(row: EntitlementTerms) -> dict[str, Any]:
    """Answer what a row entitles to as fields of an Entitlement."""
    return {
        "type": row.resource_type.name,
        "actions": row.actions,
        "resource": row.resource,
        "subtree": documents.ResourceRef(type=row.subtree_type, id=row.subtree_id) if row.subtree_id else None,
        "where": row.where,
        "when": row.when,
        "fields": row.fields,
    }


def instants_ahead(part: Any, *, now: datetime) -> bool:
    """Tell whether a part with an end is not over by the clock."""
    until = utc(part.until)
    return until is None or until > now
