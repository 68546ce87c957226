"""People come and go; when one leaves, the agents they own stop and wait for somebody to take them over."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.models import Session
from django.db import transaction

from agentiam.kit.actors import Actor
from agentiam.kit.errors import Conflict, IllegalTransition, NotAllowed
from audit.services import Change
from directory import events
from directory.lifecycle import Event, State
from directory.models import Agent, Organization, User
from directory.services.reports import conclude, report
from directory.services.revisions import agent_refs, lock_organization, user_ref
from directory.services.transitions import and_descendants, move
from directory.services.versions import changes, save_version


class NotAPerson(Conflict):
    """The account is an agent's; what is asked is for people."""


class RightsNotYours(NotAllowed):
    """Only the system makes a superuser."""


def create_person(
    *,
    organization: Organization,
    external_id: str,
    username: str,
    name: str,
    email: str = "",
    attributes: Mapping[str, Any] | None = None,
    password: str | None = None,
    is_staff: bool = False,
    is_superuser: bool = False,
    by: Actor,
    reason: str = "",
    now: datetime,
) -> User:
    """Add a person; without a password they log in by other means. Only the system makes a superuser."""
    if is_superuser and by.kind != "system":
        raise RightsNotYours("A superuser is made by the operator.")
    person = User(
        organization=organization,
        kind=User.Kind.PERSON,
        external_id=external_id,
        username=username,
        name=name,
        email=email,
        attributes=dict(attributes or {}),
        is_staff=is_staff,
        is_superuser=is_superuser,
        created_at=now,
    )
    person.set_password(password)
    rights = {"is_staff": is_staff, "is_superuser": is_superuser}
    with transaction.atomic():
        lock_organization(organization.pk, by=by)
        save_version(person, by=by, reason=reason, now=now)
        created = report(events.PERSON_CREATED, person, by=by, reason=reason, now=now, data=rights)
        conclude([created], touched=[user_ref(person)])
    return person


def update_person(
    *,
    person: User,
    name: str,
    email: str,
    attributes: Mapping[str, Any],
    by: Actor,
    reason: str = "",
    now: datetime,
) -> User:
    """Change what is known of a person; the event log names the fields, and only the version history their values."""
    values = {"name": name, "email": email, "attributes": dict(attributes)}
    with transaction.atomic():
        current = lock_person(person, by=by)
        changed = changes(current, values)
        save_version(current, by=by, reason=reason, now=now, fields=values)
        updated = report(events.PERSON_UPDATED, current, by=by, reason=reason, now=now, data={"changed": sorted(changed)})
        conclude([updated], touched=[user_ref(current)])
    return current


def deactivate_person(*, person: User, by: Actor, reason: str = "", now: datetime) -> User:
    """End a person's access: their sessions are deleted, and the agents they own are ownerless and, where active, suspended.

    The agents they sponsor go on; the event log says so. Reads every session that is not over, to find theirs.
    """
    with transaction.atomic():
        current = lock_person(person, by=by)
        if not current.is_active:
            raise IllegalTransition(f"{current} is deactivated already.")
        current.is_active = False
        current.deactivated_at = now
        save_version(current, by=by, reason=reason, now=now, fields=["is_active", "deactivated_at"])
        unretired = Agent.objects.exclude(state=State.RETIRED.value)
        owned = list(unretired.filter(owner=current, ownerless=False).order_by("depth", "id"))
        happened = [change for agent in owned for change in _latch(agent, current, by=by, reason=reason, now=now)]
        happened += [
            report(events.AGENT_SPONSOR_LEFT, agent, by=by, reason=reason, now=now, data={"sponsor": current.external_id})
            for agent in unretired.filter(sponsor=current).order_by("depth", "id")
        ]
        data = {"ownerless": [agent.external_id for agent in owned], "sessions": _delete_sessions(current, now=now)}
        happened.append(report(events.PERSON_DEACTIVATED, current, by=by, reason=reason, now=now, data=data))
        conclude(happened, touched={user_ref(current)} | agent_refs(and_descendants(owned)))
    return current


def reactivate_person(*, person: User, by: Actor, reason: str = "", now: datetime) -> User:
    """Let a person in again; the agents that they owned stay ownerless until somebody takes them over."""
    with transaction.atomic():
        current = lock_person(person, by=by)
        if current.is_active:
            raise IllegalTransition(f"{current} is active already.")
        current.is_active = True
        current.deactivated_at = None
        save_version(current, by=by, reason=reason, now=now, fields=["is_active", "deactivated_at"])
        conclude([report(events.PERSON_REACTIVATED, current, by=by, reason=reason, now=now)], touched=[user_ref(current)])
    return current


def lock_person(person: User, *, by: Actor) -> User:
    """Lock the person's organization and then the person, and read them anew; raises NotAPerson for an agent's account."""
    lock_organization(person.organization_id, by=by)
    current: User = User.objects.select_for_update(no_key=True).get(pk=person.pk)
    if not current.is_person:
        raise NotAPerson(f"{current} is an agent.", remedy="Agents are registered, suspended and retired as agents.")
    return current


def _latch(agent: Agent, owner: User, *, by: Actor, reason: str, now: datetime) -> list[Change]:
    """Mark an agent ownerless, and suspend it when it is active."""
    agent.ownerless = True
    active = agent.state == State.ACTIVE
    left = report(
        events.AGENT_OWNER_LEFT, agent, by=by, reason=reason, now=now, data={"owner": owner.external_id, "suspended": active}
    )
    if active:
        return [left, move(agent, Event.SUSPEND, also=["ownerless"], by=by, reason=reason, now=now, data={"ownerless": True})]
    save_version(agent, by=by, reason=reason, now=now, fields=["ownerless"])
    return [left]


def _delete_sessions(person: User, *, now: datetime) -> int:
    """Delete the sessions of one person in the database; a session does not say whose it is until it is decoded."""
    theirs = [
        session.pk
        for session in Session.objects.filter(expire_date__gt=now).iterator()
        if session.get_decoded().get(SESSION_KEY) == str(person.pk)
    ]
    Session.objects.filter(pk__in=theirs).delete()
    return len(theirs)
