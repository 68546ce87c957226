"""Consents and delegations over the API: who lets whom act for them, and how they take it back."""

from typing import Any

import django_filters
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from agentiam.api.filters import Filters
from agentiam.api.permissions.entitlements import EntitlementGiven, EntitlementTold, require_types_seen, spec_of
from agentiam.api.problems import invalid
from agentiam.api.serializers import Named, Reason, StringList, Told, one_of
from agentiam.api.versions import VersionedViewSet
from agentiam.api.viewsets import Given as Values
from agentiam.api.viewsets import operation
from agentiam.kit.problems import Problem
from directory.models import Agent, User
from permissions.models import Consent, DataClass, Delegation, ResourceType
from permissions.selectors.effective import effective_access
from permissions.services.consents import end_consent, give_consent
from permissions.services.delegations import delegate, end_delegation


class ConsentTold(Told):
    """A person's yes to an agent."""

    id = serializers.UUIDField(source="pk")
    person = Named(source="user")
    agent = Named()
    type = serializers.CharField(source="resource_type.name")
    actions = serializers.ListField(child=serializers.CharField())
    data_classes = serializers.ListField(child=serializers.CharField(), allow_null=True)
    purpose = serializers.CharField()
    run = serializers.UUIDField(source="run_id", allow_null=True, help_text="The run whose task it is for alone; null for any.")
    given_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)


class ConsentGiven(Reason):
    """What the caller lets an agent do for them."""

    agent = serializers.UUIDField()
    type = serializers.CharField(max_length=200, help_text="The name of a resource type.")
    actions = StringList(min_length=1)
    data_classes = serializers.ListField(
        child=serializers.ChoiceField(choices=DataClass.choices), required=False, allow_null=True, min_length=1
    )
    purpose = serializers.CharField(required=False, allow_blank=True, max_length=500)
    ends_at = serializers.DateTimeField(required=False, allow_null=True)


class ConsentFilters(Filters):
    """How the list of consents is narrowed."""

    agent = django_filters.UUIDFilter(field_name="agent_id")
    person = django_filters.UUIDFilter(field_name="user_id")
    type = django_filters.CharFilter(field_name="resource_type__name")
    ended = django_filters.BooleanFilter(field_name="ended_at", lookup_expr="isnull", exclude=True)


class ConsentViewSet(VersionedViewSet):
    """Consents."""

    model = Consent
    told = ConsentTold
    related = ("user", "agent", "resource_type")
    orders = ("id", "-id", "ends_at", "-ends_at")
    searched = ("purpose",)
    filterset_class = ConsentFilters

    @extend_schema(request=ConsentGiven, responses={201: ConsentTold})
    def create(self, request: Any) -> Response:
        """Let an agent act on the caller's own behalf; nobody says it for somebody else."""
        if not isinstance(request.user, User) or not request.user.is_person:
            raise Problem(403, "forbidden", "Only a person can consent.")
        given = self.given(ConsentGiven)
        why = self.why(given)
        # Whoever consents need not see the agent otherwise: they were asked by it.
        agents = Agent.objects.in_organization(self.organization_id)
        agent = one_of(agents, given.pop("agent"), "agent")
        types = ResourceType.objects.in_organization(self.organization_id)
        resource_type = types.filter(name=given.pop("type")).first()
        if resource_type is None:
            raise invalid({"type": ["There is no resource type of this name."]})
        return self.created(give_consent(user=request.user, agent=agent, resource_type=resource_type, **given, **why))

    @operation("end", right="change_consent", summary="Take a consent back")
    def end(self, consent: Consent, given: Values) -> Any:
        """Take a consent back, from the next decision on; who ends another's says why."""
        return end_consent(consent=consent, **self.why(given))


class DelegationTold(EntitlementTold):
    """What an agent lets another do for it."""

    id = serializers.UUIDField(source="pk")
    delegator = Named()
    delegate = Named()
    depth = serializers.IntegerField(help_text="How many agents in a row may act on it.")
    reason = serializers.CharField()
    created_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)


class DelegationGiven(EntitlementGiven, Reason):
    """What one agent is to let another do for it."""

    delegator = serializers.UUIDField()
    delegate = serializers.UUIDField()
    depth = serializers.IntegerField(required=False, min_value=1, max_value=16)
    ends_at = serializers.DateTimeField(required=False, allow_null=True)


class DelegationFilters(Filters):
    """How the list of delegations is narrowed."""

    delegator = django_filters.UUIDFilter(field_name="delegator_id")
    delegate = django_filters.UUIDFilter(field_name="delegate_id")
    type = django_filters.CharFilter(field_name="resource_type__name")
    ended = django_filters.BooleanFilter(field_name="ended_at", lookup_expr="isnull", exclude=True)


class DelegationViewSet(VersionedViewSet):
    """Delegations."""

    model = Delegation
    told = DelegationTold
    related = ("delegator", "delegate", "resource_type")
    orders = ("id", "-id", "ends_at", "-ends_at")
    searched = ("reason",)
    filterset_class = DelegationFilters

    @extend_schema(request=DelegationGiven, responses={201: DelegationTold})
    def create(self, request: Any) -> Response:
        """Let an agent act for another: whoever may run as the delegator, the agent itself among them, and sees both."""
        given = self.given(DelegationGiven)
        why = self.why(given)
        agents = Agent.objects.visible_to(request.user)
        delegator = one_of(agents, given["delegator"], "delegator")
        self.require("run_agent", delegator)
        other = one_of(agents, given["delegate"], "delegate")
        self._require_known(delegator, given)
        more = {name: given[name] for name in ("depth", "ends_at") if name in given}
        return self.created(delegate(delegator=delegator, delegate=other, entitlement=spec_of(given), **more, **why))

    @operation("end", right="change_delegation", summary="Take a delegation back")
    def end(self, delegation: Delegation, given: Values) -> Any:
        """Take a delegation back, from the next decision on."""
        return end_delegation(delegation=delegation, **self.why(given))

    def _require_known(self, delegator: Agent, given: Values) -> None:
        """Let an agent name the types of what it has in its hands; whoever else, those that they see."""
        user: Any = self.request.user
        names = {given["type"]} | ({given["subtree"]["type"]} if given.get("subtree") else set())
        if isinstance(user, User) and not user.is_person:
            held = effective_access(delegator, types=names, at=self.now).rows
            names -= {row.type for row in held if any(term.sources for term in row.terms)}
        require_types_seen(user, names, "type")
