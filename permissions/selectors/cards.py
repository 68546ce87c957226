"""Another's agent card is believed if a key signed it that the organization trusts by a row of its own, and never else."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from directory.cards.signing import CardVerdict, TrustedKey, check_card, public_jwk
from directory.models import Organization
from permissions.models import Trust


@dataclass(frozen=True, slots=True)
class VerifiedCard:
    """Whether a card is a trusted partner's: ``trust`` is the row that vouches for key ``kid``, or ``problem`` says why."""

    trust: Trust | None = None
    kid: str = ""
    problem: str = ""

    @property
    def genuine(self) -> bool:
        """Whether a trusted partner signed exactly this card."""
        return self.trust is not None


def verify_card(card: Any, *, organization: Organization, now: datetime) -> VerifiedCard:
    """Check another's agent card against the keys of the trusts that stand: both sides agreed, and neither is over.

    A partner elsewhere has the keys in the row, a partner here its own. The card's own keys and addresses are not used, and
    nothing is fetched. What a genuine card says is still only the partner's word, within what the trust allows.
    """
    standing = Trust.objects.filter(organization=organization).live(now).select_related("partner").order_by("pk")
    trusts = {trust.pk: trust for trust in standing}
    keys = [TrustedKey(jwk, trust.pk) for trust in trusts.values() for jwk in _keys_of(trust)]
    verdict: CardVerdict = check_card(card, keys)
    if verdict.vouched_by is None:
        return VerifiedCard(problem=verdict.problem)
    return VerifiedCard(trust=trusts[verdict.vouched_by], kid=verdict.kid)


def _keys_of(trust: Trust) -> Iterator[dict[str, Any]]:
    if trust.partner is None:
        yield from (trust.keys or {}).get("keys", ())
    elif trust.partner.state == Organization.State.ACTIVE:
        yield public_jwk(trust.partner)
