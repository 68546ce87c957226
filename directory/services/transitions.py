"""The steps that the services of an agent's life are made of: lock it, check who answers for it, move it along the table."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from agentiam.kit.actors import Actor
from agentiam.kit.errors import Conflict, Invalid
from audit.services import Change
from directory import events
from directory.lifecycle import Event, State, next_state
from directory.models import Agent, Organization, Team, User
from directory.services.reports import report
from directory.services.revisions import lock_organization, require_same_organization
from directory.services.versions import changes, save_version, save_versions

FINGERPRINTS: Final = ("model_hash", "charter_hash", "tools_hash")
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


class ReviewNeeded(Conflict):
    """What the agent is made of changed, and no person has looked at it since."""


class AgentIsOver(Conflict):
    """The agent's time is over by the clock, or would be from the start."""


class BadAgentEnd(AgentIsOver, Invalid):
    """The end that was named for an agent does not lie ahead, or lies after that of the agent that spawned it."""

    field = "expires_at"


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


def latch_review(agent: Agent, found: Mapping[str, Any], *, by: Actor, reason: str, now: datetime) -> list[Change]:
    """Mark that what a locked agent is made of changed, and suspend it when it is active, until a person has reviewed it.

    ``found`` says for each fingerprint what was known and what was found.
    """
    agent.review_needed = True
    active = agent.state == State.ACTIVE
    data = {"found": dict(found), "suspended": active}
    changed = report(events.AGENT_CHANGED_UNREVIEWED, agent, by=by, reason=reason, now=now, data=data)
    if active:
        cause = {"review_needed": True}
        return [changed, move(agent, Event.SUSPEND, also=["review_needed"], by=by, reason=reason, now=now, data=cause)]
    save_version(agent, by=by, reason=reason, now=now, fields=["review_needed"])
    return [changed]


def accept_review(
    agent: Agent, found: Mapping[str, str] = MappingProxyType({}), *, by: Actor, reason: str, now: datetime
) -> Change:
    """Note that a person who may has looked at a locked agent, with the fingerprints that were found; answers the change."""
    changed = changes(agent, {**found, "review_needed": False})
    save_version(agent, by=by, reason=reason, now=now, fields=[*found, "review_needed"])
    return report(events.AGENT_REVIEWED, agent, by=by, reason=reason, now=now, data={"changed": changed})


def latch_ownerless(agents: Sequence[Agent], *, by: Actor, reason: str, now: datetime) -> list[Change]:
    """Mark locked agents ownerless, and suspend those that are active, until somebody takes them over.

    They were read with their owners. Two queries, however many they are.
    """
    happened = []
    for agent in agents:
        before = State(agent.state)
        active = before is State.ACTIVE
        agent.ownerless = True
        data = {"owner": agent.owner.external_id, "suspended": active}
        happened.append(report(events.AGENT_OWNER_LEFT, agent, by=by, reason=reason, now=now, data=data))
        if active:
            agent.state = next_state(before, Event.SUSPEND).value
            data = {"before": before.value, "ownerless": True}
            happened.append(report(events.AGENT_SUSPENDED, agent, by=by, reason=reason, now=now, data=data))
    if agents:
        save_versions(agents, by=by, reason=reason, now=now, fields=["ownerless", "state"])
    return happened


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


def require_reviewed(agent: Agent) -> None:
    """Refuse an agent whose model, charter or tools changed since somebody looked at them."""
    if agent.review_needed:
        raise ReviewNeeded(f"{agent} changed, and nobody has reviewed it.", remedy="Let somebody else review it first.")


def require_unexpired(agent: Agent, *, now: datetime) -> None:
    """Refuse an agent whose time is over."""
    if agent.expires_at is not None and agent.expires_at <= now:
        raise AgentIsOver(f"{agent} ended on {agent.expires_at:%Y-%m-%d %H:%M} UTC.", remedy="Give it a later end first.")


def require_future(expires_at: datetime | None, *, now: datetime) -> None:
    """Refuse an end that is not ahead."""
    if expires_at is not None and expires_at <= now:
        raise BadAgentEnd("The end must lie in the future.")


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
