"""What accounts and teams hold, in the admin: given and ended, never reworded."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from agentiam.kit.administration.acting import Act
from agentiam.kit.administration.editing import ServiceAdmin
from agentiam.kit.administration.operations import Operation, offer
from agentiam.kit.errors import Invalid
from directory.admin.people import organization_of
from permissions.admin.terms import SELECTED, EntitlementForm, taken_spec
from permissions.models import Grant, RoleAssignment
from permissions.services.grants import Terms, assign_role, end_assignment, end_grant, give_grant
from permissions.services.holders import Holder

_HELD = ("use", "delegate", "starts_at", "ends_at")


class OneHolder(Invalid):
    """Both an account and a team were named, or neither."""


def _holder(values: dict[str, Any]) -> Holder:
    user, team = values.pop("user"), values.pop("team")
    if (user is None) == (team is None):
        raise OneHolder("Name the account or the team that is to hold it, and one of the two.")
    holder: Holder = user or team
    return holder


def is_running(row: Any) -> bool:
    """Tell whether nobody has ended it."""
    return row.ended_at is None


@admin.register(RoleAssignment)
class RoleAssignmentAdmin(ServiceAdmin):
    """Roles that accounts and teams hold."""

    list_display = ("role", "user", "team", "starts_at", "ends_at", "ended_at", "source", "given_by")
    listed_with = ("role", "user", "team")
    list_filter = ("source",)
    adding = ("role", "user", "team", *_HELD)

    def create(self, request: HttpRequest, values: dict[str, Any], act: Act) -> Any:
        """Assign a role."""
        role, holder = values.pop("role"), _holder(values)
        return assign_role(role=role, holder=holder, terms=Terms(**values), **act)


@admin.register(Grant)
class GrantAdmin(ServiceAdmin):
    """Single entitlements that accounts and teams hold."""

    list_display = ("resource_type", "actions", "user", "team", "starts_at", "ends_at", "ended_at", "source", "given_by")
    listed_with = ("resource_type", "user", "team")
    list_filter = ("source",)
    add_form = EntitlementForm
    adding = ("user", "team", *SELECTED, *_HELD)

    def create(self, request: HttpRequest, values: dict[str, Any], act: Act) -> Any:
        """Give a grant."""
        holder, spec = _holder(values), taken_spec(values)
        return give_grant(organization=organization_of(request), holder=holder, entitlement=spec, terms=Terms(**values), **act)


_GONE = "It does not hold any more, from the next decision on."
offer(
    RoleAssignment,
    Operation(
        name="end",
        label="End",
        effect=_GONE,
        right="change_roleassignment",
        perform=lambda row, _, act: end_assignment(assignment=row, **act),
        possible=is_running,
        drastic=True,
    ),
)
offer(
    Grant,
    Operation(
        name="end",
        label="End",
        effect=_GONE,
        right="change_grant",
        perform=lambda row, _, act: end_grant(grant=row, **act),
        possible=is_running,
        drastic=True,
    ),
)
