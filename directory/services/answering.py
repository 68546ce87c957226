"""Who answers for which agents, and so does not widen what they may do by a right on a single object."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.contrib.auth.models import Group
from django.db.models import Q

from agentiam.kit.actors import Actor
from directory.lifecycle import State
from directory.models import Agent, AgentGroupPermission, AgentUserPermission, Blueprint, Credential, OnboardingToken, User
from directory.services.rights import WidensOneself


def account_of(by: Actor) -> User | None:
    """Look up the account that acts, if there is one."""
    return None if by.user_id is None else User.objects.filter(pk=by.user_id).first()


def answers_for(user: Any) -> Q:
    """Say for which agents somebody answers: whom they own, sponsor or were let manage; for an agent, itself too.

    Whoever may manage an agent can give it away for a moment, and take it back. Whoever owned or sponsored it, or made a
    credential of it that is not revoked, may have its keys still.
    """
    managing = {"permission__codename": "manage_agent"}
    groups = user.groups.all()
    own = AgentUserPermission.objects.filter(user=user, **managing)
    shared = AgentGroupPermission.objects.filter(group__in=groups, **managing)
    then = Agent.history.filter(  # type: ignore[attr-defined]  # made by simple-history
        Q(owner=user) | Q(sponsor=user) | Q(sponsor_team__group__in=groups)
    ).exclude(state=State.DISCOVERED)
    made = Credential.history.filter(history_type="+", history_user=user)  # type: ignore[attr-defined]  # as above
    keys = Credential.objects.filter(pk__in=made.order_by().values("id"), revoked_at__isnull=True)
    return (
        Q(owner=user)
        | Q(sponsor=user)
        | Q(sponsor_team__group__in=groups)
        | Q(user=user)
        | Q(pk__in=own.values("content_object"))
        | Q(pk__in=shared.values("content_object"))
        | Q(pk__in=then.order_by().values("id"))
        | Q(pk__in=keys.values("agent"))
    )


def who_answers_for(agents: Iterable[UUID], *, ever: bool = False) -> set[UUID]:
    """Find the accounts that answer for any of some agents, as ``answers_for`` asks it of one account.

    ``ever`` counts who made a key that is revoked by now: they can have used it before.
    """
    named = list(agents)
    managing = {"permission__codename": "manage_agent", "content_object__in": named}
    then = Agent.history.filter(id__in=named).exclude(state=State.DISCOVERED)  # type: ignore[attr-defined]  # as above
    keys = Credential.objects.filter(agent__in=named)
    if not ever:
        keys = keys.filter(revoked_at__isnull=True)
    made = Credential.history.filter(history_type="+", id__in=keys.values("pk"))  # type: ignore[attr-defined]  # as above
    now = Agent.objects.filter(pk__in=named)
    found = set(now.values_list("user_id", flat=True))
    for rows in (now, then.order_by()):
        for owner, sponsor in rows.values_list("owner_id", "sponsor_id"):
            found |= {owner, sponsor}
    found |= set(made.order_by().values_list("history_user_id", flat=True))
    found |= set(AgentUserPermission.objects.filter(**managing).values_list("user_id", flat=True))
    teams = Q(team__pk__in=now.values("sponsor_team")) | Q(team__pk__in=then.order_by().values("sponsor_team"))
    groups = Group.objects.filter(teams | Q(pk__in=AgentGroupPermission.objects.filter(**managing).values("group")))
    found |= set(User.objects.filter(groups__in=groups).values_list("pk", flat=True))
    return found - {None}


def blueprints_used(user: Any) -> Q:
    """Say from which blueprints somebody may register agents, themselves or by a pipeline with a token of theirs."""
    usable = Blueprint.objects.visible_to(user)
    if not user.has_perm("directory.add_agent"):
        usable = usable.permitting(user, "use_blueprint")
    handed_out = OnboardingToken.objects.filter(issued_by=user, revoked_at__isnull=True)
    return Q(pk__in=usable.order_by().values("pk")) | Q(pk__in=handed_out.values("blueprint"))


def may_register(user: Any, blueprint: Blueprint | None) -> bool:
    """Tell whether somebody may register an agent of a blueprint, or of none."""
    if user.has_perm("directory.add_agent"):
        return True
    return blueprint is not None and Blueprint.objects.permitting(user, "use_blueprint").filter(pk=blueprint.pk).exists()


def require_not_ones_own_blueprint(user: Any, blueprint: Blueprint) -> None:
    """Refuse to widen a blueprint that an agent of one's own is of, or can come to be of.

    Whoever manages all blueprints may. Raises WidensOneself.
    """
    if user.has_perm("directory.manage_blueprint"):
        return
    if Agent.objects.filter(answers_for(user), organization=user.organization_id, blueprint=blueprint).exists():
        raise WidensOneself("An agent that you answer for is of this blueprint.")
    if Blueprint.objects.filter(blueprints_used(user), pk=blueprint.pk).exists():
        raise WidensOneself("You may register agents from this blueprint.")
