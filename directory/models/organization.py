"""An organization is the tenant: every row belongs to one, and nothing is seen across."""

import re
import zoneinfo
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.utils import timezone
from simple_history.models import HistoricalRecords

from agentiam.kit.ids import uuid7
from directory.querysets import OrganizationQuerySet

_TRUST_DOMAIN = re.compile(r"[a-z0-9]([a-z0-9._-]{0,253}[a-z0-9])?")


def validate_trust_domain(value: str) -> None:
    """Accept a SPIFFE trust domain name (SPIFFE-ID, section 2.1)."""
    if not _TRUST_DOMAIN.fullmatch(value):
        raise ValidationError("A trust domain has lower-case letters, digits, dots, dashes and underscores: acme.example.")


def validate_time_zone(value: str) -> None:
    """Accept the name of a zone in the IANA database."""
    try:
        zoneinfo.ZoneInfo(value)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise ValidationError(f"{value!r} is not a time zone of the IANA database, like Europe/Berlin.") from None


class Organization(models.Model):
    """One row is one tenant; ``revision`` counts the committed changes that a decision could depend on."""

    class State(models.TextChoices):
        """A suspended organization is answered with a deny everywhere."""

        ACTIVE = "active", "Active"
        SUSPENDED = "suspended", "Suspended"

    id: "models.UUIDField[UUID, UUID]" = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    slug = models.SlugField(max_length=63, unique=True)
    name = models.CharField(max_length=200)
    trust_domain = models.CharField(max_length=255, unique=True, validators=[validate_trust_domain])
    time_zone = models.CharField(max_length=64, default="UTC", validators=[validate_time_zone])
    subject_types = models.JSONField(default=dict, blank=True, help_text="Other names for user and agent on the wire.")
    discoverable = models.BooleanField(
        default=False, help_text="Whether other organizations here find it by its slug, to propose a trust."
    )
    state = models.CharField(max_length=10, choices=State.choices, default=State.ACTIVE)
    revision = models.BigIntegerField(default=1)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    history = HistoricalRecords(excluded_fields=["revision"])
    objects = OrganizationQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(state__in=["active", "suspended"]), name="organization_state_known"),
            models.CheckConstraint(condition=Q(revision__gte=1), name="organization_revision_positive"),
        ]

    def __str__(self) -> str:
        return self.name


class PolicyChange(models.Model):
    """One row says which principals and resources a revision touched; a reader catches up without reading everything anew."""

    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="policy_changes")
    revision = models.BigIntegerField()
    touched = models.JSONField(help_text='References like "agent/7"; "*" stands for what all decisions share.')
    changed_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organization", "revision"], name="policychange_revision_once")]

    def __str__(self) -> str:
        return f"revision {self.revision}"
