"""Registered resources over the API: kept by those who manage the application, and by the application itself."""

from typing import Any

import django_filters
from django.db import transaction
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.response import Response

from agentiam.api.callers import ApplicationCaller
from agentiam.api.filters import Filters
from agentiam.api.permissions.entitlements import SubtreeGiven
from agentiam.api.permissions.resource_types import GONE
from agentiam.api.problems import invalid
from agentiam.api.serializers import Given, Reason, Told
from agentiam.api.versions import VersionedViewSet
from agentiam.api.viewsets import Given as Values
from agentiam.api.viewsets import operation
from directory.services.reports import together
from directory.services.revisions import lock_organization
from permissions.models import Resource, ResourceType
from permissions.services.resources import register_resource, remove_resource, update_resource

MOST_AT_ONCE = 500


class ResourceKeyTold(Told):
    """Another resource, by what it goes by."""

    type = serializers.CharField(source="type.name")
    id = serializers.CharField(source="external_id")


class ResourceTold(Told):
    """A registered resource."""

    id = serializers.UUIDField(source="pk")
    type = serializers.CharField(source="type.name")
    external_id = serializers.CharField()
    attributes = serializers.DictField()
    parent = ResourceKeyTold(allow_null=True)
    created_at = serializers.DateTimeField()


class ResourceGiven(Given):
    """What is known of one object; a parent is named by its type and id."""

    attributes = serializers.DictField(required=False)
    parent = SubtreeGiven(required=False, allow_null=True)


class ResourceRegistered(ResourceGiven, Reason):
    """A new resource."""

    type = serializers.CharField(max_length=200)
    external_id = serializers.CharField(max_length=500)


class ResourceChanged(ResourceGiven, Reason):
    """Other attributes, all of them, or another parent."""


class ResourceSynced(ResourceGiven):
    """One resource as it stands now."""

    type = serializers.CharField(max_length=200)
    external_id = serializers.CharField(max_length=500)


class ResourcesSynced(Reason):
    """Resources as they stand now, each before those that lie in it, and resources that are no more."""

    items = ResourceSynced(many=True, required=False, max_length=MOST_AT_ONCE)  # type: ignore[call-arg]  # DRF hands it to the list
    gone = SubtreeGiven(many=True, required=False, max_length=MOST_AT_ONCE)  # type: ignore[call-arg]  # as above


class SyncTold(Told):
    """What a synchronization changed."""

    registered = serializers.IntegerField()
    updated = serializers.IntegerField()
    unchanged = serializers.IntegerField()
    removed = serializers.IntegerField()


class ResourceFilters(Filters):
    """How the list of resources is narrowed."""

    type = django_filters.CharFilter(field_name="type__name")
    external_id = django_filters.CharFilter()
    parent = django_filters.UUIDFilter(field_name="parent_id")


class RegisteredResourceViewSet(VersionedViewSet):
    """Registered resources."""

    model = Resource
    told = ResourceTold
    related = ("type", "parent__type")
    searched = ("external_id",)
    filterset_class = ResourceFilters

    def require(self, right: str, row: Any = None) -> None:
        """Let an application do with its own resources what it likes: it sees no others."""
        if row is not None and isinstance(self.request.user, ApplicationCaller):
            return
        super().require(right, row)

    @extend_schema(request=ResourceRegistered, responses={201: ResourceTold})
    def create(self, request: Any) -> Response:
        """Register one object."""
        given = self.given(ResourceRegistered)
        why = self.why(given)
        return self.created(self._register(given, why))

    @extend_schema(request=ResourceChanged, responses=ResourceTold)
    def partial_update(self, request: Any, **_: Any) -> Response:
        """Replace a resource's attributes, or move it."""

        def change(resource: Resource, given: Values) -> Resource:
            why = self.why(given)
            return self._update(resource, given, why)

        return self.changed("change_resource", ResourceChanged, change)

    @operation("remove", right="delete_resource", gives=GONE, status=204, summary="Forget a resource")
    def remove(self, resource: Resource, given: Values) -> Response:
        """Forget a resource; rules may go on naming its id."""
        remove_resource(resource=resource, **self.why(given))
        return Response(status=204)

    @extend_schema(request=ResourcesSynced, responses={200: SyncTold}, summary="Tell how resources stand now, all or none")
    @action(detail=False, methods=["post"], url_path="sync", url_name="sync")
    def sync(self, request: Any) -> Response:
        """Register what is new, change what differs, remove what is gone, as one change; what stands already stays as it is."""
        given = self.given(ResourcesSynced)
        why = self.why(given)
        counts = dict.fromkeys(("registered", "updated", "unchanged", "removed"), 0)
        with transaction.atomic():
            lock_organization(self.organization_id, by=self.actor)
            with together():
                for each in given.get("items", ()):
                    counts[self._stands(each, why)] += 1
                for each in given.get("gone", ()):
                    counts["removed"] += self._gone(each, why)
        return Response(counts)

    def _stands(self, given: Values, why: Values) -> str:
        found = self._seen(given["type"], given["external_id"])
        if found is None:
            self._register(given, why)
            return "registered"
        self.require("change_resource", found)
        attributes = given.get("attributes", found.attributes)
        if attributes == found.attributes and self._parent(found, given) == found.parent:
            return "unchanged"
        self._update(found, given, why)
        return "updated"

    def _gone(self, given: Values, why: Values) -> int:
        found = self._seen(given["type"], given["id"])
        if found is None:
            return 0
        self.require("delete_resource", found)
        remove_resource(resource=found, **why)
        return 1

    def _register(self, given: Values, why: Values) -> Resource:
        types = ResourceType.objects.visible_to(self.request.user)
        resource_type = types.filter(name=given["type"]).first()
        if resource_type is None:
            raise invalid({"type": ["There is no resource type of this name that you can see."]})
        if not isinstance(self.request.user, ApplicationCaller):
            self.require("change_resourcetype", resource_type)
        return register_resource(
            resource_type=resource_type,
            external_id=given["external_id"],
            attributes=given.get("attributes"),
            parent=self._parent(None, given),
            **why,
        )

    def _update(self, resource: Resource, given: Values, why: Values) -> Resource:
        attributes = given.get("attributes", resource.attributes)
        return update_resource(resource=resource, attributes=attributes, parent=self._parent(resource, given), **why)

    def _parent(self, resource: Resource | None, given: Values) -> Resource | None:
        """Find the parent that a body names; one that it does not name stays."""
        if "parent" not in given:
            return None if resource is None else resource.parent
        named = given["parent"]
        if named is None:
            return None
        found = self._seen(named["type"], named["id"])
        if found is None:
            raise invalid({"parent": ["There is nothing of this type and id that you can see."]})
        return found

    def _seen(self, type_name: str, external_id: str) -> Resource | None:
        rows = Resource.objects.visible_to(self.request.user).select_related("type", "parent__type")
        found: Resource | None = rows.filter(type__name=type_name, external_id=external_id).first()
        return found
