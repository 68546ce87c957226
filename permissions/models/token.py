"""What was issued to agents, so that who asks is told the truth of now: authorizations, codes, refresh and access tokens."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from agentiam.kit.ids import uuid7
from directory.models import Agent, Credential, Organization, Run
from permissions.models.relation import Consent
from permissions.querysets import AccessTokenQuerySet, AuthorizationQuerySet


class Secret(models.Model):
    """What is found by the public half of a text and proved by the digest of the other half."""

    id: "models.UUIDField[UUID, UUID]" = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    public_id = models.CharField(max_length=16, unique=True, null=True, blank=True, editable=False)
    digest = models.CharField(max_length=64, blank=True, editable=False)
    pepper = models.PositiveSmallIntegerField(null=True, blank=True, editable=False)

    class Meta:
        abstract = True


class Authorization(models.Model):
    """One row is one answer of a person on the consent page: all codes and tokens that came of it live and end with it."""

    id: "models.UUIDField[UUID, UUID]" = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="authorizations")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="authorizations")
    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="authorizations")
    consents = models.ManyToManyField(Consent, related_name="authorizations", blank=True)
    run = models.ForeignKey(
        Run,
        on_delete=models.PROTECT,
        related_name="+",
        null=True,
        blank=True,
        help_text="The run that it was given for, and ends with.",
    )
    audience = models.CharField(max_length=500)
    scopes: "models.JSONField[Any, Any]" = models.JSONField(default=list)
    details: "models.JSONField[Any, Any]" = models.JSONField(default=list, help_text="Authorization details (RFC 9396).")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    ends_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True, editable=False)
    ended_because = models.CharField(max_length=200, blank=True, editable=False)

    objects = AuthorizationQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(ends_at__gt=F("created_at")), name="authorization_ends_after_start"),
        ]
        indexes = [models.Index(fields=["organization", "id"], name="authorization_by_organization")]

    def __str__(self) -> str:
        return f"{self.user} to {self.agent} at {self.audience}"


class AuthorizationCode(Secret):
    """One row is one code that a browser carries to a client (RFC 6749, section 4.1); it is good once."""

    authorization = models.ForeignKey(Authorization, on_delete=models.PROTECT, related_name="codes")
    redirect_uri = models.CharField(max_length=2000)
    challenge = models.CharField(max_length=43, help_text="The S256 code challenge (RFC 7636).")
    jkt = models.CharField(
        max_length=43, blank=True, help_text="The DPoP key that the code is bound to (RFC 9449, section 10)."
    )
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return str(self.public_id)


class RefreshToken(Secret):
    """One row is one refresh token; using it makes the next, and using it again ends the authorization (RFC 9700, 4.14.2)."""

    authorization = models.ForeignKey(Authorization, on_delete=models.PROTECT, related_name="refresh_tokens")
    credential = models.ForeignKey(Credential, on_delete=models.PROTECT, related_name="+", null=True, blank=True)
    jkt = models.CharField(max_length=43, blank=True, help_text="The DPoP key that it is bound to, of a public client.")
    issued_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return str(self.public_id)


class AccessToken(Secret):
    """One row is one access token: who acts, through whom, for whom, where, for what; its id is the token's ``jti``.

    ``subject`` and ``actors`` are the claims ``sub`` and ``act``, the present actor first. A token by exchange has a parent.
    """

    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="access_tokens")
    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="access_tokens")
    credential = models.ForeignKey(Credential, on_delete=models.PROTECT, related_name="+", null=True, blank=True)
    authorization = models.ForeignKey(
        Authorization, on_delete=models.PROTECT, related_name="access_tokens", null=True, blank=True
    )
    parent = models.ForeignKey("self", on_delete=models.PROTECT, related_name="children", null=True, blank=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True, blank=True)
    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="+", null=True, blank=True)
    subject = models.CharField(max_length=300)
    actors: "models.JSONField[Any, Any]" = models.JSONField(default=list)
    issuer = models.CharField(max_length=500)
    audience = models.CharField(max_length=500)
    scopes: "models.JSONField[Any, Any]" = models.JSONField(default=list)
    details: "models.JSONField[Any, Any]" = models.JSONField(default=list)
    may_act = models.CharField(max_length=300, blank=True)
    jkt = models.CharField(max_length=43, blank=True)
    kid = models.CharField(max_length=43, blank=True, help_text="The key that signed it; empty for a reference token.")
    issued_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects = AccessTokenQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(expires_at__gt=F("issued_at")), name="accesstoken_ends_after_start"),
            models.CheckConstraint(
                condition=Q(public_id__isnull=True) & ~Q(kid="") | Q(public_id__isnull=False, kid=""),
                name="accesstoken_is_signed_or_looked_up",
            ),
        ]
        indexes = [
            models.Index(fields=["organization", "id"], name="accesstoken_by_organization"),
            models.Index(fields=["expires_at"], name="accesstoken_over"),
            models.Index(fields=["kid", "expires_at"], name="accesstoken_by_key"),
        ]

    def __str__(self) -> str:
        return str(self.pk)


class UsedProof(models.Model):
    """One row is the id of one proof that was accepted; the constraint is what lets nobody use it twice."""

    class Kind(models.TextChoices):
        """What carried the id."""

        ASSERTION = "assertion", "Client assertion"
        DPOP = "dpop", "DPoP proof"
        GRANT = "grant", "Assertion of an authorization grant"

    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=9, choices=Kind.choices)
    digest = models.CharField(max_length=64)
    expires_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organization", "kind", "digest"], name="usedproof_once")]
        indexes = [models.Index(fields=["expires_at"], name="usedproof_over")]

    def __str__(self) -> str:
        return f"{self.kind} {self.digest[:8]}"
