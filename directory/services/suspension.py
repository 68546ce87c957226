"""Suspending an agent is one click, reversible, and stops all that descend from it: every ancestor must be active."""

from datetime import datetime

from django.db import transaction

from agentiam.kit.actors import Actor
from directory.lifecycle import Event, State, next_state
from directory.models import Agent
from directory.services.reports import conclude
from directory.services.revisions import agent_refs
from directory.services.transitions import and_descendants, lock_agent, move, require_owned, require_unexpired


def suspend_agent(*, agent: Agent, by: Actor, reason: str = "", now: datetime) -> Agent:
    """Stop an agent and, without changing their own states, all agents that descend from it; raises IllegalTransition.

    The event says how many others were stopped: those that were working until then.
    """
    with transaction.atomic():
        current = lock_agent(agent, by=by)
        below = Agent.objects.filter(pk=current.pk).and_below().exclude(pk=current.pk)
        stopped = below.effectively_active(now).count()
        suspended = move(current, Event.SUSPEND, by=by, reason=reason, now=now, data={"descendants_stopped": stopped})
        conclude([suspended], touched=agent_refs(and_descendants([current])))
    return current


def resume_agent(*, agent: Agent, by: Actor, reason: str = "", now: datetime) -> Agent:
    """Let a suspended agent work again, and with it those that descend from it and were active.

    Raises IllegalTransition, AgentOwnerless, NobodyAccountable and AgentIsOver.
    """
    with transaction.atomic():
        current = lock_agent(agent, by=by)
        next_state(State(current.state), Event.RESUME)
        require_unexpired(current, now=now)
        require_owned(current)
        resumed = move(current, Event.RESUME, by=by, reason=reason, now=now)
        conclude([resumed], touched=agent_refs(and_descendants([current])))
    return current
