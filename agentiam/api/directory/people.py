"""People over the API: who is here and what for; a person who leaves loses everything with one call."""

from typing import Any

import django_filters
from django.db.models import Prefetch
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from agentiam.api.directory.people_sessions import PersonSessions
from agentiam.api.filters import Filters
from agentiam.api.rights import WAYS_IN, require_scope
from agentiam.api.serializers import Given, Named, Reason, RequiredReason, StringList, Told
from agentiam.api.versions import VersionedViewSet
from agentiam.api.viewsets import operation
from directory.models import Team, User
from directory.services.console_roles import set_console_roles
from directory.services.people import create_person, deactivate_person, reactivate_person, update_person
from permissions.services.offboarding import offboard_person


class PersonTold(Told):
    """A person's account."""

    id = serializers.UUIDField(source="pk")
    external_id = serializers.CharField()
    username = serializers.CharField()
    name = serializers.CharField()
    email = serializers.CharField()
    attributes = serializers.DictField()
    console_roles = serializers.ListField(child=serializers.ChoiceField(choices=User.ConsoleRole.choices))
    teams = Named(many=True)
    is_active = serializers.BooleanField()
    deactivated_at = serializers.DateTimeField(allow_null=True)
    last_login = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()


class PersonGiven(Given):
    """What is known of a person."""

    name = serializers.CharField(max_length=200)
    email = serializers.EmailField(required=False, allow_blank=True, max_length=254)
    attributes = serializers.DictField(required=False)


class PersonCreated(PersonGiven, Reason):
    """A new account; the person signs in by single sign-on, or by an invitation's password."""

    external_id = serializers.CharField(max_length=200)
    username = serializers.CharField(max_length=320)


class PersonChanged(PersonGiven, Reason):
    """A change of what is known; what is not named stays."""


class RolesGiven(Reason):
    """What a person is here for, all of it."""

    console_roles = StringList()


class PersonFilters(Filters):
    """How the list of people is narrowed."""

    is_active = django_filters.BooleanFilter()
    external_id = django_filters.CharFilter()
    email = django_filters.CharFilter(lookup_expr="iexact")
    team = django_filters.UUIDFilter(field_name="teams")


class PersonViewSet(PersonSessions, VersionedViewSet):
    """People."""

    model = User
    told = PersonTold
    orders = ("id", "-id", "name", "-name")
    searched = ("name", "external_id", "email")
    filterset_class = PersonFilters
    scopes_for = {"create": WAYS_IN, "assign": WAYS_IN, "reset_second_factors": WAYS_IN, "reactivate": WAYS_IN}

    def get_queryset(self) -> Any:
        """Leave out the accounts of agents, and of each person the teams that the caller does not see."""
        teams = Prefetch("teams", Team.objects.visible_to(self.request.user).order_by("pk"))
        return super().get_queryset().filter(kind=User.Kind.PERSON).prefetch_related(teams)

    @extend_schema(request=PersonCreated, responses={201: PersonTold})
    def create(self, request: Any) -> Response:
        """Add a person without a password; to let them choose one, invite them."""
        self.require("add_user")
        given = self.given(PersonCreated)
        why = self.why(given)
        return self.created(create_person(organization=self.organization, **given, **why))

    @extend_schema(request=PersonChanged, responses=PersonTold)
    def partial_update(self, request: Any, **_: Any) -> Response:
        """Change what is known of a person."""

        def change(person: User, given: dict[str, Any]) -> User:
            if given.get("email", person.email) != person.email:
                # By mail or by a provider, whoever has the new address could get in as this person.
                require_scope(self.request, WAYS_IN)
            why = self.why(given)
            present = {name: getattr(person, name) for name in ("name", "email", "attributes")}
            return update_person(person=person, **present | given, **why)

        return self.changed("change_user", PersonChanged, change)

    @operation(
        "console-roles", right="assign_console_roles", takes=RolesGiven, replaces=True, summary="Say what a person is here for"
    )
    def assign(self, person: User, given: dict[str, Any]) -> Any:
        """Say what a person is here for, all of it; nobody changes their own."""
        why = self.why(given)
        return set_console_roles(person=person, roles=given["console_roles"], **why)

    @operation("deactivate", right="change_user", takes=RequiredReason, summary="End a person's sessions and keys at once")
    def deactivate(self, person: User, given: dict[str, Any]) -> Any:
        """End a person's sessions and keys at once; the agents they own stop and wait for somebody to take them over."""
        return deactivate_person(person=person, **self.why(given))

    @operation("offboard", right="change_user", takes=RequiredReason, summary="End everything that a person has and gave")
    def offboard(self, person: User, given: dict[str, Any]) -> Any:
        """End everything that a person has and gave, and close their account; leaves a signed offboarding proof."""
        gone, _proof = offboard_person(person=person, **self.why(given))
        return gone

    @operation("reactivate", right="change_user", summary="Let a person in again")
    def reactivate(self, person: User, given: dict[str, Any]) -> Any:
        """Let a person in again; the agents that they owned stay as they are."""
        return reactivate_person(person=person, **self.why(given))
