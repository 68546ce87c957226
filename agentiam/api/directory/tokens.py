"""Onboarding tokens over the API, and the one call that a pipeline makes with one."""

from typing import Any

import django_filters
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.response import Response

from agentiam.api.directory.agent_bodies import AgentTold, FirstCredentialGiven, OnboardedTold, ProfileGiven
from agentiam.api.problems import missing_right
from agentiam.api.rights import WAYS_IN
from agentiam.api.secrets import SecretFilters, SecretTold
from agentiam.api.serializers import Named, Reason, StringList, one_of
from agentiam.api.versions import VersionedViewSet
from agentiam.api.viewsets import ApiViewSet, operation
from agentiam.requests import client_address, request_id
from directory.models import Agent, Blueprint, Credential, OnboardingToken, Team, User
from directory.services.agents import AgentProfile
from directory.services.answering import may_register
from directory.services.onboarding import FirstCredential
from directory.services.onboarding_tokens import (
    MOST_USES,
    TokenRefused,
    issue_onboarding_token,
    onboard_with_token,
    proven_token,
    revoke_onboarding_token,
)


class OnboardingTokenTold(SecretTold):
    """A token with which a pipeline registers agents."""

    blueprint = Named()
    owner = Named()
    sponsor = Named(allow_null=True)
    sponsor_team = Named(allow_null=True)
    issued_by = Named(allow_null=True)
    environments = serializers.ListField(child=serializers.CharField())
    most_uses = serializers.IntegerField()
    uses = serializers.IntegerField()


class OnboardingTokenWithSecret(OnboardingTokenTold):
    """The one answer that holds the secret."""

    secret = serializers.CharField(read_only=True)


class OnboardingTokenIssued(Reason):
    """A new token."""

    blueprint = serializers.UUIDField()
    label = serializers.CharField(max_length=200)  # type: ignore[assignment]  # a member of the body
    owner = serializers.UUIDField()
    sponsor = serializers.UUIDField(required=False, allow_null=True)
    sponsor_team = serializers.UUIDField(required=False, allow_null=True)
    environments = StringList(required=False, max_length=3)
    most_uses = serializers.IntegerField(required=False, min_value=1, max_value=MOST_USES)
    expires_at = serializers.DateTimeField(required=False, allow_null=True)
    allowed_networks = StringList(required=False, max_length=100)


class OnboardingTokenFilters(SecretFilters):
    """How the list of tokens is narrowed."""

    blueprint = django_filters.UUIDFilter(field_name="blueprint_id")
    owner = django_filters.UUIDFilter(field_name="owner_id")


class OnboardingTokenViewSet(VersionedViewSet):
    """Onboarding tokens."""

    model = OnboardingToken
    told = OnboardingTokenTold
    related = ("blueprint", "owner", "sponsor", "sponsor_team", "issued_by")
    searched = ("label", "public_id")
    filterset_class = OnboardingTokenFilters
    scopes_for = {"create": WAYS_IN}

    @extend_schema(request=OnboardingTokenIssued, responses={201: OnboardingTokenWithSecret})
    def create(self, request: Any) -> Response:
        """Make a token for a pipeline; who answers for the agents is said here, not by the pipeline."""
        given = self.given(OnboardingTokenIssued)
        why = self.why(given)
        blueprint = one_of(Blueprint.objects.visible_to(request.user), given.pop("blueprint"), "blueprint")
        self.require("manage_blueprint", blueprint)
        if not may_register(request.user, blueprint):
            raise missing_right("use_blueprint")
        seen: dict[str, Any] = {"owner": User, "sponsor": User, "sponsor_team": Team}
        answering: dict[str, Any] = {
            name: None if (key := given.pop(name, None)) is None else one_of(model.objects.visible_to(request.user), key, name)
            for name, model in seen.items()
        }
        token, secret = issue_onboarding_token(blueprint=blueprint, **answering, **given, **why)
        return self.created(token, more={"secret": secret.text})

    @operation("revoke", right="change_onboardingtoken", summary="End a token at once")
    def revoke(self, token: OnboardingToken, given: dict[str, Any]) -> Any:
        """End a token at once, for good; the agents that were registered with it stay."""
        return revoke_onboarding_token(token=token, **self.why(given))


class PipelineOnboarded(ProfileGiven, Reason):
    """An agent that a pipeline registers; ``credential`` null asks for none."""

    external_id = serializers.CharField(max_length=200)
    credential = FirstCredentialGiven(required=False, allow_null=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse a team: the token says who answers for the agent."""
        if attrs.get("team") is not None:
            raise serializers.ValidationError("The token says who answers for the agent, so it names no team.")
        return attrs


class OnboardingViewSet(ApiViewSet):
    """What a pipeline calls with its token."""

    authentication_classes: list[type[Any]] = []
    permission_classes = [AllowAny]
    serializer_class = PipelineOnboarded
    queryset = Agent.objects.none()

    token: OnboardingToken

    def initial(self, request: Any, *args: Any, **kwargs: Any) -> None:
        """Demand a token that is good now, before an answer of before is given again: it may hold a secret."""
        scheme, _, text = request.headers.get("Authorization", "").partition(" ")
        address = client_address(request._request)  # noqa: SLF001  (DRF's documented way to the plain request)
        try:
            self.token = proven_token(text=text.strip() if scheme.lower() == "bearer" else "", address=address, now=self.now)
        except TokenRefused as refusal:
            raise self.not_proven(refusal.message) from None
        super().initial(request, *args, **kwargs)

    def repeats_for(self, request: Any) -> str:
        """Tell pipelines apart by their tokens, which only they know."""
        return f"onboarding/{request.headers.get('Authorization', '')}"

    @extend_schema(request=PipelineOnboarded, responses={201: OnboardedTold}, auth=[{"key": []}], operation_id="onboard")  # type: ignore[list-item]
    def create(self, request: Any) -> Response:
        """Onboard an agent from the token's blueprint; the token is the bearer."""
        given = self.given(PipelineOnboarded)
        first = given.pop("credential", {"kind": Credential.Kind.API_KEY.value})
        given.pop("team", None)
        external_id, reason = given.pop("external_id"), given.pop("reason", "")
        try:
            done = onboard_with_token(
                token=self.token,
                external_id=external_id,
                profile=AgentProfile(**given),
                credential=None if first is None else FirstCredential(**first),
                address=client_address(request._request),  # noqa: SLF001  (as above)
                request_id=request_id(request._request),  # noqa: SLF001  (as above)
                reason=reason,
                now=self.now,
            )
        except TokenRefused as refusal:
            raise self.not_proven(refusal.message) from None
        told = AgentTold(done.agent).data
        secret = done.token.text if done.token else None
        return Response({**told, "secret": secret, "missing_sign_offs": done.missing}, status=201)
