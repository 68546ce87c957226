"""From where a credential is used: from two networks far apart within ten minutes, while it is at work, is a sign.

A network is a /16 of IPv4 or a /48 of IPv6; a private address is never in the network of a public one. IPv4 and IPv6 are not
compared with each other: a machine may have both.
"""

import ipaddress
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction

from agentiam.kit.actors import Actor
from directory.models import Credential, Run
from permissions.models import AccessToken, LastAddress
from permissions.services.signals import Sign, note_sign

TOGETHER: Final = timedelta(minutes=10)
_PREFIXES: Final = {4: 16, 6: 48}
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def note_place(*, credential: Credential, address: str, by: Actor, now: datetime) -> bool:
    """Note from where a proven credential is used, and the sign when it is in two places; answers whether it was one.

    ``credential`` has its agent. Two queries, and two more where it is in two places.
    """
    here = _read(address)
    if here is None:
        return False
    with transaction.atomic():
        known, made = LastAddress.objects.select_for_update().get_or_create(
            credential_id=credential.pk, version=here.version, defaults={"address": str(here), "used_at": now}
        )
        if made:
            return False
        before, used_at = known.address, known.used_at
        LastAddress.objects.filter(pk=known.pk).update(address=str(here), used_at=max(now, used_at))
    there = _read(before)
    if there is None or now - used_at > TOGETHER or not far_apart(here, there) or not _at_work(credential, now):
        return False
    data = {"before": before, "used_at": used_at.isoformat()}
    noted = note_sign(
        sign=Sign.FAR_APART, agent=credential.agent, proven=True, credential=credential, data=data, by=by, now=now
    )
    return noted is not None


def far_apart(one: _Address, other: _Address) -> bool:
    """Tell whether two addresses of one version are in different networks."""
    if one.is_private != other.is_private:
        return True
    prefix = _PREFIXES[one.version]
    return other not in ipaddress.ip_network((one, prefix), strict=False)


def _read(address: str) -> _Address | None:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return mapped or found


def _at_work(credential: Credential, now: datetime) -> bool:
    """Tell whether something lives that came of the credential, or its agent is on a task."""
    if AccessToken.objects.filter(credential_id=credential.pk).live(now).exists():
        return True
    return Run.objects.live(now).filter(agent_id=credential.agent_id).exists()
