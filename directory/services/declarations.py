"""What an agent declares, and what a blueprint or a task limits, is a list of types with actions, and perhaps fields."""

from collections.abc import Mapping
from typing import Any, Final

from agentiam.kit.errors import Invalid

RISKS: Final = ("low", "medium", "high", "critical")
REVERSIBILITIES: Final = ("reversible", "compensable", "irreversible")
EVERY_ACTION: Final = "*"

_LIMIT_MEMBERS: Final = frozenset({"type", "actions", "fields"})
_CLASSES: Final[Mapping[str, tuple[str, ...]]] = {"risk": RISKS, "reversibility": REVERSIBILITIES}


class BadDeclaration(Invalid):
    """The list is not of the form that is asked for; the message names the entry."""


def check_capabilities(value: Any) -> list[dict[str, Any]] | None:
    """Accept an agent's declared ceiling: entries with ``type``, ``actions``, perhaps ``fields``, ``risk``, ``reversibility``.

    None stands for no declaration. Raises BadDeclaration.
    """
    return _check(value, "Capability", frozenset(_CLASSES))


def check_limits(value: Any, *, of: str) -> list[dict[str, Any]] | None:
    """Accept the limits of a blueprint or a task: each entry has ``type`` and ``actions``, perhaps ``fields``.

    None stands for no limit. ``of`` names them in the message. Raises BadDeclaration.
    """
    return _check(value, of, frozenset())


def within(after: list[Any] | None, before: list[Any] | None) -> bool:
    """Tell whether a list allows no more than another; None allows everything, and an entry that is new counts as more."""
    return before is None or (after is not None and all(each in before for each in after))


def _check(value: Any, noun: str, classes: frozenset[str]) -> list[dict[str, Any]] | None:
    if value is None:
        return None
    if not isinstance(value, list):
        raise BadDeclaration(f"{noun}: this is not a list.", remedy='For example [{"type": "crm.lead", "actions": ["read"]}].')
    return [_check_entry(entry, f"{noun} {number}", classes) for number, entry in enumerate(value, start=1)]


def _check_entry(entry: Any, place: str, classes: frozenset[str]) -> dict[str, Any]:
    if not isinstance(entry, dict):
        raise BadDeclaration(f"{place}: this is not an object with type and actions.")
    unknown = sorted(str(name) for name in entry.keys() - _LIMIT_MEMBERS - classes)
    if unknown:
        raise BadDeclaration(
            f"{place}: {unknown[0]!r} is not known.", remedy=f"Known: {', '.join(sorted(_LIMIT_MEMBERS | classes))}."
        )
    if not isinstance(entry.get("type"), str) or not entry["type"].strip():
        raise BadDeclaration(f"{place}: type must be the name of a resource type.")
    _check_names(entry.get("actions"), f"{place}: actions")
    if len(entry["actions"]) > 1 and EVERY_ACTION in entry["actions"]:
        raise BadDeclaration(f'{place}: actions must be names, or "*" alone.')
    if "fields" in entry:
        _check_names(entry["fields"], f"{place}: fields")
    for name in sorted(classes & entry.keys()):
        if entry[name] not in _CLASSES[name]:
            raise BadDeclaration(f"{place}: {name} must be one of {', '.join(_CLASSES[name])}.")
    return dict(entry)


def _check_names(value: Any, place: str) -> None:
    if not isinstance(value, list) or not value or not all(isinstance(name, str) and name.strip() for name in value):
        raise BadDeclaration(f"{place} must be a list of at least one name.")
    if len(set(value)) != len(value):
        raise BadDeclaration(f"{place} must not repeat a name.")
