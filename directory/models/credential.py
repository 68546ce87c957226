"""How somebody proves who they are: every credential ends, and no secret is ever stored."""

from uuid import UUID

from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from simple_history.models import HistoricalRecords

from agentiam.kit.ids import uuid7
from directory.models.agent import Agent
from directory.models.organization import Organization
from directory.querysets import CredentialQuerySet


class CredentialRecord(models.Model):
    """What an agent's and an application's credentials have in common."""

    class Kind(models.TextChoices):
        """The means of proof."""

        API_KEY = "api_key", "API key"
        CLIENT_SECRET = "client_secret", "Client secret"
        PUBLIC_KEY = "public_key", "Public key"
        FEDERATED = "federated", "Federated workload identity"

    id: "models.UUIDField[UUID, UUID]" = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=13, choices=Kind.choices, default=Kind.API_KEY)
    label = models.CharField(max_length=200, blank=True)
    public_id = models.CharField(max_length=16, unique=True, null=True, blank=True, editable=False)
    digest = models.CharField(max_length=64, blank=True, editable=False)
    pepper = models.PositiveSmallIntegerField(null=True, blank=True, editable=False)
    jwk = models.JSONField(null=True, blank=True, help_text="The public key (RFC 7517).")
    issuer = models.CharField(max_length=500, blank=True, help_text="Of a federated workload identity.")
    subject = models.CharField(max_length=500, blank=True, help_text="Of a federated workload identity.")
    allowed_networks = models.JSONField(default=list, blank=True, help_text="CIDR blocks; empty for every network.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    successor = models.ForeignKey("self", on_delete=models.SET_NULL, related_name="predecessors", null=True, blank=True)

    class Meta:
        abstract = True
        constraints = [
            models.CheckConstraint(
                condition=Q(kind__in=["api_key", "client_secret"], public_id__isnull=False, pepper__isnull=False)
                & ~Q(digest="")
                | Q(kind="public_key", jwk__isnull=False, digest="")
                | Q(kind="federated", digest="") & ~Q(issuer="") & ~Q(subject=""),
                name="%(class)s_proof_matches_kind",
            ),
            models.CheckConstraint(condition=Q(expires_at__gt=F("created_at")), name="%(class)s_ends_after_start"),
        ]

    def __str__(self) -> str:
        return self.label or self.public_id or str(self.id)


class Credential(CredentialRecord):
    """One row is one way in which an agent proves itself."""

    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="credentials")

    history = HistoricalRecords(excluded_fields=["digest", "pepper", "last_used_at"])
    objects = CredentialQuerySet.as_manager()

    class Meta(CredentialRecord.Meta):
        pass
