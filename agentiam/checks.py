"""Production starts with safe settings or not at all; each refusal says what is wrong and how to put it right."""

import ipaddress
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from django.conf import settings
from django.core import checks

SECRET_KEY_LENGTH: Final = 50
PEPPER_LENGTH: Final = 32
# Read by the tests and by tools, not by the settings.
KNOWN_ELSEWHERE: Final = {"AGENTIAM_CHROMIUM"}

Findings = Iterator[checks.CheckMessage]


def register() -> None:
    """Let ``manage.py check`` and ``manage.py serve`` run these."""
    checks.register(check_production, checks.Tags.security)
    checks.register(check_names, checks.Tags.security)


def check_production(**_options: Any) -> Sequence[checks.CheckMessage]:
    """Look at everything that production must not have."""
    if settings.ENVIRONMENT != "production":
        return []
    parts: tuple[Callable[[], Findings], ...] = (_addresses, _debug, _key_strength, _files, _cookies, _embedded)
    return [finding for part in parts for finding in part()]


def check_names(**_options: Any) -> Sequence[checks.CheckMessage]:
    """Point at variables that nobody reads: a misspelt one would be ignored in silence."""
    unknown = [name for name in settings.READ.unknown("AGENTIAM_") if name not in KNOWN_ELSEWHERE]
    if not unknown:
        return []
    return [
        checks.Warning(
            f"Nothing reads: {', '.join(unknown)}.", hint="docs/configuration.md lists every variable.", id="agentiam.W002"
        )
    ]


def _addresses() -> Findings:
    if not settings.BASE_URL.startswith("https://"):
        yield checks.Error(
            "AGENTIAM_BASE_URL is not https.",
            hint="Set the address under which people and applications reach it, like https://iam.example.com.",
            id="agentiam.E001",
        )
    if "*" in settings.ALLOWED_HOSTS or urlsplit(settings.BASE_URL).hostname in {"localhost", "127.0.0.1", "::1"}:
        yield checks.Error(
            "The hosts are not the ones that production is reached under.",
            hint="Set AGENTIAM_BASE_URL to the public host; AGENTIAM_ALLOWED_HOSTS takes further names and no *.",
            id="agentiam.E007",
        )
    if not settings.TRUSTED_PROXIES:
        yield checks.Error(
            "No proxy is trusted, so nobody can arrive by https: this server itself speaks http.",
            hint="Set AGENTIAM_TRUST_PROXY to the addresses or networks of the proxy that ends TLS, like 10.0.0.0/8.",
            id="agentiam.E009",
        )
    if not all(_is_network(proxy) for proxy in settings.TRUSTED_PROXIES):
        yield checks.Error(
            "AGENTIAM_TRUST_PROXY names something that is neither an address nor a network.",
            hint="Use addresses and networks like 10.0.0.0/8,192.0.2.7; names and * are not believed.",
            id="agentiam.E010",
        )


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        return False
    return True


def _debug() -> Findings:
    if settings.DEBUG:
        yield checks.Error("AGENTIAM_DEBUG is on.", hint="Unset it: debug pages show settings and code.", id="agentiam.E002")


def _key_strength() -> Findings:
    key = settings.SECRET_KEY
    if len(key) < SECRET_KEY_LENGTH or len(set(key)) < 10 or key.startswith("django-insecure-"):
        yield checks.Error(
            f"AGENTIAM_SECRET_KEY is weak: shorter than {SECRET_KEY_LENGTH} characters, or of too few different ones.",
            hint="`python -m agentiam.keyfiles` prints a new one.",
            id="agentiam.E003",
        )
    weak = [n for n, pepper in settings.CREDENTIAL_PEPPERS.items() if len(pepper) < PEPPER_LENGTH or len(set(pepper)) < 8]
    if weak:
        yield checks.Error(
            f"AGENTIAM_CREDENTIAL_PEPPERS: {', '.join(map(str, weak))} shorter than {PEPPER_LENGTH} bytes, or not random.",
            hint="`python -m agentiam.keyfiles` prints a new one. Add it under a higher number and keep the others.",
            id="agentiam.E004",
        )


def _files() -> Findings:
    for path in settings.KEY_FILES:
        # A group may read: that is how orchestrators hand secrets to a process.
        if _mode(path) & 0o007:
            yield checks.Error(f"Everybody may read the key file {path}.", hint=f"chmod o-rwx {path}", id="agentiam.E005")
    if _mode(settings.DATA_DIR) & 0o077:
        yield checks.Error(
            f"Others may look into the data directory {settings.DATA_DIR}.",
            hint=f"chmod 700 {settings.DATA_DIR}",
            id="agentiam.E006",
        )


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def _cookies() -> Findings:
    if not (settings.SESSION_COOKIE_SECURE and settings.CSRF_COOKIE_SECURE and settings.SESSION_COOKIE_HTTPONLY):
        yield checks.Error(
            "Cookies are not kept to https.", hint="They are as soon as AGENTIAM_BASE_URL is https.", id="agentiam.E008"
        )


def _embedded() -> Findings:
    if settings.DATABASES["default"]["ENGINE"].endswith("sqlite3"):
        yield checks.Warning(
            "The database is the embedded one (SQLite): one machine, one writer at a time.",
            hint="Set DATABASE_URL to a PostgreSQL database when several machines serve.",
            id="agentiam.W001",
        )
