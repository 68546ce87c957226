"""Manifests for tests, and what is asked of the database about them."""

from datetime import UTC, datetime
from typing import Any

from agentiam.kit.actors import system
from agentiam.manifest.applying import Outcome, apply_manifest
from agentiam.manifest.exporting import export_manifest
from agentiam.manifest.reading import read_text
from audit.models import Event
from directory.models import Agent, Organization, PolicyChange, User
from permissions.models import Consent, Delegation, Grant, Guardrail, Resource, ResourceType, Role, RoleAssignment

NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
APPLY = system("apply")

ACME = """\
organization: {slug: acme, name: Acme, trust_domain: acme.example, time_zone: Europe/Berlin, subject_types: {identity: user}}
teams:
  - {id: finance, name: Finance, members: [bob]}
  - {id: refunds, parent: finance}
people:
  - {id: alice, name: Alice, email: alice@acme.example, attributes: {department: support}}
  - {id: bob, name: Bob, email: bob@acme.example}
applications:
  - slug: crm
    believes: {resource_properties: true, subject_properties: false}
    resource_types:
      - {name: record, actions: [read, write, delete], attributes: {status: string, region: string, amount: double},
         fields: {title: internal, email: personal, iban: sensitive}}
      - {name: folder, actions: [read]}
resources: [{type: record, id: record-1, attributes: {status: active, region: EU}, parent: {type: folder, id: f1}}]
roles:
  - {id: writer, includes: [reader]}
  - {id: reader, entitlements: [{type: record, actions: [read], where: 'resource.region == "EU"', fields: [title, email]}],
     includes: []}
blueprints:
  - {id: support-agent, roles: [reader], ceiling: [{type: record, actions: [read, write]}], spawn: {depth: 2, children: 3}}
agents:
  - {id: helper, purpose: Looks things up, parent: refund-runner}
  - {id: refund-runner, name: Refund runner, purpose: Refund open cases, owner: alice, sponsor: bob, environment: production,
     blueprint: support-agent, parent: null, state: active, capabilities: [{type: record, actions: [read, write]}]}
  - {id: planner, purpose: Plans, owner: alice, sponsor: team/finance, state: suspended}
assignments: [{to: agent/refund-runner, role: reader, until: 2028-01-01T00:00:00Z, reason: onboarding}]
grants:
  - {to: agent/refund-runner, type: record, actions: [write], resource: record-1, fields: [title],
     when: 'now.getHours("Europe/Berlin") >= 9', use: true, delegate: false, reason: pilot}
  - {to: team/finance, type: record, actions: ["*"], subtree: {type: folder, id: f1}}
guardrails:
  - {id: big-amounts, effect: require_approval, type: record, actions: [write], when: 'action.properties.amount > 200.0',
     reason: Large amounts need a person}
  - {id: watched, effect: deny, state: report_only}
consents:
  - {user: alice, agent: refund-runner, type: record, actions: [read, write], purpose: refunds, until: 2028-01-01T00:00:00Z}
delegations:
  - {from: agent/planner, to: agent/refund-runner, type: record, actions: [read], depth: 1, until: 2028-01-01T00:00:00Z}
"""

HEAD = "organization: {slug: acme, name: Acme, trust_domain: acme.example}\n"

_TABLES = (
    Organization,
    PolicyChange,
    Event,
    User,
    Agent,
    ResourceType,
    Resource,
    Role,
    RoleAssignment,
    Grant,
    Guardrail,
    Consent,
    Delegation,
)


def apply(text: str, *, name: str = "acme.yaml", now: datetime = NOW, **options: Any) -> Outcome:
    """Apply a manifest as the system does."""
    values: dict[str, Any] = {"by": APPLY, "reason": "tests", "now": now, **options}
    return apply_manifest(read_text(text, name=name), **values)


def export(slug: str = "acme", *, now: datetime = NOW) -> str:
    """Export an organization."""
    return export_manifest(slug, now=now)


def counts() -> dict[str, Any]:
    """Count rows, and name every organization's revision: equal before and after when nothing happened."""
    tables: dict[str, Any] = {model.__name__: model._default_manager.count() for model in _TABLES}
    return {**tables, "revisions": sorted(Organization.objects.values_list("slug", "revision"))}


def changed(outcome: Outcome) -> list[str]:
    """Say what changed in words: ``create agent planner``."""
    return [f"{change.action} {change.kind} {change.id}" for change in outcome.changes]
