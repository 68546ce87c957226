"""What credentials of every holder have in common over the API; a secret is in one answer, and in no other ever again."""

from datetime import timedelta
from typing import Any

import django_filters
from rest_framework import serializers

from agentiam.api.filters import Filters, InstantRangeFilter
from agentiam.api.serializers import Given, Reason, StringList, Told
from directory.models import CredentialRecord, Scope


class SecretTold(Told):
    """A credential without its secret."""

    id = serializers.UUIDField(source="pk")
    kind = serializers.ChoiceField(choices=CredentialRecord.Kind.choices)
    label = serializers.CharField()  # type: ignore[assignment]  # a member of the body
    public_id = serializers.CharField(allow_null=True, help_text="The part of the key that is no secret.")
    scopes = serializers.ListField(child=serializers.ChoiceField(choices=Scope.choices))
    allowed_networks = serializers.ListField(child=serializers.CharField())
    successor = serializers.UUIDField(source="successor_id", allow_null=True)
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    revoked_at = serializers.DateTimeField(allow_null=True)
    last_used_at = serializers.DateTimeField(allow_null=True)


class SecretIssued(Given):
    """What a new key is for, and how long."""

    label = serializers.CharField(max_length=200)  # type: ignore[assignment]  # a member of the body
    scopes = serializers.ListField(
        child=serializers.ChoiceField(choices=Scope.of_machines()), required=False, min_length=1, max_length=10
    )
    allowed_networks = StringList(required=False, max_length=100)
    expires_at = serializers.DateTimeField(required=False, allow_null=True)


class SecretRotated(Reason):
    """How long the old key still works beside the new one."""

    overlap_seconds = serializers.IntegerField(required=False, min_value=0, max_value=30 * 24 * 3600, default=0)
    expires_at = serializers.DateTimeField(required=False, allow_null=True)


class SecretFilters(Filters):
    """How a list of credentials is narrowed."""

    kind = django_filters.ChoiceFilter(choices=CredentialRecord.Kind.choices)
    public_id = django_filters.CharFilter()
    revoked = django_filters.BooleanFilter(field_name="revoked_at", lookup_expr="isnull", exclude=True)
    expires = InstantRangeFilter(field_name="expires_at")


def overlap_of(given: dict[str, Any]) -> timedelta:
    """Take the overlap out of a body."""
    return timedelta(seconds=given.pop("overlap_seconds"))
