"""The keys that tokens are signed with, over the API: their public halves, the next ones, and one that is worth nothing."""

from typing import Any

import django_filters
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.response import Response

from agentiam.api.filters import Filters
from agentiam.api.rights import WAYS_IN
from agentiam.api.serializers import Reason, RequiredReason, Told
from agentiam.api.viewsets import Given as Values
from agentiam.api.viewsets import ResourceViewSet, operation
from permissions.models import TokenKey
from permissions.oauth.keys import rotate_keys, withdraw_key


class TokenKeyTold(Told):
    """A key that tokens are signed with: its public half, and when it signs and is shown."""

    id = serializers.UUIDField(source="pk")
    kid = serializers.CharField(help_text="The thumbprint of the public half (RFC 7638).")
    algorithm = serializers.ChoiceField(choices=TokenKey.Algorithm.choices)
    jwk = serializers.DictField(help_text="The public half (RFC 7517).")
    created_at = serializers.DateTimeField()
    signs_from = serializers.DateTimeField()
    signs_until = serializers.DateTimeField(allow_null=True)
    shown_until = serializers.DateTimeField(allow_null=True)


class TokenKeysRotated(Reason):
    """The next keys."""

    at_once = serializers.BooleanField(
        default=False, help_text="They sign from now on, not after two days in which they are shown: for a key that was lost."
    )


class TokenKeysMade(Told):
    """The keys that were made; none where the next ones are waiting already."""

    items = TokenKeyTold(many=True)


class TokenKeyFilters(Filters):
    """How the list of keys is narrowed."""

    kid = django_filters.CharFilter()
    algorithm = django_filters.ChoiceFilter(choices=TokenKey.Algorithm.choices)


class TokenKeyViewSet(ResourceViewSet):
    """Keys that tokens are signed with."""

    model = TokenKey
    told = TokenKeyTold
    filterset_class = TokenKeyFilters
    scopes_for = {"rotate": WAYS_IN, "withdraw": WAYS_IN}

    @extend_schema(request=TokenKeysRotated, responses=TokenKeysMade, filters=False, summary="Make the next keys")
    @action(detail=False, methods=["post"], pagination_class=None)
    def rotate(self, request: Any) -> Response:
        """Make the next key of each algorithm; what the present ones signed stays valid until it ends."""
        self.require("add_tokenkey")
        given = self.given(TokenKeysRotated)
        why = self.why(given)
        return Response(TokenKeysMade({"items": rotate_keys(organization=self.organization, **given, **why)}).data)

    @operation("withdraw", right="change_tokenkey", takes=RequiredReason, summary="Show a key no more")
    def withdraw(self, key: TokenKey, given: Values) -> Any:
        """Show a key no more: what it signed is refused from now on, and another signs instead."""
        return withdraw_key(key=key, **self.why(given))
