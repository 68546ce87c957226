"""Somebody else answers for an agent from now on; spawned agents go with their root."""

from datetime import datetime
from typing import Any

from django.db import transaction

from agentiam.kit.actors import Actor
from agentiam.kit.errors import Conflict, IllegalTransition
from audit.services import Change
from directory import events
from directory.lifecycle import State
from directory.models import Agent, AgentGroupPermission, AgentUserPermission, Team, User
from directory.services.onboarding import acting_person
from directory.services.reports import conclude, report
from directory.services.revisions import agent_refs
from directory.services.transitions import accountable_owner, accountable_sponsor, and_descendants, lock_agent
from directory.services.versions import changes, save_version


class SpawnedAgent(Conflict):
    """A spawned agent is answered for by those who answer for its root."""


def transfer_agent(
    *,
    agent: Agent,
    owner: User,
    sponsor: User | None = None,
    sponsor_team: Team | None = None,
    by: Actor,
    reason: str = "",
    now: datetime,
) -> Agent:
    """Give an agent, and all that descend from it, another owner and sponsor; they are no longer ownerless.

    A person does this, for taking over is a deliberate act. A suspended agent stays so until it is resumed. Whoever answers for
    it no longer keeps no right on it that was given to them. Raises OnlyAPerson, NobodyAccountable, SpawnedAgent and
    IllegalTransition.
    """
    with transaction.atomic():
        current = lock_agent(agent, by=by)
        acting_person(by, current)
        if current.state == State.RETIRED:
            raise IllegalTransition("A retired agent stays as it is.")
        if current.parent_id is not None:
            raise SpawnedAgent(f"{current} was spawned.", remedy="Transfer the agent that it descends from.")
        person, team = accountable_sponsor(sponsor, sponsor_team, current.organization)
        values: dict[str, Any] = {
            "owner": accountable_owner(owner, current.organization),
            "sponsor": person,
            "sponsor_team": team,
            "ownerless": False,
        }
        family = [member for member in and_descendants([current]) if member.state != State.RETIRED]
        gone = {current.owner_id, current.sponsor_id} - {owner.pk, None if person is None else person.pk, None}
        team_gone = current.sponsor_team if current.sponsor_team_id != (None if team is None else team.pk) else None
        happened = _take_back(family, gone, team_gone, by=by, reason=reason, now=now)
        for member in family:
            changed = changes(member, values)
            save_version(member, by=by, reason=reason, now=now, fields=values)
            data = {"changed": changed}
            happened.append(report(events.AGENT_TRANSFERRED, member, by=by, reason=reason, now=now, data=data))
        conclude(happened, touched=agent_refs(family))
    return family[0]


def _take_back(
    family: list[Agent], people: set[Any], team: Team | None, *, by: Actor, reason: str, now: datetime
) -> list[Change]:
    """Delete the rights on agents that were given to those who answered for them: with one, they could take them back."""
    of_people = AgentUserPermission.objects.filter(content_object__in=family, user__in=people)
    of_people = of_people.select_related("content_object", "user", "permission").order_by("pk")
    held: list[tuple[Any, str, User | Team]] = [(row, row.user.kind, row.user) for row in of_people]
    if team is not None:
        of_team = AgentGroupPermission.objects.filter(content_object__in=family, group=team.group_id)
        held += [(row, "team", team) for row in of_team.select_related("content_object", "permission").order_by("pk")]
    happened = []
    for row, kind, holder in held:
        data = {"right": row.permission.codename, "to": {"type": kind, "id": holder.external_id, "label": holder.name}}
        happened.append(report(events.ACCESS_WITHDRAWN, row.content_object, by=by, reason=reason, now=now, data=data))
        row.delete()
    return happened
