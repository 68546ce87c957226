"""Who lets whom act for them: users by consent, agents by delegation, organizations by trust."""

from uuid import UUID

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from simple_history.models import HistoricalRecords

from agentiam.kit.ids import uuid7
from directory.models import Agent, Organization, Run
from permissions.models.entitlement import EntitlementTerms
from permissions.models.resource import ResourceType
from permissions.querysets import ConsentQuerySet, DelegationQuerySet, TrustQuerySet

_NOT_ENDED = Q(ended_at__isnull=True, ends_at__isnull=False)
"""Of the rows that have an end, those that the clock has still to end."""


class Consent(models.Model):
    """One row is one user's yes to one agent: a type, actions, classes of data, a purpose, perhaps one run, until an end."""

    id: "models.UUIDField[UUID, UUID]" = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="consents")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="consents")
    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="consents")
    resource_type = models.ForeignKey(ResourceType, on_delete=models.PROTECT, related_name="+")
    actions = models.JSONField()
    data_classes = models.JSONField(null=True, blank=True, help_text="Classes of data; empty for all.")
    purpose = models.CharField(max_length=500, blank=True)
    run = models.ForeignKey(
        Run,
        on_delete=models.PROTECT,
        related_name="+",
        null=True,
        blank=True,
        help_text="The run that it was given for; it says nothing about other tasks, and ends with the run.",
    )
    given_at = models.DateTimeField(default=timezone.now, editable=False)
    ends_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True, editable=False)

    history = HistoricalRecords()
    objects = ConsentQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(ends_at__isnull=True) | Q(ends_at__gt=F("given_at")),
                name="consent_ends_after_start",
                violation_error_message="It ends after it begins.",
            ),
        ]
        indexes = [
            models.Index(fields=["organization", "id"], name="consent_by_organization"),
            models.Index(fields=["organization", "ends_at"], condition=_NOT_ENDED, name="consent_due"),
        ]

    def __str__(self) -> str:
        return f"{self.user} to {self.agent}"


class Delegation(EntitlementTerms):
    """One row lets one agent act for another: a subset of what it may hand on, a depth, an end."""

    id: "models.UUIDField[UUID, UUID]" = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="delegations")
    delegator = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="delegations_given")
    delegate = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="delegations_received")
    depth = models.PositiveSmallIntegerField(default=1, help_text="How many agents in a row may act on it.")
    reason = models.TextField(blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    ends_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True, editable=False)

    history = HistoricalRecords(excluded_fields=["where_checked", "when_checked"])
    objects = DelegationQuerySet.as_manager()

    class Meta(EntitlementTerms.Meta):
        constraints = [
            *EntitlementTerms.Meta.constraints,
            models.CheckConstraint(condition=~Q(delegator=F("delegate")), name="delegation_to_another"),
            models.CheckConstraint(condition=Q(depth__gte=1), name="delegation_has_depth"),
            models.CheckConstraint(
                condition=Q(ends_at__isnull=True) | Q(ends_at__gt=F("created_at")),
                name="delegation_ends_after_start",
                violation_error_message="It ends after it begins.",
            ),
        ]
        indexes = [
            models.Index(fields=["organization", "id"], name="delegation_by_organization"),
            models.Index(fields=["organization", "ends_at"], condition=_NOT_ENDED, name="delegation_due"),
        ]

    def __str__(self) -> str:
        return f"{self.delegator} to {self.delegate}"


class Trust(models.Model):
    """One row is what a partner's agents may touch here; it stands only while both sides agree, and either side ends it."""

    id: "models.UUIDField[UUID, UUID]" = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="trusts")
    partner = models.ForeignKey(
        Organization, on_delete=models.PROTECT, related_name="trusted_by", null=True, blank=True, help_text="A partner here."
    )
    issuer = models.URLField(max_length=500, blank=True, help_text="A partner elsewhere.")
    keys = models.JSONField(null=True, blank=True, help_text="The keys of a partner elsewhere (RFC 7517).")
    agents = models.JSONField(null=True, blank=True, help_text="SPIFFE ids of its agents; empty for all.")
    types = models.JSONField(null=True, blank=True, help_text="Names of resource types; empty for all.")
    data_classes = models.JSONField(null=True, blank=True, help_text="Classes of data; empty for all.")
    agreed_here_at = models.DateTimeField(null=True, blank=True, editable=False)
    agreed_there_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    ends_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True, editable=False)

    history = HistoricalRecords()
    objects = TrustQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "partner"],
                condition=Q(ended_at__isnull=True, partner__isnull=False),
                name="trust_one_a_partner",
            ),
            models.CheckConstraint(
                condition=Q(partner__isnull=False, issuer="") | Q(partner__isnull=True) & ~Q(issuer=""),
                name="trust_partner_here_or_elsewhere",
            ),
            models.CheckConstraint(condition=Q(partner__isnull=True) | ~Q(partner=F("organization")), name="trust_in_another"),
            models.CheckConstraint(
                condition=Q(ends_at__isnull=True) | Q(ends_at__gt=F("created_at")),
                name="trust_ends_after_start",
                violation_error_message="It ends after it begins.",
            ),
        ]
        indexes = [models.Index(fields=["organization", "ends_at"], condition=_NOT_ENDED, name="trust_due")]

    def __str__(self) -> str:
        return f"{self.organization} trusts {self.partner or self.issuer}"
