"""What principals hold: roles by assignment, single entitlements by grant; an account or a team holds it."""

from uuid import UUID

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from simple_history.models import HistoricalRecords

from agentiam.kit.ids import uuid7
from directory.models import Organization, Team
from permissions.models.entitlement import EntitlementTerms, Held
from permissions.models.role import Role
from permissions.querysets import GrantQuerySet, RoleAssignmentQuerySet

_ONE_HOLDER = Q(user__isnull=False, team__isnull=True) | Q(user__isnull=True, team__isnull=False)


class RoleAssignment(Held):
    """One row gives one role to one account or team."""

    id: "models.UUIDField[UUID, UUID]" = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="assignments")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="assignments", null=True, blank=True
    )
    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="assignments", null=True, blank=True)
    role = models.ForeignKey(Role, on_delete=models.PROTECT, related_name="assignments")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    history = HistoricalRecords()
    objects = RoleAssignmentQuerySet.as_manager()

    class Meta(Held.Meta):
        constraints = [
            *Held.Meta.constraints,
            models.CheckConstraint(condition=_ONE_HOLDER, name="roleassignment_one_holder"),
        ]
        indexes = [*Held.Meta.indexes, models.Index(fields=["organization", "id"], name="roleassignment_by_organization")]

    def __str__(self) -> str:
        return f"{self.role} to {_holder_name(self)}"


class Grant(EntitlementTerms, Held):
    """One row gives one entitlement to one account or team."""

    id: "models.UUIDField[UUID, UUID]" = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="grants")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="grants", null=True, blank=True)
    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="grants", null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    history = HistoricalRecords(excluded_fields=["where_checked", "when_checked"])
    objects = GrantQuerySet.as_manager()

    class Meta(EntitlementTerms.Meta):
        constraints = [
            *EntitlementTerms.Meta.constraints,
            *Held.Meta.constraints,
            models.CheckConstraint(condition=_ONE_HOLDER, name="grant_one_holder"),
        ]
        indexes = [*Held.Meta.indexes, models.Index(fields=["organization", "id"], name="grant_by_organization")]

    def __str__(self) -> str:
        return f"{', '.join(self.actions)} on {self.resource_type} to {_holder_name(self)}"


def _holder_name(row: RoleAssignment | Grant) -> str:
    """Name who holds it; a partner's agent goes by its SPIFFE id, whatever it is called at home."""
    if row.user is not None and row.user.organization_id != row.organization_id:
        return str(row.user.agent.spiffe_id)
    return str(row.user or row.team)
