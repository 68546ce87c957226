"""What can be done with a row besides changing it: each operation is one service, a right, and a page that asks why."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from django.db import models

from agentiam.kit.administration.acting import Act
from agentiam.kit.administration.forms import OperationForm

MOST_AT_ONCE: Final = 100
"""Of the rows of one list on which an operation is carried out at once; each is a transaction of its own."""


def _always(row: Any) -> bool:
    return True


def _nothing(row: Any) -> dict[str, Any]:
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation on rows of a model.

    ``right`` is what ``permitting`` is asked for: on the row or, where ``on`` names a relation, on what that leads to.
    ``perform`` takes the row, what the form holds, and who acts. ``initial`` says what the form begins with. ``possible`` only
    spares a button: whether it can be done is the service's business. ``many`` offers it for several rows of a list at once.
    """

    name: str
    label: str
    effect: str
    """What it does, in a sentence, for the page that asks for the reason."""
    right: str
    perform: Callable[[Any, dict[str, Any], Act], Any]
    on: str = ""
    form: type[OperationForm] = OperationForm
    initial: Callable[[Any], dict[str, Any]] = _nothing
    possible: Callable[[Any], bool] = _always
    many: bool = True
    drastic: bool = False


_offered: Final[dict[type[models.Model], list[Operation]]] = {}


def offer(model: type[models.Model], *operations: Operation) -> None:
    """Add operations to a model's pages, also from an app above the model's; each has a name of its own."""
    known = _offered.setdefault(model, [])
    for operation in operations:
        if any(each.name == operation.name for each in known):
            raise ValueError(f"{model.__name__} has an operation {operation.name!r} already")
        known.append(operation)


def operations_on(model: type[models.Model]) -> tuple[Operation, ...]:
    """List a model's operations: those that cannot be undone come last."""
    return tuple(sorted(_offered.get(model, ()), key=lambda each: (each.drastic, each.label)))
