"""How applications prove themselves: every key ends, and its secret is seen once."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from agentiam.kit.actors import Actor
from agentiam.kit.errors import Conflict, IllegalTransition
from agentiam.kit.tokens import PREFIXES, Token
from audit.events import EventType
from audit.services import Change
from directory.services.credentials import DECIDE_ONLY
from directory.services.proofs import DEFAULT_DAYS, check_networks, check_scopes, credential_end, new_api_key, succeed
from directory.services.reports import conclude
from directory.services.revisions import lock_organization
from directory.services.versions import save_version
from permissions import events
from permissions.models import Application, ApplicationKey
from permissions.services.reports import key_refs, report
from permissions.services.rows import read_anew


class KeyNotRotatable(Conflict):
    """The key has no secret, or is at its end, or has a successor."""


def issue_application_key(
    *,
    application: Application,
    label: str,
    expires_at: datetime | None = None,
    allowed_networks: Iterable[str] = (),
    scopes: Iterable[str] = DECIDE_ONLY,
    by: Actor,
    reason: str = "",
    now: datetime,
) -> tuple[ApplicationKey, Token]:
    """Give an application an API key; the token holds the secret, which is seen here and never again.

    The key ends after 90 days, unless an earlier end is named. Raises BadEnd and BadNetwork.
    """
    with transaction.atomic():
        lock_organization(application.organization_id, by=by)
        key = _new(read_anew(application), label, expires_at, allowed_networks, now=now)
        key.scopes = check_scopes(scopes)
        token = new_api_key(key, prefix=PREFIXES["application"], now=now)
        save_version(key, by=by, reason=reason, now=now)
        issued = _report(events.APPLICATION_KEY_ISSUED, key, by=by, reason=reason, now=now, data={})
        conclude([issued], touched=key_refs(key))
    return key, token


def rotate_application_key(
    *,
    key: ApplicationKey,
    overlap: timedelta,
    expires_at: datetime | None = None,
    by: Actor,
    reason: str = "",
    now: datetime,
) -> tuple[ApplicationKey, Token]:
    """Replace a key by another; the old one ends after the overlap, or at once if that is zero.

    Raises KeyNotRotatable and BadEnd.
    """
    with transaction.atomic():
        old = _lock_key(key, by=by)
        _require_rotatable(old, now=now)
        new = _new(old.application, old.label, expires_at, old.allowed_networks, now=now)
        new.scopes = old.scopes
        token = new_api_key(new, prefix=PREFIXES["application"], now=now)
        save_version(new, by=by, reason=reason, now=now)
        fields = succeed(old, new, overlap=overlap, now=now)
        save_version(old, by=by, reason=reason, now=now, fields=fields)
        data = {"successor": str(new.pk), "ends": (old.revoked_at or old.expires_at).isoformat()}
        happened = [
            _report(events.APPLICATION_KEY_ISSUED, new, by=by, reason=reason, now=now, data={}),
            _report(events.APPLICATION_KEY_ROTATED, old, by=by, reason=reason, now=now, data=data),
        ]
        conclude(happened, touched=key_refs(old, new))
    return new, token


def revoke_application_key(*, key: ApplicationKey, by: Actor, reason: str = "", now: datetime) -> ApplicationKey:
    """End a key now, for good; raises IllegalTransition when it has been revoked already."""
    with transaction.atomic():
        current = _lock_key(key, by=by)
        if current.revoked_at is not None:
            raise IllegalTransition("The key has been revoked already.")
        current.revoked_at = now
        save_version(current, by=by, reason=reason, now=now, fields=["revoked_at"])
        revoked = _report(events.APPLICATION_KEY_REVOKED, current, by=by, reason=reason, now=now, data={})
        conclude([revoked], touched=key_refs(current))
    return current


def _new(
    application: Application, label: str, expires_at: datetime | None, allowed_networks: Iterable[str], *, now: datetime
) -> ApplicationKey:
    return ApplicationKey(
        organization_id=application.organization_id,
        application=application,
        kind=ApplicationKey.Kind.API_KEY,
        label=label,
        allowed_networks=check_networks(allowed_networks),
        created_at=now,
        expires_at=credential_end(expires_at, days=DEFAULT_DAYS, now=now),
    )


def _lock_key(key: ApplicationKey, *, by: Actor) -> ApplicationKey:
    lock_organization(key.organization_id, by=by)
    return read_anew(key, "application")


def _require_rotatable(key: ApplicationKey, *, now: datetime) -> None:
    if key.public_id is None:
        raise KeyNotRotatable("This proof has no secret.")
    if key.revoked_at is not None or key.expires_at <= now:
        raise KeyNotRotatable("This key has ended.", remedy="Issue another.")
    if key.successor_id is not None:
        raise KeyNotRotatable("This key has a successor already.", remedy="Rotate the successor.")


def _report(event: EventType, key: ApplicationKey, *, by: Actor, reason: str, now: datetime, data: dict[str, Any]) -> Change:
    about = {
        "application": key.application.slug,
        "kind": str(key.kind),
        "public_id": key.public_id,
        "expires_at": key.expires_at.isoformat(),
        "allowed_networks": key.allowed_networks,
        "scopes": key.scopes,
    }
    return report(event, key, by=by, reason=reason, now=now, data={**about, **data})
