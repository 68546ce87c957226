"""What people are here for is said by somebody else: nobody changes their own console roles, or hands on one that they lack."""

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction

from agentiam.kit.actors import Actor
from agentiam.kit.errors import NotAllowed
from directory import events
from directory.models import User
from directory.services.people import lock_person
from directory.services.reports import conclude, report
from directory.services.revisions import user_ref
from directory.services.rights import STAFF, acting_account, known_roles, require_another_administrator, require_assignable
from directory.services.versions import save_version


class OwnRoles(NotAllowed):
    """People do not change their own console roles."""


def set_console_roles(*, person: User, roles: Iterable[str], by: Actor, reason: str = "", now: datetime) -> User:
    """Say what a person is here for, all of it; it holds from their next request on.

    Raises OwnRoles, RoleNotYours, UnknownConsoleRole, LastAdministrator, NotAnActivePerson, and NotAPerson for an agent.
    """
    names = known_roles(roles)
    with transaction.atomic():
        current = lock_person(person, by=by)
        if by.user_id == current.pk:
            raise OwnRoles("Nobody changes their own console roles.", remedy="Another security administrator may.")
        present = set(current.console_roles)
        added, removed = sorted(set(names) - present), sorted(present - set(names))
        # A role that is no longer known can only be left behind, and gives no right to anybody.
        require_assignable([*added, *(role for role in removed if role in User.ConsoleRole.values)], by=acting_account(by))
        if User.ConsoleRole.SECURITY_ADMINISTRATOR in removed:
            require_another_administrator(current)
        current.console_roles = names
        current.is_staff = bool(STAFF & set(names))
        save_version(current, by=by, reason=reason, now=now, fields=["console_roles", "is_staff"])
        data = {"roles": names, "added": added, "removed": removed}
        changed = report(events.PERSON_ROLES_CHANGED, current, by=by, reason=reason, now=now, data=data)
        conclude([changed], touched=[user_ref(current)])
    return current
