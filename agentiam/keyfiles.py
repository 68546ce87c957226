"""Keys for development are made at the first start and kept in the data directory; in production nothing is ever made up."""

import base64
import os
import secrets
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from agentiam.environment import Environment, Unreadable


def _random_base64() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode("ascii")


MAKERS: Final[Mapping[str, Callable[[], str]]] = {
    "AGENTIAM_SECRET_KEY": lambda: secrets.token_urlsafe(64),
    "AGENTIAM_CREDENTIAL_PEPPERS": lambda: f"1:{_random_base64()}",
    "AGENTIAM_AUDIT_SIGNING_KEY": _random_base64,
    "AGENTIAM_CARD_SIGNING_KEY": _random_base64,
    "AGENTIAM_KEY_ENCRYPTION_KEYS": lambda: f"1:{_random_base64()}",
}


def keys_from(environment: Environment, directory: Path, *, may_make: bool) -> dict[str, str]:
    """Read every key; make the missing ones in a directory if allowed, else raise Unreadable naming all that are missing."""
    keys = {name: environment.secret(name) for name in MAKERS}
    missing = [name for name, value in keys.items() if not value]
    if missing and not may_make:
        raise Unreadable(
            f"In production every key is given: {', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not set. "
            "Set each, or the same name with _FILE for a file that holds it. `.venv/bin/python -m agentiam.keyfiles` prints "
            "new ones."
        )
    return keys | {name: _kept(directory / name.removeprefix("AGENTIAM_").lower(), MAKERS[name]) for name in missing}


def _kept(path: Path, make: Callable[[], str]) -> str:
    """Read a key file, or make it: whole, mode 0600, and the same for all processes that start at once."""
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, draft = tempfile.mkstemp(dir=path.parent)  # mode 0600
        try:
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(make())
                file.flush()
                os.fsync(file.fileno())
            # A link appears with its whole content or not at all, and never replaces what another process made first.
            os.link(draft, path)
        except FileExistsError:
            return path.read_text(encoding="ascii")
        finally:
            Path(draft).unlink()
    return path.read_text(encoding="ascii")


if __name__ == "__main__":
    # Without Django and its settings, which production refuses to load before the keys exist.
    for name, make in MAKERS.items():
        print(f"{name}={make()}")  # noqa: T201 (this is its output)
