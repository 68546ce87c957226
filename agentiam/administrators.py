"""An organization's administrators are made by the operator, with a password that is shown once."""

import secrets
from datetime import datetime
from typing import Final

from agentiam.kit.actors import Actor
from directory.models import Organization, User
from directory.services.people import create_person

# Without letters and digits that are mistaken for each other when they are read from a screen.
_ALPHABET: Final = "abcdefghjkmnpqrstuvwxyz23456789"
_GROUPS: Final = 5
_GROUP_LENGTH: Final = 5


def make_password() -> str:
    """Make a password of 123 random bits, in groups that can be typed."""
    groups = ("".join(secrets.choice(_ALPHABET) for _ in range(_GROUP_LENGTH)) for _ in range(_GROUPS))
    return "-".join(groups)


def create_administrator(
    *, organization: Organization, external_id: str, username: str, name: str, email: str, by: Actor, now: datetime
) -> tuple[User, str]:
    """Add a person with every right in one organization; answers the account and its password, which is stored nowhere else."""
    password = make_password()
    person = create_person(
        organization=organization,
        external_id=external_id,
        username=username,
        name=name,
        email=email,
        password=password,
        is_staff=True,
        is_superuser=True,
        by=by,
        reason="administrator",
        now=now,
    )
    return person, password
