"""What one person or team may do with one agent, blueprint or team: guardian's rows, given and withdrawn with a record."""

from datetime import datetime
from typing import Any, Final, TypeAlias

from django.contrib.auth.models import Permission
from django.db import transaction

from agentiam.kit.actors import Actor
from agentiam.kit.errors import Conflict
from audit.events import EventType
from audit.services import record_all
from directory import events
from directory.models import (
    Agent,
    AgentGroupPermission,
    AgentUserPermission,
    Blueprint,
    BlueprintGroupPermission,
    BlueprintUserPermission,
    Team,
    TeamGroupPermission,
    TeamUserPermission,
    User,
)
from directory.services.reports import report
from directory.services.revisions import lock_organization, require_same_organization

Thing: TypeAlias = Agent | Blueprint | Team

_ROWS: Final[dict[type[Thing], tuple[Any, Any]]] = {
    Agent: (AgentUserPermission, AgentGroupPermission),
    Blueprint: (BlueprintUserPermission, BlueprintGroupPermission),
    Team: (TeamUserPermission, TeamGroupPermission),
}


class UnknownRight(Conflict):
    """There is no such right on this kind of thing."""


class RightUnchanged(Conflict):
    """The right was given before, or there is none to withdraw."""


def give_access(*, thing: Thing, right: str, to: User | Team, by: Actor, reason: str = "", now: datetime) -> None:
    """Let an account or a team do one thing with one object: ``operate_agent``; raises UnknownRight and RightUnchanged."""
    with transaction.atomic():
        rows, values = _row(thing, right, to, by=by)
        if rows.objects.filter(**values).exists():
            raise RightUnchanged(f"{to} has {right} on {thing} already.")
        rows.objects.create(**values)
        _record(events.ACCESS_GIVEN, thing, right, to, by=by, reason=reason, now=now)


def withdraw_access(*, thing: Thing, right: str, to: User | Team, by: Actor, reason: str = "", now: datetime) -> None:
    """Take a right on one object back; raises UnknownRight and RightUnchanged."""
    with transaction.atomic():
        rows, values = _row(thing, right, to, by=by)
        if not rows.objects.filter(**values).delete()[0]:
            raise RightUnchanged(f"{to} does not have {right} on {thing}.")
        _record(events.ACCESS_WITHDRAWN, thing, right, to, by=by, reason=reason, now=now)


def _row(thing: Thing, right: str, to: User | Team, *, by: Actor) -> tuple[Any, dict[str, Any]]:
    require_same_organization(lock_organization(thing.organization_id, by=by), to)
    model = type(thing)
    noun = model.__name__.lower()
    known = Permission.objects.filter(content_type__app_label="directory", content_type__model=noun)
    # Adding, changing and deleting are Django's; what people do here is to view, operate, manage, approve, grant and use.
    permission = known.exclude(codename__in=[f"add_{noun}", f"change_{noun}", f"delete_{noun}"]).filter(codename=right).first()
    if permission is None:
        raise UnknownRight(f"{right!r} is not a right on {noun}s.")
    for_users, for_groups = _ROWS[model]
    if isinstance(to, User):
        return for_users, {"user": to, "permission": permission, "content_object": thing}
    return for_groups, {"group": to.group, "permission": permission, "content_object": thing}


def _record(event: EventType, thing: Thing, right: str, to: User | Team, *, by: Actor, reason: str, now: datetime) -> None:
    kind = "team" if isinstance(to, Team) else to.kind
    data = {"right": right, "to": {"type": kind, "id": to.external_id, "label": to.name}}
    # People's rights share nothing with what agents may do: no decision depends on them, so the policy keeps its revision.
    record_all([report(event, thing, by=by, reason=reason, now=now, data=data)])
