"""How the services handle rows: read anew under the organization's lock, ended once, removed with a last version."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypeVar

from django.db import models

from agentiam.kit.actors import Actor
from agentiam.kit.errors import Conflict, IllegalTransition
from directory.services.versions import save_version, stamp

M = TypeVar("M", bound=models.Model)


class Gone(Conflict):
    """Somebody else removed it meanwhile."""


class EndedAlready(IllegalTransition):
    """It was ended before; an end is final."""


def read_anew(row: M, *related: str) -> M:
    """Read a row as it stands now and lock it; the organization is locked before. Raises Gone."""
    manager = type(row)._default_manager  # noqa: SLF001  (Django's documented name)
    found = manager.select_for_update(no_key=True, of=("self",)).select_related(*related).filter(pk=row.pk).first()
    if found is None:
        raise Gone(f"{row} was removed meanwhile.")
    return found


def end(row: Any, *, by: Actor, reason: str, now: datetime) -> None:
    """Note on a locked row that somebody ended it; raises EndedAlready."""
    if row.ended_at is not None:
        raise EndedAlready(f"This was ended on {row.ended_at:%Y-%m-%d %H:%M} UTC already.")
    row.ended_at = now
    save_version(row, by=by, reason=reason, now=now, fields=["ended_at"])


def remove(rows: Sequence[models.Model], *, by: Actor, reason: str, now: datetime) -> None:
    """Delete rows one by one, each with a last version that says by whom and why; what refers to them goes before them.

    Deleting them as one set, or by cascade, would leave versions that name nobody.
    """
    for row in rows:
        stamp(row, by=by, reason=reason)
        row._history_date = now  # type: ignore[attr-defined]  # noqa: SLF001  (how simple-history is told)
        row.delete()
