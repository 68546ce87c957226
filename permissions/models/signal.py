"""Signs that somebody else has an agent's proofs, and from where each credential was used last."""

from typing import Any
from uuid import UUID

from django.db import models
from django.db.models import Q
from django.utils import timezone

from agentiam.kit.ids import uuid7
from directory.models import Agent, Credential, Organization
from permissions.querysets import SignalQuerySet


class Signal(models.Model):
    """One row is one sign about one agent; it counts for a day, until the clock notes that it has lapsed."""

    class Kind(models.TextChoices):
        """What was seen."""

        PROOF_REPLAYED = "proof_replayed", "A DPoP proof came twice"
        ASSERTION_REPLAYED = "assertion_replayed", "An assertion came twice"
        REFRESH_REUSED = "refresh_reused", "A refresh token came twice"
        CODE_REUSED = "code_reused", "A code came twice"
        NETWORK_REFUSED = "network_refused", "A credential was used from outside its networks"
        FAR_APART = "far_apart", "A credential was used in two places at a time"
        UNKNOWN_KID = "unknown_kid", "A key was named that is not the agent's"

    id: "models.UUIDField[UUID, UUID]" = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="signals")
    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="signals")
    sign = models.CharField(max_length=18, choices=Kind.choices)
    weight = models.PositiveSmallIntegerField(help_text="100 is certainty.")
    proven = models.BooleanField(help_text="Whether it came with something that only the agent should have.")
    credential = models.ForeignKey(Credential, on_delete=models.PROTECT, related_name="+", null=True, blank=True)
    address = models.CharField(max_length=45, blank=True)
    data: "models.JSONField[Any, Any]" = models.JSONField(default=dict, blank=True)
    at = models.DateTimeField(default=timezone.now)
    lapsed_at = models.DateTimeField(null=True, blank=True, help_text="When the clock noted that it counts no more.")

    objects = SignalQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(weight__gte=1, weight__lte=100), name="signal_weighs_something"),
        ]
        indexes = [
            models.Index(fields=["organization", "id"], name="signal_by_organization"),
            models.Index(fields=["agent", "at"], name="signal_by_agent"),
            # Those that count: what decisions read, and what the clock has still to note.
            models.Index(fields=["organization", "at"], condition=Q(lapsed_at__isnull=True), name="signal_due"),
            models.Index(fields=["agent"], condition=Q(lapsed_at__isnull=True), name="signal_counting"),
            models.Index(fields=["at"], condition=Q(lapsed_at__isnull=False), name="signal_over"),
        ]

    def __str__(self) -> str:
        return f"{self.sign} of {self.agent}"


class LastAddress(models.Model):
    """One row is where one credential was used last, by IPv4 or by IPv6: a machine that has both is in one place."""

    credential = models.ForeignKey(Credential, on_delete=models.CASCADE, related_name="+")
    version = models.PositiveSmallIntegerField()
    address = models.CharField(max_length=45)
    used_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["credential", "version"], name="lastaddress_once")]

    def __str__(self) -> str:
        return self.address
