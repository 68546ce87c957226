"""Trusts over the API: proposed by the one whose things may be touched, agreed to by the partner, ended by either."""

from typing import Any

import django_filters
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.response import Response

from agentiam.api.filters import Filters
from agentiam.api.problems import invalid
from agentiam.api.serializers import Reason, StringList, Told
from agentiam.api.versions import VersionedViewSet
from agentiam.api.viewsets import Given as Values
from agentiam.api.viewsets import operation
from directory.models import Organization
from permissions.models import DataClass, Trust
from permissions.services.trusts import TrustTerms, agree_trust, end_trust, find_partner, propose_trust


class NamedOrganization(Told):
    """One side of a trust."""

    slug = serializers.CharField()
    name = serializers.CharField()
    trust_domain = serializers.CharField()


@extend_schema_field({"type": ["object", "null"], "additionalProperties": True})
class KeySet(serializers.JSONField):
    """A JWK set (RFC 7517), or null."""


class TrustTold(Told):
    """What a partner's agents may touch; it stands while both sides agree."""

    id = serializers.UUIDField(source="pk")
    organization = NamedOrganization()
    partner = NamedOrganization(allow_null=True)
    issuer = serializers.CharField()
    keys = KeySet(help_text="The public keys of a partner elsewhere (RFC 7517).")
    agents = serializers.ListField(child=serializers.CharField(), allow_null=True)
    types = serializers.ListField(child=serializers.CharField(), allow_null=True)
    data_classes = serializers.ListField(child=serializers.CharField(), allow_null=True)
    agreed_here_at = serializers.DateTimeField(allow_null=True)
    agreed_there_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)


class TrustProposed(Reason):
    """What a partner's agents may touch here: a partner here by its slug, or elsewhere by issuer and keys."""

    partner = serializers.SlugField(required=False, max_length=63)
    issuer = serializers.URLField(required=False, max_length=500)
    keys = serializers.DictField(required=False)
    agents = StringList(required=False, allow_null=True, min_length=1)
    types = StringList(required=False, allow_null=True, min_length=1)
    data_classes = serializers.ListField(
        child=serializers.ChoiceField(choices=DataClass.choices), required=False, allow_null=True, min_length=1
    )
    ends_at = serializers.DateTimeField(required=False, allow_null=True)


class TrustFilters(Filters):
    """How the list of trusts is narrowed."""

    partner = django_filters.CharFilter(field_name="partner__slug")
    organization = django_filters.CharFilter(field_name="organization__slug")
    ended = django_filters.BooleanFilter(field_name="ended_at", lookup_expr="isnull", exclude=True)


class TrustViewSet(VersionedViewSet):
    """Trusts, of both sides."""

    model = Trust
    told = TrustTold
    related = ("organization", "partner")
    filterset_class = TrustFilters

    @extend_schema(request=TrustProposed, responses={201: TrustTold})
    def create(self, request: Any) -> Response:
        """Say what a partner's agents may touch here; it stands once the partner agrees."""
        self.require("add_trust")
        given = self.given(TrustProposed)
        why = self.why(given)
        if ("partner" in given) == ("issuer" in given):
            raise invalid({"partner": ["Name an organization here, or an issuer elsewhere, and one of the two."]})
        slug = given.pop("partner", None)
        partner = None if slug is None else find_partner(slug)
        terms = TrustTerms(**{name: given[name] for name in ("agents", "types", "data_classes", "ends_at") if name in given})
        trust = propose_trust(
            organization=Organization.objects.visible_to(request.user).get(),
            partner=partner,
            issuer=given.get("issuer", ""),
            keys=given.get("keys"),
            terms=terms,
            **why,
        )
        return self.created(trust)

    @operation("agree", right="change_trust", summary="Agree to a trust, for the partner's side")
    def agree(self, trust: Trust, given: Values) -> Any:
        """Agree to a trust that another organization proposed."""
        return agree_trust(trust=trust, **self.why(given))

    @operation("end", right="change_trust", summary="End a trust, for either side")
    def end(self, trust: Trust, given: Values) -> Any:
        """End a trust, from the next decision on, for both sides."""
        return end_trust(trust=trust, **self.why(given))
