"""An agent as an OAuth client: what it needs besides its credentials when a person's browser brings it a code."""

from uuid import UUID

from django.db import models
from django.db.models import Q
from django.utils import timezone
from simple_history.models import HistoricalRecords

from agentiam.kit.ids import uuid7
from directory.models import Agent, Organization
from permissions.querysets import OAuthClientQuerySet


class OAuthClient(models.Model):
    """One row lets one agent ask people for their consent: where their browsers are sent back to, and who says so.

    An agent without a row proves itself with its credentials and gets tokens for itself and by exchange.
    """

    class Source(models.TextChoices):
        """Where the row comes from."""

        ADMINISTRATOR = "administrator", "An administrator"
        REGISTRATION = "registration", "Registration with an initial access token (RFC 7591)"
        DOCUMENT = "document", "A client ID metadata document"

    id: "models.UUIDField[UUID, UUID]" = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="oauth_clients")
    agent = models.OneToOneField(Agent, on_delete=models.PROTECT, related_name="oauth_client")
    document_url = models.CharField(
        max_length=500, blank=True, help_text="The client id of an agent that describes itself at an https URL."
    )
    redirect_uris = models.JSONField(default=list, blank=True)
    public = models.BooleanField(
        default=False, help_text="Has no secret; gets tokens only by a code that was sent to it, with PKCE."
    )
    source = models.CharField(max_length=13, choices=Source.choices, default=Source.ADMINISTRATOR)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    history = HistoricalRecords()
    objects = OAuthClientQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "document_url"], condition=~Q(document_url=""), name="oauthclient_one_a_document"
            ),
            models.CheckConstraint(
                condition=Q(source="document") & ~Q(document_url="") | ~Q(source="document") & Q(document_url=""),
                name="oauthclient_document_has_a_url",
            ),
        ]

    def __str__(self) -> str:
        return str(self.agent)
