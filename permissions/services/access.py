"""What one person or team may do with one application or role, given and withdrawn by those who hold the right themselves."""

from datetime import datetime
from typing import Final, TypeAlias

from agentiam.kit.actors import Actor
from directory.models import Team, User
from directory.services.access import ObjectRights
from permissions.models import (
    Application,
    ApplicationGroupPermission,
    ApplicationUserPermission,
    Role,
    RoleGroupPermission,
    RoleUserPermission,
)
from permissions.services.reports import report

Thing: TypeAlias = Application | Role

_RIGHTS: Final = ObjectRights(
    app_label="permissions",
    rows={
        Application: (ApplicationUserPermission, ApplicationGroupPermission),
        Role: (RoleUserPermission, RoleGroupPermission),
    },
    report=report,
)


def give_access(*, thing: Thing, right: str, to: User | Team, by: Actor, reason: str = "", now: datetime) -> None:
    """Let a person or a team do one thing with one application or role: ``manage_application``, ``assign_role``.

    Raises UnknownRight, RightUnchanged, RightNotYours, WidensOneself, and NotAnActivePerson for agents and applications that
    give or are given to.
    """
    _RIGHTS.give(thing=thing, right=right, to=to, by=by, reason=reason, now=now)


def withdraw_access(*, thing: Thing, right: str, to: User | Team, by: Actor, reason: str = "", now: datetime) -> None:
    """Take a right on one application or role back, whoever has it.

    Raises UnknownRight, RightUnchanged, RightNotYours, and NotAnActivePerson for agents and applications that take.
    """
    _RIGHTS.withdraw(thing=thing, right=right, to=to, by=by, reason=reason, now=now)
