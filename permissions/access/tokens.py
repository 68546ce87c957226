"""The tokens that one process has verified: each is read anew with every revision, and in between only the clock is asked."""

import hashlib
from datetime import datetime
from typing import Final

from directory.models import Organization
from permissions.oauth.facts import TokenFacts, organization_of, token_facts
from permissions.worlds import Known, OrganizationGone, Worlds

_MAX_TOKENS: Final = 50_000


class Tokens:
    """What is known of tokens by the digests of their texts, at the revision at which it was read."""

    def __init__(self, worlds: Worlds) -> None:
        self._worlds = worlds
        self._read: dict[bytes, tuple[TokenFacts, int]] = {}

    def remembered(self, text: str) -> tuple[TokenFacts, Known] | None:
        """Give a token that was read at the revision of the world in memory."""
        cached = self._read.get(_digest(text))
        if cached is None:
            return None
        known = self._worlds.peek(cached[0].organization_id)
        return None if known is None or known.world.revision != cached[1] else (cached[0], known)

    def remembered_in(self, text: str, known: Known) -> TokenFacts | None:
        """Give a token of an organization's that was read at the revision of a world."""
        cached = self._read.get(_digest(text))
        if cached is None or cached[1] != known.world.revision or cached[0].organization_id != known.world.organization_id:
            return None
        return cached[0]

    def read(self, text: str, now: datetime) -> tuple[TokenFacts, Known] | None:
        """Verify a token, and give its organization's world; the token after the revision, so that it is never older."""
        organization = organization_of(text)
        if organization is None:
            return None
        try:
            known = self._worlds.current(organization.pk)
        except OrganizationGone:
            return None
        facts = self._verified(text, organization, known, now)
        return None if facts is None else (facts, known)

    def read_in(self, text: str, known: Known, now: datetime) -> TokenFacts | None:
        """Verify a token of an organization whose world was read before."""
        organization = Organization.objects.filter(pk=known.world.organization_id).first()
        return None if organization is None else self._verified(text, organization, known, now)

    def _verified(self, text: str, organization: Organization, known: Known, now: datetime) -> TokenFacts | None:
        facts = token_facts(text, organization, known.world, now=now)
        if facts is not None:
            if len(self._read) > _MAX_TOKENS:
                self._read.clear()
            self._read[_digest(text)] = facts, known.world.revision
        return facts


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
