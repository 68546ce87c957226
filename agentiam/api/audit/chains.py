"""What the log's proofs rest on: the chains of records with their heads, and the public keys that signed."""

import django_filters
from rest_framework import serializers

from agentiam.api.filters import Filters
from agentiam.api.serializers import Told
from agentiam.api.viewsets import ResourceViewSet
from audit.keys import trusted_key_ids
from audit.models import Chain, SigningKey


class ChainTold(Told):
    """One writer's sequence of records, and how far it goes."""

    id = serializers.UUIDField(source="pk")
    writer = serializers.CharField()
    opened_at = serializers.DateTimeField()
    last_sequence = serializers.IntegerField()
    last_hash = serializers.CharField(help_text="The hash of the last record.")
    sworn_sequence = serializers.IntegerField(help_text="How far the checkpoints go.")


class ChainFilters(Filters):
    """How the list of chains is narrowed."""

    writer = django_filters.CharFilter()


class ChainViewSet(ResourceViewSet):
    """Chains."""

    model = Chain
    told = ChainTold
    orders = ("id", "-id")
    filterset_class = ChainFilters


class JsonWebKeyTold(Told):
    """A public key (RFC 8037)."""

    kty = serializers.CharField()
    crv = serializers.CharField()
    x = serializers.CharField()


class SigningKeyTold(Told):
    """The public half of a key that signed checkpoints or proofs here."""

    key_id = serializers.CharField(help_text="Its thumbprint (RFC 7638), which checkpoints and proofs name.")
    jwk = JsonWebKeyTold()
    first_used_at = serializers.DateTimeField()
    trusted = serializers.SerializerMethodField(help_text="Whether the settings trust it; that it is kept makes it no more.")

    def get_trusted(self, row: SigningKey) -> bool:
        """Ask the settings, and never the table."""
        return row.key_id in trusted_key_ids()


class SigningKeyViewSet(ResourceViewSet):
    """Signing keys; they are the installation's, and the same for everybody who may verify a log."""

    model = SigningKey
    told = SigningKeyTold
    orders = ("id", "-id")
    # A thumbprint in base64url has the characters of a slug.
    lookup_value_converter = "slug"
