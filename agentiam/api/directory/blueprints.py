"""Blueprints over the API: the terms on which agents of one kind are onboarded."""

from dataclasses import replace
from typing import Any

import django_filters
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from agentiam.api.directory.capabilities import CapabilityField
from agentiam.api.filters import Filters
from agentiam.api.serializers import Given, Reason, Told
from agentiam.api.shared_rights import SharedRights
from agentiam.api.versions import VersionedViewSet
from directory.models import Blueprint, Credential
from directory.services.blueprints import BlueprintTerms, create_blueprint, update_blueprint

_SMALL = 32_767


class BlueprintTold(Told):
    """A blueprint."""

    id = serializers.UUIDField(source="pk")
    external_id = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField()
    ceiling = CapabilityField(allow_null=True)
    sign_offs = serializers.IntegerField()
    credential_methods = serializers.ListField(child=serializers.ChoiceField(choices=Credential.Kind.choices))
    credential_days = serializers.IntegerField()
    spawn_depth = serializers.IntegerField()
    spawn_children = serializers.IntegerField()
    spawn_seconds = serializers.IntegerField(allow_null=True)
    suspend_at_risk = serializers.IntegerField(allow_null=True)
    created_at = serializers.DateTimeField()


class TermsGiven(Given):
    """Everything of a blueprint that can change."""

    name = serializers.CharField(max_length=200)
    description = serializers.CharField(required=False, allow_blank=True, max_length=10_000)
    ceiling = CapabilityField(allow_null=True, required=False)
    sign_offs = serializers.IntegerField(required=False, min_value=0, max_value=_SMALL)
    credential_methods = serializers.ListField(
        child=serializers.ChoiceField(choices=Credential.Kind.choices), required=False, max_length=10
    )
    credential_days = serializers.IntegerField(required=False, min_value=1, max_value=3_650)
    spawn_depth = serializers.IntegerField(required=False, min_value=0, max_value=100)
    spawn_children = serializers.IntegerField(required=False, min_value=0, max_value=_SMALL)
    spawn_seconds = serializers.IntegerField(required=False, allow_null=True, min_value=1, max_value=2_147_483_647)
    suspend_at_risk = serializers.IntegerField(required=False, allow_null=True, min_value=1, max_value=100)


class BlueprintCreated(TermsGiven, Reason):
    """A new blueprint."""

    external_id = serializers.CharField(max_length=200)


class BlueprintChanged(TermsGiven, Reason):
    """Other terms; what is not named stays."""


class BlueprintFilters(Filters):
    """How the list of blueprints is narrowed."""

    external_id = django_filters.CharFilter()


class BlueprintViewSet(SharedRights, VersionedViewSet):
    """Blueprints; which roles come with one is among the permissions."""

    model = Blueprint
    told = BlueprintTold
    orders = ("id", "-id", "name", "-name")
    searched = ("name", "external_id", "description")
    filterset_class = BlueprintFilters

    @extend_schema(request=BlueprintCreated, responses={201: BlueprintTold})
    def create(self, request: Any) -> Response:
        """Add a blueprint."""
        self.require("add_blueprint")
        given = self.given(BlueprintCreated)
        why = self.why(given)
        organization = self.organization
        external_id = given.pop("external_id")
        terms = BlueprintTerms(**given)
        return self.created(create_blueprint(organization=organization, external_id=external_id, terms=terms, **why))

    @extend_schema(request=BlueprintChanged, responses=BlueprintTold)
    def partial_update(self, request: Any, **_: Any) -> Response:
        """Change the terms; they bite on the next decision about any agent of the blueprint."""

        def change(blueprint: Blueprint, given: dict[str, Any]) -> Blueprint:
            why = self.why(given)
            return update_blueprint(blueprint=blueprint, terms=replace(BlueprintTerms.of(blueprint), **given), **why)

        return self.changed("manage_blueprint", BlueprintChanged, change)
