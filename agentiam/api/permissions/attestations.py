"""Signed statements over the API: read, checked, and taken away as files that verify without us."""

from typing import Any

import django_filters
from django.db.models import Q
from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.response import Response

from agentiam.api.filters import Filters, InstantRangeFilter
from agentiam.api.serializers import Told
from agentiam.api.viewsets import ResourceViewSet
from audit.attestations import proof_of, verify_attestation
from audit.encoding import parse
from audit.models import Attestation
from directory.models import Agent, User


class AttestationTold(Told):
    """A signed statement about one thing."""

    id = serializers.UUIDField(source="pk")
    kind = serializers.CharField()
    target_type = serializers.CharField()
    target_id = serializers.CharField()
    target_label = serializers.CharField()
    at = serializers.DateTimeField()
    content = serializers.SerializerMethodField()
    hash = serializers.CharField()
    key_id = serializers.CharField()
    signature = serializers.CharField()

    def get_content(self, row: Attestation) -> dict[str, Any]:
        """Tell what is sworn."""
        content: dict[str, Any] = parse(row.body.encode("utf-8", "surrogatepass"))["content"]
        return content


class VerdictTold(Told):
    """Whether a trusted key signed exactly this, and what is wrong otherwise."""

    genuine = serializers.BooleanField()
    problems = serializers.ListField(child=serializers.CharField())


class AttestationFilters(Filters):
    """How the list of statements is narrowed."""

    kind = django_filters.CharFilter()
    target_type = django_filters.CharFilter()
    target_id = django_filters.CharFilter()
    at = InstantRangeFilter()


class AttestationViewSet(ResourceViewSet):
    """Signed statements; an offboarding proof is one."""

    model = Attestation
    told = AttestationTold
    orders = ("id", "-id")
    searched = ("target_label", "target_id")
    filterset_class = AttestationFilters

    def get_queryset(self) -> Any:
        """Start from what the caller sees: with the right to read the log all, else those about agents that they see."""
        user: Any = self.request.user
        if getattr(self, "swagger_fake_view", False) or not isinstance(user, User) or not user.is_active:
            return Attestation.objects.none()
        rows = Attestation.objects.for_organization(user.organization_id)
        if user.has_perm("audit.view_event"):
            return rows
        agents = Agent.objects.visible_to(user).values("external_id")
        return rows.filter(Q(target_type="agent", target_id__in=agents))

    @extend_schema(responses=VerdictTold, summary="Check a statement's signature")
    @action(detail=True, methods=["get"], url_path="verify", url_name="verify")
    def verify(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        """Check the bytes, the columns, the signature and whether the key is trusted."""
        verdict = verify_attestation(self.get_object())
        return Response({"genuine": verdict.genuine, "problems": list(verdict.problems)})

    @extend_schema(responses={200: OpenApiTypes.OBJECT}, summary="A statement as a file that verifies offline")
    @action(detail=True, methods=["get"], url_path="proof", url_name="proof")
    def proof(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """Give the file; ``manage.py verify_proof`` checks it with the public key alone."""
        row = self.get_object()
        return HttpResponse(proof_of(row), content_type="application/json")
