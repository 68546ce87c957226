"""A person's key calls the management API in their name: only they make one, it ends within a year, and it never decides."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import transaction

from agentiam.kit.actors import Actor
from agentiam.kit.errors import IllegalTransition, NotAllowed
from agentiam.kit.tokens import PREFIXES, Token
from audit.events import EventType
from audit.services import Change
from directory import events
from directory.models import CredentialRecord, PersonKey, Scope, User
from directory.services.credentials import NotRotatable
from directory.services.people import lock_person
from directory.services.proofs import (
    DEFAULT_DAYS,
    BadScope,
    check_names_of_scopes,
    check_networks,
    credential_end,
    new_api_key,
    succeed,
)
from directory.services.reports import conclude, report
from directory.services.revisions import user_ref
from directory.services.versions import save_version

LONGEST_DAYS: Final = 365
READ_ONLY: Final = (Scope.READ.value,)


class KeyOfAnother(NotAllowed):
    """A key speaks in its holder's name, so nobody else makes one for them."""


class PersonIsInactive(IllegalTransition):
    """The account is deactivated, or its password must be changed first."""


def issue_person_key(
    *,
    user: User,
    label: str,
    scopes: Iterable[str] = READ_ONLY,
    expires_at: datetime | None = None,
    allowed_networks: Iterable[str] = (),
    by: Actor,
    reason: str = "",
    now: datetime,
) -> tuple[PersonKey, Token]:
    """Give a person a key for the management API; the token holds the secret, which is seen here and never again.

    It ends after 90 days unless another end within a year is named. Raises BadScope, BadEnd, BadNetwork, KeyOfAnother,
    PersonIsInactive, and NotAPerson for an agent.
    """
    wanted = _checked(scopes)
    with transaction.atomic():
        person = _lock_holder(user, by=by)
        key = _new(person, label, wanted, check_networks(allowed_networks), expires_at, now=now)
        token = new_api_key(key, prefix=PREFIXES["person"], now=now)
        save_version(key, by=by, reason=reason, now=now)
        issued = _report(events.PERSON_KEY_ISSUED, key, by=by, reason=reason, now=now, data={})
        conclude([issued], touched=_refs(key))
    return key, token


def rotate_person_key(
    *,
    key: PersonKey,
    overlap: timedelta,
    expires_at: datetime | None = None,
    by: Actor,
    reason: str = "",
    now: datetime,
) -> tuple[PersonKey, Token]:
    """Replace a key by another like it; the old one ends after the overlap, or at once if that is zero.

    Raises NotRotatable, and as ``issue_person_key``.
    """
    with transaction.atomic():
        person = _lock_holder(key.user, by=by)
        old = _read_anew(key)
        if old.revoked_at is not None or old.expires_at <= now:
            raise NotRotatable("This key has ended.", remedy="Issue another.")
        if old.successor_id is not None:
            raise NotRotatable("This key has a successor already.", remedy="Rotate the successor.")
        new = _new(person, old.label, old.scopes, old.allowed_networks, expires_at, now=now)
        token = new_api_key(new, prefix=PREFIXES["person"], now=now)
        save_version(new, by=by, reason=reason, now=now)
        fields = succeed(old, new, overlap=overlap, now=now)
        save_version(old, by=by, reason=reason, now=now, fields=fields)
        data = {"successor": str(new.pk), "ends": (old.revoked_at or old.expires_at).isoformat()}
        happened = [
            _report(events.PERSON_KEY_ISSUED, new, by=by, reason=reason, now=now, data={}),
            _report(events.PERSON_KEY_ROTATED, old, by=by, reason=reason, now=now, data=data),
        ]
        conclude(happened, touched=_refs(old) | _refs(new))
    return new, token


def revoke_person_key(*, key: PersonKey, by: Actor, reason: str = "", now: datetime) -> PersonKey:
    """End a person's key now, for good; raises IllegalTransition when it has been revoked already."""
    with transaction.atomic():
        lock_person(key.user, by=by)
        current = _read_anew(key)
        if current.revoked_at is not None:
            raise IllegalTransition("The key has been revoked already.")
        current.revoked_at = now
        save_version(current, by=by, reason=reason, now=now, fields=["revoked_at"])
        revoked = _report(events.PERSON_KEY_REVOKED, current, by=by, reason=reason, now=now, data={})
        conclude([revoked], touched=_refs(current))
    return current


def _checked(scopes: Iterable[str]) -> list[str]:
    names = list(scopes)
    if Scope.DECIDE in names:
        raise BadScope("A person's key does not ask for decisions.", remedy="Agents and applications ask; name read or write.")
    return check_names_of_scopes(names, of=Scope.of_people())


def _lock_holder(user: User, *, by: Actor) -> User:
    person = lock_person(user, by=by)
    if by.kind != "system" and by.user_id != person.pk:
        raise KeyOfAnother("People make their own keys.", remedy="An administrator can revoke them.")
    if not person.is_active or person.password_is_temporary:
        raise PersonIsInactive(f"{person} is deactivated, or has a password that must be changed first.")
    return person


def _new(
    person: User, label: str, scopes: list[str], networks: list[str], expires_at: datetime | None, *, now: datetime
) -> PersonKey:
    end = credential_end(expires_at, days=LONGEST_DAYS, now=now) if expires_at is not None else None
    return PersonKey(
        organization=person.organization,
        user=person,
        kind=CredentialRecord.Kind.API_KEY,
        label=label,
        scopes=scopes,
        allowed_networks=networks,
        created_at=now,
        expires_at=end or now + timedelta(days=DEFAULT_DAYS),
    )


def _read_anew(key: PersonKey) -> PersonKey:
    return PersonKey.objects.select_for_update(no_key=True, of=("self",)).select_related("user").get(pk=key.pk)


def _report(event: EventType, key: PersonKey, *, by: Actor, reason: str, now: datetime, data: dict[str, Any]) -> Change:
    about = {
        "person": key.user.external_id,
        "public_id": key.public_id,
        "expires_at": key.expires_at.isoformat(),
        "allowed_networks": key.allowed_networks,
        "scopes": key.scopes,
    }
    return report(event, key, by=by, reason=reason, now=now, data={**about, **data})


def _refs(key: PersonKey) -> set[str]:
    return {user_ref(key.user), f"key/{key.public_id}"}
