"""The workload as rows, written in bulk: what services would write, without a version and an event for each grant."""

from datetime import UTC, datetime

from agentiam.kit.actors import system
from benchmarks import workload
from directory.models import Agent, Organization, User
from directory.services.organizations import create_organization
from directory.services.people import create_person
from permissions.engine.conditions import check
from permissions.models import Entitlement, Grant, ResourceType, Role, RoleAssignment
from permissions.services.application_keys import issue_application_key
from permissions.services.applications import create_application
from permissions.services.resource_types import declare_resource_type


def seed(agents: int) -> str:
    """Write the workload for some agents; gives the application's key."""
    by, now = system("benchmark"), datetime.now(UTC)
    organization = create_organization(slug="bench", name="Bench", trust_domain="bench.example", by=by, now=now)
    owner = create_person(organization=organization, external_id="owner", username="owner@bench", name="Owner", by=by, now=now)
    application = create_application(organization=organization, slug="bench", name="Bench", by=by, now=now)
    types = {
        workload.type_name(number): declare_resource_type(
            organization=organization,
            application=application,
            name=workload.type_name(number),
            actions=workload.ACTIONS,
            attributes=workload.ATTRIBUTES,
            fields=dict.fromkeys(workload.FIELDS, "internal"),
            by=by,
            now=now,
        )
        for number in range(workload.TYPES)
    }
    checked = {source: check(source, resource=workload.ATTRIBUTES) for source in workload.SOURCES}
    roles = _roles(organization, types, checked)
    _agents(owner, types, checked, roles, agents)
    _, token = issue_application_key(application=application, label="benchmark", by=by, now=now)
    return token.text


def _terms(wish: workload.Wish, types: dict[str, ResourceType], checked: dict[str, bytes]) -> dict[str, object]:
    return {
        "resource_type": types[wish.type],
        "actions": [wish.action],
        "where": wish.source,
        "where_checked": checked[wish.source],
        "fields": list(wish.fields),
    }


def _roles(organization: Organization, types: dict[str, ResourceType], checked: dict[str, bytes]) -> list[Role]:
    roles = Role.objects.bulk_create(
        Role(organization=organization, external_id=f"role{number}", name=f"Role {number}") for number in range(workload.ROLES)
    )
    Entitlement.objects.bulk_create(
        Entitlement(role=role, **_terms(wish, types, checked))
        for number, role in enumerate(roles)
        for wish in workload.wishes(f"role{number}", workload.ENTITLEMENTS_A_ROLE)
    )
    return roles


def _agents(owner: User, types: dict[str, ResourceType], checked: dict[str, bytes], roles: list[Role], count: int) -> None:
    organization = owner.organization
    accounts = User.objects.bulk_create(
        User(
            organization=organization, kind="agent", username=f"agent:{number}", external_id=f"agent{number}", name=f"{number}"
        )
        for number in range(count)
    )
    Agent.objects.bulk_create(
        Agent(
            organization=organization,
            user=account,
            external_id=account.external_id,
            spiffe_id=f"spiffe://bench.example/agent/{account.pk}",
            name=account.name,
            purpose="Is measured",
            owner=owner,
            sponsor=owner,
            state="active",
        )
        for account in accounts
    )
    RoleAssignment.objects.bulk_create(
        RoleAssignment(organization=organization, user=account, role=roles[each])
        for number, account in enumerate(accounts)
        for each in workload.roles_of(number)
    )
    Grant.objects.bulk_create(
        (
            Grant(organization=organization, user=account, **_terms(wish, types, checked))
            for number, account in enumerate(accounts)
            for wish in workload.wishes(f"agent{number}", workload.GRANTS_AN_AGENT)
        ),
        batch_size=2_000,
    )
