"""Agents' credentials over the API: issued, rotated, revoked; a secret is shown in the answer that made it."""

from typing import Any

import django_filters
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from agentiam.api.directory.agent_bodies import AUDIENCE, DPOP, SUBJECT, Conditions
from agentiam.api.rights import WAYS_IN
from agentiam.api.secrets import SecretFilters, SecretIssued, SecretRotated, SecretTold, overlap_of
from agentiam.api.serializers import Named, Reason, one_of
from agentiam.api.versions import VersionedViewSet
from agentiam.api.viewsets import operation
from directory.models import Agent, Credential
from directory.services.credentials import (
    issue_api_key,
    issue_client_secret,
    register_federated,
    register_public_key,
    revoke_credential,
    rotate_api_key,
)

_KIND = Credential.Kind
_NEEDS = {
    _KIND.API_KEY.value: {"scopes"},
    _KIND.CLIENT_SECRET.value: {"scopes"},
    _KIND.PUBLIC_KEY.value: {"jwk", "scopes"},
    _KIND.FEDERATED.value: {"issuer", "subject", "audience", "conditions"},
}
_SPECIAL = {"scopes", "jwk", "issuer", "subject", "audience", "conditions"}
_OPTIONAL = {"scopes", "audience", "conditions"}
_SERVICES = {
    _KIND.API_KEY.value: issue_api_key,
    _KIND.CLIENT_SECRET.value: issue_client_secret,
    _KIND.PUBLIC_KEY.value: register_public_key,
    _KIND.FEDERATED.value: register_federated,
}


class CredentialTold(SecretTold):
    """An agent's credential."""

    agent = Named()
    jwk = serializers.DictField(allow_null=True, help_text="The public key (RFC 7517).")
    issuer = serializers.CharField()
    subject = serializers.CharField()
    audience = serializers.CharField()
    conditions = Conditions()
    requires_dpop = serializers.BooleanField(help_text=DPOP)


class CredentialWithSecret(CredentialTold):
    """The one answer that holds the secret; null for what has none."""

    secret = serializers.CharField(allow_null=True, read_only=True)


class CredentialIssued(SecretIssued, Reason):
    """A new credential: an API key, a client secret, a public key (``jwk``), a federated identity (``issuer``, ``subject``)."""

    agent = serializers.UUIDField()
    kind = serializers.ChoiceField(choices=_KIND.choices, default=_KIND.API_KEY.value)
    jwk = serializers.DictField(required=False)
    issuer = serializers.CharField(required=False, max_length=500)
    subject = serializers.CharField(required=False, max_length=500, help_text=SUBJECT)
    audience = serializers.CharField(required=False, allow_blank=True, max_length=500, help_text=AUDIENCE)
    conditions = Conditions(required=False)
    requires_dpop = serializers.BooleanField(required=False, help_text=DPOP)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Demand what the kind needs, and refuse what it does not know."""
        needed = _NEEDS[attrs["kind"]]
        wrong = {name: ["This kind of credential has none."] for name in (_SPECIAL - needed) & set(attrs)}
        missing = {name: ["This kind of credential needs it."] for name in needed - _OPTIONAL - set(attrs)}
        if wrong or missing:
            raise serializers.ValidationError({**wrong, **missing})
        return attrs


class CredentialFilters(SecretFilters):
    """How the list of agents' credentials is narrowed."""

    agent = django_filters.UUIDFilter(field_name="agent_id")


class CredentialViewSet(VersionedViewSet):
    """Agents' credentials."""

    model = Credential
    told = CredentialTold
    related = ("agent",)
    orders = ("id", "-id", "expires_at", "-expires_at")
    searched = ("label", "public_id")
    filterset_class = CredentialFilters
    scopes_for = {"create": WAYS_IN, "rotate": WAYS_IN}

    @extend_schema(request=CredentialIssued, responses={201: CredentialWithSecret})
    def create(self, request: Any) -> Response:
        """Give an agent a credential; the secret is in this answer, and nobody can read it again."""
        given = self.given(CredentialIssued)
        why = self.why(given)
        agent = one_of(Agent.objects.visible_to(request.user), given.pop("agent"), "agent")
        self.require("manage_agent", agent)
        service: Any = _SERVICES[given.pop("kind")]
        made = service(agent=agent, **given, **why)
        credential, token = made if isinstance(made, tuple) else (made, None)
        return self.created(credential, more={"secret": token.text if token else None})

    @operation(
        "rotate",
        right="change_credential",
        takes=SecretRotated,
        gives=CredentialWithSecret,
        status=201,
        summary="Replace a secret",
    )
    def rotate(self, credential: Credential, given: dict[str, Any]) -> Any:
        """Replace a secret by another; the old one works for the overlap, or no more."""
        why = self.why(given)
        successor, token = rotate_api_key(credential=credential, overlap=overlap_of(given), **given, **why)
        return self.created(successor, more={"secret": token.text})

    @operation("revoke", right="change_credential", summary="End a credential at once")
    def revoke(self, credential: Credential, given: dict[str, Any]) -> Any:
        """End a credential at once, for good."""
        return revoke_credential(credential=credential, **self.why(given))
