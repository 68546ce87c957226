"""Only so many tries, on every way in: for one account from one place, for one account from anywhere, and from one place.

A try is counted before it is looked at, in one step, so that many at once do not slip through. One that cannot be counted is
refused.
"""

import hashlib
import ipaddress
import logging
import sys
from dataclasses import dataclass
from typing import ClassVar, Final

from django.core.cache import cache
from django.core.exceptions import ValidationError

log = logging.getLogger(__name__)
WINDOW_SECONDS: Final = 300
DAY_SECONDS: Final = 24 * 3600


class TryRefused(ValidationError):
    """A try that is not looked at; ``status`` is that of the answer, where the answer is no form."""

    status: ClassVar[int]


class NotCounted(TryRefused):
    """Tries cannot be counted now; without a count everybody would have as many as they like."""

    status = 503

    def __init__(self) -> None:
        super().__init__("Signing in is not possible for the moment. Try again in a few minutes.", code="not_counted")


class TooManyTries(TryRefused):
    """The account or the address tried too often in the last minutes; ``just_now`` if this try was the first over the limit."""

    status = 429

    def __init__(self, *, just_now: bool) -> None:
        super().__init__("Too many tries. Wait five minutes, then try again.", code="too_many")
        self.just_now = just_now


@dataclass(frozen=True, slots=True)
class Limits:
    """How many tries one way in allows; the second number is larger, so that a stranger cannot lock an owner out cheaply."""

    account_here: int
    account: int
    address: int
    account_a_day: int


PASSWORD: Final = Limits(account_here=5, account=50, address=50, account_a_day=500)
# Whoever gets here knows the password, and a code has six digits.
SECOND_FACTOR: Final = Limits(account_here=5, account=10, address=50, account_a_day=60)
PASSKEY: Final = Limits(account_here=20, account=50, address=50, account_a_day=500)
LINK: Final = Limits(account_here=10, account=50, address=30, account_a_day=500)
RESET: Final = Limits(account_here=5, account=20, address=20, account_a_day=100)
# For one person, whatever names they are asked for by: enough for somebody who is waiting, too few to fill a mailbox.
RESET_MAIL: Final = Limits(account_here=3, account=5, address=50, account_a_day=20)


def cache_errors() -> tuple[type[Exception], ...]:
    """Name what a cache raises that does not answer.

    A Redis that was never asked raises nothing, so its library, which loads others' metrics, is not loaded for its name.
    """
    library = sys.modules.get("redis")
    return () if library is None else (library.RedisError,)


@dataclass(frozen=True, slots=True)
class Tries:
    """The tries on one way in (``password``) at one account (empty for none in particular) from one address."""

    way: str
    limits: Limits
    account: str
    address: str

    def spend(self) -> None:
        """Count a try; raises TooManyTries when one of the counters is over its limit, and NotCounted when they do not work.

        All of them are counted in any case.
        """
        try:
            counts = [(_count(key, seconds), most) for key, most, seconds in self._counters()]
        except cache_errors() as error:
            log.warning("a try to sign in cannot be counted and is refused: %s", type(error).__name__)
            raise NotCounted from None
        over = [count - most for count, most in counts if count > most]
        if over:
            raise TooManyTries(just_now=min(over) == 1)

    def forget(self) -> None:
        """Start anew for this account, after a try that was right; the address stays counted."""
        try:
            cache.delete_many([key for key, _, _ in self._counters() if "/address/" not in key])
        except cache_errors() as error:
            # The try was right, and what stays counted is over in a while.
            log.warning("tries that were right stay counted: %s", type(error).__name__)

    def _counters(self) -> list[tuple[str, int, int]]:
        place = _place(self.address)
        counters = [(self._key("address", place), self.limits.address, WINDOW_SECONDS)]
        if self.account:
            account = self.account.casefold()
            counters += [
                (self._key("both", account, place), self.limits.account_here, WINDOW_SECONDS),
                (self._key("account", account), self.limits.account, WINDOW_SECONDS),
                (self._key("day", account), self.limits.account_a_day, DAY_SECONDS),
            ]
        return counters

    def _key(self, kind: str, *parts: str) -> str:
        return f"tries/{kind}/" + hashlib.sha256("\0".join((self.way, *parts)).encode()).hexdigest()


def _count(key: str, seconds: int) -> int:
    cache.add(key, 0, seconds)
    try:
        return int(cache.incr(key))
    except ValueError:  # the window ended between the two
        return 1


def _place(address: str) -> str:
    """Take the whole network that a customer gets for one place: whoever has one IPv6 address has 2^64."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is None:
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(getattr(parsed, "ipv4_mapped", None) or parsed)
