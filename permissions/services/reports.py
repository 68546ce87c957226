"""How the event log names what is allowed, and which references a change of it touches."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeAlias, cast

from agentiam.kit.actors import Actor
from audit.events import EventType
from audit.services import Change, Target
from directory.models import Agent, Blueprint, Team, User
from directory.services.revisions import user_ref
from permissions.models import (
    Application,
    ApplicationKey,
    Consent,
    Delegation,
    Grant,
    Guardrail,
    Replacement,
    Resource,
    ResourceType,
    Role,
    RoleAssignment,
    Trust,
    TrustedIssuer,
)

Thing: TypeAlias = (
    Application
    | ApplicationKey
    | Blueprint
    | Consent
    | Delegation
    | Grant
    | Guardrail
    | Replacement
    | Resource
    | ResourceType
    | Role
    | RoleAssignment
    | Trust
    | TrustedIssuer
)


def holder_ref(holder: User | Team | Agent) -> str:
    """Name a holder the way that people write it: ``agent/<external id>``, ``user/<external id>`` or ``team/<external id>``.

    Of a partner's agent use ``holding_ref``.
    """
    match holder:
        case Team():
            return f"team/{holder.external_id}"
        case Agent():
            return f"agent/{holder.external_id}"
        case _:
            return user_ref(holder)


def holding_ref(row: Grant | RoleAssignment) -> str:
    """Name the holder of a row; a partner's agent by its SPIFFE id, since one of one's own may have the same external id."""
    holder = holder_of(row)
    if isinstance(holder, User) and holder.organization_id != row.organization_id:
        return f"agent/{holder.agent.spiffe_id}"
    return holder_ref(holder)


def holder_of(row: Grant | RoleAssignment) -> User | Team:
    """Answer who holds a grant or an assignment: the account or the team."""
    return row.user or cast("Team", row.team)  # a constraint of both tables: one of them is there


def resource_ref(resource: Resource) -> str:
    """Name a resource as touched; reads the resource's type when it is not loaded."""
    return f"resource/{resource.type.name}/{resource.external_id}"


def application_ref(application: Application) -> str:
    """Name an application as touched."""
    return f"application/{application.slug}"


def key_refs(*keys: ApplicationKey) -> set[str]:
    """Name keys as touched; a federated proof has no public id and is not looked up by one."""
    return {f"key/{key.public_id}" for key in keys if key.public_id is not None}


def target_of(thing: Thing) -> Target:
    """Name a row by the id that the organization uses, where it has one; of a key, only its primary key and its label."""
    match thing:
        case Application():
            return Target(type="application", id=thing.slug, label=thing.name)
        case ApplicationKey():
            return Target(type="application_key", id=str(thing.pk), label=thing.label)
        case ResourceType():
            return Target(type="resource_type", id=thing.name, label=thing.name)
        case Resource():
            return Target(type="resource", id=f"{thing.type.name}/{thing.external_id}", label=thing.external_id)
        case Role() | Guardrail() | Blueprint():
            return Target(type=type(thing).__name__.lower(), id=thing.external_id, label=thing.name)
        case TrustedIssuer():
            return Target(type="trusted_issuer", id=str(thing.pk), label=thing.name)
        case RoleAssignment():
            return Target(type="assignment", id=str(thing.pk), label=str(thing))
        case _:
            return Target(type=type(thing).__name__.lower(), id=str(thing.pk), label=str(thing))


def report(
    event_type: EventType, thing: Thing, *, by: Actor, reason: str, now: datetime, data: Mapping[str, Any] | None = None
) -> Change:
    """Say what happened to a row, in its organization's log."""
    return Change(
        event_type=event_type,
        organization_id=thing.organization_id,
        by=by,
        target=target_of(thing),
        reason=reason,
        data=data,
        at=now,
    )
