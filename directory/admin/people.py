"""Organizations, people and their keys in the admin."""

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone

from agentiam.kit.administration.acting import Act
from agentiam.kit.administration.editing import ServiceAdmin
from agentiam.kit.administration.forms import InstantField, LinesField, OperationForm, ServiceForm
from agentiam.kit.administration.operations import Operation, offer
from directory.models import Organization, PersonKey, Scope, User
from directory.selectors import second_factors_of, sessions_of
from directory.services.console_roles import set_console_roles
from directory.services.organizations import resume_organization, suspend_organization, update_organization
from directory.services.people import create_person, deactivate_person, reactivate_person, update_person
from directory.services.person_keys import issue_person_key, revoke_person_key, rotate_person_key
from directory.services.ways_in import end_sessions, reset_second_factors

_MOST_HOURS = 24 * 30
# What refers to an account and means a person: choices offer people only there.
_PEOPLE = frozenset({"owner", "sponsor", "members", "invited_by"})


def organization_of(request: HttpRequest) -> Organization:
    """Answer the organization of the person who is signed in."""
    person: Any = request.user
    organization: Organization = person.organization
    return organization


class RotationForm(OperationForm):
    """How long the old secret goes on working, and when the new one ends."""

    overlap_hours = forms.IntegerField(
        min_value=0, max_value=_MOST_HOURS, initial=24, help_text="The old one works so long beside the new one; 0 ends it now."
    )
    expires_at = InstantField(required=False, help_text="In UTC; empty for the usual end.")


def rotation(values: dict[str, Any]) -> dict[str, Any]:
    """Answer what a form of a rotation holds as arguments of a service."""
    return {"overlap": timedelta(hours=values["overlap_hours"]), "expires_at": values["expires_at"]}


def is_live(credential: Any) -> bool:
    """Tell whether a credential was not revoked."""
    return credential.revoked_at is None


def has_secret(credential: Any) -> bool:
    """Tell whether a credential can be rotated."""
    return is_live(credential) and credential.public_id is not None and credential.successor_id is None


@admin.register(Organization)
class OrganizationAdmin(ServiceAdmin):
    """The organization of the person who looks; slug and trust domain stay."""

    list_display = ("name", "slug", "trust_domain", "state", "revision")
    searched = {"pk": "exact", "slug": "exact"}
    changing = ("name", "time_zone", "subject_types", "discoverable")

    def removed_of(self, request: HttpRequest) -> Q:
        """Show no other: none is ever removed."""
        return Q(pk__in=[])

    def update(self, request: HttpRequest, row: Any, form: ServiceForm, act: Act) -> Any:
        """Change what can be changed."""
        return update_organization(organization=row, **form.values(), **act)


@admin.register(User)
class UserAdmin(ServiceAdmin):
    """Accounts of people and agents; an agent's is changed through the agent. Passwords are never shown or set here."""

    list_display = ("name", "external_id", "kind", "username", "email", "is_active", "is_staff")
    list_filter = ("kind", "is_active", "is_staff")
    searched = {"pk": "exact", "external_id": "exact", "username": "exact", "name": "istartswith"}
    search_help_text = "The id, the external id or the user name, whole; or the beginning of a name."
    adding = ("external_id", "username", "name", "email", "attributes")
    changing = ("name", "email", "attributes")
    counted = ("second_factors", "sessions")

    def changeable(self, row: Any) -> bool:
        """Change people only."""
        return bool(row.is_person)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Show besides by how much a person proves who they are, and in how many places they are signed in."""
        shown = super().get_fields(request, obj)
        return [*shown, *self._counted_for(request, obj)]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Show the numbers and what cannot be filled in."""
        shown = [name for name in super().get_readonly_fields(request, obj) if name not in self.counted]
        return [*shown, *self._counted_for(request, obj)]

    def _counted_for(self, request: HttpRequest, row: Any) -> tuple[str, ...]:
        """Name the numbers for whoever may end what they count: without a second factor somebody is whom to attack."""
        if row is None or not row.is_person:
            return ()
        return self.counted if self.model.objects.permitting(request.user, "change_user").filter(pk=row.pk).exists() else ()

    @admin.display(description="Second factors")
    def second_factors(self, row: Any) -> int:
        """Count a person's second factors; the recovery codes are one."""
        return len(second_factors_of(row))

    @admin.display(description="Sessions")
    def sessions(self, row: Any) -> int:
        """Count where a person is signed in."""
        return len(sessions_of(row, timezone.now()))

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """Offer people where people are asked for."""
        found, repeated = super().get_search_results(request, queryset, search_term)
        return (found.filter(kind="person") if request.GET.get("field_name") in _PEOPLE else found), repeated

    def create(self, request: HttpRequest, values: dict[str, Any], act: Act) -> Any:
        """Add a person without a password: they come by an identity provider. Others are invited."""
        return create_person(organization=organization_of(request), **values, **act)

    def update(self, request: HttpRequest, row: Any, form: ServiceForm, act: Act) -> Any:
        """Change what is known of a person."""
        return update_person(person=row, **form.values(), **act)


class PersonKeyForm(ServiceForm):
    """A key for oneself."""

    label = forms.CharField(max_length=200)
    scopes = forms.MultipleChoiceField(choices=Scope.of_people(), widget=forms.CheckboxSelectMultiple)
    expires_at = InstantField(required=False, help_text="In UTC; empty for 90 days.")
    allowed_networks = LinesField(help_text="CIDR blocks, one a line; empty for every network.")


@admin.register(PersonKey)
class PersonKeyAdmin(ServiceAdmin):
    """Keys of people; one issues them for oneself only."""

    list_display = ("label", "public_id", "user", "expires_at", "revoked_at", "last_used_at")
    listed_with = ("user",)
    searched = {"pk": "exact", "public_id": "exact"}
    add_form = PersonKeyForm
    adding = ("label", "scopes", "expires_at", "allowed_networks")

    def create(self, request: HttpRequest, values: dict[str, Any], act: Act) -> Any:
        """Issue a key to the person who is signed in."""
        person: Any = request.user
        return issue_person_key(user=person, **values, **act)


class ConsoleRolesForm(OperationForm):
    """All of a person's console roles."""

    roles = forms.MultipleChoiceField(
        choices=User.ConsoleRole.choices, widget=forms.CheckboxSelectMultiple, required=False, label="Console roles"
    )


offer(
    Organization,
    Operation(
        name="suspend",
        label="Suspend",
        effect="Every decision in the organization is a deny from the next request on, until it is resumed.",
        right="change_organization",
        perform=lambda row, _, act: suspend_organization(organization=row, **act),
        possible=lambda row: row.state == Organization.State.ACTIVE,
        many=False,
        drastic=True,
    ),
    Operation(
        name="resume",
        label="Resume",
        effect="The organization's agents work again.",
        right="change_organization",
        perform=lambda row, _, act: resume_organization(organization=row, **act),
        possible=lambda row: row.state == Organization.State.SUSPENDED,
        many=False,
    ),
)
offer(
    User,
    Operation(
        name="console-roles",
        label="Set console roles",
        effect="The person has these roles, and no other, from their next request on.",
        right="assign_console_roles",
        form=ConsoleRolesForm,
        initial=lambda row: {"roles": row.console_roles},
        perform=lambda row, values, act: set_console_roles(person=row, roles=values["roles"], **act),
        possible=lambda row: row.is_person,
        many=False,
    ),
    Operation(
        name="end-sessions",
        label="End sessions",
        effect="The person is signed out everywhere at once. Their keys stay.",
        right="change_user",
        perform=lambda row, _, act: end_sessions(person=row, **act),
        possible=lambda row: row.is_person,
    ),
    Operation(
        name="reset-second-factors",
        label="Reset second factors",
        effect="App, passkeys and recovery codes are removed, and all sessions end: the password alone lets them in.",
        right="change_user",
        perform=lambda row, _, act: reset_second_factors(person=row, **act),
        possible=lambda row: row.is_person,
        many=False,
        drastic=True,
    ),
    Operation(
        name="deactivate",
        label="Deactivate",
        effect="Sessions and keys end at once, and the agents that the person owns are ownerless and stop.",
        right="change_user",
        perform=lambda row, _, act: deactivate_person(person=row, **act),
        possible=lambda row: row.is_person and row.is_active,
        drastic=True,
    ),
    Operation(
        name="reactivate",
        label="Reactivate",
        effect="The person may sign in again. Agents that they owned stay ownerless until somebody takes them over.",
        right="change_user",
        perform=lambda row, _, act: reactivate_person(person=row, **act),
        possible=lambda row: row.is_person and not row.is_active,
    ),
)
offer(
    PersonKey,
    Operation(
        name="rotate",
        label="Rotate",
        effect="Another key takes this one's place. Its secret is shown once, on the next page.",
        right="change_personkey",
        form=RotationForm,
        perform=lambda row, values, act: rotate_person_key(key=row, **rotation(values), **act),
        possible=has_secret,
        many=False,
    ),
    Operation(
        name="revoke",
        label="Revoke",
        effect="The key ends now, for good.",
        right="change_personkey",
        perform=lambda row, _, act: revoke_person_key(key=row, **act),
        possible=is_live,
        drastic=True,
    ),
)
