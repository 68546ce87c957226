"""The steps that the services of an agent's life are made of: lock it, check who answers for it, move it along the table."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from agentiam.kit.actors import Actor
from agentiam.kit.errors import Conflict
from audit.services import Change
from directory import events
from directory.lifecycle import Event, State, next_state
from directory.models import Agent, Organization, Team, User
from directory.services.reports import report
from directory.services.revisions import lock_organization, require_same_organization
from directory.services.versions import save_version

_TYPES: Final = MappingProxyType(
    {
        Event.REGISTER: events.AGENT_REGISTERED,
        Event.ACTIVATE: events.AGENT_ACTIVATED,
        Event.SUSPEND: events.AGENT_SUSPENDED,
        Event.RESUME: events.AGENT_RESUMED,
        Event.RETIRE: events.AGENT_RETIRED,
    }
)


class NobodyAccountable(Conflict):
    """The one who was named to answer for an agent cannot: not a person, deactivated, or nobody was named."""


class AgentOwnerless(Conflict):
    """The owner left, and nobody has taken the agent over."""


class AgentIsOver(Conflict):
    """The agent's time is over by the clock, or would be from the start."""


class AgentNotActive(Conflict):
    """The agent, an ancestor of it or its organization is not active, or their time is over."""


def lock_agent(agent: Agent, *, by: Actor) -> Agent:
    """Lock the agent's organization and then the agent, and read it anew."""
    lock_organization(agent.organization_id, by=by)
    locked = Agent.objects.select_for_update(no_key=True, of=("self",))
    return locked.select_related("organization", "blueprint", "user", "owner").get(pk=agent.pk)


def move(
    agent: Agent,
    event: Event,
    *,
    by: Actor,
    reason: str,
    now: datetime,
    also: Iterable[str] = (),
    data: Mapping[str, Any] | None = None,
) -> Change:
    """Apply one event of the lifecycle to a locked agent, and answer the change to record.

    ``also`` names other fields that were set and belong to the same version. Raises IllegalTransition and then changes nothing.
    """
    before = State(agent.state)
    agent.state = next_state(before, event).value
    save_version(agent, by=by, reason=reason, now=now, fields=["state", *also])
    return report(_TYPES[event], agent, by=by, reason=reason, now=now, data={"before": before.value, **(data or {})})


def and_descendants(agents: Iterable[Agent]) -> list[Agent]:
    """List agents with everything that descends from them, ancestors first; one query."""
    start = Agent.objects.filter(pk__in=[agent.pk for agent in agents])
    return list(start.and_below().select_related("user", "owner").order_by("depth", "id"))


def accountable_owner(owner: User, organization: Organization) -> User:
    """Read a future owner anew; raises NobodyAccountable unless it is an active person of the organization."""
    return active_person(owner, organization, role="The owner")


def accountable_sponsor(
    sponsor: User | None, sponsor_team: Team | None, organization: Organization
) -> tuple[User | None, Team | None]:
    """Read a future sponsor anew; raises NobodyAccountable unless it is one active person or one team of the organization."""
    if (sponsor is None) == (sponsor_team is None):
        raise NobodyAccountable("An agent has one sponsor: a person or a team.")
    require_same_organization(organization, sponsor_team)
    return (None if sponsor is None else active_person(sponsor, organization, role="The sponsor")), sponsor_team


def active_person(user: User, organization: Organization, *, role: str) -> User:
    """Read a person anew; raises NobodyAccountable, naming the role, unless they are active in the organization."""
    require_same_organization(organization, user)
    current: User = User.objects.get(pk=user.pk)
    if not current.is_person or not current.is_active:
        raise NobodyAccountable(f"{role} must be an active person; {current} is not.")
    return current


def require_owned(agent: Agent) -> None:
    """Refuse an agent whose owner left, or is not active."""
    if agent.ownerless:
        raise AgentOwnerless(f"{agent} is ownerless.", remedy="Transfer it to somebody first.")
    active_person(agent.owner, agent.organization, role="The owner")


def require_unexpired(agent: Agent, *, now: datetime) -> None:
    """Refuse an agent whose time is over."""
    if agent.expires_at is not None and agent.expires_at <= now:
        raise AgentIsOver(f"{agent} ended on {agent.expires_at:%Y-%m-%d %H:%M} UTC.", remedy="Give it a later end first.")


def require_future(expires_at: datetime | None, *, now: datetime) -> None:
    """Refuse an end that is not ahead."""
    if expires_at is not None and expires_at <= now:
        raise AgentIsOver("The end must lie in the future.")


def require_effectively_active(agent: Agent, *, now: datetime) -> None:
    """Refuse an agent that may do nothing at the moment, for whatever reason."""
    if agent.organization.state != Organization.State.ACTIVE:
        raise AgentNotActive(f"{agent.organization} is suspended.")
    # From the agent upwards: as many rows as it is deep, however many agents there are.
    for each in Agent.objects.filter(pk=agent.pk).and_around().order_by("depth"):
        if each.state != State.ACTIVE:
            raise AgentNotActive(f"{each} is {each.state}.")
        if each.expires_at is not None and each.expires_at <= now:
            raise AgentNotActive(f"The time of {each} is over.")
