"""Suspending an agent is one click, reversible, and stops all that descend from it: every ancestor must be active."""

from datetime import datetime

from django.db import transaction

from agentiam.kit.actors import Actor
from audit.services import Change
from directory.lifecycle import Event, State, next_state
from directory.models import Agent
from directory.services.reports import conclude
from directory.services.revisions import agent_refs
from directory.services.transitions import (
    and_descendants,
    lock_agent,
    move,
    require_owned,
    require_reviewed,
    require_unexpired,
)


def suspend_agent(*, agent: Agent, by: Actor, reason: str = "", now: datetime) -> Agent:
    """Stop an agent and, without changing their own states, all agents that descend from it; raises IllegalTransition.

    The event says how many others were stopped: those that were working until then.
    """
    with transaction.atomic():
        current = lock_agent(agent, by=by)
        suspended = suspend_locked(current, by=by, reason=reason, now=now)
        conclude([suspended], touched=agent_refs(and_descendants([current])))
    return current


def suspend_locked(agent: Agent, *, by: Actor, reason: str, now: datetime) -> Change:
    """Suspend a locked agent, and answer the change to record, of whatever it is part; raises IllegalTransition."""
    below = Agent.objects.filter(pk=agent.pk).and_below().exclude(pk=agent.pk)
    stopped = below.effectively_active(now).count()
    return move(agent, Event.SUSPEND, by=by, reason=reason, now=now, data={"descendants_stopped": stopped})


def resume_agent(*, agent: Agent, by: Actor, reason: str = "", now: datetime) -> Agent:
    """Let a suspended agent work again, and with it those that descend from it and were active.

    Raises IllegalTransition, AgentOwnerless, NobodyAccountable, ReviewNeeded and AgentIsOver.
    """
    with transaction.atomic():
        current = lock_agent(agent, by=by)
        next_state(State(current.state), Event.RESUME)
        require_unexpired(current, now=now)
        require_owned(current)
        require_reviewed(current)
        resumed = move(current, Event.RESUME, by=by, reason=reason, now=now)
        conclude([resumed], touched=agent_refs(and_descendants([current])))
    return current
