"""Who may give what to whom: a right on the holder and a right on what is given, and never to oneself.

To give something to an agent needs ``grant_agent`` on that agent; being its owner or sponsor is not that right, so that nobody
widens what their own agent may do unless somebody trusted them with exactly this. To give a role also needs ``assign_role`` on
the role. To give to people, teams and partners' agents needs the right over the whole organization. And nobody gives to
themselves, to a team that they are in, or, as an agent, to itself and those it descends from: another one has to, which the
services see to.
"""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.utils import timezone
from rest_framework import serializers

from agentiam.api.problems import invalid, missing_right
from agentiam.api.serializers import Given, Told, one_of
from agentiam.api.viewsets import Given as Values
from directory.models import Agent, Team, User
from permissions.models import Role, Trust
from permissions.services.holders import Holder

_NAMES = ("agent", "person", "team", "partner_agent")


class HolderGiven(Given):
    """Who is to hold something: exactly one of these."""

    agent = serializers.UUIDField(required=False)
    person = serializers.UUIDField(required=False)
    team = serializers.UUIDField(required=False)
    partner_agent = serializers.CharField(required=False, max_length=2_048, help_text="The SPIFFE id of a partner's agent.")


class HolderTold(Told):
    """Who holds something; a partner's agent is told by its SPIFFE id and nothing else."""

    kind = serializers.ChoiceField(choices=_NAMES)
    id = serializers.UUIDField(allow_null=True)
    external_id = serializers.CharField()
    name = serializers.CharField()


def holder_told(row: Any) -> dict[str, Any]:
    """Tell the holder of a grant or an assignment; the account comes with its agent."""
    if row.team is not None:
        return _told("team", row.team.pk, row.team.external_id, row.team.name)
    account = row.user
    if account.is_person:
        return _told("person", account.pk, account.external_id, account.name)
    if account.organization_id != row.organization_id:
        spiffe_id = account.agent.spiffe_id
        return _told("partner_agent", None, spiffe_id, spiffe_id)
    return _told("agent", account.agent.pk, account.external_id, account.name)


def _told(kind: str, key: UUID | None, external_id: str, name: str) -> dict[str, Any]:
    return {"kind": kind, "id": None if key is None else str(key), "external_id": external_id, "name": name}


def holder_of(user: Any, given: Values, *, right: str) -> Holder:
    """Find the holder that a body names, for somebody who may give to it.

    ``right`` is the one over the organization, like ``permissions.add_grant``. Raises a 422 problem for a holder that the
    caller does not see, and a 403 problem.
    """
    named = [name for name in _NAMES if name in given]
    if len(named) != 1:
        raise invalid({"holder": ["Name exactly one: an agent, a person, a team, or a partner's agent."]})
    kind = named[0]
    key = given[kind]
    if kind == "agent":
        return _agent(user, key)
    if kind == "partner_agent":
        _require(user, right)
        return _partner_agent(user, key)
    if kind == "team":
        team: Team = one_of(Team.objects.visible_to(user), key, "holder/team")
        _require(user, right)
        return team
    person: User = one_of(User.objects.visible_to(user).people(), key, "holder/person")
    _require(user, right)
    return person


def _agent(user: Any, key: UUID) -> User:
    agent = one_of(Agent.objects.visible_to(user), key, "holder/agent")
    if not Agent.objects.permitting(user, "grant_agent").filter(pk=agent.pk).exists():
        raise missing_right("grant_agent")
    account: User = agent.user
    return account


def _partner_agent(user: Any, spiffe_id: str) -> User:
    partners = Trust.objects.filter(organization=user.organization_id, partner__isnull=False).live(timezone.now())
    agents = Agent.objects.filter(spiffe_id=spiffe_id, organization__in=partners.values("partner"))
    found = agents.select_related("user").first()
    if found is None:
        raise invalid({"holder": {"partner_agent": ["No partner that you trust has an agent of this id."]}})
    return found.user


def require_role(user: Any, role: Role) -> None:
    """Demand the right to give a role; raises a 403 problem."""
    require_roles(user, [role])


def require_roles(user: Any, roles: Iterable[Role]) -> None:
    """Demand the right to give every one of some roles; raises a 403 problem."""
    wanted = {role.pk for role in roles}
    if Role.objects.permitting(user, "assign_role").filter(pk__in=wanted).count() != len(wanted):
        raise missing_right("assign_role")


def _require(user: Any, right: str) -> None:
    if not user.has_perm(right):
        raise missing_right(right.partition(".")[2])
