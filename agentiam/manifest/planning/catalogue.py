"""Applications, the types of resources that they hold, and registered resources.

A type is first widened to what it was and what it will be, and narrowed at the end: in between, rules and resources can follow.
"""

from collections.abc import Iterable
from functools import partial
from typing import Any

from msgspec.structs import replace

from agentiam.manifest import documents
from agentiam.manifest.mistakes import Path
from agentiam.manifest.planning.changes import Hand, Phase, Plan, created, differences
from agentiam.manifest.references import in_order
from agentiam.manifest.settling import settled_application
from permissions.services.applications import (
    TokenTerms,
    create_application,
    resume_application,
    suspend_application,
    update_application,
)
from permissions.services.resource_types import declare_resource_type, remove_resource_type, update_resource_type
from permissions.services.resources import register_resource, remove_resource, update_resource


def plan_applications(plan: Plan, wanted: Iterable[documents.Application]) -> None:
    """Plan to add and change applications and their types; one that is not wanted is suspended."""
    listed = set()
    for index, part in enumerate(wanted):
        path: Path = ("applications", index)
        application = settled_application(part)
        listed.add(application.slug)
        _plan_application(plan, application, path)
        order = {each.name: number for number, each in enumerate(part.resource_types)}
        for resource_type in application.resource_types:
            type_path = (*path, "resource_types", order[resource_type.name])
            _plan_type(plan, application.slug, resource_type, type_path)
        _plan_types_gone(plan, application, path)
    for slug in sorted(plan.present.applications.keys() - listed) if plan.prune else ():
        if plan.present.applications[slug].state == "active":
            plan.change("end", "application", slug, {"state": ("active", "suspended")})
            plan.step(Phase.APPLICATIONS_SUSPENDED, ("applications",), partial(_suspend, slug))


def _plan_application(plan: Plan, application: documents.Application, path: Path) -> None:
    slug = application.slug
    present = plan.present.applications.get(slug)
    if present is None:
        plan.change("create", "application", slug, created(application, besides=["slug", "resource_types"]))
        plan.step(Phase.APPLICATIONS, path, partial(_create_application, application))
        plan.keys_for.append(("applications", slug))
        if application.state == "suspended":
            plan.step(Phase.APPLICATIONS_SUSPENDED, path, partial(_suspend, slug))
        return
    changed = differences(present, application, besides=["resource_types"])
    if not changed:
        return
    plan.change("update", "application", slug, changed)
    if set(changed) - {"state"}:
        plan.step(Phase.APPLICATIONS, path, partial(_update_application, application))
    if changed.get("state", ("", ""))[1] == "active":
        plan.step(Phase.APPLICATIONS, path, partial(_resume, slug))
    elif "state" in changed:
        plan.step(Phase.APPLICATIONS_SUSPENDED, path, partial(_suspend, slug))


def _application_values(wanted: documents.Application) -> dict[str, Any]:
    return {
        "name": wanted.name,
        "audience": wanted.audience,
        "believes_resource_properties": wanted.believes.resource_properties,
        "believes_subject_properties": wanted.believes.subject_properties,
        "requires_tokens": wanted.requires_tokens,
        "tokens": TokenTerms(
            token_format=wanted.token_format, token_algorithm=wanted.token_algorithm, token_seconds=wanted.token_seconds
        ),
    }


def _create_application(wanted: documents.Application, hand: Hand) -> None:
    hand.rows["applications"][wanted.slug] = create_application(
        organization=hand.organization, slug=wanted.slug, **_application_values(wanted), **hand.acting
    )


def _update_application(wanted: documents.Application, hand: Hand) -> None:
    rows = hand.rows["applications"]
    rows[wanted.slug] = update_application(application=rows[wanted.slug], **_application_values(wanted), **hand.acting)


def _suspend(slug: str, hand: Hand) -> None:
    rows = hand.rows["applications"]
    rows[slug] = suspend_application(application=rows[slug], **hand.acting)


def _resume(slug: str, hand: Hand) -> None:
    rows = hand.rows["applications"]
    rows[slug] = resume_application(application=rows[slug], **hand.acting)


def _plan_type(plan: Plan, application: str, wanted: documents.ResourceType, path: Path) -> None:
    present = plan.present.types.get(wanted.name)
    if present is None:
        plan.change("create", "resource_type", wanted.name, created(wanted, besides=["name"]))
        plan.step(Phase.TYPES, path, partial(_declare_type, application, wanted))
        return
    changed = differences(present, wanted)
    if not changed:
        return
    plan.change("update", "resource_type", wanted.name, changed)
    widened = replace(
        wanted,
        actions=sorted({*present.actions, *wanted.actions}),
        attributes=present.attributes | wanted.attributes,
        fields=present.fields | wanted.fields,
    )
    if widened != present:
        plan.step(Phase.TYPES, path, partial(_update_type, widened))
    if widened != wanted:
        plan.step(Phase.TYPES_NARROWED, path, partial(_update_type, wanted))


def _plan_types_gone(plan: Plan, application: documents.Application, path: Path) -> None:
    present = plan.present.applications.get(application.slug)
    if present is None or not plan.prune:
        return
    for gone in sorted({each.name for each in present.resource_types} - {each.name for each in application.resource_types}):
        plan.change("remove", "resource_type", gone)
        plan.step(Phase.TYPES_NARROWED, path, partial(_remove_type, gone))


def _declare_type(application: str, wanted: documents.ResourceType, hand: Hand) -> None:
    hand.rows["types"][wanted.name] = declare_resource_type(
        organization=hand.organization,
        application=hand.rows["applications"][application],
        name=wanted.name,
        actions=wanted.actions,
        attributes=wanted.attributes,
        fields=wanted.fields,
        **hand.acting,
    )


def _update_type(wanted: documents.ResourceType, hand: Hand) -> None:
    rows = hand.rows["types"]
    rows[wanted.name] = update_resource_type(
        resource_type=rows[wanted.name],
        actions=wanted.actions,
        attributes=wanted.attributes,
        fields=wanted.fields,
        **hand.acting,
    )


def _remove_type(name: str, hand: Hand) -> None:
    remove_resource_type(resource_type=hand.rows["types"].pop(name), **hand.acting)


def plan_resources(plan: Plan, wanted: Iterable[documents.Resource]) -> None:
    """Plan to register, change and forget resources; a parent that is not registered is, without attributes."""
    parts = {(part.type, part.id): (index, part) for index, part in enumerate(wanted)}
    bare: dict[tuple[str, str], tuple[int, documents.Resource]] = {}
    for index, part in parts.values():
        key = _around(part)
        if key is not None and key not in parts and key not in plan.present.resources:
            bare[key] = index, documents.Resource(type=key[0], id=key[1])
    named = {key for _, part in parts.values() if (key := _around(part)) is not None}
    parts |= bare
    for key in in_order(parts, lambda each: _around(parts[each][1])):
        index, part = parts[key]
        path: Path = ("resources", index)
        present = plan.present.resources.get(key)
        name = "/".join(key)
        if present is None:
            plan.change("create", "resource", name, created(part, besides=["type", "id"]))
            plan.step(Phase.RESOURCES, path, partial(_register, part))
        elif changed := differences(present, part):
            plan.change("update", "resource", name, changed)
            plan.step(Phase.RESOURCES, path, partial(_update_resource, part))
    if plan.prune:
        _plan_resources_gone(plan, listed=set(parts), stays={*parts, *named})


def _plan_resources_gone(plan: Plan, *, listed: set[tuple[str, str]], stays: set[tuple[str, str]]) -> None:
    present = plan.present.resources
    # What something stays in stays as well, and so does what that lies in; where a listed one will lie is among them already.
    ahead = [key for key in stays - listed if key in present]
    while ahead:
        around = _around(present[ahead.pop()])
        if around is not None and around not in stays:
            stays.add(around)
            ahead.append(around)
    gone = sorted(present.keys() - stays)
    for key in reversed(in_order(gone, lambda each: _around(present[each]))):
        plan.change("remove", "resource", "/".join(key))
        plan.step(Phase.RESOURCES_REMOVED, ("resources",), partial(_remove_resource, key))


def _around(part: documents.Resource) -> tuple[str, str] | None:
    return None if part.parent is None else (part.parent.type, part.parent.id)


def _register(wanted: documents.Resource, hand: Hand) -> None:
    around = _around(wanted)
    hand.rows["resources"][wanted.type, wanted.id] = register_resource(
        resource_type=hand.rows["types"][wanted.type],
        external_id=wanted.id,
        attributes=wanted.attributes,
        parent=None if around is None else hand.rows["resources"][around],
        **hand.acting,
    )


def _update_resource(wanted: documents.Resource, hand: Hand) -> None:
    rows, key, around = hand.rows["resources"], (wanted.type, wanted.id), _around(wanted)
    rows[key] = update_resource(
        resource=rows[key],
        attributes=wanted.attributes,
        parent=None if around is None else rows[around],
        **hand.acting,
    )


def _remove_resource(key: tuple[str, str], hand: Hand) -> None:
    remove_resource(resource=hand.rows["resources"].pop(key), **hand.acting)
