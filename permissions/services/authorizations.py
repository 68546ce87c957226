"""An authorization ends as one: its codes, refresh tokens and access tokens with it, and whatever was exchanged for them.

It also ends when the last of the consents that it rests on does, whoever ends that.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from django.db import transaction
from django.db.models import Q

from agentiam.kit.actors import Actor
from audit.services import Change, Target
from directory.models import Agent
from directory.services.reports import conclude
from directory.services.revisions import lock_organization
from permissions import events
from permissions.models import AccessToken, Authorization, Consent, RefreshToken

MAX_GENERATIONS: Final = 12
"""How many exchanges in a row a token may come from, those that only narrow included."""


def end_authorization(*, authorization: Authorization, because: str, by: Actor, now: datetime) -> Authorization:
    """End an authorization and whatever rests on it; ending it again changes nothing."""
    with transaction.atomic():
        lock_organization(authorization.organization_id, by=by)
        current = Authorization.objects.select_for_update(of=("self",)).select_related("user", "agent").get(pk=authorization.pk)
        if current.ended_at is not None:
            return current
        change, touched = end_locked(current, because=because, by=by, now=now)
        conclude([change], touched=touched)
    return current


def end_authorizations_without_consent(
    *, consent: Consent, because: str, by: Actor, now: datetime
) -> tuple[list[Change], set[str]]:
    """End what rested on a consent that was ended just now, and on no other that holds; answers what to conclude.

    Within the transaction that ended the consent, under the organization's lock.
    """
    changes, touched = [], set()
    rows = Authorization.objects.filter(consents=consent, ended_at__isnull=True)
    for each in rows.select_for_update(of=("self",)).select_related("user", "agent").order_by("pk"):
        if not each.consents.live(now).exists():
            change, refs = end_locked(each, because=because or "the consent was ended", by=by, now=now)
            changes.append(change)
            touched |= refs
    return changes, touched


def revoke_with_descendants(rows: Any, now: datetime) -> list[Any]:
    """Mark tokens and those exchanged for them as revoked; answers their keys. Two queries for each generation."""
    found: list[Any] = []
    level = list(rows.values_list("pk", flat=True))
    for _ in range(MAX_GENERATIONS + 1):
        if not level:
            break
        found += level
        level = list(AccessToken.objects.filter(parent__in=level).exclude(pk__in=found).values_list("pk", flat=True))
    AccessToken.objects.filter(Q(revoked_at__isnull=True), pk__in=found).update(revoked_at=now)
    return found


def token_refs(keys: Sequence[Any]) -> set[str]:
    """Name tokens as touched."""
    return {f"token/{each}" for each in keys} or {"token/none"}


def tokens_revoked(agent: Agent, keys: Sequence[Any], *, because: str, by: Actor, now: datetime) -> Change:
    """Say that tokens of an agent's were revoked, with what was exchanged for them."""
    return Change(
        event_type=events.TOKEN_REVOKED,
        organization_id=agent.organization_id,
        by=by,
        target=Target(type="agent", id=agent.external_id, label=agent.name),
        reason=because,
        data={"tokens": [str(each) for each in keys[:100]], "count": len(keys)},
        at=now,
    )


def end_locked(current: Authorization, *, because: str, by: Actor, now: datetime) -> tuple[Change, set[str]]:
    """End an authorization that is locked and live, within a larger change; answers what to conclude."""
    current.ended_at, current.ended_because = now, because[:200]
    current.save(update_fields=["ended_at", "ended_because"])
    RefreshToken.objects.filter(authorization=current, used_at__isnull=True).update(used_at=now)
    ended = revoke_with_descendants(AccessToken.objects.filter(authorization=current), now)
    change = Change(
        event_type=events.AUTHORIZATION_ENDED,
        organization_id=current.organization_id,
        by=by,
        target=Target(type="authorization", id=str(current.pk), label=str(current)),
        reason=because,
        data={"user": current.user.external_id, "agent": current.agent.external_id, "tokens": len(ended)},
        at=now,
    )
    return change, token_refs(ended)
