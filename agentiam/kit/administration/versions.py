"""The history of a row: who changed which field from what to what, when and why; names only what the person sees."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from django.contrib.admin.sites import AdminSite
from django.contrib.auth import get_user_model
from django.db import models
from django.http import HttpRequest
from simple_history.utils import get_m2m_reverse_field_name

PAGE: Final = 50
NEVER_SHOWN: Final = frozenset({"digest", "pepper", "password", "sealed"})
"""Fields that no page of the admin shows, whatever the model; nor does it show any binary field."""

_NOBODY: Final = "agentiam itself, or an application"
_UNSEEN: Final = "an account that you do not see"
_KINDS: Final = {"+": "Added", "~": "Changed", "-": "Removed"}


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field that changed, in words."""

    name: str
    before: str
    after: str


@dataclass(slots=True)
class Version:
    """One version, in words."""

    at: datetime
    kind: str
    who: str
    reason: str
    changes: list[FieldChange] = field(default_factory=list)


def shown_fields(model: type[models.Model]) -> list[Any]:
    """List a model's fields that may be shown."""
    fields = model._meta.concrete_fields  # noqa: SLF001  (Django's documented name)
    return [each for each in fields if each.name not in NEVER_SHOWN and not isinstance(each, models.BinaryField)]


def versions_of(rows: Any, *, page: int, site: AdminSite, request: HttpRequest) -> tuple[list[Version], bool]:
    """Read one page of versions, the latest first, and tell whether there are older ones.

    ``rows`` is a queryset of simple-history's for one object. One query for the page, one for each kind of row that is named,
    and one for each list of rows.
    """
    start = (page - 1) * PAGE
    lists = rows.model._history_m2m_fields  # noqa: SLF001  (simple-history's own)
    found = list(rows.order_by("-history_date", "-history_id")[start : start + PAGE + 1])
    names = _Names(site, request)
    model = rows.model.instance_type
    kept = {each.name for each in rows.model.tracked_fields}
    fields = [each for each in shown_fields(model) if each.name in kept]
    states = [{field.name: getattr(each, field.attname) for field in fields} for each in found]
    for each in lists:
        for state, members in zip(states, _members(each, found), strict=True):
            state[each.name] = members
    names.look_up(states, fields, lists)
    users = names.of(get_user_model(), {each.history_user_id for each in found})
    told = []
    for index, each in enumerate(found[:PAGE]):
        former = states[index + 1] if index + 1 < len(found) else {}
        told.append(
            Version(
                at=each.history_date,
                kind=_KINDS[each.history_type],
                who=_NOBODY if each.history_user_id is None else users.get(each.history_user_id, _UNSEEN),
                reason=each.history_change_reason or "",
                changes=[] if each.history_type == "-" else list(_changes(former, states[index], [*fields, *lists], names)),
            )
        )
    return told, len(found) > PAGE


class _Names:
    """The names of the rows that versions refer to, as far as the person sees them."""

    def __init__(self, site: AdminSite, request: HttpRequest) -> None:
        self.site, self.request = site, request
        self.known: dict[type[models.Model], dict[Any, str]] = {}

    def of(self, model: type[models.Model], keys: Iterable[Any]) -> Mapping[Any, str]:
        """Name rows of a model; one query for those not named yet."""
        known = self.known.setdefault(model, {})
        wanted = {key for key in keys if key is not None} - known.keys()
        if wanted and self.site.is_registered(model):
            visible: Any = self.site.get_model_admin(model).get_queryset(self.request)
            known.update({key: str(row) for key, row in visible.in_bulk(wanted).items()})
        return known

    def look_up(self, states: Sequence[Mapping[str, Any]], fields: Iterable[Any], lists: Iterable[Any]) -> None:
        """Name everything that versions refer to."""
        wanted: dict[type[models.Model], set[Any]] = defaultdict(set)
        for each in (*fields, *lists):
            if each.is_relation:
                for state in states:
                    value = state[each.name]
                    wanted[each.related_model].update(value if isinstance(value, frozenset) else {value})
        for model, keys in wanted.items():
            self.of(model, keys)


def _members(model_field: Any, versions: Sequence[Any]) -> list[frozenset[Any]]:
    """Read what a many-to-many relation held in each of some versions; one query."""
    if not versions:
        return []
    entries: Any = getattr(type(versions[0]), model_field.name).model._default_manager  # noqa: SLF001  (Django's documented name)
    held = defaultdict(set)
    named = entries.filter(history__in=[each.pk for each in versions])
    for key, member in named.values_list("history_id", f"{get_m2m_reverse_field_name(model_field)}_id"):
        held[key].add(member)
    return [frozenset(held[each.pk]) for each in versions]


def _changes(
    before: Mapping[str, Any], after: Mapping[str, Any], fields: Iterable[Any], names: _Names
) -> Iterable[FieldChange]:
    for each in fields:
        old, new = before.get(each.name), after[each.name]
        if old != new and not (not before and new in (None, "", frozenset())):
            yield FieldChange(str(each.verbose_name), _words(each, old, names) if before else "", _words(each, new, names))


def _words(model_field: Any, value: Any, names: _Names) -> str:
    if isinstance(value, frozenset):
        known = names.of(model_field.related_model, value)
        return ", ".join(sorted(known.get(key, str(key)) for key in value)) or "none"
    if value is None:
        return "none"
    if model_field.is_relation:
        return names.of(model_field.related_model, {value}).get(value, str(value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S UTC")
    if isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False, sort_keys=True)
    return str(dict(model_field.flatchoices).get(value, value))
