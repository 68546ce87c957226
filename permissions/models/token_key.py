"""The keys that access tokens are signed with: their private halves are sealed, and only a few processes ever open them."""

from uuid import UUID

from django.db import models
from django.db.models import Q
from django.utils import timezone

from agentiam.kit.ids import uuid7
from directory.models import Organization
from permissions.querysets import TokenKeyQuerySet


class TokenKey(models.Model):
    """One row is one key pair of one organization: shown before it signs, and shown until the last token it signed is over."""

    class Algorithm(models.TextChoices):
        """What tokens can be signed with (RFC 7518, RFC 8037)."""

        ES256 = "ES256", "ES256: ECDSA on P-256"
        EDDSA = "EdDSA", "EdDSA: Ed25519"
        RS256 = "RS256", "RS256: RSA"

    id: "models.UUIDField[UUID, UUID]" = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="token_keys")
    kid = models.CharField(max_length=43, unique=True, help_text="The thumbprint of the public half (RFC 7638).")
    algorithm = models.CharField(max_length=5, choices=Algorithm.choices)
    jwk = models.JSONField(help_text="The public half (RFC 7517).")
    sealed = models.TextField(editable=False, help_text="The private half, under a key-encryption key.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    signs_from = models.DateTimeField()
    signs_until = models.DateTimeField(null=True, blank=True)
    shown_until = models.DateTimeField(null=True, blank=True)

    objects = TokenKeyQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(algorithm__in=["ES256", "EdDSA", "RS256"]), name="tokenkey_algorithm_known"),
            models.CheckConstraint(
                condition=Q(signs_until__isnull=True, shown_until__isnull=True)
                | Q(signs_until__isnull=False, shown_until__isnull=False, shown_until__gte=models.F("signs_until")),
                name="tokenkey_is_shown_after_it_signed",
            ),
        ]
        indexes = [models.Index(fields=["organization", "algorithm", "signs_from"], name="tokenkey_to_sign_with")]

    def __str__(self) -> str:
        return f"{self.algorithm} {self.kid[:8]}"
