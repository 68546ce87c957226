"""Applications and their keys over the API: the systems that ask for decisions and carry them out."""

from dataclasses import replace
from typing import Any

import django_filters
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from agentiam.api.filters import Filters
from agentiam.api.rights import WAYS_IN
from agentiam.api.secrets import SecretFilters, SecretIssued, SecretRotated, SecretTold, overlap_of
from agentiam.api.serializers import Given, Reason, Told, one_of
from agentiam.api.shared_rights import SharedRights
from agentiam.api.versions import VersionedViewSet
from agentiam.api.viewsets import Given as Values
from agentiam.api.viewsets import operation
from directory.models import Organization
from permissions.models import Application, ApplicationKey, TokenKey
from permissions.services.access import give_access, withdraw_access
from permissions.services.application_keys import issue_application_key, revoke_application_key, rotate_application_key
from permissions.services.applications import (
    TokenTerms,
    create_application,
    resume_application,
    suspend_application,
    update_application,
)

_CHANGEABLE = ("name", "audience", "believes_resource_properties", "believes_subject_properties", "requires_tokens")


class ApplicationTold(Told):
    """An application."""

    id = serializers.UUIDField(source="pk")
    slug = serializers.CharField()
    name = serializers.CharField()
    audience = serializers.CharField()
    believes_resource_properties = serializers.BooleanField()
    believes_subject_properties = serializers.BooleanField()
    requires_tokens = serializers.BooleanField()
    token_format = serializers.ChoiceField(choices=Application.TokenFormat.choices)
    token_algorithm = serializers.ChoiceField(choices=TokenKey.Algorithm.choices)
    token_seconds = serializers.IntegerField()
    state = serializers.ChoiceField(choices=Application.State.choices)
    created_at = serializers.DateTimeField()


class ApplicationGiven(Given):
    """What of an application can change."""

    name = serializers.CharField(max_length=200)
    audience = serializers.URLField(max_length=500, required=False, allow_blank=True)
    believes_resource_properties = serializers.BooleanField(required=False)
    believes_subject_properties = serializers.BooleanField(required=False)
    requires_tokens = serializers.BooleanField(
        required=False, help_text="Answer it about an agent only with a token that the agent gave it."
    )
    token_format = serializers.ChoiceField(
        choices=Application.TokenFormat.choices, required=False, help_text="Whether its tokens are signed, or looked up."
    )
    token_algorithm = serializers.ChoiceField(
        choices=TokenKey.Algorithm.choices, required=False, help_text="What its tokens are signed with."
    )
    token_seconds = serializers.IntegerField(
        required=False, min_value=30, max_value=3600, help_text="How long a token for it lasts."
    )


class ApplicationCreated(ApplicationGiven, Reason):
    """A new application."""

    slug = serializers.SlugField(max_length=63)


class ApplicationChanged(ApplicationGiven, Reason):
    """A change of an application; what is not named stays."""


class ApplicationFilters(Filters):
    """How the list of applications is narrowed."""

    slug = django_filters.CharFilter()
    state = django_filters.ChoiceFilter(choices=Application.State.choices)


class ApplicationViewSet(SharedRights, VersionedViewSet):
    """Applications."""

    gives, withdraws = staticmethod(give_access), staticmethod(withdraw_access)
    model = Application
    told = ApplicationTold
    orders = ("id", "-id", "name", "-name", "slug", "-slug")
    searched = ("name", "slug")
    filterset_class = ApplicationFilters

    @extend_schema(request=ApplicationCreated, responses={201: ApplicationTold})
    def create(self, request: Any) -> Response:
        """Add an application, active and without keys."""
        self.require("add_application")
        given = self.given(ApplicationCreated)
        why = self.why(given)
        organization = Organization.objects.visible_to(request.user).get()
        tokens = TokenTerms(**_tokens(given))
        return self.created(create_application(organization=organization, tokens=tokens, **given, **why))

    @extend_schema(request=ApplicationChanged, responses=ApplicationTold)
    def partial_update(self, request: Any, **_: Any) -> Response:
        """Change what is known of an application and what it is believed."""

        def change(application: Application, given: Values) -> Application:
            why = self.why(given)
            tokens = replace(TokenTerms.of(application), **_tokens(given))
            present = {name: getattr(application, name) for name in _CHANGEABLE}
            return update_application(application=application, tokens=tokens, **present | given, **why)

        return self.changed("manage_application", ApplicationChanged, change)

    @operation("suspend", right="manage_application", summary="Answer an application no more")
    def suspend(self, application: Application, given: Values) -> Any:
        """Answer an application no more, from its next request on."""
        return suspend_application(application=application, **self.why(given))

    @operation("resume", right="manage_application", summary="Answer a suspended application again")
    def resume(self, application: Application, given: Values) -> Any:
        """Answer a suspended application again."""
        return resume_application(application=application, **self.why(given))


def _tokens(given: Values) -> Values:
    """Take out of a body what it says of tokens."""
    return {name: given.pop(name) for name in list(given) if name.startswith("token_")}


class NamedApplication(Told):
    """An application, by all its names."""

    id = serializers.UUIDField(source="pk")
    slug = serializers.CharField()
    name = serializers.CharField()


class ApplicationKeyTold(SecretTold):
    """An application's key."""

    application = NamedApplication()


class ApplicationKeyWithSecret(ApplicationKeyTold):
    """The one answer that holds the secret."""

    secret = serializers.CharField(read_only=True)


class ApplicationKeyIssued(SecretIssued, Reason):
    """A new key."""

    application = serializers.UUIDField()


class ApplicationKeyFilters(SecretFilters):
    """How the list of applications' keys is narrowed."""

    application = django_filters.UUIDFilter(field_name="application_id")


class ApplicationKeyViewSet(VersionedViewSet):
    """Applications' keys."""

    model = ApplicationKey
    told = ApplicationKeyTold
    related = ("application",)
    orders = ("id", "-id", "expires_at", "-expires_at")
    searched = ("label", "public_id")
    filterset_class = ApplicationKeyFilters
    scopes_for = {"create": WAYS_IN, "rotate": WAYS_IN}

    @extend_schema(request=ApplicationKeyIssued, responses={201: ApplicationKeyWithSecret})
    def create(self, request: Any) -> Response:
        """Give an application a key; the secret is in this answer, and nobody can read it again."""
        given = self.given(ApplicationKeyIssued)
        why = self.why(given)
        application = one_of(Application.objects.visible_to(request.user), given.pop("application"), "application")
        self.require("manage_application", application)
        key, token = issue_application_key(application=application, **given, **why)
        return self.created(key, more={"secret": token.text})

    @operation(
        "rotate",
        right="change_applicationkey",
        takes=SecretRotated,
        gives=ApplicationKeyWithSecret,
        status=201,
        summary="Replace a key",
    )
    def rotate(self, key: ApplicationKey, given: Values) -> Any:
        """Replace a key by another; the old one works for the overlap, or no more."""
        why = self.why(given)
        successor, token = rotate_application_key(key=key, overlap=overlap_of(given), **given, **why)
        return self.created(successor, more={"secret": token.text})

    @operation("revoke", right="change_applicationkey", summary="End a key at once")
    def revoke(self, key: ApplicationKey, given: Values) -> Any:
        """End a key at once, for good."""
        return revoke_application_key(key=key, **self.why(given))
