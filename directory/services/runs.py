"""An agent takes up a task, and lays it down; what the task allows is a limit only while the run lasts."""

from datetime import datetime
from typing import Any

from django.db import transaction

from agentiam.kit.actors import CLOCK, Actor
from agentiam.kit.errors import Conflict, IllegalTransition, Invalid
from audit.services import Change
from directory import events
from directory.models import Agent, Run, User
from directory.services.declarations import check_limits
from directory.services.reports import conclude, report
from directory.services.revisions import agent_refs, lock_organization
from directory.services.transitions import active_person, lock_agent, require_effectively_active
from directory.services.versions import save_version


class RunIsOver(Invalid):
    """The run would be over before it starts."""

    field = "expires_at"


class TaskUnderway(Conflict):
    """The agent is on this task already."""


def start_run(
    *,
    agent: Agent,
    task_id: str,
    purpose: str = "",
    on_behalf_of: User | None = None,
    allows: list[dict[str, Any]] | None = None,
    expires_at: datetime | None = None,
    by: Actor,
    reason: str = "",
    now: datetime,
) -> Run:
    """Put an agent on a task; ``allows`` None sets no limit. A run on the same task that is over by the clock is closed first.

    Raises AgentNotActive, TaskUnderway, NobodyAccountable for an inactive user, RunIsOver and BadDeclaration.
    """
    limits = check_limits(allows, of="Limit")
    if expires_at is not None and expires_at <= now:
        raise RunIsOver("The run's end must lie in the future.")
    with transaction.atomic():
        current = lock_agent(agent, by=by)
        require_effectively_active(current, now=now)
        user = None if on_behalf_of is None else active_person(on_behalf_of, current.organization, role="The user")
        happened = _close_stale(current, task_id, now=now)
        run = Run(
            organization=current.organization,
            agent=current,
            task_id=task_id,
            purpose=purpose,
            on_behalf_of=user,
            allows=limits,
            started_at=now,
            expires_at=expires_at,
        )
        save_version(run, by=by, reason=reason, now=now)
        data = {"agent": current.external_id, "on_behalf_of": None if user is None else user.external_id}
        happened.append(report(events.RUN_STARTED, run, by=by, reason=reason, now=now, data=data))
        conclude(happened, touched=agent_refs([current]))
    return run


def end_run(*, run: Run, by: Actor, reason: str = "", now: datetime) -> Run:
    """End a run; raises IllegalTransition when it has been ended already."""
    with transaction.atomic():
        lock_organization(run.organization_id, by=by)
        current = Run.objects.select_for_update(no_key=True, of=("self",)).select_related("agent").get(pk=run.pk)
        if current.ended_at is not None:
            raise IllegalTransition("The run has ended already.")
        ended = _end(current, at=max(now, current.started_at), by=by, reason=reason, now=now)
        conclude([ended], touched=agent_refs([current.agent]))
    return current


def _close_stale(agent: Agent, task_id: str, *, now: datetime) -> list[Change]:
    """Close a run on the task that is over by the clock; nobody did so when its time was up, for nothing depended on it."""
    open_runs = Run.objects.filter(agent=agent, task_id=task_id, ended_at__isnull=True)
    if open_runs.live(now).exists():
        raise TaskUnderway(f"{agent} is on {task_id} already.")
    return [
        _end(run, at=run.expires_at or now, by=CLOCK, reason="Its time was over.", now=now)
        for run in open_runs.select_related("agent")
    ]


def _end(run: Run, *, at: datetime, by: Actor, reason: str, now: datetime) -> Change:
    run.ended_at = at
    save_version(run, by=by, reason=reason, now=now, fields=["ended_at"])
    return report(events.RUN_ENDED, run, by=by, reason=reason, now=now, data={"agent": run.agent.external_id})
