"""The process environment, read by readers that fail loudly: they name the variable and its form, never its value."""

import base64
import binascii
import contextlib
import ipaddress
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

_FLAGS: Final = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
_MAIL: Final = {
    "smtp": ("smtp", 25),
    "smtp+tls": ("smtp", 587),
    "smtp+ssl": ("smtp", 465),
    "file": ("filebased", 0),
    "console": ("console", 0),
}
_DATABASES: Final = ("postgres://", "postgresql://", "sqlite://")
_HOST: Final = re.compile(r"\.?[a-z0-9]([a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:]+\]")


class Unreadable(ImproperlyConfigured):
    """A variable is missing or cannot be read; the text says which one and what is expected of it."""


class Environment:
    """Variables by name. What was read is remembered, to check the documentation and to find misspelt names."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values
        self.known: set[str] = set()
        self.files: list[Path] = []

    def text(self, name: str, *, default: str = "") -> str:
        """Read text; an empty variable counts as unset."""
        self.known.add(name)
        return self._values.get(name, "").strip() or default

    def secret(self, name: str) -> str:
        """Read a secret from the variable, or from the file that ``<NAME>_FILE`` names; empty if neither is set."""
        direct, path = self.text(name), self.text(f"{name}_FILE")
        if direct and path:
            raise Unreadable(f"{name} and {name}_FILE are both set: set one of them.")
        if not path:
            return direct
        try:
            content = Path(path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise Unreadable(f"{name}_FILE names a file that cannot be read ({type(error).__name__}).") from None
        if not content:
            raise Unreadable(f"{name}_FILE names an empty file.")
        self.files.append(Path(path))
        return content

    def choice(self, name: str, choices: Sequence[str], *, default: str) -> str:
        """Read one of a few words."""
        value = self.text(name, default=default)
        if value not in choices:
            raise Unreadable(f"{name} is none of: {', '.join(choices)}.")
        return value

    def flag(self, name: str, *, default: bool = False) -> bool:
        """Read yes or no; unset is no, unless said otherwise."""
        value = self.text(name, default=str(default)).lower()
        if value not in _FLAGS:
            raise Unreadable(f"{name} is neither true nor false.")
        return _FLAGS[value]

    def number(self, name: str, *, default: int, least: int, most: int = 1_000_000) -> int:
        """Read a whole number that is not below the least, nor above the most."""
        text = self.text(name, default=str(default))
        if not text.isdecimal() or len(text) > 9 or not least <= int(text) <= most:
            raise Unreadable(f"{name} is not a number from {least} to {most}.")
        return int(text)

    def mail(self, name: str, *, default: str) -> dict[str, Any]:
        """Read the URL of where mail goes, or the file that ``<NAME>_FILE`` names, as Django's settings of e-mail."""
        try:
            parts = urlsplit(self.secret(name) or default)
            port = parts.port
        except ValueError:
            parts, port = urlsplit(""), None
        backend, usual_port = _MAIL.get(parts.scheme, ("", 0))
        sent = bool(usual_port)
        if not backend or bool(parts.hostname) != sent or parts.query or (bool(parts.path) != (parts.scheme == "file")):
            expected = "smtp+tls://USER:PASSWORD@HOST:587, smtp+ssl://…, smtp://HOST (not encrypted), file:///path or console:"
            raise Unreadable(f"{name} is not a mail URL like {expected}.")
        return {
            "BACKEND": f"django.core.mail.backends.{backend}.EmailBackend",
            "HOST": parts.hostname or "",
            "PORT": port or usual_port,
            "HOST_USER": unquote(parts.username or ""),
            "HOST_PASSWORD": unquote(parts.password or ""),
            "USE_TLS": parts.scheme == "smtp+tls",
            "USE_SSL": parts.scheme == "smtp+ssl",
            "FILE_PATH": unquote(parts.path) or None,
        }

    def words(self, name: str) -> list[str]:
        """Read a list that is separated by commas."""
        return [word for part in self.text(name).split(",") if (word := part.strip())]

    def networks(self, name: str, *, default: str = "") -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
        """Read addresses and networks, separated by commas; ``none`` for not one."""
        text = self.text(name, default=default)
        try:
            return [ipaddress.ip_network(word.strip()) for word in text.split(",") if word.strip() not in {"", "none"}]
        except ValueError:
            raise Unreadable(f"{name} is not a list of addresses and networks like 127.0.0.0/8,10.1.2.3, nor none.") from None

    def hosts(self, name: str) -> list[str]:
        """Read host names, without scheme and port; a leading dot stands for all subdomains."""
        hosts = [host.lower() for host in self.words(name)]
        if not all(_HOST.fullmatch(host) for host in hosts):
            raise Unreadable(f"{name} is not a list of host names like: iam.example.com,10.0.0.7.")
        return hosts

    def origin(self, name: str, *, default: str) -> str:
        """Read the address under which the product is reached: scheme, host and port, and nothing else."""
        value = self.text(name, default=default).rstrip("/")
        try:
            parts = urlsplit(value)
            _ = parts.port
        except ValueError:
            parts = urlsplit("")
        extra = parts.path or parts.query or parts.fragment or parts.username or parts.password
        if parts.scheme not in {"http", "https"} or not parts.hostname or extra:
            raise Unreadable(f"{name} is not an origin like https://iam.example.com (scheme, host, port, no path).")
        return value

    def database(self, name: str, *, default: str) -> dict[str, Any]:
        """Read a database URL, or the file that ``<NAME>_FILE`` names: SQLite or PostgreSQL."""
        value = self.secret(name) or default
        config: dict[str, Any] = {}
        # The library would warn of a scheme that it does not know, and print the URL with its password.
        if value.startswith(_DATABASES):
            with contextlib.suppress(ImproperlyConfigured, ValueError, KeyError, TypeError):
                config = dict(environ.Env.db_url_config(value))  # type: ignore[no-untyped-call]
        if not config.get("NAME"):
            expected = "postgres://USER:PASSWORD@HOST:5432/NAME or sqlite:////path/to/file"
            raise Unreadable(f"{name} is not a database URL like {expected}.")
        return config

    def redis(self, name: str) -> str:
        """Read the URL of a Redis database, or the file that ``<NAME>_FILE`` names; empty if neither is set."""
        value = self.secret(name)
        if value and not value.startswith(("redis://", "rediss://", "unix://")):
            raise Unreadable(f"{name} is not a URL like redis://HOST:6379/0.")
        return value

    def unknown(self, prefix: str) -> list[str]:
        """Name the variables with a prefix that nobody read: probably misspelt."""
        return sorted(name for name in self._values if name.startswith(prefix) and name not in self.known)


def bytes_from(name: str, text: str) -> bytes:
    """Decode base64, standard or URL-safe; raises Unreadable under the variable's name."""
    try:
        return base64.b64decode(text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise Unreadable(f"{name} is not base64.") from None


def peppers_from(name: str, text: str) -> dict[int, bytes]:
    """Decode numbered keys, ``1:BASE64,2:BASE64``; the highest number is used for new digests."""
    peppers: dict[int, bytes] = {}
    for part in text.split(","):
        number, colon, encoded = part.strip().partition(":")
        if not colon or not number.isascii() or not number.isdecimal() or int(number) in peppers:
            raise Unreadable(f"{name} is not a list of differently numbered keys like 1:BASE64,2:BASE64.")
        peppers[int(number)] = bytes_from(name, encoded.strip())
    return peppers


def sealing_keys_from(name: str, text: str) -> dict[int, bytes]:
    """Decode numbered keys of 32 bytes, ``1:BASE64,2:BASE64``; the highest number seals, the others only open."""
    keys = peppers_from(name, text)
    if any(len(key) != 32 for key in keys.values()):
        raise Unreadable(f"{name}: each key is the base64 of 32 bytes.")
    return keys


def signing_key_from(name: str, text: str) -> str:
    """Check that text is the base64 of an Ed25519 seed and return it in the standard alphabet."""
    seed = bytes_from(name, text)
    if len(seed) != 32:
        raise Unreadable(f"{name} is not the base64 of 32 bytes.")
    return base64.b64encode(seed).decode("ascii")
