"""Roles, what they entitle to, what they include, and which blueprints bring them, in the admin."""

from typing import Any

from django.contrib import admin
from django.db import transaction
from django.http import HttpRequest

from agentiam.kit.administration.acting import Act
from agentiam.kit.administration.editing import ServiceAdmin
from agentiam.kit.administration.forms import ServiceForm
from agentiam.kit.administration.operations import Operation, offer
from directory.admin.people import organization_of
from directory.models import Blueprint
from directory.services.revisions import lock_organization
from permissions.admin.terms import SELECTED, EntitlementForm, spec_of, taken_spec
from permissions.models import BlueprintRole, Entitlement, Role, RoleInclusion
from permissions.services.roles import (
    create_role,
    remove_role,
    set_blueprint_roles,
    set_role_entitlements,
    set_role_inclusions,
    update_role,
)
from permissions.services.terms import EntitlementSpec


@admin.register(Role)
class RoleAdmin(ServiceAdmin):
    """Roles; their entitlements and inclusions are tables of their own."""

    list_display = ("name", "external_id", "created_at")
    searched = {"pk": "exact", "external_id": "exact", "name": "istartswith"}
    search_help_text = "The id or the external id, whole; or the beginning of a name."
    adding = ("external_id", "name", "description")
    changing = ("name", "description")

    def create(self, request: HttpRequest, values: dict[str, Any], act: Act) -> Any:
        """Add a role without entitlements."""
        return create_role(organization=organization_of(request), **values, **act)

    def update(self, request: HttpRequest, row: Any, form: ServiceForm, act: Act) -> Any:
        """Rename a role or describe it anew."""
        return update_role(role=row, **form.values(), **act)


@admin.register(Entitlement)
class EntitlementAdmin(ServiceAdmin):
    """What roles entitle to; an entitlement is added or removed, never reworded."""

    through = "role"
    list_display = ("role", "resource_type", "actions", "resource", "where", "when")
    listed_with = ("role", "resource_type")
    add_form = EntitlementForm
    adding = ("role", *SELECTED)

    def create(self, request: HttpRequest, values: dict[str, Any], act: Act) -> Any:
        """Add an entitlement to those that the role has."""
        role = values.pop("role")
        spec = taken_spec(values)
        _entitle(role, add=[spec], act=act)
        return Entitlement.objects.filter(role=role, resource_type__name=spec.type).latest("id")


@admin.register(RoleInclusion)
class RoleInclusionAdmin(ServiceAdmin):
    """Which role includes which."""

    through = "role"
    list_display = ("role", "included")
    listed_with = ("role", "included")
    searched = {}
    adding = ("role", "included")

    def create(self, request: HttpRequest, values: dict[str, Any], act: Act) -> Any:
        """Include a role in another."""
        _include(values["role"], add=[values["included"]], act=act)
        return RoleInclusion.objects.get(**values)


@admin.register(BlueprintRole)
class BlueprintRoleAdmin(ServiceAdmin):
    """Which blueprint brings which role."""

    through = "blueprint"
    list_display = ("blueprint", "role")
    listed_with = ("blueprint", "role")
    searched = {}
    adding = ("blueprint", "role")

    def create(self, request: HttpRequest, values: dict[str, Any], act: Act) -> Any:
        """Let the agents of a blueprint hold a role."""
        _bring(values["blueprint"], add=[values["role"]], act=act)
        return BlueprintRole.objects.get(**values)


def _entitle(role: Role, *, act: Act, add: list[EntitlementSpec] | None = None, without: Entitlement | None = None) -> None:
    """Set what a role entitles to, all of it, with one more or one less; the organization stays locked in between."""
    with transaction.atomic():
        lock_organization(role.organization_id, by=act["by"])
        rows = Entitlement.objects.filter(role=role).select_related("resource_type").order_by("id")
        kept = [spec_of(row) for row in rows if without is None or row.pk != without.pk]
        set_role_entitlements(role=role, entitlements=[*kept, *(add or [])], **act)


def _include(role: Role, *, act: Act, add: list[Role] | None = None, without: RoleInclusion | None = None) -> None:
    with transaction.atomic():
        lock_organization(role.organization_id, by=act["by"])
        rows = RoleInclusion.objects.filter(role=role).select_related("included").order_by("id")
        kept = [row.included for row in rows if without is None or row.pk != without.pk]
        set_role_inclusions(role=role, included=[*kept, *(add or [])], **act)


def _bring(blueprint: Blueprint, *, act: Act, add: list[Role] | None = None, without: BlueprintRole | None = None) -> None:
    with transaction.atomic():
        lock_organization(blueprint.organization_id, by=act["by"])
        rows = BlueprintRole.objects.filter(blueprint=blueprint).select_related("role").order_by("id")
        kept = [row.role for row in rows if without is None or row.pk != without.pk]
        set_blueprint_roles(blueprint=blueprint, roles=[*kept, *(add or [])], **act)


offer(
    Role,
    Operation(
        name="remove",
        label="Remove",
        effect="The role is gone with its entitlements, if nobody holds it and nothing includes it.",
        right="delete_role",
        perform=lambda row, _, act: remove_role(role=row, **act),
        drastic=True,
    ),
)
offer(
    Entitlement,
    Operation(
        name="remove",
        label="Remove",
        effect="Whoever holds the role is not entitled to this by it any more, from the next decision on.",
        right="delete_entitlement",
        perform=lambda row, _, act: _entitle(row.role, without=row, act=act),
        drastic=True,
    ),
)
offer(
    RoleInclusion,
    Operation(
        name="remove",
        label="Remove",
        effect="The role does not include the other any more, from the next decision on.",
        right="delete_roleinclusion",
        perform=lambda row, _, act: _include(row.role, without=row, act=act),
        drastic=True,
    ),
)
offer(
    BlueprintRole,
    Operation(
        name="remove",
        label="Remove",
        effect="The blueprint's agents do not hold the role by it any more, from the next decision on.",
        right="delete_blueprintrole",
        perform=lambda row, _, act: _bring(row.blueprint, without=row, act=act),
        drastic=True,
    ),
)
