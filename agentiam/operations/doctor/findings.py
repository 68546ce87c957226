"""A finding says what was looked at, how it is, why, and what to do; nothing in it is secret."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from django.db import Error as DatabaseProblem

from agentiam.kit.redaction import without_secrets


class State(StrEnum):
    """How what was looked at is."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one look found."""

    check: str
    state: State
    says: str
    remedy: str = ""

    def as_json(self) -> dict[str, Any]:
        """Give it to programs."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What facts mean: fine, doubtful or broken, with the cause and the remedy."""

    state: State
    says: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Probe:
    """One thing to look at."""

    check: str
    look: Callable[[], Judgement]


def fine(says: str) -> Judgement:
    """It is as it should be."""
    return Judgement(State.OK, says)


def doubtful(says: str, remedy: str) -> Judgement:
    """It works, and will bring trouble."""
    return Judgement(State.WARNING, says, remedy)


def broken(says: str, remedy: str) -> Judgement:
    """It does not work, or not safely."""
    return Judgement(State.FAILED, says, remedy)


def skipped(says: str) -> Judgement:
    """It does not exist here, or could not be looked at."""
    return Judgement(State.SKIPPED, says)


def examine(probes: Sequence[Probe]) -> Iterator[Finding]:
    """Look at everything, one after the other; a look that fails is a finding, and the others go on."""
    for probe in probes:
        try:
            judged = probe.look()
        except DatabaseProblem as error:
            judged = skipped(f"could not be looked at: the database said {type(error).__name__}")
        except Exception as error:  # noqa: BLE001  (whatever is broken here must not keep the doctor from the rest)
            judged = broken(f"could not be looked at: {type(error).__name__}: {error}", "Look at the log of the server.")
        yield Finding(probe.check, judged.state, without_secrets(judged.says), without_secrets(judged.remedy))


def named(names: Sequence[str], most: int = 5) -> str:
    """List names, the first few of many."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
