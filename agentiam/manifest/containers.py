"""Containers: a resource may lie in something whose type nobody declares, a folder or a project, that is there to be a parent.

Such a type belongs to the application of what lies in it and has no actions. A name that is close to a declared one is a
typing error and not a container.
"""

from collections.abc import Iterable

from msgspec.structs import replace

from agentiam.manifest import documents
from agentiam.manifest.mistakes import did_you_mean
from agentiam.manifest.present import Present
from agentiam.manifest.references import listed


def with_containers(document: documents.Document, present: Present) -> documents.Document:
    """Declare the types that resources lie in and nobody else declares, each where what lies in it is declared."""
    applications = listed(document, "applications")
    declared = {each.name: application.slug for application in applications for each in application.resource_types}
    found: dict[str, str] = {}
    for resource in listed(document, "resources"):
        name = None if resource.parent is None else resource.parent.type
        holder = declared.get(resource.type)
        if name is not None and holder is not None and name not in declared and _is_container(name, declared, present):
            found.setdefault(name, holder)
    if not found:
        return document
    widened = [
        replace(application, resource_types=[*application.resource_types, *_types(found, application.slug)])
        for application in applications
    ]
    return replace(document, applications=widened)


def _is_container(name: str, declared: Iterable[str], present: Present) -> bool:
    known = present.types.get(name)
    if known is not None:
        return not (known.actions or known.attributes or known.fields)
    return not did_you_mean(name, [*declared, *present.types])


def _types(found: dict[str, str], application: str) -> list[documents.ResourceType]:
    return [documents.ResourceType(name=name, actions=[]) for name, holder in found.items() if holder == application]
