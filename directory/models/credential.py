"""How somebody proves who they are: every credential ends, and no secret is ever stored."""

from uuid import UUID

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from simple_history.models import HistoricalRecords

from agentiam.kit.ids import uuid7
from directory.models.agent import Agent
from directory.models.blueprint import Blueprint
from directory.models.organization import Organization
from directory.models.team import Team
from directory.querysets import CredentialQuerySet, OnboardingTokenQuerySet, PersonKeyQuerySet


class Scope(models.TextChoices):
    """What a secret may be used for; what its holder may do is the limit in any case."""

    DECIDE = "decide", "Ask for decisions"
    READ = "read", "Read by the management API"
    WRITE = "write", "Change by the management API"
    CREDENTIALS = "credentials", "Make credentials, invitations and people by the management API"

    @classmethod
    def of_people(cls) -> list[tuple[str, str]]:
        """Give the choices for a person's key, which never asks for decisions."""
        return [each for each in cls.choices if each[0] != cls.DECIDE]

    @classmethod
    def of_machines(cls) -> list[tuple[str, str]]:
        """Give the choices for an agent's or an application's key, which never makes another."""
        return [each for each in cls.choices if each[0] != cls.CREDENTIALS]


def only_decide() -> list[str]:
    """Give the scopes of a secret for which nobody named any."""
    return [Scope.DECIDE.value]


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
    scopes = models.JSONField(
        default=only_decide, blank=True, help_text="What the secret may be used for: decide, read, write."
    )
    allowed_networks = models.JSONField(default=list, blank=True, help_text="CIDR blocks; empty for every network.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    expiry_noted_at = models.DateTimeField(null=True, blank=True, editable=False, help_text="When the clock noted its end.")
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
        # Those whose end the clock has still to note.
        indexes = [
            models.Index(
                fields=["organization", "expires_at"],
                condition=Q(revoked_at__isnull=True, expiry_noted_at__isnull=True),
                name="%(class)s_due",
            ),
        ]

    def __str__(self) -> str:
        return self.label or self.public_id or str(self.id)


class Credential(CredentialRecord):
    """One row is one way in which an agent proves itself."""

    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="credentials")
    requires_dpop = models.BooleanField(
        default=False, help_text="Gets only tokens that are bound to a key of the holder's (RFC 9449)."
    )
    rests_on = models.ForeignKey(
        "self",
        on_delete=models.PROTECT,
        related_name="resting",
        null=True,
        blank=True,
        editable=False,
        help_text="Of a spawned agent's: what its parent showed to give it, with which it ends.",
    )
    audience = models.CharField(
        max_length=500, blank=True, help_text="What a federated identity's tokens are made out to; empty for our issuer."
    )
    conditions = models.JSONField(
        default=dict, blank=True, help_text="What a federated identity's token must say besides: a claim, its value or values."
    )

    history = HistoricalRecords(excluded_fields=["digest", "pepper", "last_used_at"])
    objects = CredentialQuerySet.as_manager()

    class Meta(CredentialRecord.Meta):
        constraints = [
            *CredentialRecord.Meta.constraints,
            models.CheckConstraint(condition=Q(audience="") | Q(kind="federated"), name="credential_audience_of_federated"),
        ]
        indexes = [
            *CredentialRecord.Meta.indexes,
            models.Index(fields=["organization", "id"], name="credential_by_organization"),
        ]


class PersonKey(CredentialRecord):
    """One row is one key with which a person, or a script of theirs, calls the management API in their name."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="keys")

    history = HistoricalRecords(excluded_fields=["digest", "pepper", "last_used_at"])
    objects = PersonKeyQuerySet.as_manager()

    class Meta(CredentialRecord.Meta):
        indexes = [
            *CredentialRecord.Meta.indexes,
            models.Index(fields=["organization", "id"], name="personkey_by_organization"),
        ]


class OnboardingToken(CredentialRecord):
    """One row lets a pipeline register agents of one blueprint, so many times, with somebody who answers for them."""

    blueprint = models.ForeignKey(Blueprint, on_delete=models.PROTECT, related_name="onboarding_tokens")
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    sponsor = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True, blank=True)
    sponsor_team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="+", null=True, blank=True)
    issued_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="+",
        null=True,
        blank=True,
        editable=False,
        help_text="Whose account made it; none when it was the operator.",
    )
    environments = models.JSONField(default=list, blank=True, help_text="Where the agents may run; empty for everywhere.")
    most_uses = models.PositiveIntegerField(default=1, help_text="How many agents may be registered with it.")
    uses = models.PositiveIntegerField(default=0, editable=False)

    history = HistoricalRecords(excluded_fields=["digest", "pepper", "last_used_at"])
    objects = OnboardingTokenQuerySet.as_manager()

    class Meta(CredentialRecord.Meta):
        constraints = [
            *CredentialRecord.Meta.constraints,
            models.CheckConstraint(condition=Q(uses__lte=F("most_uses")), name="onboardingtoken_not_overused"),
            models.CheckConstraint(
                condition=Q(sponsor__isnull=False, sponsor_team__isnull=True)
                | Q(sponsor__isnull=True, sponsor_team__isnull=False),
                name="onboardingtoken_has_one_sponsor",
            ),
        ]
        indexes = [
            *CredentialRecord.Meta.indexes,
            models.Index(fields=["organization", "id"], name="onboarding_by_organization"),
        ]
