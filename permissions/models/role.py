"""A role is a named set of entitlements; roles include roles, never in a circle."""

from uuid import UUID

from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from simple_history.models import HistoricalRecords

from agentiam.kit.ids import uuid7
from directory.models import Blueprint, Organization
from permissions.models.entitlement import EntitlementTerms
from permissions.querysets import RoleQuerySet


class Role(models.Model):
    """One row is one role."""

    id: "models.UUIDField[UUID, UUID]" = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="roles")
    external_id = models.CharField(max_length=200)
    name = models.CharField(max_length=200)
    description = models.TextField(blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    history = HistoricalRecords()
    objects = RoleQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organization", "external_id"], name="role_external_id_once")]
        permissions = [("manage_role", "Can manage the role"), ("assign_role", "Can assign the role")]

    def __str__(self) -> str:
        return self.name


class RoleInclusion(models.Model):
    """One row says that a role includes another, with everything that one includes."""

    role = models.ForeignKey(Role, on_delete=models.CASCADE, related_name="inclusions")
    included = models.ForeignKey(Role, on_delete=models.PROTECT, related_name="included_in")

    history = HistoricalRecords()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["role", "included"], name="roleinclusion_once"),
            models.CheckConstraint(condition=~Q(role=F("included")), name="roleinclusion_not_itself"),
        ]

    def __str__(self) -> str:
        return f"{self.role} includes {self.included}"


class Entitlement(EntitlementTerms):
    """One row is one entitlement of a role."""

    id: "models.UUIDField[UUID, UUID]" = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    role = models.ForeignKey(Role, on_delete=models.CASCADE, related_name="entitlements")

    history = HistoricalRecords(excluded_fields=["where_checked", "when_checked"])

    class Meta(EntitlementTerms.Meta):
        pass

    def __str__(self) -> str:
        return f"{', '.join(self.actions)} on {self.resource_type}"


class BlueprintRole(models.Model):
    """One row makes every agent of a blueprint hold a role, for as long as the row stands."""

    blueprint = models.ForeignKey(Blueprint, on_delete=models.CASCADE, related_name="blueprint_roles")
    role = models.ForeignKey(Role, on_delete=models.PROTECT, related_name="blueprint_roles")

    history = HistoricalRecords()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["blueprint", "role"], name="blueprintrole_once")]

    def __str__(self) -> str:
        return f"{self.role} of {self.blueprint}"
