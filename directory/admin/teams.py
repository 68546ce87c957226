"""Teams and invitations in the admin."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db import transaction
from django.http import HttpRequest

from agentiam.kit.administration.acting import Act
from agentiam.kit.administration.editing import ServiceAdmin
from agentiam.kit.administration.forms import ServiceForm
from agentiam.kit.administration.operations import Operation, offer
from directory.admin.people import organization_of
from directory.models import Invitation, Team, User
from directory.services.invitations import invite_person, resend_invitation, withdraw_invitation
from directory.services.teams import create_team, set_team_members, update_team


@admin.register(Team)
class TeamAdmin(ServiceAdmin):
    """Teams within teams."""

    list_display = ("name", "external_id", "parent", "created_at")
    listed_with = ("parent",)
    searched = {"pk": "exact", "external_id": "exact", "name": "istartswith"}
    search_help_text = "The id or the external id, whole; or the beginning of a name."
    adding = ("external_id", "name", "parent")
    changing = ("name", "parent", "members")

    def create(self, request: HttpRequest, values: dict[str, Any], act: Act) -> Any:
        """Add a team without people."""
        return create_team(organization=organization_of(request), **values, **act)

    def update(self, request: HttpRequest, row: Any, form: ServiceForm, act: Act) -> Any:
        """Rename or move a team, or say who is in it: each a change of its own, made if it was asked for; both or neither."""
        values, changed = form.values(), form.changed()
        members = values.pop("members")
        with transaction.atomic():
            if set(changed) & set(values):
                row = update_team(team=row, **values, **act)
            return set_team_members(team=row, members=members, **act) if "members" in changed else row


class InvitationForm(ServiceForm):
    """Whom to invite, and as what."""

    external_id = forms.CharField(max_length=200, required=False, help_text="Empty for the e-mail address.")
    console_roles = forms.MultipleChoiceField(
        choices=User.ConsoleRole.choices, widget=forms.CheckboxSelectMultiple, required=False
    )


@admin.register(Invitation)
class InvitationAdmin(ServiceAdmin):
    """Invitations; the link goes by mail, and is shown nowhere."""

    list_display = ("email", "name", "invited_by", "expires_at", "accepted_at", "withdrawn_at")
    listed_with = ("invited_by",)
    searched = {"pk": "exact", "email": "iexact", "external_id": "exact"}
    search_help_text = "The id, the external id or the e-mail address, whole."
    add_form = InvitationForm
    adding = ("email", "name", "external_id", "console_roles", "teams")

    def create(self, request: HttpRequest, values: dict[str, Any], act: Act) -> Any:
        """Invite somebody."""
        return invite_person(organization=organization_of(request), **values, **act)


def _is_open(invitation: Any) -> bool:
    return invitation.accepted_at is None and invitation.withdrawn_at is None


offer(
    Invitation,
    Operation(
        name="resend",
        label="Send again",
        effect="A new link is mailed, good for another week; the old one is void.",
        right="change_invitation",
        perform=lambda row, _, act: resend_invitation(invitation=row, **act),
        possible=_is_open,
    ),
    Operation(
        name="withdraw",
        label="Withdraw",
        effect="The link is void.",
        right="change_invitation",
        perform=lambda row, _, act: withdraw_invitation(invitation=row, **act),
        possible=_is_open,
        drastic=True,
    ),
)
