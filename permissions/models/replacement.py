"""A replacement hands an agent's work to a successor: what it gets is reviewed, both work side by side, then one goes."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from simple_history.models import HistoricalRecords

from agentiam.kit.ids import uuid7
from directory.models import Agent, Organization
from permissions.querysets import ReplacementQuerySet


class Replacement(models.Model):
    """One row is one handover from a predecessor to a successor, with the difference in access that was reviewed."""

    class State(models.TextChoices):
        """How far it went; nothing is given before the review."""

        PROPOSED = "proposed", "Proposed"
        SIDE_BY_SIDE = "side_by_side", "Side by side"
        COMPLETED = "completed", "Completed"
        ABANDONED = "abandoned", "Abandoned"

    id: "models.UUIDField[UUID, UUID]" = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="replacements")
    predecessor = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="replaced_in")
    successor = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="succeeds_in")
    state = models.CharField(max_length=12, choices=State.choices, default=State.PROPOSED)
    difference: "models.JSONField[Any, Any]" = models.JSONField(
        default=dict, help_text="What the successor would gain and lack."
    )
    difference_hash = models.CharField(max_length=64, help_text="Of the difference that was shown to the reviewer.")
    given: "models.JSONField[Any, Any]" = models.JSONField(
        default=list, editable=False, help_text="The grants and assignments that the successor got by it: [kind, id]."
    )
    proposed_by = models.CharField(max_length=300, editable=False)
    reviewed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True, blank=True)
    reason = models.TextField(blank=True)
    proposed_at = models.DateTimeField(default=timezone.now, editable=False)
    reviewed_at = models.DateTimeField(null=True, blank=True, editable=False)
    ended_at = models.DateTimeField(null=True, blank=True, editable=False)

    history = HistoricalRecords()
    objects = ReplacementQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["predecessor"], condition=Q(ended_at__isnull=True), name="replacement_one_open_a_predecessor"
            ),
            models.CheckConstraint(condition=~Q(predecessor=F("successor")), name="replacement_by_another"),
            models.CheckConstraint(
                condition=Q(state__in=["proposed", "abandoned"]) | Q(reviewed_by__isnull=False, reviewed_at__isnull=False),
                name="replacement_is_reviewed",
            ),
        ]
        indexes = [models.Index(fields=["organization", "id"], name="replacement_by_organization")]

    def __str__(self) -> str:
        return f"{self.successor} for {self.predecessor}"
