"""What may be used once is used once: the first to write its id has it, and everybody else finds it taken."""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Final

from django.db import IntegrityError, transaction

from directory.models import Organization
from permissions.models import UsedProof

_SPARE: Final = timedelta(minutes=5)


def use_once(organization: Organization, kind: UsedProof.Kind, *parts: str, until: float) -> bool:
    """Note an id as used until its proof is over (seconds since 1970), with time to spare; answers False when it was before."""
    digest = hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
    expires_at = datetime.fromtimestamp(until, UTC) + _SPARE
    try:
        with transaction.atomic():
            UsedProof.objects.create(organization=organization, kind=kind, digest=digest, expires_at=expires_at)
    except IntegrityError:
        return False
    return True
