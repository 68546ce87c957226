"""An organization's administrators are made by the operator, with a password that is shown once and good for one sign-in."""

import secrets
from datetime import datetime
from typing import Final

from allauth.mfa.models import Authenticator
from django.db import transaction

from agentiam.accounts.records import note
from agentiam.kit.actors import Actor
from directory import events
from directory.models import Organization, User
from directory.services.console_roles import set_console_roles
from directory.services.people import create_person, reactivate_person, set_password

# Without letters and digits that are mistaken for each other when they are read from a screen.
_ALPHABET: Final = "abcdefghjkmnpqrstuvwxyz23456789"
_GROUPS: Final = 5
_GROUP_LENGTH: Final = 5
_ROLE: Final = User.ConsoleRole.SECURITY_ADMINISTRATOR.value


def make_password() -> str:
    """Make a password of 123 random bits, in groups that can be typed."""
    groups = ("".join(secrets.choice(_ALPHABET) for _ in range(_GROUP_LENGTH)) for _ in range(_GROUPS))
    return "-".join(groups)


def create_administrator(
    *, organization: Organization, external_id: str, username: str, name: str, email: str, by: Actor, now: datetime
) -> tuple[User, str]:
    """Add a security administrator; answers the account and its password, which must be changed at the first sign-in."""
    password = make_password()
    person = create_person(
        organization=organization,
        external_id=external_id,
        username=username,
        name=name,
        email=email,
        password=password,
        password_is_temporary=True,
        console_roles=[_ROLE],
        by=by,
        reason="administrator",
        now=now,
    )
    return person, password


def readmit_administrator(*, person: User, without_second_factor: bool, by: Actor, now: datetime) -> tuple[User, str]:
    """Let a locked-out person in again as a security administrator, with a password for one sign-in; their sessions end.

    ``without_second_factor`` also removes their authenticator app, passkeys and recovery codes, for devices that are lost.
    """
    password = make_password()
    reason = "administrator readmitted by the operator"
    with transaction.atomic():
        if not person.is_active:
            reactivate_person(person=person, by=by, reason=reason, now=now)
        if _ROLE not in person.console_roles:
            set_console_roles(person=person, roles=[*person.console_roles, _ROLE], by=by, reason=reason, now=now)
        current = set_password(person=person, password=password, temporary=True, by=by, reason=reason, now=now)
        if without_second_factor and Authenticator.objects.filter(user=current).delete()[0]:
            note(events.SECOND_FACTOR_REMOVED, current, by=by, data={"kinds": "all"})
    return current, password
