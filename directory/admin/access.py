"""What people and teams may do with single objects, in the admin: given and taken by those who hold the right themselves."""

from collections.abc import Callable
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.db import models
from django.http import HttpRequest

from agentiam.kit.administration.acting import Act
from agentiam.kit.administration.editing import ServiceAdmin
from agentiam.kit.administration.forms import RowField, ServiceForm
from agentiam.kit.administration.operations import Operation, offer
from directory.models import (
    Agent,
    AgentGroupPermission,
    AgentUserPermission,
    BlueprintGroupPermission,
    BlueprintUserPermission,
    TeamGroupPermission,
    TeamUserPermission,
)
from directory.services.access import give_access, withdraw_access


def holder_of(row: Any) -> Any:
    """Answer who has a right: the account or the team."""
    return row.user if hasattr(row, "user_id") else row.group.team


class ObjectRightAdmin(ServiceAdmin):
    """Rights on objects of one kind."""

    through = "content_object"
    searched = {}
    list_display = ("content_object", "right_given", "given_to")
    adding = ("content_object", "right", "to")
    give: ClassVar[Callable[..., None]]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Show what the right is, on what, and who has it."""
        return super().get_fields(request, obj) if obj is None else self.list_display

    @admin.display(description="right")
    def right_given(self, row: Any) -> str:
        """Name the right."""
        return str(row.permission.codename)

    @admin.display(description="given to")
    def given_to(self, row: Any) -> str:
        """Name the account or the team."""
        return str(holder_of(row))

    def create(self, request: HttpRequest, values: dict[str, Any], act: Act) -> Any:
        """Give a right; the service refuses those who do not have it themselves."""
        thing, right, to = values["content_object"], values["right"], values["to"]
        type(self).give(thing=thing, right=right, to=to, **act)
        holder = {"user": to} if hasattr(self.model, "user") else {"group": to.group}
        return self.model._default_manager.get(content_object=thing, permission__codename=right, **holder)  # noqa: SLF001  (Django's documented name)


def register_rights(table: type[models.Model], *, give: Callable[..., None], withdraw: Callable[..., None]) -> None:
    """Put a table of rights into the admin, with the services that write it."""
    options: Any = table._meta  # noqa: SLF001  (Django's documented name)
    thing = options.get_field("content_object").related_model
    noun = thing._meta.model_name  # noqa: SLF001  (as above)
    of_accounts = hasattr(table, "user")
    names = [f"view_{noun}", *(name for name, _ in thing._meta.permissions)]  # noqa: SLF001  (as above)
    form = type(
        f"{table.__name__}Form",
        (ServiceForm,),
        {
            "__doc__": "A right on one object, and whom it is given to.",
            "right": forms.ChoiceField(choices=[(name, name) for name in names]),
            "to": RowField((Agent, "owner" if of_accounts else "team"), label="Person" if of_accounts else "Team"),
        },
    )
    shown = type(
        f"{table.__name__}Admin",
        (ObjectRightAdmin,),
        {
            "__doc__": f"Rights on single {options.verbose_name_plural}.",
            "add_form": form,
            "listed_with": ("content_object", "permission", "user" if of_accounts else "group__team"),
            "give": staticmethod(give),
        },
    )
    admin.site.register(table, shown)
    offer(
        table,
        Operation(
            name="withdraw",
            label="Withdraw",
            effect="The right is gone from the next request on.",
            right=f"delete_{options.model_name}",
            perform=lambda row, _, act: withdraw(
                thing=row.content_object, right=row.permission.codename, to=holder_of(row), **act
            ),
            drastic=True,
        ),
    )


for _table in (
    AgentUserPermission,
    AgentGroupPermission,
    BlueprintUserPermission,
    BlueprintGroupPermission,
    TeamUserPermission,
    TeamGroupPermission,
):
    register_rights(_table, give=give_access, withdraw=withdraw_access)
