"""A small JSON document from an address that somebody else named, fetched so that nobody is let into our own network (SSRF).

The name is looked up once, every address that it stands for is checked, and the connection goes to one that was checked: a name
that stands for another address a moment later gains nothing. No redirect is followed, no proxy, cookie or password is sent.
"""

import asyncio
import ipaddress
import json
import re
import socket
import ssl
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final, TypeAlias

import httpx

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

MAX_BYTES: Final = 64 * 1024
SECONDS: Final = 5.0
MAX_DEPTH: Final = 16
MAX_ADDRESSES: Final = 3
# Threads that wait for a slow name server outlive their caller; so many may, and no more.
_OF_ISSUERS: Final = threading.BoundedSemaphore(16)
_OF_STRANGERS: Final = threading.BoundedSemaphore(8)
"""Whoever makes us read slow documents that they name keeps nobody from the keys of those who are trusted."""

_URL: Final = re.compile(
    r"(?P<scheme>https?)://(?P<host>[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<rest>(?:/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*)?(?:\?[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*)?)"
)
_JSON: Final = re.compile(r"application/(json|[a-z0-9.+-]+\+json)")
_MAX_AGE: Final = re.compile(r"max-age=\"?([0-9]{1,9})\"?")
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")


class NotFetched(Exception):
    """There is no document to be had; ``reason`` says in a few words why, and never what was answered."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Document:
    """What was fetched, and for how many seconds its sender says that it holds; None if it does not say."""

    content: dict[str, Any] = field(repr=False)
    max_age: int | None


@dataclass(frozen=True, slots=True)
class Limits:
    """What a fetch may cost, and where it may go besides the public network."""

    allowed_networks: Sequence[Network] = ()
    loopback_allowed: bool = False
    seconds: float = SECONDS
    max_bytes: int = MAX_BYTES
    strangers: bool = False
    """Whether anybody may have named the address; these are fetched a few at once, apart from the others."""


@dataclass(frozen=True, slots=True)
class _Place:
    scheme: str
    host: str
    port: int
    rest: str

    @property
    def header(self) -> str:
        usual = {"https": 443, "http": 80}[self.scheme]
        return self.host if self.port == usual else f"{self.host}:{self.port}"


def fetch_json(url: str, *, limits: Limits, context: ssl.SSLContext | None = None) -> Document:
    """Fetch a JSON object; raises NotFetched.

    ``limits.loopback_allowed``, for development, lets a document come from this machine, and then also by http. ``context``
    says which certificates are believed; the usual ones without it (``SSL_CERT_FILE`` names others).
    """
    place = _place(url, limits)
    done: list[Document | NotFetched] = []
    at_once = _OF_STRANGERS if limits.strangers else _OF_ISSUERS
    if not at_once.acquire(blocking=False):
        raise NotFetched("too many documents are being fetched")

    def work() -> None:
        try:
            done.append(asyncio.run(_within_time(place, _addresses(place, limits), limits, context)))
        except NotFetched as error:
            done.append(error)
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ssl.SSLError) as error:
            done.append(NotFetched(_connection_reason(error)))
        finally:
            at_once.release()

    # A thread, since a look-up of a name cannot be broken off, and since the caller may be within an event loop.
    thread = threading.Thread(target=work, name="fetching", daemon=True)
    thread.start()
    thread.join(limits.seconds)
    result = done[0] if done else NotFetched("it took too long")
    if isinstance(result, NotFetched):
        raise result
    return result


def is_public(address: Address, *, allowed_networks: Sequence[Network] = ()) -> bool:
    """Tell whether an address is everybody's, or in a network that the operator allows.

    An IPv4 address within an IPv6 one is judged as what it is in the end: mapped (RFC 4291), NAT64 (RFC 6052), 6to4 (RFC 3056).
    """
    inner = _unwrapped(address)
    if any(each in network for each in {address, inner} for network in allowed_networks if network.version == each.version):
        return True
    if isinstance(inner, ipaddress.IPv6Address) and (inner.teredo or inner.scope_id or inner.is_site_local):
        return False
    return inner.is_global and not (
        inner.is_multicast or inner.is_reserved or inner.is_private or inner.is_loopback or inner.is_link_local
    )


def _unwrapped(address: Address) -> Address:
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.sixtofour or address


def require_fetchable(url: str) -> None:
    """Refuse an address that is no plain https URL, without looking the host up; raises NotFetched."""
    _place(url, Limits())


def _place(url: str, limits: Limits) -> _Place:
    found = _URL.fullmatch(url) if len(url) <= 2_000 else None
    if found is None:
        raise NotFetched("the address is not a plain https URL")
    scheme, host = found["scheme"], found["host"].lower()
    if scheme == "http" and not limits.loopback_allowed:
        raise NotFetched("the address is not https")
    port = int(found["port"]) if found["port"] else {"https": 443, "http": 80}[scheme]
    if not 0 < port < 65_536:
        raise NotFetched("there is no such port")
    rest = found["rest"]
    return _Place(scheme, host, port, rest if rest.startswith("/") else f"/{rest}")


def _addresses(place: _Place, limits: Limits) -> list[str]:
    """Look the host up, once, and check everything that it stands for: one address that is not allowed spoils the others."""
    try:
        found = resolve(place.host.strip("[]"), place.port)
        addresses = [ipaddress.ip_address(each) for each in found]
    except (OSError, ValueError, UnicodeError):
        raise NotFetched("the host has no address") from None
    if not addresses:
        raise NotFetched("the host has no address")
    for address in addresses:
        here = limits.loopback_allowed and _unwrapped(address).is_loopback
        if place.scheme == "http" and not here:
            raise NotFetched("the address is not https")
        if not here and not is_public(address, allowed_networks=limits.allowed_networks):
            raise NotFetched("the host is not in the public network")
    return [str(each) for each in addresses]


def resolve(host: str, port: int) -> list[str]:
    """Look a host up: its addresses, in the order in which they should be tried."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


async def _within_time(place: _Place, addresses: list[str], limits: Limits, context: ssl.SSLContext | None) -> Document:
    try:
        async with asyncio.timeout(limits.seconds):
            return await _first_that_answers(place, addresses[:MAX_ADDRESSES], limits, context or usual_context())
    except TimeoutError:
        raise NotFetched("it took too long") from None


async def _first_that_answers(place: _Place, addresses: list[str], limits: Limits, context: ssl.SSLContext) -> Document:
    timeout = httpx.Timeout(limits.seconds, connect=limits.seconds / len(addresses))
    # trust_env: no proxy, no .netrc. A transport of its own: no connection, and no cookie, is kept for the next.
    async with httpx.AsyncClient(verify=context, trust_env=False, follow_redirects=False, timeout=timeout) as client:
        for number, address in enumerate(addresses, 1):
            try:
                return await _read(client, place, address, limits)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                if number == len(addresses):
                    raise
    raise NotFetched("the host has no address")


async def _read(client: httpx.AsyncClient, place: _Place, address: str, limits: Limits) -> Document:
    url = httpx.URL(scheme=place.scheme, host=address, port=place.port, raw_path=place.rest.encode("ascii"))
    headers = {"Host": place.header, "Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "agentiam"}
    # The certificate must be the host's: the name is checked, though the connection is to an address.
    extensions = {"sni_hostname": place.host.strip("[]")}
    async with client.stream("GET", url, headers=headers, extensions=extensions) as response:
        _check_head(response, limits)
        content = bytearray()
        async for part in response.aiter_raw():
            content += part
            if len(content) > limits.max_bytes:
                raise NotFetched("the document is too long")
        return Document(parse_object(bytes(content)), _max_age(response.headers.get("cache-control", "")))


def _check_head(response: httpx.Response, limits: Limits) -> None:
    if response.status_code != 200:
        raise NotFetched(f"the answer was {response.status_code}")
    if response.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise NotFetched("the document is compressed")
    if not _JSON.fullmatch(response.headers.get("content-type", "").partition(";")[0].strip().lower()):
        raise NotFetched("the document is not JSON")
    length = response.headers.get("content-length", "0")
    if not length.isdecimal() or len(length) > 12 or int(length) > limits.max_bytes:
        raise NotFetched("the document is too long")


def parse_object(content: bytes) -> dict[str, Any]:
    """Read a JSON object in which no member is there twice, and which is not nested too deeply; raises NotFetched."""
    try:
        value = json.loads(content.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise NotFetched("the document is not valid JSON") from None
    if not isinstance(value, dict):
        raise NotFetched("the document is not a JSON object")
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH):
        level = [inner for each in level for inner in (each.values() if isinstance(each, dict) else each) if _nests(inner)]
    if level:
        raise NotFetched("the document is nested too deeply")
    return value


def _nests(value: Any) -> bool:
    return isinstance(value, (dict, list))


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member is there twice")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def _max_age(header: str) -> int | None:
    directives = [each.strip().lower() for each in header.split(",")]
    if {"no-store", "no-cache"} & set(directives):
        return 0
    ages = [found for found in map(_MAX_AGE.fullmatch, directives) if found is not None]
    return int(ages[0][1]) if ages else None


def _connection_reason(error: Exception) -> str:
    if isinstance(error, httpx.TimeoutException):
        return "it took too long"
    text = str(error).lower()
    if "certificate" in text or "ssl" in text or "tls" in text:
        return "the host's certificate is not believed"
    return "the host does not answer as it should"


@cache
def usual_context() -> ssl.SSLContext:
    """Make, once, what checks certificates; reading the list of authorities takes a while."""
    return httpx.create_ssl_context()


@dataclass(slots=True)
class _Kept:
    lock: threading.Lock = field(default_factory=threading.Lock)
    document: Document | None = None
    failure: str | None = None
    at: float = 0.0
    tried_at: float = float("-inf")


@dataclass(slots=True)
class DocumentCache:
    """Documents by their addresses, in this process: as long as their senders say, within limits; one fetch of each at a time.

    Instants are seconds, of any clock that all calls share.
    """

    fetch: Callable[[str], Document]
    least_seconds: float = 60
    most_seconds: float = 24 * 3600
    failed_seconds: float = 10
    refresh_seconds: float = 30
    entries: int = 500
    _kept: OrderedDict[str, _Kept] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, url: str, *, now: float, refresh: bool = False) -> dict[str, Any]:
        """Give the document of an address; raises NotFetched, also for a while after a fetch that failed.

        ``refresh`` fetches it anew, though not more often than every ``refresh_seconds``; if that fails, what is there holds.
        """
        with self._lock:
            kept = self._kept.setdefault(url, _Kept())
            self._kept.move_to_end(url)
            while len(self._kept) > self.entries:
                self._kept.popitem(last=False)
        with kept.lock:
            if not self._stands(kept, now=now, refresh=refresh):
                self._fetch_anew(url, kept, now=now)
            if kept.document is None or not self._is_fresh(kept, now):
                raise NotFetched("the document is over" if kept.failure is None else kept.failure)
            return kept.document.content

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._kept.clear()

    def _is_fresh(self, kept: _Kept, now: float) -> bool:
        if kept.document is None:
            return False
        told = kept.document.max_age
        lifetime = self.least_seconds if told is None else min(max(told, self.least_seconds), self.most_seconds)
        return abs(now - kept.at) < lifetime

    def _stands(self, kept: _Kept, *, now: float, refresh: bool) -> bool:
        since = abs(now - kept.tried_at)
        if self._is_fresh(kept, now):
            return not refresh or since < self.refresh_seconds
        return kept.failure is not None and since < self.failed_seconds

    def _fetch_anew(self, url: str, kept: _Kept, *, now: float) -> None:
        kept.tried_at = now
        try:
            kept.document, kept.failure, kept.at = self.fetch(url), None, now
        except NotFetched as error:
            kept.failure = error.reason
