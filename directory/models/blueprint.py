"""A blueprint is the template from which agents are onboarded: what they inherit, and what they can never exceed."""

from uuid import UUID

from django.db import models
from django.db.models import Q
from django.utils import timezone
from simple_history.models import HistoricalRecords

from agentiam.kit.ids import uuid7
from directory.models.organization import Organization
from directory.querysets import BlueprintQuerySet


class Blueprint(models.Model):
    """One row is one kind of agent; the roles its agents inherit are kept with the roles."""

    id: "models.UUIDField[UUID, UUID]" = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="blueprints")
    external_id = models.CharField(max_length=200)
    name = models.CharField(max_length=200)
    description = models.TextField(blank=True)
    ceiling = models.JSONField(
        null=True, blank=True, help_text="Types, actions and fields that its agents can never exceed; empty for no such limit."
    )
    sign_offs = models.PositiveSmallIntegerField(default=0, help_text="How many people must agree to an onboarding.")
    credential_methods = models.JSONField(default=list, blank=True, help_text="Kinds of credential; empty for every kind.")
    credential_days = models.PositiveSmallIntegerField(default=90, help_text="The longest life of a credential.")
    spawn_depth = models.PositiveSmallIntegerField(default=0, help_text="How many generations may be spawned.")
    spawn_children = models.PositiveSmallIntegerField(default=0, help_text="How many living children an agent may have.")
    spawn_seconds = models.PositiveIntegerField(null=True, blank=True, help_text="The longest life of a spawned agent.")
    suspend_at_risk = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text="The risk, 1 to 100, at which an agent of it is suspended at once; empty for never."
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    history = HistoricalRecords()
    objects = BlueprintQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organization", "external_id"], name="blueprint_external_id_once"),
            models.CheckConstraint(condition=Q(credential_days__gte=1), name="blueprint_credentials_end"),
            models.CheckConstraint(
                condition=Q(suspend_at_risk__isnull=True) | Q(suspend_at_risk__gte=1, suspend_at_risk__lte=100),
                name="blueprint_risk_is_of_hundred",
            ),
        ]
        permissions = [("manage_blueprint", "Can manage the blueprint"), ("use_blueprint", "Can onboard agents from it")]

    def __str__(self) -> str:
        return self.name
