"""Resource types over the API: what may be asked for, declared by those who manage the application that holds it."""

from typing import Any

import django_filters
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from agentiam.api.filters import Filters
from agentiam.api.permissions.applications import NamedApplication
from agentiam.api.serializers import Given, Reason, StringList, Told, one_of
from agentiam.api.versions import VersionedViewSet
from agentiam.api.viewsets import Given as Values
from agentiam.api.viewsets import operation
from directory.models import Organization
from permissions.engine.attributes import ATTRIBUTE_TYPES
from permissions.models import Application, DataClass, ResourceType
from permissions.services.resource_types import declare_resource_type, remove_resource_type, update_resource_type

GONE: Any = OpenApiResponse(description="It is gone.")


class ResourceTypeTold(Told):
    """A resource type: its actions, its typed attributes, its fields with their classes of data."""

    id = serializers.UUIDField(source="pk")
    application = NamedApplication()
    name = serializers.CharField()
    actions = serializers.ListField(child=serializers.CharField())
    attributes = serializers.DictField(child=serializers.ChoiceField(choices=ATTRIBUTE_TYPES))
    fields = serializers.DictField(child=serializers.ChoiceField(choices=DataClass.choices))  # type: ignore[assignment]  # a member of the body
    created_at = serializers.DateTimeField()


class DeclarationGiven(Given):
    """What a type declares; a member that is sent stands for all of it."""

    actions = StringList(max_length=500)
    attributes = serializers.DictField(child=serializers.CharField(max_length=20), required=False)
    fields = serializers.DictField(child=serializers.CharField(max_length=20), required=False)  # type: ignore[assignment]  # as above


class ResourceTypeDeclared(DeclarationGiven, Reason):
    """A new type."""

    application = serializers.UUIDField()
    name = serializers.CharField(max_length=200)


class ResourceTypeChanged(DeclarationGiven, Reason):
    """A change of a declaration; what is not named stays."""


class ResourceTypeFilters(Filters):
    """How the list of resource types is narrowed."""

    name = django_filters.CharFilter()
    application = django_filters.UUIDFilter(field_name="application_id")


class ResourceTypeViewSet(VersionedViewSet):
    """Resource types."""

    model = ResourceType
    told = ResourceTypeTold
    related = ("application",)
    orders = ("id", "-id", "name", "-name")
    searched = ("name",)
    filterset_class = ResourceTypeFilters

    @extend_schema(request=ResourceTypeDeclared, responses={201: ResourceTypeTold})
    def create(self, request: Any) -> Response:
        """Declare a kind of object that an application holds."""
        given = self.given(ResourceTypeDeclared)
        why = self.why(given)
        application = one_of(Application.objects.visible_to(request.user), given.pop("application"), "application")
        self.require("manage_application", application)
        organization = Organization.objects.visible_to(request.user).get()
        return self.created(declare_resource_type(organization=organization, application=application, **given, **why))

    @extend_schema(request=ResourceTypeChanged, responses=ResourceTypeTold)
    def partial_update(self, request: Any, **_: Any) -> Response:
        """Declare a type anew; rules and resources must still fit."""

        def change(resource_type: ResourceType, given: Values) -> ResourceType:
            why = self.why(given)
            present = {name: getattr(resource_type, name) for name in ("actions", "attributes", "fields")}
            return update_resource_type(resource_type=resource_type, **present | given, **why)

        return self.changed("change_resourcetype", ResourceTypeChanged, change)

    @operation("remove", right="delete_resourcetype", gives=GONE, status=204, summary="Remove a type that nothing is about")
    def remove(self, resource_type: ResourceType, given: Values) -> Response:
        """Remove a type that no rule is about and no resource is of."""
        remove_resource_type(resource_type=resource_type, **self.why(given))
        return Response(status=204)
