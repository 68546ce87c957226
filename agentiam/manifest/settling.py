"""One spelling for one meaning: defaults are filled in, lists without an order are sorted, instants are in UTC.

What a file says and what the database holds are settled alike before they are compared.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

import msgspec
from msgspec.structs import replace

from agentiam.manifest.documents import (
    Agent,
    Application,
    Assignment,
    Blueprint,
    Consent,
    Delegation,
    Entitlement,
    Grant,
    Guardrail,
    Limit,
    Part,
    Person,
    Role,
    Team,
    Trust,
)

E = TypeVar("E", bound=Entitlement)
L = TypeVar("L", bound=Limit)

EVERY_ACTION: Final = "*"
_INHERITED: Final = ("environment", "risk_tier", "framework", "model", "version", "team", "owner", "sponsor", "blueprint")
_AT_THE_ROOT: Final = {
    "environment": "production",
    "risk_tier": "medium",
    "framework": "",
    "model": "",
    "version": "",
    "team": "",
}


def content(part: Part) -> bytes:
    """The bytes of a part, the same for the same content."""
    return msgspec.json.encode(part, order="deterministic")


def utc(instant: datetime | None) -> datetime | None:
    """The same instant in UTC."""
    return None if instant is None else instant.astimezone(UTC)


def settled_person(person: Person) -> Person:
    """Fill in the name; console roles are a set."""
    return replace(person, name=person.name or person.id, console_roles=_set_or_none(person.console_roles))


def settled_team(team: Team) -> Team:
    """Fill in the name and sort the members."""
    return replace(team, name=team.name or team.id, members=_set(team.members))


def settled_application(application: Application) -> Application:
    """Fill in the name and sort the types and their actions."""
    types = [replace(each, actions=_set(each.actions)) for each in application.resource_types]
    types.sort(key=lambda each: each.name)
    return replace(application, name=application.name or application.slug, resource_types=types)


def settled_entitlement(entitlement: E) -> E:
    """Sort actions and fields, and strip the conditions."""
    return replace(
        entitlement,
        actions=_set(entitlement.actions),
        fields=None if entitlement.fields is None else _set(entitlement.fields),
        where=entitlement.where.strip(),
        when=entitlement.when.strip(),
    )


def settled_role(role: Role) -> Role:
    """Fill in the name; entitlements are a set."""
    entitlements = {content(each): each for each in map(settled_entitlement, role.entitlements)}
    return replace(
        role,
        name=role.name or role.id,
        entitlements=[entitlements[key] for key in sorted(entitlements)],
        includes=_set(role.includes),
    )


def settled_limits(limits: Iterable[L] | None) -> list[L] | None:
    """Sort actions and fields of each entry, and the entries."""
    if limits is None:
        return None
    sorted_within = [
        replace(each, actions=_set(each.actions), fields=None if each.fields is None else _set(each.fields)) for each in limits
    ]
    return sorted(sorted_within, key=content)


def settled_blueprint(blueprint: Blueprint) -> Blueprint:
    """Fill in the name; roles and methods are sets."""
    return replace(
        blueprint,
        name=blueprint.name or blueprint.id,
        roles=_set(blueprint.roles),
        ceiling=settled_limits(blueprint.ceiling),
        credentials=replace(blueprint.credentials, methods=_set(blueprint.credentials.methods)),
    )


def settled_agent(agent: Agent, parents: Mapping[str, Agent]) -> Agent:
    """Fill in what was left out: with a parent from that, else the defaults. ``parents`` are settled, by id."""
    parent = parents.get(agent.parent) if agent.parent else None
    inherited: dict[str, Any] = {}
    for name in _INHERITED:
        if getattr(agent, name) in (None, ""):
            inherited[name] = getattr(parent, name) if parent is not None else _AT_THE_ROOT.get(name, "")
    if agent.team == "":
        inherited["team"] = ""
    return replace(
        agent,
        name=agent.name or agent.id,
        capabilities=settled_limits(agent.capabilities),
        expires=utc(agent.expires),
        **inherited,
    )


def spoken_agent(agent: Agent, parents: Mapping[str, Agent]) -> Agent:
    """Leave out of a settled agent what ``settled_agent`` would fill in."""
    parent = parents.get(agent.parent) if agent.parent else None
    silent: dict[str, Any] = {}
    for name in _INHERITED:
        filled = getattr(parent, name) if parent is not None else _AT_THE_ROOT.get(name, "")
        if getattr(agent, name) == filled:
            silent[name] = "" if name in ("owner", "sponsor", "blueprint") else None
    return replace(agent, **silent)


def settled_assignment(assignment: Assignment) -> Assignment:
    """Put the instants in UTC."""
    return replace(assignment, start=utc(assignment.start), until=utc(assignment.until))


def settled_grant(grant: Grant) -> Grant:
    """Settle what it entitles to, and put the instants in UTC."""
    return replace(settled_entitlement(grant), start=utc(grant.start), until=utc(grant.until))


def settled_delegation(delegation: Delegation) -> Delegation:
    """Settle what it entitles to, and put the end in UTC."""
    return replace(settled_entitlement(delegation), until=utc(delegation.until))


def settled_guardrail(guardrail: Guardrail) -> Guardrail:
    """Fill in the name, and sort what is a set; every action is the same as none named."""
    actions = None if guardrail.actions in (None, [EVERY_ACTION]) else _set(guardrail.actions or ())
    return replace(
        guardrail,
        name=guardrail.name or guardrail.id,
        actions=actions,
        when=guardrail.when.strip(),
        fields=_set_or_none(guardrail.fields),
        data_classes=_set_or_none(guardrail.data_classes),
    )


def settled_consent(consent: Consent) -> Consent:
    """Sort what is a set, and put the end in UTC."""
    return replace(
        consent,
        actions=_set(consent.actions),
        data_classes=_set_or_none(consent.data_classes),
        until=utc(consent.until),
    )


def settled_trust(trust: Trust) -> Trust:
    """Sort what is a set, and put the end in UTC."""
    return replace(
        trust,
        agents=_set_or_none(trust.agents),
        types=_set_or_none(trust.types),
        data_classes=_set_or_none(trust.data_classes),
        until=utc(trust.until),
    )


def _set(names: Iterable[str]) -> list[Any]:
    return sorted(set(names))


def _set_or_none(names: Iterable[str] | None) -> list[Any] | None:
    return None if names is None else _set(names)
