"""What one person or team may do with one object: guardian's rows, given and withdrawn with a record.

Nobody hands on a right that they do not have themselves, on the object or over the organization, nor gives one to themselves:
it would stay when theirs ends. Rights are for people and teams; what an agent may do here comes from what it is.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeAlias

from django.contrib.auth.models import Permission
from django.db import transaction
from django.db.models import QuerySet

from agentiam.kit.actors import Actor
from agentiam.kit.errors import Conflict, Invalid, NotAllowed
from audit.events import EventType
from audit.services import Change, record_all
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
from directory.services.rights import NotAnActivePerson, WidensOneself, acting_account

Thing: TypeAlias = Agent | Blueprint | Team


class UnknownRight(Invalid):
    """There is no such right on this kind of thing."""

    field = "right"


class RightUnchanged(Conflict):
    """The right was given before, or there is none to withdraw."""


class RightNotYours(NotAllowed):
    """The one who acts does not hold the right that they want to hand on or to take."""


@dataclass(frozen=True, slots=True)
class ObjectRights:
    """The kinds of objects of one app: guardian's tables for each, for people and for teams, and how the log names them."""

    app_label: str
    rows: Mapping[type[Any], tuple[Any, Any]]
    report: Callable[..., Change]

    def give(self, *, thing: Any, right: str, to: User | Team, by: Actor, reason: str, now: datetime) -> None:
        """Write the row and the event; raises as ``give_access``."""
        with transaction.atomic():
            rows, values = self._row(thing, right, to, by=by)
            _require_receivable(to, by=by)
            if rows.objects.filter(**values).exists():
                raise RightUnchanged(f"{to} has {right} on {thing} already.")
            rows.objects.create(**values)
            self._record(events.ACCESS_GIVEN, thing, right, to, by=by, reason=reason, now=now)

    def withdraw(self, *, thing: Any, right: str, to: User | Team, by: Actor, reason: str, now: datetime) -> None:
        """Delete the row and write the event; raises as ``withdraw_access``."""
        with transaction.atomic():
            rows, values = self._row(thing, right, to, by=by)
            if not rows.objects.filter(**values).delete()[0]:
                raise RightUnchanged(f"{to} does not have {right} on {thing}.")
            self._record(events.ACCESS_WITHDRAWN, thing, right, to, by=by, reason=reason, now=now)

    def _row(self, thing: Any, right: str, to: User | Team, *, by: Actor) -> tuple[Any, dict[str, Any]]:
        require_same_organization(lock_organization(thing.organization_id, by=by), to)
        model = type(thing)
        noun = model.__name__.lower()
        known = Permission.objects.filter(content_type__app_label=self.app_label, content_type__model=noun)
        # Adding, changing and deleting are Django's; what people do here is to view, operate, manage, approve, grant and use.
        known = known.exclude(codename__in=[f"add_{noun}", f"change_{noun}", f"delete_{noun}"])
        permission = known.filter(codename=right).first()
        if permission is None:
            raise UnknownRight(f"{right!r} is not a right on {noun}s.")
        giver = acting_account(by)
        if giver is not None and not _held(model, right, giver).filter(pk=thing.pk).exists():
            raise RightNotYours(f"{giver} does not have {right} on {thing}.", remedy="A security administrator may do this.")
        for_users, for_groups = self.rows[model]
        if isinstance(to, User):
            return for_users, {"user": to, "permission": permission, "content_object": thing}
        return for_groups, {"group": to.group, "permission": permission, "content_object": thing}

    def _record(
        self, event: EventType, thing: Any, right: str, to: User | Team, *, by: Actor, reason: str, now: datetime
    ) -> None:
        kind = "team" if isinstance(to, Team) else to.kind
        data = {"right": right, "to": {"type": kind, "id": to.external_id, "label": to.name}}
        # People's rights share nothing with what agents may do: no decision depends on them, so the policy keeps its revision.
        record_all([self.report(event, thing, by=by, reason=reason, now=now, data=data)])


def _require_receivable(to: User | Team, *, by: Actor) -> None:
    # Read anew, as the organization is locked by now and nobody is deactivated meanwhile.
    if isinstance(to, User) and not User.objects.people().active().filter(pk=to.pk).exists():
        raise NotAnActivePerson("Rights on single objects are for people whose account is active, and for teams.")
    if by.kind == "system":
        return
    own = by.user_id in (to.group.user_set.values_list("pk", flat=True) if isinstance(to, Team) else (to.pk,))
    if own:
        raise WidensOneself("Nobody gives a right to themselves, or to a team that they are in.")


def _held(model: Any, right: str, giver: User) -> QuerySet[Any]:
    """Find the objects on which somebody has a right; seeing one, however that comes, is the right to view it."""
    sees = right == f"view_{model.__name__.lower()}"
    found: QuerySet[Any] = model.objects.visible_to(giver) if sees else model.objects.permitting(giver, right)
    return found


_RIGHTS: Final = ObjectRights(
    app_label="directory",
    rows={
        Agent: (AgentUserPermission, AgentGroupPermission),
        Blueprint: (BlueprintUserPermission, BlueprintGroupPermission),
        Team: (TeamUserPermission, TeamGroupPermission),
    },
    report=report,
)


def give_access(*, thing: Thing, right: str, to: User | Team, by: Actor, reason: str = "", now: datetime) -> None:
    """Let a person or a team do one thing with one object: ``operate_agent``.

    Raises UnknownRight, RightUnchanged, RightNotYours, WidensOneself, and NotAnActivePerson for agents and applications that
    give or are given to.
    """
    _RIGHTS.give(thing=thing, right=right, to=to, by=by, reason=reason, now=now)


def withdraw_access(*, thing: Thing, right: str, to: User | Team, by: Actor, reason: str = "", now: datetime) -> None:
    """Take a right on one object back, whoever has it.

    Raises UnknownRight, RightUnchanged, RightNotYours, and NotAnActivePerson for agents and applications that take.
    """
    _RIGHTS.withdraw(thing=thing, right=right, to=to, by=by, reason=reason, now=now)
