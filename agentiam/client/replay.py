"""What makes a proof good once, and recent: a memory of those that were used, and nonces of this server."""

import hmac
import secrets
import threading
from typing import Final, Protocol

from agentiam.client.errors import Unavailable
from agentiam.client.jose import Malformed, decoded, encoded

_STAMP_BYTES: Final = 8
_TAG_BYTES: Final = 16


class ReplayGuard(Protocol):
    """Where used proofs are remembered. With several processes, give one that all of them share."""

    def first_use(self, key: str, *, until: float, now: float) -> bool:
        """Remember a key until an instant; tell whether it was new. Must be atomic. Raises Unavailable if it cannot tell."""
        ...

    async def afirst_use(self, key: str, *, until: float, now: float) -> bool:
        """Do the same in an event loop."""
        ...


class MemoryReplayGuard:
    """Remembers in this process, up to a number of proofs; when there is no room, nothing is let in (Unavailable)."""

    def __init__(self, *, most: int = 100_000) -> None:
        self._most = most
        self._until: dict[str, float] = {}
        self._lock = threading.Lock()

    def first_use(self, key: str, *, until: float, now: float) -> bool:
        """Remember a key until an instant; tell whether it was new."""
        with self._lock:
            known = self._until.get(key)
            if known is not None and known >= now:
                return False
            if len(self._until) >= self._most:
                self._until = {each: end for each, end in self._until.items() if end >= now}
                if len(self._until) >= self._most:
                    raise Unavailable("more proofs are in use than can be remembered")
            self._until[key] = until
            return True

    async def afirst_use(self, key: str, *, until: float, now: float) -> bool:
        """Do the same in an event loop; nothing waits."""
        return self.first_use(key, until=until, now=now)


class Nonces:
    """Nonces that need no memory: a time under a key, so that processes with the same secret know each other's."""

    def __init__(self, secret: bytes | None = None, *, lifetime: float = 300.0) -> None:
        if secret is not None and len(secret) < 32:
            raise ValueError("the secret of nonces has at least 32 bytes")
        self._secret = secret or secrets.token_bytes(32)
        self._lifetime = lifetime

    def make(self, now: float) -> str:
        """Make a nonce for this instant."""
        return self._of(int(now).to_bytes(_STAMP_BYTES))

    def is_good(self, nonce: str, now: float) -> bool:
        """Tell whether a nonce is ours and recent."""
        try:
            stamp = decoded(nonce)[:_STAMP_BYTES]
        except Malformed:
            return False
        known = hmac.compare_digest(self._of(stamp), nonce)
        return known and now - self._lifetime <= int.from_bytes(stamp) <= now

    def _of(self, stamp: bytes) -> str:
        return encoded(stamp + hmac.digest(self._secret, b"dpop-nonce:" + stamp, "sha256")[:_TAG_BYTES])
