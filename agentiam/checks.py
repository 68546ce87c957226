"""Production starts with safe settings or not at all; each refusal says what is wrong and how to put it right."""

import base64
import ipaddress
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from django.conf import settings
from django.core import checks

from agentiam.operations import tracing
from agentiam.operations.metrics import available as metrics_available

SECRET_KEY_LENGTH: Final = 50
PEPPER_LENGTH: Final = 32
# Read by the tests and by tools, not by the settings.
KNOWN_ELSEWHERE: Final = {"AGENTIAM_CHROMIUM"}

# Where clouds hand out the credentials of the machine that asks.
_METADATA: Final = (
    ipaddress.ip_network("169.254.0.0/16"),
    ipaddress.ip_network("fe80::/10"),
    ipaddress.ip_network("fd00:ec2::/32"),
)
_CHECKED: Final = {"require", "verify-ca", "verify-full"}

Findings = Iterator[checks.CheckMessage]


def register() -> None:
    """Let ``manage.py check`` and ``manage.py serve`` run these."""
    checks.register(check_production, checks.Tags.security)
    checks.register(check_names, checks.Tags.security)


def check_production(**_options: Any) -> Sequence[checks.CheckMessage]:
    """Look at everything that production must not have."""
    if settings.ENVIRONMENT != "production":
        return []
    parts: tuple[Callable[[], Findings], ...] = (
        _addresses,
        _debug,
        _key_strength,
        _card_key,
        _sealing_keys,
        _files,
        _cookies,
        _watching,
        _fetching,
        _people,
        _mail,
        _lines,
        _embedded,
    )
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

    if any(_is_everybody(proxy) for proxy in settings.TRUSTED_PROXIES):
        yield checks.Error(
            "AGENTIAM_TRUST_PROXY trusts everybody: whoever connects may say where they come from.",
            hint="Name the addresses or networks of the proxy alone.",
            id="agentiam.E011",
        )


def _is_everybody(text: str) -> bool:
    return _is_network(text) and ipaddress.ip_network(text).prefixlen == 0


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
            hint="`.venv/bin/python -m agentiam.keyfiles` prints a new one.",
            id="agentiam.E003",
        )
    weak = [n for n, pepper in settings.CREDENTIAL_PEPPERS.items() if len(pepper) < PEPPER_LENGTH or len(set(pepper)) < 8]
    if weak:
        yield checks.Error(
            f"AGENTIAM_CREDENTIAL_PEPPERS: {', '.join(map(str, weak))} shorter than {PEPPER_LENGTH} bytes, or not random.",
            hint="`.venv/bin/python -m agentiam.keyfiles` prints a new one. Add it under a higher number and keep the others.",
            id="agentiam.E004",
        )


def _card_key() -> Findings:
    if len(set(base64.b64decode(settings.CARD_SIGNING_KEY))) < 8:
        yield checks.Error(
            "AGENTIAM_CARD_SIGNING_KEY is not random: anyone can sign agent cards.",
            hint="`.venv/bin/python -m agentiam.keyfiles` prints a new one.",
            id="agentiam.E014",
        )


def _sealing_keys() -> Findings:
    weak = [number for number, key in settings.KEY_ENCRYPTION_KEYS.items() if len(set(key)) < 8]
    if weak:
        yield checks.Error(
            f"AGENTIAM_KEY_ENCRYPTION_KEYS: {', '.join(map(str, weak))} not random: whoever has the database signs tokens.",
            hint="`.venv/bin/python -m agentiam.keyfiles` prints a new one. Add it under a higher number, then run "
            "`.venv/bin/python manage.py token_keys reseal`.",
            id="agentiam.E015",
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


def _watching() -> Findings:
    if any(network.prefixlen == 0 for network in settings.METRICS_NETWORKS):
        yield checks.Error(
            "AGENTIAM_METRICS_NETWORKS lets everybody read the metrics.",
            hint="Name the network of the monitoring, or `none` and set AGENTIAM_METRICS_TOKEN.",
            id="agentiam.E012",
        )
    token = settings.METRICS_TOKEN
    if token and (len(token) < PEPPER_LENGTH or len(set(token)) < 10):
        yield checks.Error(
            f"AGENTIAM_METRICS_TOKEN is weak: shorter than {PEPPER_LENGTH} characters, or of too few different ones.",
            hint='python -c "import secrets; print(secrets.token_urlsafe(32))" makes one.',
            id="agentiam.E013",
        )
    if settings.TRACING and not tracing.available():
        yield checks.Warning(
            "AGENTIAM_TRACING is on, and OpenTelemetry is not installed: nothing is traced.",
            hint="Install requirements/extras.txt, or unset AGENTIAM_TRACING.",
            id="agentiam.W004",
        )
    if settings.METRICS_TOKEN and not metrics_available():
        yield checks.Warning(
            "AGENTIAM_METRICS_TOKEN is set, and prometheus-client is not installed: there are no metrics to read.",
            hint="Install requirements/extras.txt, or unset AGENTIAM_METRICS_TOKEN.",
            id="agentiam.W005",
        )
    if settings.LOGGING["root"]["level"] == "DEBUG":
        yield checks.Warning(
            "AGENTIAM_LOG_LEVEL is DEBUG: libraries then write down more of requests than anybody should keep.",
            hint="Set it to INFO.",
            id="agentiam.W006",
        )


def _fetching() -> Findings:
    suspect = [
        network
        for network in settings.FETCH_NETWORKS
        if network.prefixlen == 0 or any(network.overlaps(each) for each in _METADATA if each.version == network.version)
    ]
    if suspect:
        yield checks.Warning(
            "AGENTIAM_FETCH_NETWORKS lets documents come from everywhere, or from where clouds hand out machines' own keys.",
            hint="Name the networks of the issuers alone, without 169.254.0.0/16 and its like.",
            id="agentiam.W011",
        )


def _people() -> Findings:
    if not settings.REQUIRE_SECOND_FACTOR:
        yield checks.Warning(
            "Administrators and approvers may sign in with a password alone.",
            hint="Unset AGENTIAM_REQUIRE_SECOND_FACTOR: it is on in production.",
            id="agentiam.W007",
        )


def _lines() -> Findings:
    """What leaves this machine to its own services, and could be read on the way."""
    database = settings.DATABASES["default"]
    sslmode = str(database.get("OPTIONS", {}).get("sslmode", ""))
    if database["ENGINE"].endswith("postgresql") and not _is_here(database.get("HOST", "")) and sslmode not in _CHECKED:
        yield checks.Warning(
            "The database is on another machine, and the connection need not be encrypted.",
            hint="Add ?sslmode=verify-full to DATABASE_URL (or require, where the network is trusted with impersonation).",
            id="agentiam.W008",
        )
    redis = urlsplit(settings.REDIS_URL)
    if redis.scheme == "redis" and not _is_here(redis.hostname or ""):
        yield checks.Warning(
            "Redis is on another machine, and the connection is not encrypted.",
            hint="Use a rediss:// address in REDIS_URL.",
            id="agentiam.W009",
        )
    sent = settings.EMAIL_BACKEND.endswith(".smtp.EmailBackend") and not (settings.EMAIL_USE_TLS or settings.EMAIL_USE_SSL)
    if sent and not _is_here(settings.EMAIL_HOST):
        yield checks.Warning(
            "Mail goes to another machine without encryption, invitations among it.",
            hint="Use smtp+tls:// or smtp+ssl:// in AGENTIAM_EMAIL_URL.",
            id="agentiam.W010",
        )


def _is_here(host: str) -> bool:
    return not host or host.startswith("/") or host in {"localhost", "127.0.0.1", "::1"}


def _mail() -> Findings:
    if not settings.EMAIL_BACKEND.endswith(".smtp.EmailBackend"):
        yield checks.Warning(
            "Mail does not leave this machine: nobody is warned of what ends, nor invited.",
            hint="Set AGENTIAM_EMAIL_URL to a mail server, like smtp+tls://USER:PASSWORD@mail.example.com:587.",
            id="agentiam.W003",
        )


def _embedded() -> Findings:
    if settings.DATABASES["default"]["ENGINE"].endswith("sqlite3"):
        yield checks.Warning(
            "The database is the embedded one (SQLite): one machine, one writer at a time.",
            hint="Set DATABASE_URL to a PostgreSQL database when several machines serve.",
            id="agentiam.W001",
        )
