"""An application holds resources and enforces decisions about them: a policy enforcement point with its own credentials."""

from uuid import UUID

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from simple_history.models import HistoricalRecords

from agentiam.kit.ids import uuid7
from directory.models import CredentialRecord, Organization
from permissions.models.token_key import TokenKey
from permissions.querysets import ApplicationKeyQuerySet, ApplicationQuerySet


class Application(models.Model):
    """One row is one system that asks for decisions and carries them out."""

    class State(models.TextChoices):
        """A suspended application is answered no more."""

        ACTIVE = "active", "Active"
        SUSPENDED = "suspended", "Suspended"

    class TokenFormat(models.TextChoices):
        """A signed token can be checked by anybody who has the keys; a reference only by asking."""

        JWT = "jwt", "Signed (RFC 9068)"
        REFERENCE = "reference", "A reference, looked up by introspection"

    id: "models.UUIDField[UUID, UUID]" = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="applications")
    slug = models.SlugField(max_length=63)
    name = models.CharField(max_length=200)
    audience = models.URLField(max_length=500, blank=True, help_text="The resource that tokens for it are made out to.")
    believes_resource_properties = models.BooleanField(
        default=True, help_text="Take the attributes that it sends of its own resources for true."
    )
    believes_subject_properties = models.BooleanField(
        default=False, help_text="Take the properties that it sends of a subject for true."
    )
    requires_tokens = models.BooleanField(
        default=False, help_text="Answer it about an agent only with a token that the agent gave it (Subject-Token)."
    )
    token_format = models.CharField(max_length=9, choices=TokenFormat.choices, default=TokenFormat.JWT)
    token_algorithm = models.CharField(
        max_length=5,
        choices=TokenKey.Algorithm.choices,
        default=TokenKey.Algorithm.ES256,
        help_text="What its tokens are signed with.",
    )
    token_seconds = models.PositiveIntegerField(
        default=300,
        validators=[MinValueValidator(30), MaxValueValidator(3600)],
        help_text="How long a token for it lasts: 30 to 3600 seconds.",
    )
    state = models.CharField(max_length=9, choices=State.choices, default=State.ACTIVE)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    history = HistoricalRecords()
    objects = ApplicationQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organization", "slug"], name="application_slug_once"),
            models.UniqueConstraint(
                fields=["organization", "audience"],
                condition=Q(state="active") & ~Q(audience=""),
                name="application_audience_once",
            ),
            models.CheckConstraint(condition=Q(state__in=["active", "suspended"]), name="application_state_known"),
            models.CheckConstraint(condition=Q(token_format__in=["jwt", "reference"]), name="application_token_format_known"),
            models.CheckConstraint(condition=Q(token_seconds__range=(30, 3600)), name="application_token_lasts_within_limits"),
        ]
        permissions = [("manage_application", "Can manage the application")]

    def __str__(self) -> str:
        return self.name


class ApplicationKey(CredentialRecord):
    """One row is one way in which an application proves itself."""

    application = models.ForeignKey(Application, on_delete=models.PROTECT, related_name="keys")

    history = HistoricalRecords(excluded_fields=["digest", "pepper", "last_used_at"])
    objects = ApplicationKeyQuerySet.as_manager()

    class Meta(CredentialRecord.Meta):
        indexes = [
            *CredentialRecord.Meta.indexes,
            models.Index(fields=["organization", "id"], name="applicationkey_by_organization"),
        ]
