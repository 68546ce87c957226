"""A job is a row that is written in the transaction of the change it belongs to; the row is the truth, whoever runs it."""

from typing import Any
from uuid import UUID

from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from agentiam.jobs.querysets import JobQuerySet
from agentiam.kit.ids import uuid7


class Job(models.Model):
    """One row is one piece of work to be done once, by whichever runner holds its lease."""

    class State(models.TextChoices):
        """Where it stands; a dead one waits for somebody to look at it."""

        WAITING = "waiting", "Waiting"
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        DEAD = "dead", "Dead"
        CANCELLED = "cancelled", "Cancelled"

    id: "models.UUIDField[UUID, UUID]" = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization_id = models.UUIDField(null=True, blank=True, help_text="Empty for work over all organizations.")
    task = models.CharField(max_length=200, help_text="The name of the Celery task.")
    arguments: "models.JSONField[Any, Any]" = models.JSONField(default=dict, help_text="Ids, and nothing secret.")
    key = models.CharField(
        max_length=300, unique=True, null=True, blank=True, help_text="Of two jobs with the same key only the first exists."
    )
    state = models.CharField(max_length=9, choices=State.choices, default=State.WAITING)
    run_at = models.DateTimeField(default=timezone.now)
    attempts = models.PositiveSmallIntegerField(default=0)
    most_attempts = models.PositiveSmallIntegerField(default=8)
    lease_until = models.DateTimeField(null=True, blank=True)
    leased_by = models.CharField(max_length=200, blank=True)
    handed_over_at = models.DateTimeField(null=True, blank=True, help_text="When the relay last gave it to the broker.")
    progress_done = models.PositiveIntegerField(default=0)
    progress_total = models.PositiveIntegerField(null=True, blank=True)
    progress_note = models.CharField(max_length=200, blank=True)
    last_error = models.TextField(blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = JobQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=["waiting", "running", "done", "dead", "cancelled"]), name="job_state_known"
            ),
            models.CheckConstraint(condition=~Q(state="running") | Q(lease_until__isnull=False), name="job_running_is_leased"),
            models.CheckConstraint(
                condition=Q(progress_total__isnull=True) | Q(progress_done__lte=F("progress_total")), name="job_progress_within"
            ),
        ]
        indexes = [
            models.Index(fields=["run_at", "id"], condition=Q(state="waiting"), name="job_due"),
            models.Index(fields=["lease_until"], condition=Q(state="running"), name="job_leases"),
            models.Index(fields=["organization_id", "id"], name="job_by_organization"),
        ]

    def __str__(self) -> str:
        return f"{self.task} {self.id}"
