"""Whoever an identity provider vouches for is let in as one person of its own organization, or not at all.

A provider speaks for one organization. It finds people by what the directory knows of them, and by an e-mail address only if it
has verified that; once a person is linked to an identity there, no other identity of that provider gets in as them.
"""

from collections.abc import Mapping
from typing import Any, NoReturn

from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialAccount, SocialLogin
from django.conf import settings
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone

from agentiam.accounts import events
from agentiam.accounts.backends import may_sign_in
from agentiam.accounts.provider_settings import Provider
from agentiam.accounts.records import actor_of, note, refuse, stranger
from agentiam.kit.errors import Refusal
from directory.models import Invitation, Organization, User
from directory.services.invitations import accept_invitation
from directory.services.people import create_person
from directory.services.user_names import user_name_for

NOBODY = (
    "{name} knows you, but nobody here is known by what it says of you. An administrator of your organization can invite you."
)
FAILED = "Signing in by {name} did not work. Try again, or tell an administrator."


def all_providers() -> tuple[Provider, ...]:
    """Name every identity provider, by OpenID Connect and by SAML."""
    return (*settings.OIDC_PROVIDERS, *settings.SAML_PROVIDERS)


class ProviderAdapter(DefaultSocialAccountAdapter):
    """What django-allauth asks when somebody comes from an identity provider."""

    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        """Nobody signs up."""
        return False

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        """Find whom the provider speaks of, or turn them away."""
        provider = next((each for each in all_providers() if each.id == sociallogin.account.provider), None)
        if provider is None or sociallogin.state.get("process") != "login":
            _turn_away(request, None, "A provider", "no such provider, or not a sign-in")
        claims = _claims(request, provider, sociallogin)
        organization = Organization.objects.filter(slug=provider.organization).first()
        if organization is None:
            _turn_away(request, None, provider.name, "no such organization")
        known: Any = sociallogin.user
        if sociallogin.is_existing:
            person: User = known
            _forget_claims(sociallogin.account)
            if person.organization_id != organization.pk:
                _turn_away(request, person, provider.name, "a person of another organization")
        else:
            person = _find(request, provider, organization, claims)
            _link(request, provider, sociallogin, person)
        if request.user.is_authenticated and request.user.pk != person.pk:
            _turn_away(request, person, provider.name, "somebody else is signed in here")

    def on_authentication_error(
        self, request: HttpRequest, provider: Any, error: Any = None, exception: Any = None, extra_context: Any = None
    ) -> None:
        """Go back to the sign-in page; what the provider said may hold codes and is kept nowhere."""
        messages.error(request, FAILED.format(name=provider.name))
        raise ImmediateHttpResponse(HttpResponseRedirect(reverse("login")))


def _turn_away(request: HttpRequest, person: User | None, name: str, cause: str) -> NoReturn:
    """Send back to the sign-in page, with the same words whatever the cause was; the log says it."""
    refuse(request, person, way="provider", cause=cause)
    messages.error(request, NOBODY.format(name=name))
    raise ImmediateHttpResponse(HttpResponseRedirect(reverse("login")))


def _claims(request: HttpRequest, provider: Provider, sociallogin: SocialLogin) -> dict[str, Any]:
    """Gather what the provider says of the person; an address counts only if it is verified and of the provider's domains."""
    said = sociallogin.account.extra_data
    if provider in settings.SAML_PROVIDERS:
        claims = {name: values[0] for name, values in said.items() if isinstance(values, list) and values}
        # The assertion is signed by the organization's own provider, and the address is of its domains (agentiam.settings).
        named: Any = sociallogin.user
        claims |= {"email": named.email, "email_verified": True}
    else:
        info, token = said.get("userinfo") or {}, said.get("id_token") or {}
        if info and token and info.get("sub") != token.get("sub"):
            _turn_away(request, None, provider.name, "two identities in one answer")
        claims = {**info, **token}
    email = claims.get("email")
    verified = claims.get("email_verified") is True and isinstance(email, str) and "@" in email
    if not verified or (provider.email_domains and str(email).rpartition("@")[2].lower() not in provider.email_domains):
        claims.pop("email", None)
    return claims


def _find(request: HttpRequest, provider: Provider, organization: Organization, claims: Mapping[str, Any]) -> User:
    value = claims.get(provider.claim)
    if isinstance(value, str) and value:
        lookup = {"email__iexact": value} if provider.matches == "email" else {provider.matches: value}
        found = list(User.objects.in_organization(organization.pk).people().filter(**lookup)[:2])
        if len(found) == 1:
            return found[0]
        if found:
            _turn_away(request, None, provider.name, "several people match")
    email = claims.get("email")
    if not isinstance(email, str):
        _turn_away(request, None, provider.name, "nobody matches, and there is no verified address")
    name = str(claims["name"]) if isinstance(claims.get("name"), str) else ""
    try:
        return _invited(request, organization, email, name) or _created(request, provider, organization, email, name)
    except Refusal:
        _turn_away(request, None, provider.name, "the account could not be made")


def _invited(request: HttpRequest, organization: Organization, email: str, name: str) -> User | None:
    opened = Invitation.objects.in_organization(organization.pk).open(timezone.now())
    invitation = opened.filter(email=email.strip().lower()).first()
    if invitation is None:
        return None
    return accept_invitation(
        invitation=invitation,
        name=name or invitation.name or email,
        password=None,
        by=stranger(request, component="invitation"),
        now=timezone.now(),
    )


def _created(request: HttpRequest, provider: Provider, organization: Organization, email: str, name: str) -> User:
    if not provider.auto_create:
        _turn_away(request, None, provider.name, "nobody matches")
    return create_person(
        organization=organization,
        external_id=email.lower(),
        # Without named domains the provider, which the organization runs, could vouch for anybody's address.
        username=user_name_for(organization, email.lower(), proved=bool(provider.email_domains)),
        name=name or email,
        email=email,
        console_roles=provider.console_roles,
        by=stranger(request, component=f"provider {provider.id}"),
        reason=f"first sign-in by {provider.name}",
        now=timezone.now(),
    )


def _link(request: HttpRequest, provider: Provider, sociallogin: SocialLogin, person: User) -> None:
    """Remember the identity; a second one at the same provider is another human being with a recycled address."""
    with transaction.atomic():
        # Two sign-ins at once wait for each other here, and both for an offboarding.
        active = may_sign_in(User.objects.select_for_update(no_key=True).get(pk=person.pk))
        linked = SocialAccount.objects.filter(user_id=person.pk, provider=provider.id).exists()
        if active and not linked:
            sociallogin.user = sociallogin.account.user = person
            sociallogin.account.extra_data = {}
            sociallogin.account.save()
    if not active:
        # A link that was made now would be there when the account opens again, for whoever has the address by then.
        _turn_away(request, person, provider.name, "deactivated")
    if linked:
        _turn_away(request, person, provider.name, "linked to another identity of the provider")
    data = {"provider": provider.id, "subject": sociallogin.account.uid}
    note(events.IDENTITY_LINKED, person, by=actor_of(request, person), data=data)


def _forget_claims(account: SocialAccount) -> None:
    """Keep the identity and not what was said of the person; the directory is where that stands."""
    account.extra_data = {}
    account.save(update_fields=["extra_data"])
