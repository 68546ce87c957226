"""Every read starts at ``visible_to``: rows of the account's own organization, and of those what the account may see.

A right for the whole organization is Django's model permission (``directory.view_agent``), one on a row is guardian's, read
from the tables with real foreign keys. Guardian's own shortcuts are not used: they list rows to inactive accounts.
"""

from datetime import datetime
from typing import Any, Final, Self, TypeVar
from uuid import UUID

from django.apps import apps
from django.contrib.auth.models import AnonymousUser, BaseUserManager
from django.db import models
from django.db.models import Q, Subquery

from directory.lifecycle import State

M = TypeVar("M", bound=models.Model)


class Tree(Subquery):
    """The ids that are reached from the rows of a table that refers to itself by ``parent``, theirs included."""

    def __init__(self, start: models.QuerySet[Any, Any]) -> None:
        super().__init__(start.order_by().values("pk"), table=start.model._meta.db_table)  # noqa: SLF001  (documented by Django)


class Descendants(Tree):
    """The rows and all below them; one recursive query. UNION drops what was reached before, so even a cycle would end."""

    template = (
        "(WITH RECURSIVE below(id) AS (%(subquery)s UNION "
        "SELECT child.id FROM %(table)s child JOIN below ON child.parent_id = below.id) SELECT id FROM below)"
    )


class Ancestors(Tree):
    """The rows and all above them; one recursive query."""

    template = (
        "(WITH RECURSIVE above(id) AS (%(subquery)s UNION "
        "SELECT child.parent_id FROM %(table)s child JOIN above ON child.id = above.id WHERE child.parent_id IS NOT NULL) "
        "SELECT id FROM above)"
    )


def _agents() -> "AgentQuerySet[Any]":
    """Reach the agents from the querysets of other tables: the models import this module, so it cannot import them."""
    agents: AgentQuerySet[Any] = apps.get_model("directory", "Agent").objects.all()
    return agents


def _blueprints() -> "BlueprintQuerySet[Any]":
    """Reach the blueprints from the querysets of other tables."""
    blueprints: BlueprintQuerySet[Any] = apps.get_model("directory", "Blueprint").objects.all()
    return blueprints


class ScopedQuerySet(models.QuerySet[M]):
    """Rows that belong to one organization."""

    view_permission: str

    def visible_to(self, user: Any) -> Self:
        """Keep what an account may see; an inactive or anonymous account sees nothing, and nobody sees another organization."""
        if isinstance(user, AnonymousUser) or not user.is_active:
            return self.none()
        scoped = self.in_organization(user.organization_id)
        if user.has_perm(self.view_permission):
            return scoped
        # An application has no account, and no right over an organization.
        own = self._own(user) if isinstance(user, models.Model) else self._of_application(user)
        return scoped.filter(own)

    def permitting(self, user: Any, right: str) -> Self:
        """Keep, of what an account may see, that on which it has a right, like ``operate_agent``; entrances check no other way.

        A right comes with a console role or a model permission, for everything; or with what the account is to the row.
        """
        visible = self.visible_to(user)
        if isinstance(user, AnonymousUser) or user.has_perm(f"{self.model._meta.app_label}.{right}"):  # noqa: SLF001  (Django's documented name)
            return visible
        if not isinstance(user, models.Model):
            return visible.none()
        return visible.filter(self._holding(user, right))

    def in_organization(self, organization_id: UUID) -> Self:
        """Keep the rows of one organization."""
        return self.filter(organization_id=organization_id)

    def _of_application(self, caller: Any) -> Q:
        """Say which rows an application sees that calls with its own key: none, unless they are its own."""
        return Q(pk__in=[])

    def _holding(self, user: Any, right: str) -> Q:
        """Say on which rows an account has a right without having it for the whole organization."""
        return Q(pk__in=[])

    def _all(self) -> Self:
        """Start anew from the whole table."""
        return type(self)(self.model)

    def _own(self, user: Any) -> Q:
        """Say which rows an account sees without a right for the whole organization."""
        raise NotImplementedError

    def _permitted(self, user: Any, *codenames: str) -> Q:
        """Say on which rows a person, or a team that they are in, has one of these object permissions.

        A row for an agent's account gives nothing: what an agent may do here comes from what it is, and not from who was lax.
        """
        if not user.is_person:
            return Q(pk__in=[])
        name = self.model.__name__.lower()
        rows = self._all()
        own = rows.filter(**{f"{name}userpermission__user": user, f"{name}userpermission__permission__codename__in": codenames})
        shared = rows.filter(
            **{
                f"{name}grouppermission__group__in": user.groups.all(),
                f"{name}grouppermission__permission__codename__in": codenames,
            }
        )
        return Q(pk__in=own.order_by().values("pk")) | Q(pk__in=shared.order_by().values("pk"))


class OrganizationQuerySet(models.QuerySet[M]):
    """Organizations; an account sees its own and no other."""

    def visible_to(self, user: Any) -> Self:
        """Keep the account's own organization."""
        if isinstance(user, AnonymousUser) or not user.is_active:
            return self.none()
        return self.filter(pk=user.organization_id)

    def permitting(self, user: Any, right: str) -> Self:
        """Keep the account's own organization, if it has a right like ``change_organization``."""
        visible = self.visible_to(user)
        return visible if isinstance(user, AnonymousUser) or user.has_perm(f"directory.{right}") else visible.none()

    def active(self) -> Self:
        """Keep those that are not suspended."""
        return self.filter(state="active")


class UserQuerySet(ScopedQuerySet[M]):
    """Accounts of people and agents."""

    view_permission = "directory.view_user"

    def _own(self, user: Any) -> Q:
        """Oneself, one's teammates, and the accounts and the accountable people of the agents one sees."""
        agents = _agents().visible_to(user)
        teammates = self._all().filter(teams__members=user)
        return (
            Q(pk=user.pk)
            | Q(kind="person", pk__in=teammates.order_by().values("pk"))
            | Q(pk__in=agents.values("user"))
            | Q(pk__in=agents.values("owner"))
            | Q(pk__in=agents.filter(sponsor__isnull=False).values("sponsor"))
        )

    def active(self) -> Self:
        """Keep the accounts that are not deactivated."""
        return self.filter(is_active=True)

    def people(self) -> Self:
        """Keep the accounts of people."""
        return self.filter(kind="person")

    def agents(self) -> Self:
        """Keep the accounts of agents."""
        return self.filter(kind="agent")


class UserManager(BaseUserManager[M]):
    """Accounts, for Django's authentication; accounts are made by the services, so there is no ``create_user``.

    Written out, as mypy cannot follow ``from_queryset`` here.
    """

    def get_queryset(self) -> UserQuerySet[M]:
        """Start from all accounts."""
        return UserQuerySet(self.model, using=self._db)

    def visible_to(self, user: Any) -> UserQuerySet[M]:
        """Keep what an account may see; as the queryset's."""
        return self.get_queryset().visible_to(user)

    def permitting(self, user: Any, right: str) -> UserQuerySet[M]:
        """Keep the accounts on which an account has a right; as the queryset's."""
        return self.get_queryset().permitting(user, right)

    def in_organization(self, organization_id: UUID) -> UserQuerySet[M]:
        """Keep the accounts of one organization."""
        return self.get_queryset().in_organization(organization_id)

    def active(self) -> UserQuerySet[M]:
        """Keep the accounts that are not deactivated."""
        return self.get_queryset().active()

    def people(self) -> UserQuerySet[M]:
        """Keep the accounts of people."""
        return self.get_queryset().people()

    def agents(self) -> UserQuerySet[M]:
        """Keep the accounts of agents."""
        return self.get_queryset().agents()


class TeamQuerySet(ScopedQuerySet[M]):
    """Teams."""

    view_permission = "directory.view_team"

    def _holding(self, user: Any, right: str) -> Q:
        """The teams one has the right on."""
        return self._permitted(user, right)

    def _own(self, user: Any) -> Q:
        """The teams one is in, those around them, and those one has a right on."""
        return Q(group__in=user.groups.all()) | self._permitted(user, "view_team", "manage_team")

    def and_below(self) -> Self:
        """Widen to all teams within these."""
        return self._all().filter(pk__in=Descendants(self))

    def and_around(self) -> Self:
        """Widen to all teams around these."""
        return self._all().filter(pk__in=Ancestors(self))


class BlueprintQuerySet(ScopedQuerySet[M]):
    """Blueprints."""

    view_permission = "directory.view_blueprint"

    def _own(self, user: Any) -> Q:
        """The blueprints one has a right on."""
        return self._permitted(user, "view_blueprint", "use_blueprint", "manage_blueprint")

    def _holding(self, user: Any, right: str) -> Q:
        """The blueprints one has the right on; to change one and to register agents from it are two rights."""
        return self._permitted(user, right)


_AGENT_RIGHTS: Final = ("view_agent", "operate_agent", "manage_agent", "approve_agent", "grant_agent", "run_agent")
_RIGHTS_OF_OWNERS: Final = frozenset({"operate_agent", "manage_agent", "run_agent"})
_RIGHTS_OF_SPONSORS: Final = frozenset({"operate_agent", "approve_agent"})


class AgentQuerySet(ScopedQuerySet[M]):
    """Agents."""

    view_permission = "directory.view_agent"

    def _own(self, user: Any) -> Q:
        """The agents one answers for or has a right on; for an agent, itself and those that it spawned."""
        itself = self._all().filter(user=user)
        return (
            self._keyed(owner=user)
            | self._keyed(sponsor=user)
            | self._keyed(sponsor_team__group__in=user.groups.all())
            | Q(pk__in=Descendants(itself))
            | self._permitted(user, *_AGENT_RIGHTS)
        )

    def _holding(self, user: Any, right: str) -> Q:
        """The agents one was given the right on, and those to which one is what brings the right with it.

        An agent may run and spawn as itself; nothing lets it change, resume or grant to itself.
        """
        held = self._permitted(user, right)
        if right in _RIGHTS_OF_OWNERS:
            held |= self._keyed(owner=user)
        if right in _RIGHTS_OF_SPONSORS:
            held |= self._keyed(sponsor=user) | self._keyed(sponsor_team__group__in=user.groups.all())
        if right == "run_agent":
            held |= self._keyed(user=user)
        return held

    def _keyed(self, **terms: Any) -> Q:
        """Name by their keys the agents that meet some terms, each of which an index answers.

        As alternatives of one condition they would be tried on every agent of the organization, row by row.
        """
        return Q(pk__in=self._all().filter(**terms).order_by().values("pk"))

    def active(self) -> Self:
        """Keep those whose own state is active; see ``effectively_active`` for those that may do anything."""
        return self.filter(state=State.ACTIVE.value)

    def live(self, at: datetime) -> Self:
        """Keep those that are neither retired nor over by the clock."""
        return self.exclude(state=State.RETIRED.value).filter(Q(expires_at__isnull=True) | Q(expires_at__gt=at))

    def effectively_active(self, at: datetime) -> Self:
        """Keep those that may do something: active, not over, and so are all their ancestors and the organization."""
        everyone = self._all()
        stopped = everyone.filter(children__isnull=False).filter(~Q(state=State.ACTIVE.value) | Q(expires_at__lte=at))
        return self.active().live(at).filter(organization__state="active").exclude(pk__in=Descendants(stopped))

    def and_below(self) -> Self:
        """Widen to all agents that descend from these."""
        return self._all().filter(pk__in=Descendants(self))

    def and_around(self) -> Self:
        """Widen to all agents that these descend from."""
        return self._all().filter(pk__in=Ancestors(self))


class RunQuerySet(ScopedQuerySet[M]):
    """Runs."""

    view_permission = "directory.view_run"

    def _own(self, user: Any) -> Q:
        """The runs of the agents one sees, and those on one's own behalf."""
        return Q(on_behalf_of=user) | Q(agent__in=_agents().visible_to(user))

    def _holding(self, user: Any, right: str) -> Q:
        """The runs of the agents as which one may run."""
        return Q(agent__in=_agents().permitting(user, "run_agent"))

    def live(self, at: datetime) -> Self:
        """Keep those that have neither ended nor are over by the clock."""
        return self.filter(ended_at__isnull=True).filter(Q(expires_at__isnull=True) | Q(expires_at__gt=at))


class CredentialRecordQuerySet(ScopedQuerySet[M]):
    """Credentials of any holder."""

    def live(self, at: datetime) -> Self:
        """Keep those that have neither been revoked nor are over by the clock."""
        return self.filter(revoked_at__isnull=True, expires_at__gt=at)


class CredentialQuerySet(CredentialRecordQuerySet[M]):
    """Credentials of agents."""

    view_permission = "directory.view_credential"

    def _own(self, user: Any) -> Q:
        """The credentials of the agents one manages."""
        return Q(agent__in=_agents().permitting(user, "manage_agent"))

    def _holding(self, user: Any, right: str) -> Q:
        """Who may change an agent issues, rotates and revokes its credentials."""
        return self._own(user)


class PersonKeyQuerySet(CredentialRecordQuerySet[M]):
    """Keys of people."""

    view_permission = "directory.view_personkey"

    def _own(self, user: Any) -> Q:
        """One's own keys."""
        return Q(user=user)

    def _holding(self, user: Any, right: str) -> Q:
        """One's own keys."""
        return self._own(user)


class OnboardingTokenQuerySet(CredentialRecordQuerySet[M]):
    """Tokens with which pipelines register agents."""

    view_permission = "directory.view_onboardingtoken"

    def _own(self, user: Any) -> Q:
        """The tokens of the blueprints one manages, and those for whose agents one answers."""
        return Q(owner=user) | Q(blueprint__in=_blueprints().permitting(user, "manage_blueprint"))

    def _holding(self, user: Any, right: str) -> Q:
        """The same: whoever answers for the agents may end the token."""
        return self._own(user)


class InvitationQuerySet(ScopedQuerySet[M]):
    """Invitations."""

    view_permission = "directory.view_invitation"

    def _own(self, user: Any) -> Q:
        """Those that one sent."""
        return Q(invited_by=user)

    def _holding(self, user: Any, right: str) -> Q:
        """Those that one sent."""
        return self._own(user)

    def open(self, at: datetime) -> Self:
        """Keep those that can still be accepted."""
        return self.filter(accepted_at__isnull=True, withdrawn_at__isnull=True, expires_at__gt=at)
