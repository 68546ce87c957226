"""Who answers for which agents, and so does not widen what they may do by a right on a single object."""

from typing import Any

from django.db.models import Q

from directory.models import Agent, AgentGroupPermission, AgentUserPermission, Blueprint
from directory.services.rights import WidensOneself


def answers_for(user: Any) -> Q:
    """Say for which agents somebody answers: whom they own, sponsor or were let manage; for an agent, itself too.

    Whoever may manage an agent can give it away for a moment, and take it back.
    """
    managing = {"permission__codename": "manage_agent"}
    own = AgentUserPermission.objects.filter(user=user, **managing)
    shared = AgentGroupPermission.objects.filter(group__in=user.groups.all(), **managing)
    return (
        Q(owner=user)
        | Q(sponsor=user)
        | Q(sponsor_team__group__in=user.groups.all())
        | Q(user=user)
        | Q(pk__in=own.values("content_object"))
        | Q(pk__in=shared.values("content_object"))
    )


def require_not_ones_own_blueprint(user: Any, blueprint: Blueprint) -> None:
    """Refuse to widen the blueprint of an agent of one's own, unless one manages all blueprints; raises WidensOneself."""
    if user.has_perm("directory.manage_blueprint"):
        return
    if Agent.objects.filter(answers_for(user), organization=user.organization_id, blueprint=blueprint).exists():
        raise WidensOneself("An agent that you answer for is of this blueprint.")
