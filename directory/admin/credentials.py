"""Agents' credentials and onboarding tokens in the admin: a secret is seen once, a digest never."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest

from agentiam.kit.administration.acting import Act
from agentiam.kit.administration.editing import ServiceAdmin
from agentiam.kit.administration.forms import AnyField, InstantField, LinesField, ObjectField, ServiceForm
from agentiam.kit.administration.operations import Operation, offer
from directory.admin.people import RotationForm, has_secret, is_live, rotation
from directory.models import Agent, Credential, OnboardingToken, Scope
from directory.services.credentials import (
    issue_api_key,
    issue_client_secret,
    register_federated,
    register_public_key,
    revoke_credential,
    rotate_api_key,
)
from directory.services.onboarding_tokens import issue_onboarding_token, revoke_onboarding_token

_END = "In UTC; empty for as late as the blueprint lets it, or 90 days."
_VOUCHED = ("issuer", "subject", "audience", "conditions")
_NETWORKS = "CIDR blocks, one a line; empty for every network."


class CredentialForm(ServiceForm):
    """A secret that is made here, the public half of a key that the agent holds, or an identity that another vouches for."""

    scopes = forms.MultipleChoiceField(
        choices=Scope.of_machines(),
        widget=forms.CheckboxSelectMultiple,
        required=False,
        help_text="What it is for; with nothing ticked, for decisions alone. A federated identity is for those.",
    )
    expires_at = InstantField(required=False, help_text=_END)
    allowed_networks = LinesField(help_text=_NETWORKS)
    kind = forms.ChoiceField(choices=Credential.Kind.choices, initial=Credential.Kind.API_KEY)
    requires_dpop = forms.BooleanField(
        required=False, label="Requires DPoP", help_text="Its tokens are bound to a key of the holder's (RFC 9449)."
    )
    jwk = AnyField(required=False, label="JWK", help_text="The public key (RFC 7517), for that kind only.")
    subject = forms.CharField(
        required=False,
        max_length=500,
        help_text="Of a federated identity; * stands for characters other than / and :, like repo:acme/bot:ref:*.",
    )
    conditions = ObjectField(
        required=False, help_text='What its token must say besides: a claim, its value or values, like {"repository_id": "7"}.'
    )


@admin.register(Credential)
class CredentialAdmin(ServiceAdmin):
    """Credentials of agents."""

    list_display = ("label", "public_id", "agent", "kind", "expires_at", "revoked_at", "last_used_at")
    listed_with = ("agent",)
    list_filter = ("kind",)
    searched = {"pk": "exact", "public_id": "exact"}
    search_help_text = "The id or the public id, whole."
    add_form = CredentialForm
    adding = ("agent", "kind", "label", "scopes", "expires_at", "allowed_networks", "requires_dpop", "jwk", *_VOUCHED)

    def create(self, request: HttpRequest, values: dict[str, Any], act: Act) -> Any:
        """Issue a secret, which the next page shows once, or note a public key or a federated identity."""
        kind, scopes = values.pop("kind"), values.pop("scopes") or [Scope.DECIDE.value]
        jwk, vouched = values.pop("jwk"), {name: values.pop(name) for name in _VOUCHED}
        match kind:
            case Credential.Kind.PUBLIC_KEY:
                return register_public_key(jwk=jwk or {}, **values, **act)
            case Credential.Kind.FEDERATED:
                return register_federated(**vouched, **values, **act)
            case Credential.Kind.API_KEY:
                return issue_api_key(scopes=scopes, **values, **act)
            case _:
                return issue_client_secret(scopes=scopes, **values, **act)


class OnboardingTokenForm(ServiceForm):
    """What a pipeline may register, and who answers for it."""

    expires_at = InstantField(required=False, help_text="In UTC; empty for the usual end.")
    allowed_networks = LinesField(help_text=_NETWORKS)
    environments = forms.MultipleChoiceField(
        choices=Agent.Environment.choices,
        widget=forms.CheckboxSelectMultiple,
        required=False,
        help_text="Where the agents may run; none for everywhere.",
    )


@admin.register(OnboardingToken)
class OnboardingTokenAdmin(ServiceAdmin):
    """Tokens with which pipelines register agents."""

    list_display = ("label", "public_id", "blueprint", "owner", "uses", "most_uses", "expires_at", "revoked_at")
    listed_with = ("blueprint", "owner")
    searched = {"pk": "exact", "public_id": "exact"}
    search_help_text = "The id or the public id, whole."
    add_form = OnboardingTokenForm
    adding = (
        "blueprint",
        "label",
        "owner",
        "sponsor",
        "sponsor_team",
        "environments",
        "most_uses",
        "expires_at",
        "allowed_networks",
    )

    def create(self, request: HttpRequest, values: dict[str, Any], act: Act) -> Any:
        """Issue a token, which the next page shows once."""
        return issue_onboarding_token(**values, **act)


offer(
    Credential,
    Operation(
        name="rotate",
        label="Rotate",
        effect="Another secret takes this one's place. It is shown once, on the next page.",
        right="change_credential",
        form=RotationForm,
        perform=lambda row, values, act: rotate_api_key(credential=row, **rotation(values), **act),
        possible=has_secret,
        many=False,
    ),
    Operation(
        name="revoke",
        label="Revoke",
        effect="The credential ends now, for good.",
        right="change_credential",
        perform=lambda row, _, act: revoke_credential(credential=row, **act),
        possible=is_live,
        drastic=True,
    ),
)
offer(
    OnboardingToken,
    Operation(
        name="revoke",
        label="Revoke",
        effect="The token ends now, for good; the agents that were registered with it stay.",
        right="change_onboardingtoken",
        perform=lambda row, _, act: revoke_onboarding_token(token=row, **act),
        possible=is_live,
        drastic=True,
    ),
)
