"""The whole plan of a manifest: every section that it has, against what is there."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, TypeAlias

import msgspec

from agentiam.manifest.documents import Document
from agentiam.manifest.mistakes import Unusable
from agentiam.manifest.planning.agents import plan_agents
from agentiam.manifest.planning.catalogue import plan_applications, plan_resources
from agentiam.manifest.planning.changes import Plan
from agentiam.manifest.planning.holdings import plan_assignments, plan_consents, plan_delegations, plan_grants
from agentiam.manifest.planning.people import plan_organization, plan_people, plan_teams
from agentiam.manifest.planning.roles import plan_blueprints, plan_roles
from agentiam.manifest.planning.rules import plan_agreements, plan_guardrails, plan_trusts
from agentiam.manifest.present import Present
from agentiam.manifest.reading import Source
from agentiam.manifest.references import listed
from agentiam.manifest.settling import settled_blueprint

_Planners: TypeAlias = tuple[tuple[str, Callable[[Plan, Any], None]], ...]

_BEFORE_AGENTS: Final[_Planners] = (
    ("teams", plan_teams),
    ("applications", plan_applications),
    ("resources", plan_resources),
    ("roles", plan_roles),
    ("blueprints", plan_blueprints),
)
_AFTER_AGENTS: Final[_Planners] = (
    ("trusts", plan_trusts),
    ("agreements", plan_agreements),
    ("assignments", plan_assignments),
    ("grants", plan_grants),
    ("guardrails", plan_guardrails),
    ("consents", plan_consents),
    ("delegations", plan_delegations),
)


def make_plan(source: Source, document: Document, present: Present, *, prune: bool, now: datetime) -> Plan:
    """Compare what is wanted with what is there; raises Unusable for what cannot be."""
    plan = Plan(source=source, present=present, prune=prune, now=now)
    plan_organization(plan, document.organization)
    if document.people is not msgspec.UNSET:
        plan_people(plan, document.people, slug=document.organization.slug)
    _plan_sections(plan, document, _BEFORE_AGENTS)
    if document.agents is not msgspec.UNSET:
        blueprints = present.blueprints | {each.id: settled_blueprint(each) for each in listed(document, "blueprints")}
        plan_agents(plan, document.agents, blueprints)
    _plan_sections(plan, document, _AFTER_AGENTS)
    if plan.mistakes:
        raise Unusable(plan.mistakes)
    return plan


def _plan_sections(plan: Plan, document: Document, planners: _Planners) -> None:
    for section, plan_section in planners:
        wanted = getattr(document, section)
        if wanted is not msgspec.UNSET:
            plan_section(plan, wanted)
