"""Signs over the API that somebody else has an agent's proofs: read, and changed by nobody."""

import django_filters
from rest_framework import serializers

from agentiam.api.filters import Filters, InstantRangeFilter
from agentiam.api.serializers import Named, Told
from agentiam.api.viewsets import ResourceViewSet
from permissions.models import Signal


class SignalTold(Told):
    """A sign about an agent."""

    id = serializers.UUIDField(source="pk")
    agent = Named()
    sign = serializers.ChoiceField(choices=Signal.Kind.choices)
    weight = serializers.IntegerField()
    proven = serializers.BooleanField(help_text="Whether it came with something that only the agent should have.")
    credential = serializers.UUIDField(source="credential_id", allow_null=True)
    address = serializers.CharField()
    details = serializers.DictField(source="data")
    at = serializers.DateTimeField()
    lapsed_at = serializers.DateTimeField(allow_null=True, help_text="Since when it does not count any more.")


class SignalFilters(Filters):
    """How the list of signs is narrowed."""

    agent = django_filters.UUIDFilter(field_name="agent_id")
    sign = django_filters.MultipleChoiceFilter(choices=Signal.Kind.choices)
    at = InstantRangeFilter()


class SignalViewSet(ResourceViewSet):
    """Signs that somebody else has an agent's proofs."""

    model = Signal
    told = SignalTold
    related = ("agent",)
    filterset_class = SignalFilters
