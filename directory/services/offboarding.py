"""An agent's last day: its credentials and runs end with it, its account is closed, and all that descend from it go too."""

from datetime import datetime

from django.db import transaction

from agentiam.kit.actors import Actor
from audit.services import Change
from directory import events
from directory.lifecycle import Event, State, next_state
from directory.models import Agent, Credential, Run
from directory.services.reports import conclude, report
from directory.services.revisions import agent_refs
from directory.services.transitions import and_descendants, lock_agent, move
from directory.services.versions import save_version


def retire_agent(*, agent: Agent, by: Actor, reason: str = "", now: datetime) -> Agent:
    """End an agent for good, and with it all that descend from it; raises IllegalTransition when it is retired already."""
    with transaction.atomic():
        current = lock_agent(agent, by=by)
        next_state(State(current.state), Event.RETIRE)
        family = [member for member in and_descendants([current]) if member.state != State.RETIRED]
        # Those furthest down first: none outlives the one that it works for.
        gone = reversed(family)
        happened = [change for member in gone for change in _retire(member, current, by=by, reason=reason, now=now)]
        conclude(happened, touched=agent_refs(family))
    return family[0]


def _retire(agent: Agent, root: Agent, *, by: Actor, reason: str, now: datetime) -> list[Change]:
    """Retire one agent; what it leaves behind is ended first, so that the log reads in that order."""
    happened = []
    for credential in Credential.objects.filter(agent=agent, revoked_at__isnull=True):
        credential.revoked_at = now
        save_version(credential, by=by, reason=reason, now=now, fields=["revoked_at"])
        data = {"agent": agent.external_id, "kind": credential.kind}
        happened.append(report(events.CREDENTIAL_REVOKED, credential, by=by, reason=reason, now=now, data=data))
    for run in Run.objects.filter(agent=agent, ended_at__isnull=True):
        run.ended_at = max(now, run.started_at)
        save_version(run, by=by, reason=reason, now=now, fields=["ended_at"])
        happened.append(report(events.RUN_ENDED, run, by=by, reason=reason, now=now, data={"agent": agent.external_id}))
    agent.user.is_active = False
    agent.user.deactivated_at = now
    save_version(agent.user, by=by, reason=reason, now=now, fields=["is_active", "deactivated_at"])
    data = {} if agent.pk == root.pk else {"because_of": root.external_id}
    return [*happened, move(agent, Event.RETIRE, by=by, reason=reason, now=now, data=data)]
