"""Each organization signs with its own keys, one of each kind: shown before they sign, and until the last token is over.

Private halves are sealed in the database under key-encryption keys that are not there; only who signs opens one.
"""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final, TypeAlias
from uuid import UUID

from django.conf import settings
from django.db import transaction
from joserfc.jwk import ECKey, OKPKey, RSAKey

from agentiam.kit.actors import Actor, system
from agentiam.kit.sealing import Sealer
from audit.services import Change, Target, record_all
from directory.models import Organization
from directory.services.reports import conclude
from directory.services.revisions import lock_organization
from permissions import events
from permissions.models import TokenKey

ALGORITHMS: Final = tuple(TokenKey.Algorithm.values)
SHOWN_AHEAD: Final = timedelta(days=2)
"""Long enough for whoever keeps a copy of the key set, whatever it thinks of Cache-Control."""
LONGEST_TOKEN: Final = timedelta(hours=1)
KEY_SET_SECONDS: Final = 3600
_RSA_BITS: Final = 2048
_SERVER: Final = system("token keys")

PrivateKey: TypeAlias = ECKey | OKPKey | RSAKey


def key_set(organization: Organization, *, now: datetime) -> dict[str, Any]:
    """The public keys of an organization (RFC 7517), made the first time that anybody looks."""
    shown = list(_shown(organization.pk, now))
    if not shown:
        ensure_keys(organization, now=now)
        shown = list(_shown(organization.pk, now))
    return {"keys": [each.jwk for each in shown]}


def signing_key(organization: Organization, algorithm: str, *, now: datetime) -> tuple[TokenKey, PrivateKey]:
    """The key that signs now, opened."""
    row = _signing(organization.pk, algorithm, now)
    if row is None:
        ensure_keys(organization, now=now)
        row = _signing(organization.pk, algorithm, now)
    if row is None:
        raise RuntimeError(f"{organization} has no {algorithm} key to sign with")
    return row, _opened(row.sealed, row.algorithm, _place(row.organization_id, row.kid))


def public_key(organization_id: UUID, kid: str, *, now: datetime) -> TokenKey | None:
    """Find a key that is still shown."""
    return TokenKey.objects.filter(organization_id=organization_id, kid=kid).shown(now).first()


def ensure_keys(organization: Organization, *, now: datetime) -> list[TokenKey]:
    """Make the keys that an organization lacks, so that it can sign with each algorithm; answers those that were made."""
    with transaction.atomic():
        lock_organization(organization.pk, by=_SERVER)
        missing = [name for name in ALGORITHMS if _signing(organization.pk, name, now) is None]
        made = [_make(organization, name, signs_from=now, now=now) for name in missing]
        if made:
            record_all([_change(events.TOKEN_KEY_MADE, each, by=_SERVER, reason="", now=now) for each in made])
    return made


def rotate_keys(
    *, organization: Organization, at_once: bool = False, by: Actor, reason: str = "", now: datetime
) -> list[TokenKey]:
    """Make the next key of each algorithm; it signs after SHOWN_AHEAD, or now, and the present one signs until then.

    A key that was lost is rotated at once: its tokens stay valid until they end, unless the key is withdrawn as well. Where
    a next key is waiting already, none is made.
    """
    ensure_keys(organization, now=now)
    signs_from = now if at_once else now + SHOWN_AHEAD
    with transaction.atomic():
        lock_organization(organization.pk, by=by)
        made = []
        for algorithm in ALGORITHMS:
            rows = TokenKey.objects.filter(organization=organization, algorithm=algorithm, signs_until__isnull=True)
            if rows.filter(signs_from__gt=now).exists() and not at_once:
                continue
            for row in rows:
                row.signs_until = max(signs_from, row.signs_from)
                row.shown_until = row.signs_until + LONGEST_TOKEN + timedelta(minutes=5)
                row.save(update_fields=["signs_until", "shown_until"])
            made.append(_make(organization, algorithm, signs_from=signs_from, now=now))
        if made:
            record_all([_change(events.TOKEN_KEY_MADE, each, by=by, reason=reason, now=now) for each in made])
    return made


def withdraw_key(*, key: TokenKey, by: Actor, reason: str = "", now: datetime) -> TokenKey:
    """Show a key no more: what it signed is refused from now on, wherever the key set is read anew. Another signs instead."""
    with transaction.atomic():
        organization = lock_organization(key.organization_id, by=by)
        row = TokenKey.objects.select_for_update().get(pk=key.pk)
        row.signs_until = min(now, row.signs_until or now)
        row.shown_until = row.signs_until
        row.save(update_fields=["signs_until", "shown_until"])
        # With a revision: a token that was verified with this key is looked at anew with the next decision.
        withdrawn = _change(events.TOKEN_KEY_WITHDRAWN, row, by=by, reason=reason, now=now)
        conclude([withdrawn], touched=[f"token_key/{row.kid}"])
    ensure_keys(organization, now=now)
    return row


def due_for_rotation(*, now: datetime) -> list[Organization]:
    """List the organizations of which a key has signed long enough that the next is to be made."""
    age = timedelta(days=settings.TOKEN_KEY_DAYS) - SHOWN_AHEAD
    old = TokenKey.objects.filter(signs_until__isnull=True, signs_from__lte=now - age)
    return list(Organization.objects.filter(pk__in=old.values("organization")).order_by("pk"))


def reseal(*, now: datetime) -> int:
    """Seal every private key that is still needed under the current key-encryption key; answers how many were sealed anew."""
    sealer, done = _sealer(), 0
    for pk in TokenKey.objects.shown(now).values_list("pk", flat=True):
        with transaction.atomic():
            row = TokenKey.objects.select_for_update().get(pk=pk)
            if sealer.is_current(row.sealed):
                continue
            place = _place(row.organization_id, row.kid)
            row.sealed = sealer.seal(sealer.open(row.sealed, place=place), place=place)
            row.save(update_fields=["sealed"])
            done += 1
    return done


def _shown(organization_id: UUID, now: datetime) -> Iterator[TokenKey]:
    yield from TokenKey.objects.filter(organization_id=organization_id).shown(now).order_by("-signs_from", "algorithm")


def _signing(organization_id: UUID, algorithm: str, now: datetime) -> TokenKey | None:
    rows = TokenKey.objects.filter(organization_id=organization_id, algorithm=algorithm).signing(now)
    return rows.order_by("-signs_from", "-pk").first()


def _make(organization: Organization, algorithm: str, *, signs_from: datetime, now: datetime) -> TokenKey:
    key = _generated(algorithm)
    kid = key.thumbprint()
    public = {**key.as_dict(private=False), "kid": kid, "use": "sig", "alg": algorithm}
    private = json.dumps(key.as_dict(private=True)).encode("utf-8")
    return TokenKey.objects.create(
        organization=organization,
        kid=kid,
        algorithm=algorithm,
        jwk=public,
        sealed=_sealer().seal(private, place=_place(organization.pk, kid)),
        created_at=now,
        signs_from=signs_from,
    )


def _generated(algorithm: str) -> PrivateKey:
    match algorithm:
        case "ES256":
            return ECKey.generate_key("P-256")
        case "EdDSA":
            return OKPKey.generate_key("Ed25519")
        case _:
            return RSAKey.generate_key(_RSA_BITS)


@lru_cache(maxsize=256)
def _opened(sealed: str, algorithm: str, place: str) -> PrivateKey:
    """Open a private key; kept in memory, since a signature is needed for every token."""
    private = json.loads(_sealer().open(sealed, place=place))
    kinds: dict[str, type[PrivateKey]] = {"ES256": ECKey, "EdDSA": OKPKey, "RS256": RSAKey}
    return kinds[algorithm].import_key(private)


def _sealer() -> Sealer:
    return Sealer(settings.KEY_ENCRYPTION_KEYS)


def _place(organization_id: UUID, kid: str) -> str:
    return f"token key {organization_id} {kid}"


def _change(event: Any, key: TokenKey, *, by: Actor, reason: str, now: datetime) -> Change:
    return Change(
        event_type=event,
        organization_id=key.organization_id,
        by=by,
        target=Target(type="token_key", id=key.kid, label=str(key)),
        reason=reason,
        data={"algorithm": key.algorithm, "signs_from": key.signs_from.isoformat()},
        at=now,
    )
