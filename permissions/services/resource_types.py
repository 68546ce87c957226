"""Resource types: what may be asked for, declared before rules can name it, and changed only as far as the rules still hold."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from django.db import transaction

from agentiam.kit.actors import Actor
from agentiam.kit.errors import Conflict, Invalid
from directory.models import Organization
from directory.services.reports import conclude
from directory.services.revisions import EVERYTHING, lock_organization, require_same_organization
from directory.services.versions import changes, save_version
from permissions import events
from permissions.engine.attributes import ATTRIBUTE_TYPES, typed
from permissions.models import Application, Consent, DataClass, Delegation, Grant, Resource, ResourceType
from permissions.services.reports import report
from permissions.services.rows import read_anew, remove
from permissions.services.rules import RulesDependOnIt, TypeChange, require_rules_hold, rules_naming, store_rechecked
from permissions.services.terms import EVERY_ACTION

RESERVED_ATTRIBUTES: Final = frozenset({"id", "type", "parent", "properties", "attributes"})

_TYPE_NAME: Final = re.compile(r"[^\s/*]+")
_IDENTIFIER: Final = re.compile(r"[_a-zA-Z][_a-zA-Z0-9]*")
# Words that CEL keeps for itself (language definition, syntax).
_KEPT_BY_CEL: Final = frozenset(
    {"as", "break", "const", "continue", "else", "false", "for", "function", "if", "import", "in", "let", "loop", "namespace"}
    | {"null", "package", "return", "true", "var", "void", "while"}
)
_MOST_NAMED: Final = 10


class BadDeclaration(Invalid):
    """A resource type is declared in a way that cannot be; the message names the entry."""


class ResourcesDependOnIt(Conflict):
    """Registered resources have values that the change would leave without a fitting declaration, or are of the type."""


def declare_resource_type(
    *,
    organization: Organization,
    application: Application,
    name: str,
    actions: Sequence[str],
    attributes: Mapping[str, str] | None = None,
    fields: Mapping[str, str] | None = None,
    by: Actor,
    reason: str = "",
    now: datetime,
) -> ResourceType:
    """Declare a kind of object: its actions, its attributes with their types, its fields with their classes of data.

    Raises BadDeclaration, naming the entry.
    """
    if not _TYPE_NAME.fullmatch(name):
        raise BadDeclaration(f"{name!r} cannot be the name of a resource type.", remedy="It has no spaces and no /: crm.lead.")
    values = _declaration(actions, attributes or {}, fields or {})
    resource_type = ResourceType(organization=organization, application=application, name=name, created_at=now, **values)
    with transaction.atomic():
        require_same_organization(lock_organization(organization.pk, by=by), application)
        save_version(resource_type, by=by, reason=reason, now=now)
        data = {"application": application.slug, **values}
        declared = report(events.RESOURCE_TYPE_DECLARED, resource_type, by=by, reason=reason, now=now, data=data)
        conclude([declared], touched=[EVERYTHING])
    return resource_type


def update_resource_type(
    *,
    resource_type: ResourceType,
    actions: Sequence[str],
    attributes: Mapping[str, str],
    fields: Mapping[str, str],
    by: Actor,
    reason: str = "",
    now: datetime,
) -> ResourceType:
    """Declare a type anew, all of it; every condition about it is checked again.

    Raises RulesDependOnIt when a rule names what would go, or its condition would no longer be valid; ResourcesDependOnIt
    when a stored value would no longer fit; and BadDeclaration. Reads every rule about the type when anything goes, or an
    attribute changes.
    """
    values = _declaration(actions, attributes, fields)
    with transaction.atomic():
        lock_organization(resource_type.organization_id, by=by)
        current = read_anew(resource_type)
        change = TypeChange(
            actions=frozenset(current.actions) - frozenset(actions),
            fields=frozenset(current.fields) - frozenset(fields),
            attributes=attributes,
        )
        rechecked = require_rules_hold(current, change, now=now)
        _require_values_fit(current, attributes)
        changed = changes(current, values)
        save_version(current, by=by, reason=reason, now=now, fields=values)
        store_rechecked(rechecked)
        data = {"changed": changed}
        updated = report(events.RESOURCE_TYPE_UPDATED, current, by=by, reason=reason, now=now, data=data)
        conclude([updated], touched=[EVERYTHING])
    return current


def remove_resource_type(*, resource_type: ResourceType, by: Actor, reason: str = "", now: datetime) -> None:
    """Remove a type that no rule is about and no resource is of, with what is over and was about it.

    Raises RulesDependOnIt and ResourcesDependOnIt. A wording of a guardrail keeps its type for good.
    """
    with transaction.atomic():
        lock_organization(resource_type.organization_id, by=by)
        current = read_anew(resource_type)
        rules = rules_naming(current, now=now)
        if rules:
            raise RulesDependOnIt(f"Rules are about {current}", rules)
        _require_no_resources(current)
        removed = report(events.RESOURCE_TYPE_REMOVED, current, by=by, reason=reason, now=now, data={})
        for model in (Grant, Delegation, Consent):
            remove(list(model.objects.filter(resource_type=current)), by=by, reason=reason, now=now)
        remove([current], by=by, reason=reason, now=now)
        conclude([removed], touched=[EVERYTHING])


def _declaration(actions: Sequence[str], attributes: Mapping[str, str], fields: Mapping[str, str]) -> dict[str, Any]:
    if isinstance(actions, str):
        raise BadDeclaration("Actions are a list of names.")
    names = list(actions)
    if not names and (attributes or fields):
        raise BadDeclaration("A type without actions is a container, and has neither attributes nor fields.")
    for noun, declared in (("action", names), ("field", list(fields))):
        for name in declared:
            if not isinstance(name, str) or not name or name != name.strip() or name == EVERY_ACTION:
                raise BadDeclaration(f"This cannot be the name of one {noun}: {name!r}.")
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise BadDeclaration(f"The action {repeated[0]!r} is declared twice.")
    for name, kind in attributes.items():
        _check_attribute(name, kind)
    for name, data_class in fields.items():
        if data_class not in DataClass.values:
            raise BadDeclaration(
                f"The field {name}: {data_class!r} is not a class of data.", remedy=f"Known: {', '.join(DataClass.values)}."
            )
    return {"actions": names, "attributes": dict(attributes), "fields": dict(fields)}


def _check_attribute(name: str, kind: str) -> None:
    if not isinstance(name, str) or not _IDENTIFIER.fullmatch(name):
        raise BadDeclaration(f"{name!r} cannot be the name of an attribute.", remedy="Letters, digits and _, no digit first.")
    if name in RESERVED_ATTRIBUTES:
        raise BadDeclaration(f"The attribute name {name!r} is taken: conditions know it already.")
    if name in _KEPT_BY_CEL:
        raise BadDeclaration(f"{name!r} is a word of the condition language and cannot be the name of an attribute.")
    if kind not in ATTRIBUTE_TYPES:
        raise BadDeclaration(
            f"The attribute {name}: {kind!r} is not a type of attribute.", remedy=f"Known: {', '.join(ATTRIBUTE_TYPES)}."
        )


def _require_values_fit(resource_type: ResourceType, attributes: Mapping[str, str]) -> None:
    """Refuse what leaves stored values without a fitting declaration; reads the resources that have such an attribute."""
    for name, kind in resource_type.attributes.items():
        wanted = attributes.get(name)
        if wanted == kind:
            continue
        having = Resource.objects.filter(type=resource_type, attributes__has_key=name)
        misfits = [
            resource.external_id
            for resource in having.only("external_id", "attributes").iterator()
            if wanted is None or typed(wanted, resource.attributes[name]) is None
        ]
        if misfits:
            named = ", ".join(misfits[:_MOST_NAMED])
            more = f" and {len(misfits) - _MOST_NAMED} more" if len(misfits) > _MOST_NAMED else ""
            what = "goes" if wanted is None else f"becomes {wanted}"
            raise ResourcesDependOnIt(
                f"The attribute {name} {what}, but resources have values that do not fit: {named}{more}.",
                remedy="Change these resources first.",
            )


def _require_no_resources(resource_type: ResourceType) -> None:
    count = Resource.objects.filter(type=resource_type).count()
    if count:
        raise ResourcesDependOnIt(f"{count} registered resources are of the type {resource_type}.", remedy="Remove them first.")
