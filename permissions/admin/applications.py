"""Applications and their keys in the admin."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest

from agentiam.kit.administration.acting import Act
from agentiam.kit.administration.editing import ServiceAdmin
from agentiam.kit.administration.forms import InstantField, LinesField, ServiceForm
from agentiam.kit.administration.operations import Operation, offer
from directory.admin.people import RotationForm, has_secret, is_live, organization_of, rotation
from directory.models import Scope
from permissions.models import Application, ApplicationKey
from permissions.services.application_keys import issue_application_key, revoke_application_key, rotate_application_key
from permissions.services.applications import (
    TokenTerms,
    create_application,
    resume_application,
    suspend_application,
    update_application,
)

_TOKENS = ("token_format", "token_algorithm", "token_seconds")
_KNOWN = ("name", "audience", "believes_resource_properties", "believes_subject_properties", "requires_tokens")


@admin.register(Application)
class ApplicationAdmin(ServiceAdmin):
    """Applications; the slug stays."""

    list_display = ("name", "slug", "state", "audience", "created_at")
    list_filter = ("state",)
    searched = {"pk": "exact", "slug": "exact", "name": "istartswith"}
    search_help_text = "The id or the slug, whole; or the beginning of a name."
    adding = ("slug", *_KNOWN, *_TOKENS)
    changing = (*_KNOWN, *_TOKENS)

    def create(self, request: HttpRequest, values: dict[str, Any], act: Act) -> Any:
        """Add an application, active and without keys."""
        tokens = TokenTerms(**{name: values.pop(name) for name in _TOKENS})
        return create_application(organization=organization_of(request), tokens=tokens, **values, **act)

    def update(self, request: HttpRequest, row: Any, form: ServiceForm, act: Act) -> Any:
        """Change what is known of an application and what it is believed."""
        values = form.values()
        tokens = TokenTerms(**{name: values.pop(name) for name in _TOKENS})
        return update_application(application=row, tokens=tokens, **values, **act)


class ApplicationKeyForm(ServiceForm):
    """A key for an application."""

    scopes = forms.MultipleChoiceField(
        choices=Scope.of_machines(), widget=forms.CheckboxSelectMultiple, required=False, help_text="None for decisions only."
    )
    expires_at = InstantField(required=False, help_text="In UTC; empty for 90 days.")
    allowed_networks = LinesField(help_text="CIDR blocks, one a line; empty for every network.")


@admin.register(ApplicationKey)
class ApplicationKeyAdmin(ServiceAdmin):
    """Keys of applications."""

    list_display = ("label", "public_id", "application", "kind", "expires_at", "revoked_at", "last_used_at")
    listed_with = ("application",)
    list_filter = ("kind",)
    searched = {"pk": "exact", "public_id": "exact"}
    search_help_text = "The id or the public id, whole."
    add_form = ApplicationKeyForm
    adding = ("application", "label", "scopes", "expires_at", "allowed_networks")

    def create(self, request: HttpRequest, values: dict[str, Any], act: Act) -> Any:
        """Issue a key, which the next page shows once."""
        return issue_application_key(**values | {"scopes": values["scopes"] or [Scope.DECIDE.value]}, **act)


offer(
    Application,
    Operation(
        name="suspend",
        label="Suspend",
        effect="The application is answered no more, from the next request on.",
        right="manage_application",
        perform=lambda row, _, act: suspend_application(application=row, **act),
        possible=lambda row: row.state == Application.State.ACTIVE,
    ),
    Operation(
        name="resume",
        label="Resume",
        effect="The application is answered again.",
        right="manage_application",
        perform=lambda row, _, act: resume_application(application=row, **act),
        possible=lambda row: row.state == Application.State.SUSPENDED,
    ),
)
offer(
    ApplicationKey,
    Operation(
        name="rotate",
        label="Rotate",
        effect="Another key takes this one's place. Its secret is shown once, on the next page.",
        right="change_applicationkey",
        form=RotationForm,
        perform=lambda row, values, act: rotate_application_key(key=row, **rotation(values), **act),
        possible=has_secret,
        many=False,
    ),
    Operation(
        name="revoke",
        label="Revoke",
        effect="The key ends now, for good.",
        right="change_applicationkey",
        perform=lambda row, _, act: revoke_application_key(key=row, **act),
        possible=is_live,
        drastic=True,
    ),
)
