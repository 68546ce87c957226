"""An agent makes another that works for it, within the limits of its blueprint: how deep, how many, how long.

Organization and parent are locked while the children are counted, so two that spawn at once cannot both take the last place.
"""

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from agentiam.kit.actors import Actor
from agentiam.kit.errors import Conflict, Invalid, NotAllowed
from directory import events
from directory.lifecycle import State
from directory.models import Agent, Blueprint
from directory.services.agents import AgentKnown, add_agent
from directory.services.declarations import check_capabilities
from directory.services.reports import conclude, report
from directory.services.revisions import agent_refs
from directory.services.transitions import lock_agent, require_effectively_active, require_future


class SpawningNotAllowed(NotAllowed):
    """The agent has no blueprint that lets it spawn, or another agent asks."""


class AddressAsId(Invalid):
    """A client that describes itself has its address as its id, and nobody makes one up by spawning."""

    field = "external_id"


class SpawnLimitReached(Conflict):
    """One more agent would be too deep, or one too many."""


def spawn_agent(
    *,
    parent: Agent,
    external_id: str,
    name: str,
    purpose: str,
    capabilities: list[dict[str, Any]] | None = None,
    expires_at: datetime | None = None,
    by: Actor,
    reason: str = "",
    now: datetime,
) -> Agent:
    """Make a child of an agent, active at once: its blueprint's sign-offs were given for the root.

    The child has its parent's owner, sponsor, team, blueprint, environment and risk, and ends with the parent at the latest.
    Raises AgentNotActive, SpawningNotAllowed, SpawnLimitReached, AgentKnown, AgentIsOver, BadDeclaration, and AddressAsId.
    """
    if "://" in external_id:
        raise AddressAsId(f"{external_id} is an address, by which clients of elsewhere are known.", remedy="Choose a plain id.")
    declared = check_capabilities(capabilities)
    require_future(expires_at, now=now)
    with transaction.atomic():
        current = lock_agent(parent, by=by)
        if by.kind == "agent" and by.user_id != current.user_id:
            raise SpawningNotAllowed("An agent spawns for itself only.")
        require_effectively_active(current, now=now)
        blueprint = _check_limits(current, now=now)
        if Agent.objects.filter(organization=current.organization, external_id=external_id).exists():
            raise AgentKnown(f"{external_id} is known already.")
        child = _child(current)
        child.external_id, child.name, child.purpose, child.capabilities = external_id, name, purpose, declared
        child.expires_at = _end(current, blueprint, expires_at, now=now)
        child.created_at = now
        add_agent(child, active=True, by=by, reason=reason, now=now)
        data = {"parent": current.external_id, "depth": child.depth}
        conclude([report(events.AGENT_SPAWNED, child, by=by, reason=reason, now=now, data=data)], touched=agent_refs([child]))
    return child


def _check_limits(parent: Agent, *, now: datetime) -> Blueprint:
    blueprint = parent.blueprint
    if blueprint is None or not blueprint.spawn_depth or not blueprint.spawn_children:
        raise SpawningNotAllowed(f"{parent} has no blueprint that lets it spawn.")
    if parent.depth + 1 > blueprint.spawn_depth:
        raise SpawnLimitReached(f"{blueprint} lets agents spawn {blueprint.spawn_depth} deep.")
    if Agent.objects.filter(parent=parent).live(now).count() >= blueprint.spawn_children:
        raise SpawnLimitReached(
            f"{parent} has {blueprint.spawn_children} living children, as many as {blueprint} allows.",
            remedy="Retire one of them first.",
        )
    return blueprint


def _child(parent: Agent) -> Agent:
    return Agent(
        organization=parent.organization,
        parent=parent,
        depth=parent.depth + 1,
        owner=parent.owner,
        sponsor=parent.sponsor,
        sponsor_team=parent.sponsor_team,
        team=parent.team,
        blueprint=parent.blueprint,
        environment=parent.environment,
        risk_tier=parent.risk_tier,
        framework=parent.framework,
        model=parent.model,
        version=parent.version,
        state=State.ACTIVE.value,
    )


def _end(parent: Agent, blueprint: Blueprint, wanted: datetime | None, *, now: datetime) -> datetime | None:
    longest = None if blueprint.spawn_seconds is None else now + timedelta(seconds=blueprint.spawn_seconds)
    return min((end for end in (wanted, longest, parent.expires_at) if end is not None), default=None)
