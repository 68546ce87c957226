"""What was issued to agents, over the API: access tokens and what people agreed to; never a token's text, nor its digest."""

from typing import Any

import django_filters
from django.utils import timezone
from rest_framework import serializers

from agentiam.api.filters import Filters
from agentiam.api.serializers import Named, Told
from agentiam.api.viewsets import Given as Values
from agentiam.api.viewsets import ResourceViewSet, operation
from permissions.models import AccessToken, Authorization
from permissions.oauth.authorizations import revoke_token
from permissions.services.connections import withdraw_authorization


class IssuedTold(Told):
    """What both have: for whom, where, for what."""

    id = serializers.UUIDField(source="pk")
    agent = Named()
    audience = serializers.CharField()
    scopes = serializers.ListField(child=serializers.CharField())
    details = serializers.ListField(child=serializers.DictField(), help_text="Authorization details (RFC 9396).")


class AccessTokenTold(IssuedTold):
    """An access token; its id is its ``jti``."""

    user = Named(allow_null=True, help_text="The person for whom the agent acts.")
    subject = serializers.CharField(help_text="The claim sub.")
    actors = serializers.ListField(child=serializers.CharField(), help_text="Who acts, the present one first.")
    may_act = serializers.CharField(help_text="Who alone may exchange it; empty for everybody who may act for the subject.")
    bound = serializers.BooleanField(source="jkt", help_text="Whether it is bound to a key of its holder (RFC 9449).")
    credential = serializers.UUIDField(source="credential_id", allow_null=True)
    authorization = serializers.UUIDField(source="authorization_id", allow_null=True)
    parent = serializers.UUIDField(  # type: ignore[assignment]  # DRF has an attribute of that name
        source="parent_id", allow_null=True, help_text="The token that it was exchanged for."
    )
    run = serializers.UUIDField(source="run_id", allow_null=True)
    issued_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    revoked_at = serializers.DateTimeField(allow_null=True)


class AuthorizationTold(IssuedTold):
    """What a person agreed to on the consent page."""

    user = Named()
    run = serializers.UUIDField(source="run_id", allow_null=True, help_text="The run that it was given for, and ends with.")
    created_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)
    ended_because = serializers.CharField()


class IssuedFilters(Filters):
    """How both lists are narrowed."""

    agent = django_filters.UUIDFilter(field_name="agent_id")
    user = django_filters.UUIDFilter(field_name="user_id")
    audience = django_filters.CharFilter()
    live = django_filters.BooleanFilter(method="keep_live", help_text="Neither ended nor over by the clock.")

    def keep_live(self, rows: Any, name: str, value: Any) -> Any:
        """Keep what is live now, or what is not."""
        live = rows.model.objects.live(timezone.now())
        return rows.filter(pk__in=live.values("pk")) if value else rows.exclude(pk__in=live.values("pk"))


class AccessTokenViewSet(ResourceViewSet):
    """Access tokens of agents, until a day after their end."""

    model = AccessToken
    told = AccessTokenTold
    related = ("agent", "user")
    orders = ("id", "-id", "expires_at", "-expires_at")
    filterset_class = IssuedFilters

    @operation("revoke", right="operate_agent", summary="Revoke a token, and all that were exchanged for it")
    def revoke(self, token: AccessToken, given: Values) -> Any:
        """Revoke a token and all that were exchanged for it, from the next question about one on."""
        revoke_token(token=token, **self.why(given))
        return token


class AuthorizationViewSet(ResourceViewSet):
    """What people agreed to on the consent page."""

    model = Authorization
    told = AuthorizationTold
    related = ("agent", "user")
    filterset_class = IssuedFilters

    @operation("end", right="change_authorization", summary="End an authorization with all its tokens")
    def end(self, authorization: Authorization, given: Values) -> Any:
        """End an authorization with all its tokens; its user ends its consents with it, anybody else says why."""
        return withdraw_authorization(authorization=authorization, **self.why(given))
