"""A guardrail is a rule over the whole organization that only ever narrows; it changes by versions, draft before published."""

from uuid import UUID

from django.db import models
from django.db.models import Q
from django.utils import timezone
from simple_history.models import HistoricalRecords

from agentiam.kit.ids import uuid7
from directory.models import Organization
from permissions.models.resource import ResourceType
from permissions.querysets import GuardrailQuerySet


class Guardrail(models.Model):
    """One row is one rule through all its versions."""

    id: "models.UUIDField[UUID, UUID]" = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="guardrails")
    external_id = models.CharField(max_length=200)
    name = models.CharField(max_length=200)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    history = HistoricalRecords()
    objects = GuardrailQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organization", "external_id"], name="guardrail_external_id_once")]

    def __str__(self) -> str:
        return self.name


class GuardrailVersion(models.Model):
    """One row is one wording of a guardrail; a published wording never changes, it is superseded or withdrawn."""

    class Effect(models.TextChoices):
        """What it does where it applies."""

        DENY = "deny", "Deny"
        REQUIRE_APPROVAL = "require_approval", "Require approval"
        MASK = "mask", "Mask"

    class State(models.TextChoices):
        """Where the wording stands; a report-only one is recorded and decides nothing."""

        DRAFT = "draft", "Draft"
        PUBLISHED = "published", "Published"
        REPORT_ONLY = "report_only", "Report only"
        SUPERSEDED = "superseded", "Superseded"
        WITHDRAWN = "withdrawn", "Withdrawn"

    id: "models.UUIDField[UUID, UUID]" = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    guardrail = models.ForeignKey(Guardrail, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    effect = models.CharField(max_length=16, choices=Effect.choices)
    resource_type = models.ForeignKey(ResourceType, on_delete=models.PROTECT, related_name="+", null=True, blank=True)
    actions = models.JSONField(null=True, blank=True, help_text="Names of actions; empty for all.")
    when = models.TextField(blank=True)
    when_checked = models.BinaryField(null=True, editable=False)
    fields = models.JSONField(null=True, blank=True, help_text="Names of fields; empty for the whole request.")
    data_classes = models.JSONField(null=True, blank=True, help_text="Classes of data; empty for the whole request.")
    reason = models.TextField(blank=True, help_text="What the one who is refused is told.")
    state = models.CharField(max_length=11, choices=State.choices, default=State.DRAFT)
    published_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    history = HistoricalRecords(excluded_fields=["when_checked"])

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["guardrail", "number"], name="guardrailversion_number_once"),
            models.UniqueConstraint(
                fields=["guardrail"],
                condition=Q(state__in=["published", "report_only"]),
                name="guardrailversion_one_in_force",
            ),
            models.UniqueConstraint(fields=["guardrail"], condition=Q(state="draft"), name="guardrailversion_one_draft"),
            models.CheckConstraint(
                condition=Q(when="", when_checked__isnull=True) | ~Q(when="") & Q(when_checked__isnull=False),
                name="guardrailversion_conditions_checked",
            ),
            models.CheckConstraint(
                condition=Q(effect__in=["deny", "require_approval", "mask"]), name="guardrailversion_effect_known"
            ),
            models.CheckConstraint(
                condition=Q(state="draft", published_at__isnull=True)
                | Q(state__in=["published", "report_only", "superseded", "withdrawn"], published_at__isnull=False),
                name="guardrailversion_draft_or_published",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.guardrail} v{self.number}"
