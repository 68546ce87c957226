"""Whether the log is whole: the signed checkpoints, and what the last verification found."""

from typing import Any

from drf_spectacular.helpers import forced_singular_serializer
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from agentiam.api.audit.events import require_no_parameters
from agentiam.api.problems import missing_right
from agentiam.api.serializers import Told
from agentiam.api.viewsets import ApiViewSet, ResourceViewSet
from audit.models import Checkpoint
from audit.selectors import last_verification


class CheckpointTold(Told):
    """A signed statement of how far the log went."""

    id = serializers.UUIDField(source="pk")
    number = serializers.IntegerField()
    at = serializers.DateTimeField()
    previous = serializers.CharField(help_text="The hash of the checkpoint before.")
    hash = serializers.CharField()
    key_id = serializers.CharField()
    signature = serializers.CharField()
    body = serializers.CharField(help_text="The bytes that were signed.")


class CheckpointViewSet(ResourceViewSet):
    """Checkpoints."""

    model = Checkpoint
    told = CheckpointTold
    orders = ("-id", "id")


class IntegrityTold(Told):
    """What the last verification found."""

    verified_at = serializers.DateTimeField(allow_null=True, help_text="Null before the first verification.")
    whole = serializers.BooleanField(allow_null=True)
    records = serializers.IntegerField(allow_null=True, help_text="How many were read.")
    findings = serializers.IntegerField(allow_null=True, help_text="How many things are wrong.")


class IntegrityViewSet(ApiViewSet):
    """The last verification of the organization's log."""

    serializer_class = IntegrityTold
    pagination_class = None

    @extend_schema(responses=forced_singular_serializer(IntegrityTold), operation_id="integrity", filters=False)
    def list(self, request: Any) -> Response:
        """Tell when the log was last verified, and whether it was whole."""
        require_no_parameters(request)
        if not request.user.has_perm("audit.view_event"):
            raise missing_right("audit.view_event")
        found = last_verification(self.organization_id)
        told = {
            "verified_at": None if found is None else found.at,
            "whole": None if found is None else found.whole,
            "records": None if found is None else found.records,
            "findings": None if found is None else found.findings,
        }
        return Response(IntegrityTold(told).data)
