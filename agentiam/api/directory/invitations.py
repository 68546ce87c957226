"""Invitations over the API."""

from typing import Any

import django_filters
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from agentiam.api.filters import Filters
from agentiam.api.rights import WAYS_IN
from agentiam.api.serializers import Named, Reason, StringList, Told, all_of
from agentiam.api.versions import VersionedViewSet
from agentiam.api.viewsets import operation
from directory.models import Invitation, Team, User
from directory.services.invitations import invite_person, resend_invitation, withdraw_invitation


class InvitationTold(Told):
    """An invitation; the link is only in the mail."""

    id = serializers.UUIDField(source="pk")
    email = serializers.CharField()
    name = serializers.CharField()
    external_id = serializers.CharField()
    console_roles = serializers.ListField(child=serializers.ChoiceField(choices=User.ConsoleRole.choices))
    teams = Named(many=True)
    invited_by = Named(allow_null=True)
    person = Named(allow_null=True)
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    accepted_at = serializers.DateTimeField(allow_null=True)
    withdrawn_at = serializers.DateTimeField(allow_null=True)


class PersonInvited(Reason):
    """Whom to invite, and what for."""

    email = serializers.EmailField(max_length=254)
    name = serializers.CharField(required=False, allow_blank=True, max_length=200)
    external_id = serializers.CharField(required=False, max_length=200)
    console_roles = StringList(required=False, max_length=10)
    teams = serializers.ListField(child=serializers.UUIDField(), required=False, max_length=100)


class InvitationFilters(Filters):
    """How the list of invitations is narrowed."""

    email = django_filters.CharFilter(lookup_expr="iexact")
    accepted = django_filters.BooleanFilter(field_name="accepted_at", lookup_expr="isnull", exclude=True)


class InvitationViewSet(VersionedViewSet):
    """Invitations."""

    model = Invitation
    told = InvitationTold
    related = ("invited_by", "person")
    gathered = ("teams",)
    searched = ("email", "name")
    filterset_class = InvitationFilters
    scopes_for = {"create": WAYS_IN, "resend": WAYS_IN}

    @extend_schema(request=PersonInvited, responses={201: InvitationTold})
    def create(self, request: Any) -> Response:
        """Invite a person; the link is mailed to them and good for a week."""
        self.require("add_invitation")
        given = self.given(PersonInvited)
        why = self.why(given)
        teams = all_of(Team.objects.visible_to(request.user), given.pop("teams", []), "teams")
        organization = self.organization
        return self.created(invite_person(organization=organization, teams=teams, **given, **why))

    @operation("resend", right="change_invitation", summary="Mail a new link; the old one is void")
    def resend(self, invitation: Invitation, given: dict[str, Any]) -> Any:
        """Mail a new link; the old one is void."""
        return resend_invitation(invitation=invitation, **self.why(given))

    @operation("withdraw", right="change_invitation", summary="Make an invitation void")
    def withdraw(self, invitation: Invitation, given: dict[str, Any]) -> Any:
        """Make an invitation void."""
        return withdraw_invitation(invitation=invitation, **self.why(given))
