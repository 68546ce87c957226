"""Resource types and registered resources in the admin."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from agentiam.kit.administration.acting import Act
from agentiam.kit.administration.editing import ServiceAdmin
from agentiam.kit.administration.forms import LinesField, ServiceForm
from agentiam.kit.administration.operations import Operation, offer
from directory.admin.people import organization_of
from permissions.models import Resource, ResourceType
from permissions.services.resource_types import declare_resource_type, remove_resource_type, update_resource_type
from permissions.services.resources import register_resource, remove_resource, update_resource

_DECLARED = ("actions", "attributes", "fields")


class ResourceTypeForm(ServiceForm):
    """What a kind of object is declared to be."""

    actions = LinesField(help_text="The names of its actions, one a line; none for a mere container.")


@admin.register(ResourceType)
class ResourceTypeAdmin(ServiceAdmin):
    """Resource types; what rules name cannot be taken away."""

    list_display = ("name", "application", "actions", "created_at")
    listed_with = ("application",)
    searched = {"pk": "exact", "name": "istartswith"}
    search_help_text = "The id, whole; or the beginning of a name."
    add_form = ResourceTypeForm
    form = ResourceTypeForm
    adding = ("application", "name", *_DECLARED)
    changing = _DECLARED

    def create(self, request: HttpRequest, values: dict[str, Any], act: Act) -> Any:
        """Declare a type."""
        return declare_resource_type(organization=organization_of(request), **values, **act)

    def update(self, request: HttpRequest, row: Any, form: ServiceForm, act: Act) -> Any:
        """Declare a type anew; every rule about it is checked again."""
        return update_resource_type(resource_type=row, **form.values(), **act)


@admin.register(Resource)
class ResourceAdmin(ServiceAdmin):
    """Registered resources."""

    list_display = ("external_id", "type", "parent", "created_at")
    listed_with = ("type", "parent")
    searched = {"pk": "exact", "external_id": "exact"}
    search_help_text = "The id or the external id, whole."
    adding = ("type", "external_id", "attributes", "parent")
    changing = ("attributes", "parent")

    def create(self, request: HttpRequest, values: dict[str, Any], act: Act) -> Any:
        """Note what is known of one object."""
        return register_resource(
            resource_type=values["type"],
            external_id=values["external_id"],
            attributes=values["attributes"],
            parent=values["parent"],
            **act,
        )

    def update(self, request: HttpRequest, row: Any, form: ServiceForm, act: Act) -> Any:
        """Replace its attributes and its parent."""
        return update_resource(resource=row, **form.values(), **act)


offer(
    ResourceType,
    Operation(
        name="remove",
        label="Remove",
        effect="The type is gone, if no rule is about it and no resource is of it.",
        right="delete_resourcetype",
        perform=lambda row, _, act: remove_resource_type(resource_type=row, **act),
        drastic=True,
    ),
)
offer(
    Resource,
    Operation(
        name="remove",
        label="Remove",
        effect="The resource is forgotten, if no other lies in it; rules may go on naming its id.",
        right="delete_resource",
        perform=lambda row, _, act: remove_resource(resource=row, **act),
        drastic=True,
    ),
)
