"""How the decision API of a running server is asked, over connections that stay open; the standard library is enough for it."""

import json
import time
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any, Final
from urllib.parse import urlsplit

_TIMEOUT: Final = 30.0
_METADATA: Final = "/.well-known/authzen-configuration"


class Unreachable(Exception):
    """Nobody answers at the address, or somebody else does."""


class Server:
    """One connection to the server; for one thread."""

    def __init__(self, base_url: str, *, from_address: str = "") -> None:
        """Take the address of the server, and the address of this machine to come from, if not the usual one."""
        parts = urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise Unreachable(f"{base_url} is not the address of a server: http://HOST:PORT is.")
        make = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        source = (from_address, 0) if from_address else None
        self.base_url = base_url
        self._prefix = parts.path.rstrip("/")
        try:
            self._connection = make(parts.hostname, parts.port, timeout=_TIMEOUT, source_address=source)
        except ValueError:
            raise Unreachable(f"{base_url} is not the address of a server: http://HOST:PORT is.") from None

    def ask(self, path: str, body: Any, *, key: str, request_id: str) -> tuple[int, Any]:
        """Send one question with a key; answers the status, and the body if it is JSON. Raises Unreachable."""
        headers = {
            "Authorization": f"Bearer {key}",
            "Content-Type": "application/json",
            "Prefer": "return=representation",
            "X-Request-ID": request_id,
        }
        return self._send("POST", f"/access/v1/{path}", json.dumps(body).encode(), headers)

    def require_agentiam(self, *, organization: str, wait: float = 0.0) -> None:
        """Make sure that agentiam answers and has the organization; raises Unreachable after so many seconds."""
        give_up_at = time.monotonic() + wait
        while True:
            try:
                status, said = self._send("GET", f"{_METADATA}/{organization}", None, {})
                break
            except Unreachable:
                if time.monotonic() >= give_up_at:
                    raise
                time.sleep(0.5)
        if status == 404 and isinstance(said, dict) and "title" in said:
            raise Unreachable(f"The server at {self.base_url} has no organization {organization}: it uses another database.")
        if status != 200 or not isinstance(said, dict) or "access_evaluation_endpoint" not in said:
            raise Unreachable(f"What answers at {self.base_url} is not agentiam (status {status}).")

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    def _send(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> tuple[int, Any]:
        try:
            return self._once(method, path, body, headers)
        except (ConnectionResetError, BrokenPipeError, HTTPException):
            # A server may close a connection that was idle; a fresh one tells whether it is there.
            self._connection.close()
        except OSError as error:
            raise self._nobody(error) from None
        try:
            return self._once(method, path, body, headers)
        except (OSError, HTTPException) as error:
            raise self._nobody(error) from None

    def _once(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> tuple[int, Any]:
        self._connection.request(method, f"{self._prefix}{path}", body=body, headers=headers)
        answer = self._connection.getresponse()
        content = answer.read()
        try:
            return answer.status, json.loads(content)
        except ValueError:
            return answer.status, None

    def _nobody(self, error: Exception) -> Unreachable:
        self._connection.close()
        reason = getattr(error, "strerror", None) or type(error).__name__
        return Unreachable(f"No server answers at {self.base_url} ({reason}). `make run` starts one; --base-url names another.")
