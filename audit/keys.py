"""Whom the log's signatures are trusted from: the key in the settings, and the ids of its predecessors.

Never a key from the database.
"""

from functools import lru_cache
from typing import Final

from django.conf import settings

from audit.chain import BadKey, PublicKey, Signer

EXAMPLE: Final[PublicKey] = Signer(bytes(32)).public

_signer_from = lru_cache(maxsize=4)(Signer.from_text)


def signer() -> Signer:
    """The key that signs checkpoints, from AUDIT_SIGNING_KEY; raises BadKey."""
    text = settings.AUDIT_SIGNING_KEY
    if not isinstance(text, str) or not text:
        raise BadKey("it is not set")
    return _signer_from(text)


def trusted_key_ids() -> frozenset[str]:
    """The ids (RFC 7638 thumbprints) that may have signed: the present key's, and those in AUDIT_TRUSTED_KEY_IDS.

    After a change of keys the former key's id belongs there, or its checkpoints are reported as signed by a stranger.
    """
    return frozenset({signer().public.id, *getattr(settings, "AUDIT_TRUSTED_KEY_IDS", ())})
