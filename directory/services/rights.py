"""Nobody hands on what they do not have, nor to themselves: who may give console roles, and who must stay to administer."""

from collections.abc import Iterable
from typing import Final

from agentiam.kit.actors import Actor
from agentiam.kit.errors import Conflict, Invalid, NotAllowed
from directory.models import User
from directory.selectors import with_a_way_in

ASSIGN: Final = "directory.assign_console_roles"
STAFF: Final = frozenset({User.ConsoleRole.SECURITY_ADMINISTRATOR.value, User.ConsoleRole.AUDITOR.value})
"""With one of these, a person may open the admin."""


class NotAnActivePerson(NotAllowed):
    """What is asked is for people whose account is active, and for the system."""


class RoleNotYours(NotAllowed):
    """The one who acts may not give or take this console role."""


class TeamNotYours(NotAllowed):
    """The one who acts may not put people into this team."""


class WidensOneself(NotAllowed):
    """The one who gives would have more by it, or an agent that they answer for would."""

    def __init__(self, message: str) -> None:
        super().__init__(message, remedy="Somebody else who may give it has to.")


class UnknownConsoleRole(Invalid):
    """There is no such console role."""

    field = "console_roles"


class LastAdministrator(Conflict):
    """Without this person, nobody could administer the organization."""


def acting_account(by: Actor) -> User | None:
    """Find the account of the person who acts; None for the system. Raises NotAnActivePerson for anybody else."""
    if by.kind == "system":
        return None
    person = None
    if by.kind == "person" and by.user_id is not None:
        person = User.objects.people().active().filter(pk=by.user_id, organization=by.organization_id).first()
    if person is None:
        raise NotAnActivePerson("Only a person whose account is active can do this.")
    return person


def known_roles(roles: Iterable[str]) -> list[str]:
    """Put console roles into their usual form: each once, in order; raises UnknownConsoleRole."""
    names = sorted(set(roles))
    unknown = [name for name in names if name not in User.ConsoleRole.values]
    if unknown:
        raise UnknownConsoleRole(
            f"{unknown[0]!r} is no console role.", remedy=f"There are: {', '.join(User.ConsoleRole.values)}."
        )
    return names


def require_assignable(roles: Iterable[str], *, by: User | None) -> None:
    """Refuse to hand on console roles, or to take them away.

    A security administrator may hand on each of them; whoever else has the right to assign, only those that they hold.
    None stands for the system. Raises RoleNotYours.
    """
    names = list(roles)
    if by is None or not names or by.is_superuser:
        return
    if not by.is_active or not by.has_perm(ASSIGN):
        raise RoleNotYours(f"{by} may not assign console roles.", remedy="A security administrator may.")
    if User.ConsoleRole.SECURITY_ADMINISTRATOR in by.console_roles:
        return
    missing = [name for name in names if name not in by.console_roles]
    if missing:
        raise RoleNotYours(f"{by} is no {User.ConsoleRole(missing[0]).label.lower()}, so cannot make or unmake one.")


def require_another_administrator(person: User) -> None:
    """Refuse to lose the last active security administrator; the organization is locked before. Raises LastAdministrator.

    Where this one can sign in, another must be able to. Reads the roles of the organization's people who have any.
    """
    role = User.ConsoleRole.SECURITY_ADMINISTRATOR
    if not person.is_active or role not in person.console_roles:
        return
    people = User.objects.in_organization(person.organization_id).people().active().exclude(console_roles=[])
    roles = dict(people.values_list("pk", "console_roles"))
    others = {pk for pk, held in roles.items() if role in held and pk != person.pk}
    if not others:
        raise LastAdministrator(f"{person} is the last security administrator.", remedy="Make somebody else one first.")
    able = set(with_a_way_in(people).values_list("pk", flat=True))
    if person.pk in able and not others & able:
        raise LastAdministrator(
            f"{person} is the last security administrator who can sign in.",
            remedy="Let another one in first: nobody has a password, a passkey or a provider.",
        )
