"""Can people and applications arrive, under the address that links name, and post a form when they have?"""

import http.client
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from django.conf import settings
from django.http.request import validate_host

from agentiam.operations.doctor.findings import Judgement, broken, doubtful, fine

_SECONDS: Final = 3.0
_LOOPBACK: Final = {"localhost", "127.0.0.1", "::1"}


def look_at_base_url() -> Judgement:
    """Look at AGENTIAM_BASE_URL and what belongs to it."""
    return judge_base_url(settings.BASE_URL, production=settings.PRODUCTION, proxies=settings.TRUSTED_PROXIES)


def judge_base_url(base_url: str, *, production: bool, proxies: Sequence[str]) -> Judgement:
    """Judge whether anybody can arrive at the address that links and cookies are made for."""
    parts = urlsplit(base_url)
    if production and parts.scheme != "https":
        return broken(f"AGENTIAM_BASE_URL is {base_url}, which is not https", "Set it to the public address, with https.")
    if production and parts.hostname in _LOOPBACK:
        return broken(f"AGENTIAM_BASE_URL is {base_url}, which is this machine only", "Set it to the public address.")
    if parts.scheme == "https" and not proxies:
        return broken(
            "AGENTIAM_BASE_URL is https and no proxy is trusted: every request is sent to https again and again",
            "Set AGENTIAM_TRUST_PROXY to the address of the proxy that ends TLS, and let it send X-Forwarded-Proto.",
        )
    if parts.scheme == "http" and proxies:
        return doubtful(
            f"a proxy is trusted and AGENTIAM_BASE_URL is {base_url}: links and cookies are made for http",
            "Set AGENTIAM_BASE_URL to the https address that the proxy answers.",
        )
    return fine(f"people and applications are told to come to {base_url}")


def look_from_outside() -> Judgement:
    """Ask the base URL itself, as somebody who follows a link does."""
    parts = urlsplit(settings.BASE_URL)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    line = kind(parts.hostname or "", parts.port, timeout=_SECONDS)
    try:
        line.request("GET", "/healthz")
        answer = line.getresponse()
        return judge_answer(settings.BASE_URL, answer.status, answer.read(64))
    except (OSError, http.client.HTTPException) as error:
        return judge_answer(settings.BASE_URL, 0, b"", problem=type(error).__name__)
    finally:
        line.close()


def judge_answer(base_url: str, status: int, body: bytes, *, problem: str = "") -> Judgement:
    """Judge what answers at the base URL."""
    if problem:
        return doubtful(
            f"nothing answers at {base_url} ({problem})",
            "Start the server (.venv/bin/python manage.py serve), or correct AGENTIAM_BASE_URL, proxy or the name's address.",
        )
    if status == 400:
        return broken(
            f"what answers at {base_url} does not know that name",
            "Let the proxy pass the Host header on, or set AGENTIAM_ALLOWED_HOSTS.",
        )
    if status != 200 or body != b"ok\n":
        return broken(
            f"something else answers at {base_url} (status {status})",
            "Point the proxy at this server, or correct AGENTIAM_BASE_URL.",
        )
    return fine(f"the server answers at {base_url}")


def look_at_hosts() -> Judgement:
    """Look at the names that are answered."""
    return judge_hosts(settings.BASE_URL, settings.ALLOWED_HOSTS)


def judge_hosts(base_url: str, allowed: Sequence[str]) -> Judgement:
    """Judge whether the base URL's host is answered, and not every other."""
    host = urlsplit(base_url).hostname or ""
    shown = f"[{host}]" if ":" in host else host
    if "*" in allowed:
        return broken("every host name is answered (ALLOWED_HOSTS holds *)", "Name the hosts in AGENTIAM_ALLOWED_HOSTS.")
    if not validate_host(shown, allowed):
        return broken(f"requests to {host} are refused (ALLOWED_HOSTS)", f"Add {host} to AGENTIAM_ALLOWED_HOSTS.")
    return fine(f"{host} is answered")


def look_at_origins() -> Judgement:
    """Look at the origins that forms may come from."""
    return judge_origins(settings.BASE_URL, settings.CSRF_TRUSTED_ORIGINS, secure=settings.CSRF_COOKIE_SECURE)


def judge_origins(base_url: str, trusted: Sequence[str], *, secure: bool) -> Judgement:
    """Judge whether a form sent from our own pages is taken."""
    parts = urlsplit(base_url)
    if f"{parts.scheme}://{parts.netloc}" not in trusted:
        return broken(
            f"forms from {base_url} are refused: it is no trusted origin",
            "Leave CSRF_TRUSTED_ORIGINS to the settings, which take it from AGENTIAM_BASE_URL.",
        )
    if secure and parts.scheme != "https":
        return broken(
            "cookies are kept to https, and the base URL is http: nobody stays signed in",
            "Set AGENTIAM_BASE_URL to the https address.",
        )
    return fine("forms from our own pages are taken")
