"""The caller's own organization over the API."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from agentiam.api.serializers import Reason, RequiredReason, Told
from agentiam.api.versions import VersionedViewSet
from agentiam.api.viewsets import operation
from directory.models import Organization
from directory.services.organizations import resume_organization, suspend_organization, update_organization

_CHANGEABLE = ("name", "time_zone", "subject_types", "discoverable")


class OrganizationTold(Told):
    """A tenant."""

    id = serializers.UUIDField(source="pk")
    slug = serializers.CharField()
    name = serializers.CharField()
    trust_domain = serializers.CharField()
    time_zone = serializers.CharField()
    subject_types = serializers.DictField(child=serializers.CharField())
    discoverable = serializers.BooleanField()
    state = serializers.ChoiceField(choices=Organization.State.choices)
    created_at = serializers.DateTimeField()


class OrganizationChanged(Reason):
    """What of an organization can change."""

    name = serializers.CharField(max_length=200)
    time_zone = serializers.CharField(max_length=64)
    subject_types = serializers.DictField(child=serializers.CharField(max_length=20))
    discoverable = serializers.BooleanField(help_text="Whether other organizations here find it, to propose a trust.")


class OrganizationViewSet(VersionedViewSet):
    """The caller's own organization; there is never another."""

    model = Organization
    told = OrganizationTold

    @extend_schema(request=OrganizationChanged, responses=OrganizationTold)
    def partial_update(self, request: Any, **_: Any) -> Response:
        """Rename the organization, or set its time zone and its names for kinds of subjects; or let others here find it."""

        def change(organization: Organization, given: dict[str, Any]) -> Organization:
            why = self.why(given)
            present = {name: getattr(organization, name) for name in _CHANGEABLE}
            return update_organization(organization=organization, **present | given, **why)

        return self.changed("change_organization", OrganizationChanged, change)

    @operation("suspend", right="change_organization", takes=RequiredReason, summary="Stop everything in the organization")
    def suspend(self, organization: Organization, given: dict[str, Any]) -> Any:
        """Stop everything in the organization: every decision is a deny from the next request on."""
        return suspend_organization(organization=organization, **self.why(given))

    @operation("resume", right="change_organization", summary="Let a suspended organization work again")
    def resume(self, organization: Organization, given: dict[str, Any]) -> Any:
        """Let a suspended organization work again."""
        return resume_organization(organization=organization, **self.why(given))
