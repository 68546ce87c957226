"""Issuers elsewhere over the API: whose signed statements count here, for what, and by which keys."""

from typing import Any

import django_filters
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from agentiam.api.filters import Filters
from agentiam.api.permissions.trusts import KeySet
from agentiam.api.serializers import Given, Reason, Told
from agentiam.api.versions import VersionedViewSet
from agentiam.api.viewsets import Given as Values
from agentiam.api.viewsets import operation
from directory.models import Organization
from permissions.models import TrustedIssuer
from permissions.services.issuers import (
    MOST_ASSERTED,
    IssuerTerms,
    add_trusted_issuer,
    end_trusted_issuer,
    update_trusted_issuer,
)

_CHANGEABLE = (
    "name",
    "jwks_uri",
    "jwks",
    "uses",
    "algorithms",
    "audience",
    "user_claim",
    "asserted_scopes",
    "asserted_resources",
)
_USES = TrustedIssuer.Use.choices
_ALGORITHMS = TrustedIssuer.Algorithm.choices


class TrustedIssuerTold(Told):
    """An issuer elsewhere that is believed."""

    id = serializers.UUIDField(source="pk")
    name = serializers.CharField()
    issuer = serializers.CharField()
    jwks_uri = serializers.CharField()
    jwks = KeySet()
    uses = serializers.ListField(child=serializers.ChoiceField(choices=_USES))
    algorithms = serializers.ListField(child=serializers.ChoiceField(choices=_ALGORITHMS))
    audience = serializers.CharField()
    user_claim = serializers.CharField()
    asserted_scopes = serializers.ListField(child=serializers.CharField())
    asserted_resources = serializers.ListField(child=serializers.CharField())
    created_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)


class TrustedIssuerGiven(Given):
    """What is believed of an issuer; without ``jwks_uri`` and ``jwks`` its own metadata say where its keys are."""

    name = serializers.CharField(max_length=200)
    jwks_uri = serializers.CharField(max_length=500, required=False, allow_blank=True, help_text="An https URL.")
    jwks = serializers.DictField(required=False, allow_null=True, help_text="Public keys (RFC 7517).")
    uses = serializers.ListField(child=serializers.ChoiceField(choices=_USES), min_length=1, max_length=len(_USES))
    algorithms = serializers.ListField(
        child=serializers.ChoiceField(choices=_ALGORITHMS),
        min_length=1,
        max_length=len(_ALGORITHMS),
        required=False,
        help_text="All that fit its keys, unless some are named.",
    )
    audience = serializers.CharField(
        max_length=500, required=False, allow_blank=True, help_text="What its tokens are made out to; empty for our issuer."
    )
    user_claim = serializers.CharField(
        max_length=100, required=False, help_text="The claim that names a person by their external id; sub, if it is not said."
    )
    asserted_scopes = serializers.ListField(
        child=serializers.CharField(max_length=401),
        max_length=MOST_ASSERTED,
        required=False,
        help_text="Which scopes, TYPE:ACTION, assertions that are issued here may say to it; none, unless some are named.",
    )
    asserted_resources = serializers.ListField(
        child=serializers.CharField(max_length=500),
        max_length=MOST_ASSERTED,
        required=False,
        help_text="Which of its resources assertions may name; none, unless some are named.",
    )


class TrustedIssuerAdded(TrustedIssuerGiven, Reason):
    """A new issuer."""

    issuer = serializers.CharField(max_length=500, help_text="An https URL, or spiffe:// and a trust domain.")


class TrustedIssuerChanged(TrustedIssuerGiven, Reason):
    """A change of what is believed; what is not named stays."""


class TrustedIssuerFilters(Filters):
    """How the list of issuers is narrowed."""

    issuer = django_filters.CharFilter()
    ended = django_filters.BooleanFilter(field_name="ended_at", lookup_expr="isnull", exclude=True)


class TrustedIssuerViewSet(VersionedViewSet):
    """Issuers elsewhere that are believed."""

    model = TrustedIssuer
    told = TrustedIssuerTold
    orders = ("id", "-id", "name", "-name")
    searched = ("name", "issuer")
    filterset_class = TrustedIssuerFilters

    @extend_schema(request=TrustedIssuerAdded, responses={201: TrustedIssuerTold})
    def create(self, request: Any) -> Response:
        """Believe an issuer elsewhere, from the next token on."""
        self.require("add_trustedissuer")
        given = self.given(TrustedIssuerAdded)
        why = self.why(given)
        organization = Organization.objects.visible_to(request.user).get()
        issuer = given.pop("issuer")
        return self.created(add_trusted_issuer(organization=organization, issuer=issuer, terms=IssuerTerms(**given), **why))

    @extend_schema(request=TrustedIssuerChanged, responses=TrustedIssuerTold)
    def partial_update(self, request: Any, **_: Any) -> Response:
        """Change what is believed of an issuer, or where its keys are."""

        def change(trusted: TrustedIssuer, given: Values) -> TrustedIssuer:
            why = self.why(given)
            present = {name: getattr(trusted, name) for name in _CHANGEABLE}
            return update_trusted_issuer(trusted=trusted, terms=IssuerTerms(**present | given), **why)

        return self.changed("change_trustedissuer", TrustedIssuerChanged, change)

    @operation("end", right="change_trustedissuer", summary="Believe an issuer no more")
    def end(self, trusted: TrustedIssuer, given: Values) -> Any:
        """Believe an issuer no more, from the next token on."""
        return end_trusted_issuer(trusted=trusted, **self.why(given))
