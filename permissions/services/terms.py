"""What an entitlement says is checked against the resource type before it is stored: actions, selector, fields, conditions."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from agentiam.kit.errors import Invalid
from directory.models import Organization
from permissions.engine import conditions
from permissions.models import DataClass, ResourceType

EVERY_ACTION: Final = "*"

Clause = Literal["where", "when"]


class UnknownResourceType(Invalid):
    """The organization declares no resource type of this name."""


class UnknownAction(Invalid):
    """The actions are not names of the resource type's, or none, or one of them twice."""

    field = "actions"


class UnknownField(Invalid):
    """The fields are not names of the resource type's, or none, or one of them twice."""

    field = "fields"


class UnknownDataClass(Invalid):
    """The classes of data are not among those that exist, or none, or one of them twice."""

    field = "data_classes"


class BadSelector(Invalid):
    """An entitlement is about all objects, or one, or a subtree, or those that meet a row condition."""


class InvalidCondition(Invalid):
    """A condition is not CEL, or names what the resource type does not declare.

    ``clause`` is ``where`` or ``when``; ``line`` and ``column`` count from 1; ``caret`` is the line with a caret under it.
    """

    def __init__(self, clause: Clause, error: conditions.ConditionError, *, place: str = "") -> None:
        super().__init__(f"{place}{clause}: line {error.line}, column {error.column}: {error.message}")
        self.clause = self.field = clause
        self.line = error.line
        self.column = error.column
        self.caret = error.caret()


@dataclass(frozen=True, slots=True, kw_only=True)
class EntitlementSpec:
    """An entitlement as it is written down: names, and conditions as text.

    ``actions`` are names, or ``*`` alone; ``subtree`` is the type and the id of its root; ``fields`` None stands for all.
    At most one of ``resource``, ``subtree`` and ``where`` selects objects.
    """

    type: str
    actions: Sequence[str]
    resource: str = ""
    subtree: tuple[str, str] | None = None
    where: str = ""
    when: str = ""
    fields: Sequence[str] | None = None

    def words(self) -> dict[str, Any]:
        """Say it as JSON, for the event log."""
        return {
            "type": self.type,
            "actions": list(self.actions),
            "resource": self.resource,
            "subtree": None if self.subtree is None else list(self.subtree),
            "where": self.where,
            "when": self.when,
            "fields": None if self.fields is None else list(self.fields),
        }


def checked_terms(organization: Organization, spec: EntitlementSpec) -> dict[str, Any]:
    """Answer an entitlement as fields of EntitlementTerms, its conditions checked; reads its types.

    Raises UnknownResourceType, UnknownAction, UnknownField, BadSelector, and InvalidCondition.
    """
    names = {spec.type} if spec.subtree is None else {spec.type, spec.subtree[0]}
    return terms_of({each.name: each for each in _types(organization, names)}, spec)


def types_named(organization: Organization, specs: Iterable[EntitlementSpec]) -> dict[str, ResourceType]:
    """Read the types that entitlements name, with one query, for ``terms_of``."""
    names = {name for spec in specs for name in (spec.type, *(spec.subtree or ())[:1])}
    return {each.name: each for each in _types(organization, names)}


def terms_of(types: Mapping[str, ResourceType], spec: EntitlementSpec) -> dict[str, Any]:
    """Check one entitlement against types that were read before; as ``checked_terms``."""
    resource_type = _type_named(types, spec.type)
    subtree_type, subtree_id = spec.subtree or ("", "")
    if spec.subtree is not None:
        _type_named(types, subtree_type)
        if not subtree_id:
            raise BadSelector("A subtree is named by the type and the id of its root.")
    where, when = spec.where.strip(), spec.when.strip()
    if sum(map(bool, (spec.resource, subtree_id, where))) > 1:
        raise BadSelector(
            "An entitlement selects one resource, or a subtree, or rows by a condition, and not two of these at once.",
            remedy="Put what else must hold into the condition on the situation (when).",
        )
    return {
        "resource_type": resource_type,
        "actions": check_actions(resource_type, spec.actions),
        "resource": spec.resource,
        "subtree_type": subtree_type,
        "subtree_id": subtree_id,
        "where": where,
        "where_checked": check_condition("where", where, attributes=resource_type.attributes),
        "when": when,
        "when_checked": check_condition("when", when, attributes=resource_type.attributes),
        "fields": check_fields(resource_type, spec.fields),
    }


def check_actions(resource_type: ResourceType | None, actions: Sequence[str]) -> list[str]:
    """Accept names of a type's actions, or ``*`` alone; without a type, any names. Raises UnknownAction."""
    names = _distinct(actions, "action", UnknownAction)
    if resource_type is None or names == [EVERY_ACTION]:
        return names
    _known(names, resource_type.actions, f"{resource_type} declares no action", UnknownAction)
    return names


def check_fields(resource_type: ResourceType | None, fields: Sequence[str] | None) -> list[str] | None:
    """Accept names of a type's fields; without a type, any names. None stands for all. Raises UnknownField."""
    if fields is None:
        return None
    names = _distinct(fields, "field", UnknownField)
    if resource_type is not None:
        _known(names, resource_type.fields, f"{resource_type} declares no field", UnknownField)
    return names


def check_data_classes(data_classes: Sequence[str] | None) -> list[str] | None:
    """Accept names of classes of data; None stands for all. Raises UnknownDataClass."""
    if data_classes is None:
        return None
    names = _distinct(data_classes, "class of data", UnknownDataClass)
    _known(names, DataClass.values, "There is no class of data", UnknownDataClass)
    return names


def check_condition(clause: Clause, source: str, *, attributes: Mapping[str, str] | None, place: str = "") -> bytes | None:
    """Check a condition against declared attributes, or against none at all when they are None; raises InvalidCondition.

    Answers what the engine loads, and None for an empty text. ``place`` goes before the message.
    """
    if not source:
        return None
    try:
        return conditions.check(source, resource=attributes)
    except conditions.ConditionError as error:
        raise InvalidCondition(clause, error, place=place) from error


def _types(organization: Organization, names: Iterable[str]) -> Iterable[ResourceType]:
    return ResourceType.objects.filter(organization=organization, name__in=names)


def _type_named(types: Mapping[str, ResourceType], name: str) -> ResourceType:
    found = types.get(name)
    if found is None:
        raise UnknownResourceType(f"There is no resource type {name!r}.", remedy="Declare it first.")
    return found


def _distinct(names: Sequence[str], noun: str, refusal: type[Invalid]) -> list[str]:
    listed = [] if isinstance(names, str) else list(names)
    if not listed or not all(isinstance(name, str) and name.strip() for name in listed):
        raise refusal(f"At least one {noun} must be listed, by name.")
    for name in listed:
        if listed.count(name) > 1:
            raise refusal(f"The {noun} {name!r} is listed twice.")
    return listed


def _known(names: Iterable[str], known: Iterable[str], sentence: str, refusal: type[Invalid]) -> None:
    unknown = [name for name in names if name not in known]
    if unknown:
        raise refusal(f"{sentence} {unknown[0]!r}.", remedy=f"Known: {', '.join(known) or 'none'}.")
