"""The log knows organizations by id; whoever knows their names installs a way to find the id behind one."""

from collections.abc import Callable, Collection
from uuid import UUID

from django.core.management.base import CommandError

_finders: list[Callable[[str], UUID | None]] = []


def install_finder(finder: Callable[[str], UUID | None]) -> None:
    """Install the way to find an organization by its name; the last one counts."""
    _finders[:] = [finder]


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
