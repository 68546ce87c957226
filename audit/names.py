"""The log knows organizations by id; whoever knows their names installs the ways from one to the other."""

from collections.abc import Callable, Collection
from uuid import UUID

from django.core.management.base import CommandError

_finders: list[Callable[[str], UUID | None]] = []
_namers: list[Callable[[UUID], str | None]] = []


def install_finder(finder: Callable[[str], UUID | None]) -> None:
    """Install the way to find an organization by its name; the last one counts."""
    _finders[:] = [finder]


def install_namer(namer: Callable[[UUID], str | None]) -> None:
    """Install the way to say an organization's name; the last one counts."""
    _namers[:] = [namer]


def organization_name(organization_id: UUID) -> str:
    """Say the name of an organization, or its id where nobody knows one."""
    return next((name for namer in _namers if (name := namer(organization_id)) is not None), str(organization_id))


def recorded_organization(text: str, known: Collection[UUID]) -> UUID:
    """Read an organization's id, or its name; raises CommandError for one that is not among those with records."""
    try:
        found: UUID | None = UUID(text)
    except ValueError:
        found = next((each for finder in _finders if (each := finder(text)) is not None), None)
    if found is None:
        raise CommandError(f"{text!r} is no organization's name or id", returncode=2)
    if found not in known:
        raise CommandError(f"nothing was recorded for the organization {text}", returncode=2)
    return found
