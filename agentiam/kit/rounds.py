"""The clock goes round the organizations: what fails in one is reported, and holds up neither the others nor other work."""

import logging
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeAlias, TypeVar
from uuid import UUID

log = logging.getLogger(__name__)

Heard: TypeAlias = Callable[[int], None]
"""Is told how many things were dealt with so far; what it raises ends the work."""
_NAMED: Final = 5
R = TypeVar("R")


class RoundIncomplete(RuntimeError):
    """Something failed on the way; everything else was done, and the log says what failed and why."""


@dataclass(frozen=True, slots=True)
class Chore:
    """One kind of work that falls due.

    ``due`` names the organizations that have some; ``work`` does one organization's, transaction by transaction, and yields
    after each how many things it dealt with.
    """

    name: str
    due: Callable[[datetime], Iterable[UUID]]
    work: Callable[[UUID, datetime], Iterator[int]]


def unheard(done: int) -> None:
    """Tell nobody how far a round is."""


def outcome(steps: Generator[Any, None, R]) -> R:
    """Go through all steps at once, and answer what came of them."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            found: R = end.value
            return found


def go_round(chores: Sequence[Chore], *, now: datetime, heard: Heard = unheard) -> int:
    """Do what is due in every organization, and answer how many things were dealt with.

    ``heard`` is told after each transaction. Raises RoundIncomplete at the end when anything failed.
    """
    done = 0
    failed: list[str] = []
    for chore in chores:
        for organization_id in chore.due(now):
            steps = chore.work(organization_id, now)
            while True:
                try:
                    count = next(steps, None)
                except Exception as error:
                    log.exception("%s failed in organization %s", chore.name, organization_id)
                    failed.append(f"{chore.name} in {organization_id} ({type(error).__name__})")
                    break
                if count is None:
                    break
                done += count
                heard(done)
    if failed:
        more = f" and {len(failed) - _NAMED} more" if len(failed) > _NAMED else ""
        raise RoundIncomplete(f"{', '.join(failed[:_NAMED])}{more}")
    return done
