"""Nobody widens what they, or the agents that they answer for, may do: whoever gives has to give to others.

A right over the whole organization is for everybody's agents, one's own
among them; even with it nobody gives to their own account or to a team that they are in.
"""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db.models import Q

from agentiam.kit.actors import Actor
from directory.models import Agent, Blueprint, Team
from directory.services.answering import account_of, answers_for, blueprints_used
from directory.services.rights import WidensOneself
from permissions.models import BlueprintRole, Role, RoleAssignment, RoleInclusion
from permissions.services.holders import Holder


def require_not_oneself(holder: Holder, *, by: Actor) -> None:
    """Refuse to give to one's own account or team, and for an agent to itself and those it descends from.

    Raises WidensOneself.
    """
    account = None if by.kind == "system" else account_of(by)
    if account is None:
        return
    if isinstance(holder, Team):
        own = account.groups.filter(pk=holder.group_id).exists()
    elif account.is_person:
        own = holder.pk == account.pk
    else:
        own = Agent.objects.filter(user=account).and_around().filter(user=holder.pk).exists()
    if own:
        raise WidensOneself("Nobody gives to themselves.")


def require_not_ones_own(user: Any, roles: Iterable[Role]) -> None:
    """Refuse to widen roles that the one who asks or an agent of theirs holds, or can come to hold by its blueprint.

    Whoever may change one role would otherwise give their own agent whatever they like through it, unless all roles are
    theirs to manage. Raises WidensOneself.
    """
    if user.has_perm("permissions.manage_role"):
        return
    reached = _including({role.pk for role in roles}, user.organization_id)
    mine = Agent.objects.filter(answers_for(user), organization=user.organization_id)
    own = Q(user=user) | Q(team__group__in=user.groups.all()) | Q(user__in=mine.values("user"))
    held = RoleAssignment.objects.filter(own, role__in=reached, ended_at__isnull=True)
    handed_out = BlueprintRole.objects.filter(role__in=reached)
    if held.exists() or handed_out.filter(blueprint__in=mine.values("blueprint")).exists():
        raise WidensOneself("You, or an agent that you answer for, have this role.")
    if handed_out.filter(blueprint__in=Blueprint.objects.filter(blueprints_used(user)).values("pk")).exists():
        raise WidensOneself("Agents of a blueprint that you may register agents from have this role.")


def _including(roles: set[UUID], organization_id: UUID) -> set[UUID]:
    """Add the roles that include these, directly or through others."""
    edges = list(RoleInclusion.objects.filter(role__organization=organization_id).values_list("role_id", "included_id"))
    reached, grown = set(roles), True
    while grown:
        more = {role for role, included in edges if included in reached} - reached
        reached |= more
        grown = bool(more)
    return reached
