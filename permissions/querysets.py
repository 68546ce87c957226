"""What an account sees of what is allowed: with a right for the whole organization all of it, else what concerns it."""

from datetime import datetime
from typing import Any, Self, TypeVar
from uuid import UUID

from django.apps import apps
from django.db import models
from django.db.models import Q

from directory.models import Agent
from directory.querysets import Ancestors, CredentialRecordQuerySet, Descendants, ScopedQuerySet

M = TypeVar("M", bound=models.Model)

_NOTHING = Q(pk__in=[])


def _permissions(model: str) -> Any:
    """Reach another table of this app: the models import this module."""
    return apps.get_model("permissions", model)._default_manager.all()  # noqa: SLF001  (Django's documented name)


def _not_over(at: datetime) -> Q:
    return Q(ended_at__isnull=True) & (Q(ends_at__isnull=True) | Q(ends_at__gt=at))


class ApplicationQuerySet(ScopedQuerySet[M]):
    """Applications."""

    view_permission = "permissions.view_application"

    def _own(self, user: Any) -> Q:
        """The applications one has a right on."""
        return self._permitted(user, "view_application", "manage_application")

    def _holding(self, user: Any, right: str) -> Q:
        """The applications one has the right on."""
        return self._permitted(user, right)

    def _of_application(self, caller: Any) -> Q:
        """Itself."""
        return Q(pk=caller.application_id)

    def active(self) -> Self:
        """Keep those that are answered."""
        return self.filter(state="active")


class ApplicationKeyQuerySet(CredentialRecordQuerySet[M]):
    """Keys of applications."""

    view_permission = "permissions.view_applicationkey"

    def _own(self, user: Any) -> Q:
        """The keys of the applications one manages."""
        applications = _permissions("Application")
        return Q(application__in=applications.filter(applications._permitted(user, "manage_application")))  # noqa: SLF001

    def _holding(self, user: Any, right: str) -> Q:
        """Who may change an application issues, rotates and revokes its keys."""
        return self._own(user)


class ResourceTypeQuerySet(ScopedQuerySet[M]):
    """Resource types."""

    view_permission = "permissions.view_resourcetype"

    def _own(self, user: Any) -> Q:
        """The types of the applications one sees."""
        return Q(application__in=_permissions("Application").visible_to(user))

    def _holding(self, user: Any, right: str) -> Q:
        """The types of the applications one may change."""
        return Q(application__in=_permissions("Application").permitting(user, "manage_application"))

    def _of_application(self, caller: Any) -> Q:
        """The types of what it holds."""
        return Q(application=caller.application_id)


class ResourceQuerySet(ScopedQuerySet[M]):
    """Registered resources."""

    view_permission = "permissions.view_resource"

    def _own(self, user: Any) -> Q:
        """The resources of the applications one sees."""
        return Q(type__application__in=_permissions("Application").visible_to(user))

    def _holding(self, user: Any, right: str) -> Q:
        """The resources of the applications one may change."""
        return Q(type__application__in=_permissions("Application").permitting(user, "manage_application"))

    def _of_application(self, caller: Any) -> Q:
        """What it holds."""
        return Q(type__application=caller.application_id)

    def and_below(self) -> Self:
        """Widen to all resources within these."""
        return self._everything().filter(pk__in=Descendants(self))

    def and_around(self) -> Self:
        """Widen to all resources around these."""
        return self._everything().filter(pk__in=Ancestors(self))

    def _everything(self) -> Self:
        return type(self)(model=self.model, using=self.db)


class RoleQuerySet(ScopedQuerySet[M]):
    """Roles."""

    view_permission = "permissions.view_role"

    def _own(self, user: Any) -> Q:
        """The roles one has a right on."""
        return self._permitted(user, "view_role", "manage_role", "assign_role")

    def _holding(self, user: Any, right: str) -> Q:
        """The roles one has the right on."""
        return self._permitted(user, right)


class HeldQuerySet(ScopedQuerySet[M]):
    """What accounts and teams hold."""

    def _own(self, user: Any) -> Q:
        """What one holds oneself or through a team, and what the agents hold that one sees."""
        return Q(user=user) | Q(team__group__in=user.groups.all()) | Q(user__in=Agent.objects.visible_to(user).values("user"))

    def _holding(self, user: Any, right: str) -> Q:
        """What the agents hold to which one may grant."""
        return Q(user__in=Agent.objects.permitting(user, "grant_agent").values("user"))

    def not_over(self, at: datetime) -> Self:
        """Keep what nobody ended and what is not over by the clock; it may begin later."""
        return self.filter(_not_over(at))

    def live(self, at: datetime) -> Self:
        """Keep what holds at an instant."""
        return self.not_over(at).filter(Q(starts_at__isnull=True) | Q(starts_at__lte=at))


class RoleAssignmentQuerySet(HeldQuerySet[M]):
    """Role assignments."""

    view_permission = "permissions.view_roleassignment"


class GrantQuerySet(HeldQuerySet[M]):
    """Grants."""

    view_permission = "permissions.view_grant"


class GuardrailQuerySet(ScopedQuerySet[M]):
    """Guardrails."""

    view_permission = "permissions.view_guardrail"

    def _own(self, user: Any) -> Q:
        """None: guardrails are read by those who keep them."""
        return _NOTHING

    def in_force(self) -> Self:
        """Keep those with a wording that decides or reports."""
        return self.filter(versions__state__in=["published", "report_only"])


class ConsentQuerySet(ScopedQuerySet[M]):
    """Consents."""

    view_permission = "permissions.view_consent"

    def _own(self, user: Any) -> Q:
        """One's own consents, and those to the agents one sees."""
        return Q(user=user) | Q(agent__in=Agent.objects.visible_to(user))

    def _holding(self, user: Any, right: str) -> Q:
        """One's own: a consent is given and taken back by the one whose it is."""
        return Q(user=user)

    def not_over(self, at: datetime) -> Self:
        """Keep what nobody ended and what is not over by the clock."""
        return self.filter(_not_over(at))

    def live(self, at: datetime) -> Self:
        """Keep what holds at an instant, and whose run has not ended."""
        going_on = Q(run__ended_at__isnull=True) & (Q(run__expires_at__isnull=True) | Q(run__expires_at__gt=at))
        return self.not_over(at).filter(Q(run__isnull=True) | going_on, given_at__lte=at)


class DelegationQuerySet(ScopedQuerySet[M]):
    """Delegations."""

    view_permission = "permissions.view_delegation"

    def _own(self, user: Any) -> Q:
        """Those from and to the agents one sees."""
        agents = Agent.objects.visible_to(user)
        return Q(delegator__in=agents) | Q(delegate__in=agents)

    def _holding(self, user: Any, right: str) -> Q:
        """Those from the agents that one manages or may run as; for an agent, its own."""
        agents = Agent.objects.all()
        return Q(delegator__in=agents.permitting(user, "manage_agent")) | Q(delegator__in=agents.permitting(user, "run_agent"))

    def not_over(self, at: datetime) -> Self:
        """Keep what nobody ended and what is not over by the clock."""
        return self.filter(_not_over(at))

    def live(self, at: datetime) -> Self:
        """Keep what holds at an instant."""
        return self.not_over(at).filter(created_at__lte=at)


class TrustQuerySet(ScopedQuerySet[M]):
    """Trusts; a trust belongs to both of its sides."""

    view_permission = "permissions.view_trust"

    def in_organization(self, organization_id: UUID) -> Self:
        """Keep the trusts in which the organization is one of the sides; one that was taken back is not the partner's."""
        shown = Q(ended_at__isnull=True) | Q(agreed_there_at__isnull=False)
        return self.filter(Q(organization_id=organization_id) | Q(partner_id=organization_id) & shown)

    def _own(self, user: Any) -> Q:
        """None: trusts are read by those who keep them."""
        return _NOTHING

    def not_over(self, at: datetime) -> Self:
        """Keep what neither side ended and what is not over by the clock, agreed to or not."""
        return self.filter(_not_over(at))

    def agreed(self) -> Self:
        """Keep those that both sides agreed to."""
        return self.filter(agreed_here_at__isnull=False, agreed_there_at__isnull=False)

    def live(self, at: datetime) -> Self:
        """Keep those that stand at an instant: agreed to by both sides by then, and not over."""
        return self.not_over(at).filter(agreed_here_at__lte=at, agreed_there_at__lte=at)


class TrustedIssuerQuerySet(ScopedQuerySet[M]):
    """Issuers elsewhere that are believed."""

    view_permission = "permissions.view_trustedissuer"

    def _own(self, user: Any) -> Q:
        """None: they are read by those who keep them."""
        return _NOTHING

    def live(self) -> Self:
        """Keep those that nobody ended."""
        return self.filter(ended_at__isnull=True)


class ReplacementQuerySet(ScopedQuerySet[M]):
    """Replacements of one agent by another."""

    view_permission = "permissions.view_replacement"

    def _own(self, user: Any) -> Q:
        """Those of the agents one sees."""
        agents = Agent.objects.visible_to(user)
        return Q(predecessor__in=agents) | Q(successor__in=agents)

    def _holding(self, user: Any, right: str) -> Q:
        """Those in which one may change both agents."""
        agents = Agent.objects.permitting(user, "manage_agent")
        return Q(predecessor__in=agents, successor__in=agents)


class TokenKeyQuerySet(ScopedQuerySet[M]):
    """The keys that an organization's tokens are signed with."""

    view_permission = "permissions.view_tokenkey"

    def _own(self, user: Any) -> Q:
        """None: whoever needs a public key finds it where all are shown."""
        return _NOTHING

    def shown(self, at: datetime) -> Self:
        """Keep those that belong into the key set: not yet used, used, and used until the last token is over."""
        return self.filter(Q(shown_until__isnull=True) | Q(shown_until__gt=at))

    def signing(self, at: datetime) -> Self:
        """Keep those that sign now."""
        return self.filter(Q(signs_until__isnull=True) | Q(signs_until__gt=at), signs_from__lte=at)


class OAuthClientQuerySet(ScopedQuerySet[M]):
    """Agents as clients."""

    view_permission = "permissions.view_oauthclient"

    def _own(self, user: Any) -> Q:
        """Those of the agents one sees."""
        return Q(agent__in=Agent.objects.visible_to(user))

    def _holding(self, user: Any, right: str) -> Q:
        """Those of the agents one manages."""
        return Q(agent__in=Agent.objects.permitting(user, "manage_agent"))


class AuthorizationQuerySet(ScopedQuerySet[M]):
    """What people answered on the consent page."""

    view_permission = "permissions.view_authorization"

    def _own(self, user: Any) -> Q:
        """One's own, and those given to the agents one sees."""
        return Q(user=user) | Q(agent__in=Agent.objects.visible_to(user))

    def _holding(self, user: Any, right: str) -> Q:
        """One's own, and those given to the agents one may stop: whoever stops an agent may stop it for one person."""
        return Q(user=user) | Q(agent__in=Agent.objects.permitting(user, "operate_agent"))

    def live(self, at: datetime) -> Self:
        """Keep what holds at an instant."""
        return self.filter(ended_at__isnull=True, ends_at__gt=at)


class AccessTokenQuerySet(ScopedQuerySet[M]):
    """Access tokens."""

    view_permission = "permissions.view_accesstoken"

    def _own(self, user: Any) -> Q:
        """Those of the agents one sees, and those that stand for oneself."""
        return Q(agent__in=Agent.objects.visible_to(user)) | Q(user=user)

    def _holding(self, user: Any, right: str) -> Q:
        """Those of the agents one may stop."""
        return Q(agent__in=Agent.objects.permitting(user, "operate_agent"))

    def live(self, at: datetime) -> Self:
        """Keep what was neither revoked nor is over by the clock; whether its holder may act is another question."""
        return self.filter(revoked_at__isnull=True, expires_at__gt=at)


class SignalQuerySet(ScopedQuerySet[M]):
    """Signs that somebody else has an agent's proofs."""

    view_permission = "permissions.view_signal"

    def _own(self, user: Any) -> Q:
        """Those of the agents one sees."""
        return Q(agent__in=Agent.objects.visible_to(user))

    def _holding(self, user: Any, right: str) -> Q:
        """None: nobody changes what was seen."""
        return _NOTHING

    def counting(self) -> Self:
        """Keep those that make up the risk of now."""
        return self.filter(lapsed_at__isnull=True)
