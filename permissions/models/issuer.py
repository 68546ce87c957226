"""Whom outside an organization believes: issuers of signed statements about workloads and people."""

from typing import Any
from uuid import UUID

from django.db import models
from django.db.models import Q
from django.utils import timezone
from simple_history.models import HistoricalRecords

from agentiam.kit.ids import uuid7
from directory.models import Organization
from permissions.querysets import TrustedIssuerQuerySet


class TrustedIssuer(models.Model):
    """One row is one issuer elsewhere whose signed statements count in one organization, and for what.

    Its keys are given here, or fetched from an address that is given here, or from one that its own metadata name.
    """

    class Use(models.TextChoices):
        """What its word counts for."""

        WORKLOADS = "workloads", "Says which workload somebody is: client assertions of agents"
        PEOPLE = "people", "Says who a person is: subject tokens"
        ASSERTIONS = "assertions", "Issues identity assertions that are accepted here"
        RECEIVES_ASSERTIONS = "receives_assertions", "Accepts identity assertions that are issued here"

    class Algorithm(models.TextChoices):
        """What its statements may be signed with."""

        RS256 = "RS256", "RS256"
        PS256 = "PS256", "PS256"
        ES256 = "ES256", "ES256"
        EDDSA = "EdDSA", "EdDSA"

    id: "models.UUIDField[UUID, UUID]" = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="trusted_issuers")
    name = models.CharField(max_length=200)
    issuer = models.CharField(
        max_length=500, help_text="Exactly as its tokens name it: an https URL, or spiffe:// and a trust domain."
    )
    jwks_uri = models.CharField(max_length=500, blank=True, help_text="Where its keys are; empty to give or discover them.")
    jwks = models.JSONField(null=True, blank=True, help_text="Its public keys (RFC 7517); empty to fetch them.")
    uses = models.JSONField(help_text="What its word counts for.")
    algorithms = models.JSONField(help_text="What its statements may be signed with.")
    audience = models.CharField(
        max_length=500, blank=True, help_text="What its tokens must be made out to; empty for our issuer."
    )
    user_claim = models.CharField(
        max_length=100, default="sub", help_text="Which claim names a person by their external id here."
    )
    asserted_scopes: "models.JSONField[Any, Any]" = models.JSONField(
        default=list, blank=True, help_text="Which scopes, TYPE:ACTION, may be asserted to it; none by default."
    )
    asserted_resources: "models.JSONField[Any, Any]" = models.JSONField(
        default=list, blank=True, help_text="Which of its resources assertions may name; none by default."
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    ended_at = models.DateTimeField(null=True, blank=True, editable=False)

    history = HistoricalRecords()
    objects = TrustedIssuerQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "issuer"],
                condition=Q(ended_at__isnull=True),
                name="trustedissuer_one_of_a_name",
                violation_error_message="This issuer is trusted already.",
            ),
            models.CheckConstraint(
                condition=Q(jwks_uri="") | Q(jwks__isnull=True),
                name="trustedissuer_one_source_of_keys",
                violation_error_message="Its keys are given or fetched, not both.",
            ),
            models.CheckConstraint(condition=~Q(issuer=""), name="trustedissuer_is_named"),
        ]
        indexes = [models.Index(fields=["organization", "id"], name="trustedissuer_by_organization")]

    def __str__(self) -> str:
        return self.name
