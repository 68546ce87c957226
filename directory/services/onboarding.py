"""An agent starts to work once as many people have agreed as its blueprint asks for, and never by the one who registered it."""

from datetime import datetime

from django.db import transaction

from agentiam.kit.actors import Actor
from agentiam.kit.errors import Conflict, IllegalTransition, NotAllowed
from audit.services import Change
from directory import events
from directory.lifecycle import Event, State, next_state
from directory.models import Agent, SignOff, User
from directory.services.reports import conclude, report
from directory.services.revisions import agent_refs
from directory.services.transitions import (
    accountable_sponsor,
    active_person,
    and_descendants,
    lock_agent,
    move,
    require_owned,
    require_unexpired,
)


class OnlyAPerson(NotAllowed):
    """Neither an agent nor the system can do this: a person answers for it."""


class OwnRegistration(NotAllowed):
    """The one who registered an agent cannot agree to its onboarding."""


class AlreadySignedOff(Conflict):
    """The person has agreed already."""


class SignOffsMissing(Conflict):
    """Fewer people have agreed than the blueprint asks for."""


def approve_onboarding(*, agent: Agent, by: Actor, reason: str = "", now: datetime) -> Agent:
    """Agree, as a person, to an agent's onboarding; the last agreement that the blueprint asks for activates it.

    Raises OnlyAPerson, OwnRegistration, AlreadySignedOff, IllegalTransition, and whatever ``activate_agent`` raises.
    """
    with transaction.atomic():
        current = lock_agent(agent, by=by)
        if State(current.state) is not State.PENDING:
            raise IllegalTransition(f"A {current.state} agent is not waiting for its onboarding.")
        person = acting_person(by, current)
        if current.registered_by_id == person.pk:
            raise OwnRegistration(f"{person} registered {current}.", remedy="Somebody else has to agree.")
        if SignOff.objects.filter(agent=current, person=person).exists():
            raise AlreadySignedOff(f"{person} has agreed already.")
        SignOff.objects.create(agent=current, person=person, reason=reason, signed_at=now)
        missing = missing_sign_offs(current)
        happened = [report(events.AGENT_SIGNED_OFF, current, by=by, reason=reason, now=now, data={"missing": missing})]
        if not missing:
            happened.append(_activate(current, by=by, reason=reason, now=now))
        conclude(happened, touched=agent_refs([current]))
    return current


def activate_agent(*, agent: Agent, by: Actor, reason: str = "", now: datetime) -> Agent:
    """Let a pending agent work.

    Raises SignOffsMissing, NobodyAccountable, AgentOwnerless, AgentIsOver and IllegalTransition.
    """
    with transaction.atomic():
        current = lock_agent(agent, by=by)
        activated = _activate(current, by=by, reason=reason, now=now)
        conclude([activated], touched=agent_refs(and_descendants([current])))
    return current


def missing_sign_offs(agent: Agent) -> int:
    """Count how many more people must agree; the yes of somebody who was deactivated since does not count."""
    needed = 0 if agent.blueprint is None else agent.blueprint.sign_offs
    return max(0, needed - agent.sign_offs.filter(person__is_active=True).count())


def acting_person(by: Actor, agent: Agent) -> User:
    """Find the person who acts; raises OnlyAPerson for anybody else, NobodyAccountable for one who was deactivated."""
    if by.kind != "person" or by.user_id is None:
        raise OnlyAPerson("Only a person can do this.")
    return active_person(User.objects.get(pk=by.user_id), agent.organization, role="The one who acts")


def _activate(agent: Agent, *, by: Actor, reason: str, now: datetime) -> Change:
    next_state(State(agent.state), Event.ACTIVATE)
    require_unexpired(agent, now=now)
    require_owned(agent)
    accountable_sponsor(agent.sponsor, agent.sponsor_team, agent.organization)
    missing = missing_sign_offs(agent)
    if missing:
        raise SignOffsMissing(f"{missing} more {'person' if missing == 1 else 'people'} must agree.")
    return move(agent, Event.ACTIVATE, by=by, reason=reason, now=now)
