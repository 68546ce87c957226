"""Grants and role assignments over the API: given, listed and ended; what ends bites on the next decision."""

from typing import Any

import django_filters
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.response import Response

from agentiam.api.bulk import BulkTold, each_by_itself
from agentiam.api.filters import Filters, InstantRangeFilter
from agentiam.api.permissions.entitlements import EntitlementGiven, EntitlementTold, require_types_seen, spec_of
from agentiam.api.permissions.granting import HolderGiven, HolderTold, holder_of, holder_told, require_role
from agentiam.api.serializers import Given, Named, Reason, Told, one_of
from agentiam.api.versions import VersionedViewSet
from agentiam.api.viewsets import Given as Values
from agentiam.api.viewsets import operation
from directory.models import Organization
from directory.services.reports import together
from permissions.models import Grant, Held, Role, RoleAssignment
from permissions.services.grants import Terms, assign_role, end_assignment, end_grant, give_grant

MOST_AT_ONCE = 200


class TermsGiven(Given):
    """How something is held: for use, for handing on, or both; from when to when."""

    use = serializers.BooleanField(required=False)
    delegate = serializers.BooleanField(required=False)
    starts_at = serializers.DateTimeField(required=False, allow_null=True)
    ends_at = serializers.DateTimeField(required=False, allow_null=True)


class HeldTold(Told):
    """What a grant and an assignment have in common."""

    id = serializers.UUIDField(source="pk")
    holder = serializers.SerializerMethodField()
    use = serializers.BooleanField()
    delegate = serializers.BooleanField()
    starts_at = serializers.DateTimeField(allow_null=True)
    ends_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)
    source = serializers.ChoiceField(choices=Held.Source.choices)  # type: ignore[assignment]  # a member of the body
    reason = serializers.CharField()
    given_by = serializers.CharField()
    created_at = serializers.DateTimeField()

    def get_holder(self, row: Any) -> HolderTold:
        """Tell who holds it."""
        return holder_told(row)  # type: ignore[return-value]


class GrantTold(HeldTold, EntitlementTold):
    """One entitlement in somebody's hands."""


class GrantGiven(TermsGiven, EntitlementGiven):
    """One entitlement for somebody."""

    holder = HolderGiven()


class GrantCreated(GrantGiven, Reason):
    """A new grant."""


class GrantsGiven(Reason):
    """Several grants; each is given or refused by itself, unless all of them are to be one change or none."""

    all_or_none = serializers.BooleanField(required=False, default=False)
    items = GrantGiven(many=True, min_length=1, max_length=MOST_AT_ONCE)  # type: ignore[call-arg]  # DRF hands them to the list


class HeldFilters(Filters):
    """How a list of what is held is narrowed."""

    agent = django_filters.UUIDFilter(field_name="user__agent")
    person = django_filters.UUIDFilter(field_name="user")
    team = django_filters.UUIDFilter(field_name="team_id")
    source = django_filters.MultipleChoiceFilter(choices=Held.Source.choices)
    ended = django_filters.BooleanFilter(field_name="ended_at", lookup_expr="isnull", exclude=True)
    ends = InstantRangeFilter(field_name="ends_at")


class GrantFilters(HeldFilters):
    """How the list of grants is narrowed."""

    type = django_filters.CharFilter(field_name="resource_type__name")


class AssignmentFilters(HeldFilters):
    """How the list of role assignments is narrowed."""

    role = django_filters.UUIDFilter(field_name="role_id")


class GrantViewSet(VersionedViewSet):
    """Grants."""

    model = Grant
    told = GrantTold
    related = ("user__agent", "team", "resource_type")
    orders = ("id", "-id", "ends_at", "-ends_at")
    searched = ("reason", "given_by")
    filterset_class = GrantFilters

    @extend_schema(request=GrantCreated, responses={201: GrantTold})
    def create(self, request: Any) -> Response:
        """Give one entitlement; to an agent whoever has grant_agent on it may, to others who may give grants everywhere."""
        given = self.given(GrantCreated)
        why = self.why(given)
        return self.created(self._give(given, why))

    @extend_schema(request=GrantsGiven, responses=BulkTold, summary="Give several entitlements")
    @action(detail=False, methods=["post"], url_path="bulk", url_name="bulk")
    def bulk(self, request: Any) -> Response:
        """Give several entitlements, each by itself; or, if ``all_or_none`` is said, as one change under one revision."""
        given = self.given(GrantsGiven)
        why = self.why(given)
        if not given["all_or_none"]:
            return Response(BulkTold(each_by_itself(given["items"], lambda each: self._give(each, why), status=201)).data)
        with together():
            made = [self._give(each, why) for each in given["items"]]
        return Response(BulkTold(each_by_itself(made, lambda grant: grant, status=201)).data)

    @operation("end", right="change_grant", summary="Take a grant back")
    def end(self, grant: Grant, given: Values) -> Any:
        """Take a grant back, from the next decision on."""
        return end_grant(grant=grant, **self.why(given))

    def _give(self, given: Values, why: Values) -> Grant:
        holder = holder_of(self.request.user, given["holder"], right="permissions.add_grant")
        spec = spec_of(given)
        names = {spec.type} if spec.subtree is None else {spec.type, spec.subtree[0]}
        require_types_seen(self.request.user, names, "type")
        organization = Organization.objects.get(pk=self.organization_id)
        return give_grant(organization=organization, holder=holder, entitlement=spec, terms=terms_of(given), **why)


class AssignmentTold(HeldTold):
    """One role in somebody's hands."""

    role = Named()


class AssignmentCreated(TermsGiven, Reason):
    """A role for somebody."""

    role = serializers.UUIDField()
    holder = HolderGiven()


class RoleAssignmentViewSet(VersionedViewSet):
    """Role assignments."""

    model = RoleAssignment
    told = AssignmentTold
    related = ("user__agent", "team", "role")
    orders = ("id", "-id", "ends_at", "-ends_at")
    searched = ("reason", "given_by", "role__name")
    filterset_class = AssignmentFilters

    @extend_schema(request=AssignmentCreated, responses={201: AssignmentTold})
    def create(self, request: Any) -> Response:
        """Assign a role; needs grant_agent on the agent and assign_role on the role, or these rights everywhere."""
        given = self.given(AssignmentCreated)
        why = self.why(given)
        holder = holder_of(request.user, given["holder"], right="permissions.add_roleassignment")
        role = one_of(Role.objects.visible_to(request.user), given["role"], "role")
        require_role(request.user, role)
        return self.created(assign_role(role=role, holder=holder, terms=terms_of(given), **why))

    @operation("end", right="change_roleassignment", summary="Take a role back")
    def end(self, assignment: RoleAssignment, given: Values) -> Any:
        """Take a role back, from the next decision on."""
        return end_assignment(assignment=assignment, **self.why(given))


def terms_of(given: Values) -> Terms:
    """Read how something is to be held out of a body."""
    return Terms(**{name: given[name] for name in ("use", "delegate", "starts_at", "ends_at") if name in given})
