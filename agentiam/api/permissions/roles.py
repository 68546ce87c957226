"""Roles over the API: named sets of entitlements, what they include, and which blueprints hand them to their agents."""

from typing import Any

import django_filters
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.response import Response

from agentiam.api.filters import Filters
from agentiam.api.part_versions import part_versions
from agentiam.api.permissions.entitlements import EntitlementGiven, EntitlementTold, require_types_seen, spec_of
from agentiam.api.permissions.granting import require_roles
from agentiam.api.permissions.resource_types import GONE
from agentiam.api.serializers import Given, Named, Reason, Told, all_of
from agentiam.api.shared_rights import SharedRights
from agentiam.api.versions import VersionedViewSet
from agentiam.api.viewsets import Given as Values
from agentiam.api.viewsets import ResourceViewSet, operation
from directory.models import Blueprint, Organization
from directory.services.answering import require_not_ones_own_blueprint
from permissions.models import BlueprintRole, Entitlement, Role, RoleInclusion
from permissions.services.access import give_access, withdraw_access
from permissions.services.givers import require_not_ones_own
from permissions.services.roles import (
    create_role,
    remove_role,
    set_blueprint_roles,
    set_role_entitlements,
    set_role_inclusions,
    update_role,
)

MOST_ENTITLEMENTS = 500


class RoleTold(Told):
    """A role: what it entitles to itself, and the roles that it includes."""

    id = serializers.UUIDField(source="pk")
    external_id = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField()
    entitlements = EntitlementTold(many=True)
    includes = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField()

    @extend_schema_field(Named(many=True))
    def get_includes(self, row: Role) -> Any:
        """Tell the roles that it includes itself; what those include comes with them."""
        included = sorted((each.included for each in row.inclusions.all()), key=lambda each: each.external_id)
        return Named(included, many=True).data


class RoleGiven(Given):
    """What of a role can be renamed."""

    name = serializers.CharField(max_length=200)
    description = serializers.CharField(required=False, allow_blank=True, max_length=10_000)


class RoleCreated(RoleGiven, Reason):
    """A new role, with what it entitles to and includes."""

    external_id = serializers.CharField(max_length=200)


class RoleChanged(RoleGiven, Reason):
    """Another name or description."""


class EntitlementsSet(Reason):
    """All that a role entitles to itself."""

    entitlements = EntitlementGiven(many=True, max_length=MOST_ENTITLEMENTS)  # type: ignore[call-arg]  # DRF hands it to the list


class InclusionsSet(Reason):
    """All roles that a role includes itself."""

    includes = serializers.ListField(child=serializers.UUIDField(), max_length=MOST_ENTITLEMENTS)


class RoleFilters(Filters):
    """How the list of roles is narrowed."""

    external_id = django_filters.CharFilter()
    includes = django_filters.UUIDFilter(field_name="inclusions__included_id")


class RoleViewSet(SharedRights, VersionedViewSet):
    """Roles."""

    gives, withdraws = staticmethod(give_access), staticmethod(withdraw_access)
    model = Role
    told = RoleTold
    gathered = ("entitlements__resource_type", "inclusions__included")
    orders = ("id", "-id", "name", "-name")
    searched = ("name", "external_id", "description")
    filterset_class = RoleFilters

    entitlements_versions = part_versions(
        Entitlement, "role", path="entitlements/versions", summary="What the role entitled to"
    )
    includes_versions = part_versions(RoleInclusion, "role", path="includes/versions", summary="What the role included")

    @extend_schema(request=RoleCreated, responses={201: RoleTold})
    def create(self, request: Any) -> Response:
        """Add a role without entitlements."""
        self.require("add_role")
        given = self.given(RoleCreated)
        why = self.why(given)
        organization = Organization.objects.visible_to(request.user).get()
        return self.created(create_role(organization=organization, **given, **why))

    @extend_schema(request=RoleChanged, responses=RoleTold)
    def partial_update(self, request: Any, **_: Any) -> Response:
        """Rename a role or describe it anew."""

        def change(role: Role, given: Values) -> Role:
            why = self.why(given)
            name, description = given.get("name", role.name), given.get("description", role.description)
            return update_role(role=role, name=name, description=description, **why)

        return self.changed("manage_role", RoleChanged, change)

    @operation(
        "entitlements",
        right="manage_role",
        takes=EntitlementsSet,
        replaces=True,
        summary="Say what a role entitles to, all of it",
    )
    def entitlements(self, role: Role, given: Values) -> Any:
        """Say what a role entitles to, all of it; nobody changes so a role that they or agents of theirs hold."""
        why = self.why(given)
        specs = [spec_of(each) for each in given["entitlements"]]
        require_not_ones_own(self.request.user, [role])
        names = {spec.type for spec in specs} | {spec.subtree[0] for spec in specs if spec.subtree is not None}
        require_types_seen(self.request.user, names, "entitlements")
        return set_role_entitlements(role=role, entitlements=specs, **why)

    @operation(
        "includes",
        right="manage_role",
        takes=InclusionsSet,
        replaces=True,
        summary="Say which roles a role includes, all of them",
    )
    def includes(self, role: Role, given: Values) -> Any:
        """Say which roles a role includes, all of them; a role that is added must be one's own to assign."""
        why = self.why(given)
        wanted = all_of(Role.objects.visible_to(self.request.user), given["includes"], "includes")
        present = set(role.inclusions.values_list("included_id", flat=True))
        added = [each for each in wanted if each.pk not in present]
        if added:
            require_roles(self.request.user, added)
            require_not_ones_own(self.request.user, [role])
        return set_role_inclusions(role=role, included=wanted, **why)

    @operation("remove", right="delete_role", gives=GONE, status=204, summary="Remove a role that nobody holds")
    def remove(self, role: Role, given: Values) -> Response:
        """Remove a role that nobody holds and nothing includes."""
        remove_role(role=role, **self.why(given))
        return Response(status=204)


class BlueprintRolesTold(Told):
    """A blueprint with the roles that its agents hold by it."""

    id = serializers.UUIDField(source="pk")
    external_id = serializers.CharField()
    name = serializers.CharField()
    roles = serializers.SerializerMethodField()

    @extend_schema_field(Named(many=True))
    def get_roles(self, row: Blueprint) -> Any:
        """Tell the roles."""
        rows = row.blueprint_roles.all()
        held = sorted((each.role for each in rows), key=lambda each: each.external_id)
        return Named(held, many=True).data


class BlueprintRolesSet(Reason):
    """All roles of a blueprint."""

    roles = serializers.ListField(child=serializers.UUIDField(), max_length=MOST_ENTITLEMENTS)


class BlueprintRoleViewSet(ResourceViewSet):
    """The roles of blueprints; the address is that of the blueprint."""

    model = Blueprint
    told = BlueprintRolesTold
    gathered = ("blueprint_roles__role",)
    orders = ("id", "-id", "name", "-name")
    searched = ("name", "external_id")

    versions = part_versions(BlueprintRole, "blueprint", path="versions", summary="Which roles the blueprint handed out")

    @extend_schema(request=BlueprintRolesSet, responses=BlueprintRolesTold)
    def partial_update(self, request: Any, **_: Any) -> Response:
        """Say which roles the agents of a blueprint hold by it, all of them; it bites on their next decision."""

        def change(blueprint: Blueprint, given: Values) -> Blueprint:
            why = self.why(given)
            wanted = all_of(Role.objects.visible_to(request.user), given.get("roles", []), "roles")
            present = set(BlueprintRole.objects.filter(blueprint=blueprint).values_list("role_id", flat=True))
            added = [each for each in wanted if each.pk not in present]
            if added:
                require_roles(request.user, added)
                require_not_ones_own_blueprint(request.user, blueprint)
            return set_blueprint_roles(blueprint=blueprint, roles=wanted, **why)

        return self.changed("manage_blueprint", BlueprintRolesSet, change, partial=False)
