"""Roles and blueprints."""

from collections.abc import Iterable
from functools import partial

from agentiam.manifest import documents
from agentiam.manifest.mistakes import Path
from agentiam.manifest.planning.changes import Hand, Phase, Plan, created, differences, plain
from agentiam.manifest.settling import settled_blueprint, settled_role
from directory.services.blueprints import BlueprintTerms, create_blueprint, update_blueprint
from permissions.services.roles import (
    create_role,
    remove_role,
    set_blueprint_roles,
    set_role_entitlements,
    set_role_inclusions,
    update_role,
)
from permissions.services.terms import EntitlementSpec


def entitlement_spec(part: documents.Entitlement) -> EntitlementSpec:
    """Say an entitlement the way that the services take it."""
    return EntitlementSpec(
        type=part.type,
        actions=part.actions,
        resource=part.resource,
        subtree=None if part.subtree is None else (part.subtree.type, part.subtree.id),
        where=part.where,
        when=part.when,
        fields=part.fields,
    )


def plan_roles(plan: Plan, wanted: Iterable[documents.Role]) -> None:
    """Plan to add, change and remove roles; inclusions are loosened before others are made, so that they can turn around."""
    listed = set()
    for index, part in enumerate(wanted):
        path: Path = ("roles", index)
        role = settled_role(part)
        listed.add(role.id)
        present = plan.present.roles.get(role.id)
        if present is None:
            plan.change("create", "role", role.id, created(role, besides=["id"]))
            plan.step(Phase.ROLES, path, partial(_create_role, role))
            present = documents.Role(id=role.id, name=role.name, description=role.description)
        elif changed := differences(present, role):
            plan.change("update", "role", role.id, changed)
            if changed.keys() & {"name", "description"}:
                plan.step(Phase.ROLES, path, partial(_update_role, role))
        if present.entitlements != role.entitlements:
            plan.step(Phase.ROLES_FILLED, path, partial(_set_entitlements, role))
        staying = [name for name in present.includes if name in role.includes]
        if staying != present.includes:
            plan.step(Phase.ROLES_LOOSENED, path, partial(_set_inclusions, role.id, staying))
        if staying != role.includes:
            plan.step(Phase.ROLES_FILLED, path, partial(_set_inclusions, role.id, role.includes))
    if plan.prune:
        _plan_roles_gone(plan, plan.present.roles.keys() - listed)


def _plan_roles_gone(plan: Plan, gone: set[str]) -> None:
    including = {name: [each for each in plan.present.roles[name].includes if each in gone] for name in gone}
    # A role goes before those that it includes.
    for name in sorted(gone, key=lambda each: (-_height(each, including), each)):
        plan.change("remove", "role", name)
        plan.step(Phase.ROLES_REMOVED, ("roles",), partial(_remove_role, name))


def _height(name: str, including: dict[str, list[str]]) -> int:
    return 1 + max((_height(each, including) for each in including[name]), default=0)


def _create_role(wanted: documents.Role, hand: Hand) -> None:
    hand.rows["roles"][wanted.id] = create_role(
        organization=hand.organization,
        external_id=wanted.id,
        name=wanted.name,
        description=wanted.description,
        **hand.acting,
    )


def _update_role(wanted: documents.Role, hand: Hand) -> None:
    rows = hand.rows["roles"]
    rows[wanted.id] = update_role(role=rows[wanted.id], name=wanted.name, description=wanted.description, **hand.acting)


def _set_entitlements(wanted: documents.Role, hand: Hand) -> None:
    specs = [entitlement_spec(each) for each in wanted.entitlements]
    set_role_entitlements(role=hand.rows["roles"][wanted.id], entitlements=specs, **hand.acting)


def _set_inclusions(name: str, included: list[str], hand: Hand) -> None:
    roles = hand.rows["roles"]
    set_role_inclusions(role=roles[name], included=[roles[each] for each in included], **hand.acting)


def _remove_role(name: str, hand: Hand) -> None:
    remove_role(role=hand.rows["roles"].pop(name), **hand.acting)


def plan_blueprints(plan: Plan, wanted: Iterable[documents.Blueprint]) -> None:
    """Plan to add and change blueprints; one that is not wanted gives no roles any more, and goes on to limit."""
    listed = set()
    for index, part in enumerate(wanted):
        path: Path = ("blueprints", index)
        blueprint = settled_blueprint(part)
        listed.add(blueprint.id)
        present = plan.present.blueprints.get(blueprint.id)
        if present is None:
            changed = created(blueprint, besides=["id"])
            plan.change("create", "blueprint", blueprint.id, changed)
            plan.step(Phase.BLUEPRINTS, path, partial(_create_blueprint, blueprint))
        elif changed := differences(present, blueprint):
            plan.change("update", "blueprint", blueprint.id, changed)
            if set(changed) - {"roles"}:
                plan.step(Phase.BLUEPRINTS, path, partial(_update_blueprint, blueprint))
        if "roles" in changed:
            plan.step(Phase.BLUEPRINTS, path, partial(_set_blueprint_roles, blueprint.id, blueprint.roles))
    for name in sorted(plan.present.blueprints.keys() - listed) if plan.prune else ():
        if roles := plan.present.blueprints[name].roles:
            plan.change("end", "blueprint", name, {"roles": (roles, [])})
            plan.step(Phase.BLUEPRINTS, ("blueprints",), partial(_set_blueprint_roles, name, []))


def _terms(wanted: documents.Blueprint) -> BlueprintTerms:
    return BlueprintTerms(
        name=wanted.name,
        description=wanted.description,
        ceiling=plain(wanted.ceiling),
        sign_offs=wanted.sign_offs,
        credential_methods=list(wanted.credentials.methods),
        credential_days=wanted.credentials.days,
        spawn_depth=wanted.spawn.depth,
        spawn_children=wanted.spawn.children,
        spawn_seconds=wanted.spawn.seconds,
        suspend_at_risk=wanted.suspend_at_risk,
    )


def _create_blueprint(wanted: documents.Blueprint, hand: Hand) -> None:
    hand.rows["blueprints"][wanted.id] = create_blueprint(
        organization=hand.organization, external_id=wanted.id, terms=_terms(wanted), **hand.acting
    )


def _update_blueprint(wanted: documents.Blueprint, hand: Hand) -> None:
    rows = hand.rows["blueprints"]
    rows[wanted.id] = update_blueprint(blueprint=rows[wanted.id], terms=_terms(wanted), **hand.acting)


def _set_blueprint_roles(name: str, roles: list[str], hand: Hand) -> None:
    wanted = [hand.rows["roles"][each] for each in roles]
    set_blueprint_roles(blueprint=hand.rows["blueprints"][name], roles=wanted, **hand.acting)
