"""What conditions may name, with types, as message types for the checker.

The checker alone sees these types; in evaluation everything is a map. ``resource``, ``agent``, ``task`` and ``action`` have
known attributes, so that a misspelt one is an error when the condition is saved; ``subject``, ``user`` and ``context`` are
open.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, duration_pb2, struct_pb2, timestamp_pb2

ResourceAttributes = Mapping[str, str]

ROOTS = ("subject", "agent", "user", "resource", "action", "context", "task", "now")
ALIASED = frozenset({"subject", "agent", "user", "resource"})
ALIASES = ("properties", "attributes")
BUILT_IN = {"id": "string", "type": "string"}
AGENT = {
    **dict.fromkeys(
        (
            *("id", "name", "environment", "purpose", "framework", "model", "version", "owner", "sponsor", "blueprint"),
            *("parent", "risk_tier", "state"),
        ),
        "string",
    ),
    "depth": "int",
    "risk": "int",
    "signs": "list<string>",
}
FIXED = {"agent": AGENT, "task": {"id": "string", "purpose": "string"}, "action": {"name": "string", "properties": "struct"}}

_F = descriptor_pb2.FieldDescriptorProto
_SCALARS = {"string": _F.TYPE_STRING, "int": _F.TYPE_INT64, "double": _F.TYPE_DOUBLE, "bool": _F.TYPE_BOOL}
_MESSAGES = {
    "timestamp": "google.protobuf.Timestamp",
    "duration": "google.protobuf.Duration",
    "struct": "google.protobuf.Struct",
}
_LISTS = {f"list<{element}>": element for element in ("string", "int", "double")}
ATTRIBUTE_TYPES = frozenset({*_SCALARS, "timestamp", "duration", *_LISTS})


def message_of(root: str) -> str:
    """Name the message type of a variable."""
    return f"agentiam.{root.capitalize()}"


def declared_for(resource: ResourceAttributes | None) -> dict[str, Mapping[str, str]]:
    """Return the declared attributes of every variable that has some; raises ``ValueError`` for an impossible one."""
    if resource is None:
        return {**FIXED}
    for name, kind in resource.items():
        if not name.isascii() or not name.isidentifier() or name in ALIASES:
            raise ValueError(f"{name!r} cannot be the name of an attribute")
        if kind not in ATTRIBUTE_TYPES:
            raise ValueError(f"{kind!r} is not a type of attribute")
    return {**FIXED, "resource": {**resource, **BUILT_IN}}


@lru_cache(maxsize=256)
def message_types(resource: tuple[tuple[str, str], ...] | None) -> tuple[Any, dict[str, Mapping[str, str]]]:
    """Make the pool of message types for the checker; returns it with the declared attributes of each variable."""
    declared = declared_for(None if resource is None else dict(resource))
    file = descriptor_pb2.FileDescriptorProto(name="attributes.proto", package="agentiam", syntax="proto2")
    pool = descriptor_pool.DescriptorPool()
    for module in (timestamp_pb2, duration_pb2, struct_pb2):
        pool.AddSerializedFile(module.DESCRIPTOR.serialized_pb)
        file.dependency.append(module.DESCRIPTOR.name)
    for root, attributes in declared.items():
        aliases = ALIASES if root in ALIASED else ()
        _message(file, root.capitalize(), attributes, {alias: f"{message_of(root)}Attributes" for alias in aliases})
        if aliases:
            _message(file, f"{root.capitalize()}Attributes", attributes, {})
    pool.Add(file)
    return pool, declared


def _message(file: Any, name: str, attributes: Mapping[str, str], nested: Mapping[str, str]) -> None:
    message = file.message_type.add(name=name)
    message.options.deprecated_legacy_json_field_conflicts = True
    for number, (field, kind) in enumerate({**attributes, **nested}.items(), start=1):
        single = _LISTS.get(kind, kind)
        repeated = _F.LABEL_REPEATED if kind in _LISTS else _F.LABEL_OPTIONAL
        added = message.field.add(name=field, number=number, label=repeated, type=_SCALARS.get(single, _F.TYPE_MESSAGE))
        if single not in _SCALARS:
            added.type_name = f".{_MESSAGES.get(single, single)}"
