"""A run is one working instance of an agent on one task; what the task allows is a limit like any other."""

from uuid import UUID

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from simple_history.models import HistoricalRecords

from agentiam.kit.ids import uuid7
from directory.models.agent import Agent
from directory.models.organization import Organization
from directory.querysets import RunQuerySet


class Run(models.Model):
    """One row is one instance at work; once ended, its task allows nothing any more."""

    id: "models.UUIDField[UUID, UUID]" = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="runs")
    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="runs")
    task_id = models.CharField(max_length=200)
    purpose = models.TextField(blank=True)
    on_behalf_of = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="runs_for", null=True, blank=True
    )
    allows = models.JSONField(
        null=True, blank=True, help_text="Types, actions and fields the task is limited to; empty for no limit."
    )
    started_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True, editable=False)

    history = HistoricalRecords()
    objects = RunQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["agent", "task_id"], condition=Q(ended_at__isnull=True), name="run_one_live_a_task"
            ),
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True) | Q(ended_at__gte=F("started_at")), name="run_ends_after_start"
            ),
            models.CheckConstraint(condition=~Q(task_id=""), name="run_has_a_task"),
        ]
        indexes = [
            models.Index(fields=["organization", "id"], name="run_by_organization"),
            models.Index(
                fields=["organization", "expires_at"],
                condition=Q(ended_at__isnull=True, expires_at__isnull=False),
                name="run_due",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.agent} on {self.task_id}"
