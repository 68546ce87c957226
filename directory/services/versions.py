"""Every change of a row leaves a version that names who made it and why."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import DataError, IntegrityError, models, transaction

from agentiam.kit.actors import Actor
from agentiam.kit.errors import Conflict, Invalid
from agentiam.kit.texts import is_storable
from directory.models import User


class InvalidRecord(Conflict):
    """The row cannot be stored; the message names the field. Of this class itself where another row is in the way."""


class InvalidValue(InvalidRecord, Invalid):
    """The row could not be stored whatever else there was: a value breaks a rule of the data."""

    def __init__(self, message: str, *, field: str = "") -> None:
        super().__init__(message)
        self.field = field


def stamp(instance: Any, *, by: Actor, reason: str) -> None:
    """Say who the next version of a row is by, and why.

    The system and applications have no account, so their versions name nobody; the event log does.
    """
    instance._history_user = None if by.user_id is None else User(pk=by.user_id)  # noqa: SLF001  (how simple-history is told)
    instance._change_reason = reason  # noqa: SLF001  (how simple-history is told)


def save_version(instance: models.Model, *, by: Actor, reason: str, now: datetime, fields: Iterable[str] | None = None) -> None:
    """Save a row, or the named fields of one, as a new version.

    Raises InvalidRecord, in words, for whatever the database or a field would refuse; the transaction stays usable. One
    insert or update and one insert of the version; more queries only to find the words for a refusal.
    """
    stamp(instance, by=by, reason=reason)
    instance._history_date = now  # type: ignore[attr-defined]  # noqa: SLF001  (how simple-history is told)
    relations = {field.name for field in instance._meta.fields if field.is_relation}  # noqa: SLF001  (Django's documented name)
    if not all(is_storable(instance.__dict__.get(field.attname)) for field in instance._meta.concrete_fields):  # noqa: SLF001  (as above)
        raise InvalidValue("A value holds a character that cannot be stored.")
    try:
        instance.clean_fields(exclude=relations)
        with transaction.atomic():
            instance.save(update_fields=None if fields is None else list(fields))
    except ValidationError as error:
        raise _refusal(error) from error
    except (IntegrityError, DataError) as error:
        raise _broken_rule(instance) from error


def save_versions(rows: Sequence[models.Model], *, by: Actor, reason: str, now: datetime, fields: Iterable[str]) -> None:
    """Save the named fields of many rows of one table, each as a new version.

    The rows are locked, and the values are the service's own: nothing is checked in words. One update and one insert of the
    versions, however many rows there are (on SQLite one insert for each few dozens).
    """
    manager: Any = type(rows[0])._default_manager  # noqa: SLF001  (Django's documented name)
    manager.bulk_update(rows, list(fields))
    for row in rows:
        stamp(row, by=by, reason=reason)
        row._history_date = now  # type: ignore[attr-defined]  # noqa: SLF001  (how simple-history is told)
    history: Any = type(rows[0]).history  # type: ignore[attr-defined]  # made by simple-history
    history.bulk_history_create(rows, update=True)


def changes(instance: models.Model, values: dict[str, Any]) -> dict[str, list[Any]]:
    """Set the values that differ, and answer them as field: [before, after]; relations are told by their names."""
    changed: dict[str, list[Any]] = {}
    for name, value in values.items():
        before = getattr(instance, name)
        if before != value:
            setattr(instance, name, value)
            changed[name] = [_plain(before), _plain(value)]
    return changed


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, models.Model) else value


def _words(error: ValidationError) -> str:
    if not hasattr(error, "error_dict"):
        return " ".join(error.messages)
    return " ".join(
        f"{'' if name == '__all__' else name + ': '}{' '.join(messages)}" for name, messages in error.message_dict.items()
    )


def _broken_rule(instance: models.Model) -> InvalidRecord:
    try:
        instance.full_clean()
    except ValidationError as error:
        return InvalidRecord(_words(error)) if _is_taken(instance) else _refusal(error)
    except DataError:
        # What the database could not store, it cannot look up for the words either.
        return InvalidValue("A value cannot be stored.")
    return InvalidRecord("A value cannot be stored, or what was stored at the same moment contradicts it.")


def _is_taken(instance: models.Model) -> bool:
    """Tell whether another row has what may be there once; by the rules, since not all of them have a code of their own."""
    try:
        instance.validate_unique()
        for model, constraints in instance.get_constraints():
            for constraint in constraints:
                if isinstance(constraint, models.UniqueConstraint):
                    constraint.validate(model, instance)
    except ValidationError:
        return True
    return False


def _refusal(error: ValidationError) -> InvalidValue:
    named = [name for name in getattr(error, "error_dict", ()) if name != NON_FIELD_ERRORS]
    return InvalidValue(_words(error), field=named[0] if len(named) == 1 else "")
