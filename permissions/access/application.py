"""The decision endpoints as an ASGI application of their own, beside Django's: AuthZEN Authorization API 1.0.

Everything else of the product runs through Django's middleware; an answer here does not, since it would cost more than the
decision itself. What the middleware would have done and what is needed here is done here: size limits, content types, and
errors that say nothing.
"""

import asyncio
import gc
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

import msgspec
import structlog

from agentiam.kit import problems
from agentiam.kit.measures import Counter, measures
from agentiam.kit.problems import Problem
from permissions.access import requests
from permissions.access.callers import Sender, sender_of
from permissions.access.evaluation import EvaluationWork, answer_json
from permissions.access.metadata import WELL_KNOWN, metadata
from permissions.access.point import DecisionPoint
from permissions.access.requests import MAX_BODY_BYTES, Json
from permissions.access.search import SearchFor, SearchWork
from permissions.oauth.dpop import nonce_of
from permissions.questions import Asked

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

PREFIX: Final = "/access/v1/"
_JSON: Final = b"application/json"
_READ_SECONDS: Final = 15.0
_SHORT_BYTES: Final = 16_384
_encode: Final = msgspec.json.Encoder().encode
_SEARCHES: Final[Mapping[str, SearchFor]] = {
    "/access/v1/search/subject": "subject",
    "/access/v1/search/resource": "resource",
    "/access/v1/search/action": "action",
}
_EVALUATIONS: Final = frozenset({"/access/v1/evaluation", "/access/v1/evaluations"})
_ROUTES: Final = frozenset({*_EVALUATIONS, *_SEARCHES})
_SECONDS: Final = measures.histogram(
    "decision_seconds", (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
)
_answered: Final[dict[tuple[str, str, int], Counter]] = {}
_log = structlog.get_logger(__name__)


def _count(path: str, method: str, status: int, began: float) -> None:
    """Count an answer by its route; whatever else was called has no name of its own, so that nobody fills the memory."""
    if status == 200 and path in _EVALUATIONS:
        _SECONDS.observe(time.perf_counter() - began)
    route = path if path in _ROUTES else route_of(path)
    method = method if method in {"POST", "GET", "HEAD"} else "other"
    counter = _answered.get((route, method, status))
    if counter is None:
        counter = measures.counter("http_requests", route=route, method=method, status=str(status))
        _answered[route, method, status] = counter
    counter.add()


def serves(path: str) -> bool:
    """Tell whether a path belongs to the decision endpoints."""
    return path == WELL_KNOWN or path.startswith((PREFIX, f"{WELL_KNOWN}/"))


def route_of(path: str) -> str:
    """Name the route of a path with a word of ours; empty for a path that does not belong here."""
    if not serves(path):
        return ""
    return path if path in _ROUTES else "none" if path.startswith(PREFIX) else WELL_KNOWN


def _header(headers: Headers, name: bytes) -> str:
    for key, value in headers:
        if key == name:
            return value.decode("latin-1")
    return ""


def _joined(headers: Headers, name: bytes) -> str:
    """Give a header that must not be there twice as it stands; of two together nothing can be read (RFC 9449, section 4.3)."""
    return ",".join(value.decode("latin-1") for key, value in headers if key == name)


def _client_address(scope: Scope) -> str:
    """Give the client's address; the server has put it there itself, from the headers of a trusted proxy only."""
    client = scope.get("client")
    return str(client[0]) if client else ""


def _wants_full(headers: Headers, asked: Asked, *, default: bool) -> bool:
    """Read whether the caller wants reasons: ``context.explain``, else ``Prefer: return=…`` (RFC 7240), else the default."""
    if asked.explain is not None:
        return asked.explain
    preferred = _header(headers, b"prefer").lower()
    if "return=representation" in preferred:
        return True
    return False if "return=minimal" in preferred else default


class AccessApplication:
    """Answers evaluations, batches, searches and the metadata; one decision point for all requests of the process."""

    def __init__(self) -> None:
        self._point: DecisionPoint | None = None

    @property
    def point(self) -> DecisionPoint:
        """The decision point, made when it is first needed, in the process that needs it."""
        if self._point is None:
            self._point = DecisionPoint()
        return self._point

    async def startup(self) -> None:
        """Be ready before the first request."""
        self.point.writer.start()
        # Decisions make much that is dropped at once and hold much that stays: collecting as often as usual looks through
        # what stays again and again, a fifth to a third of all the time (measured).
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 50, 100)

    async def shutdown(self) -> None:
        """Write what is waiting to be written, and let go of the database."""
        if self._point is not None:
            self._point.close()
            self._point.writer.stop()
            self._point = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; whatever goes wrong becomes a problem document, and never a yes."""
        began = time.perf_counter()
        headers: Headers = scope["headers"]
        request_id = _header(headers, b"x-request-id")
        try:
            status, body, extra = await self._answer(scope, headers, request_id, receive)
        except Problem as problem:
            status, body, extra = _refusal(problem)
        except Exception:  # noqa: BLE001  (the last resort: whatever it was, the answer is not a yes)
            _log.exception("a decision request failed", path=scope["path"], request_id=request_id[:200])
            failed = Problem(500, "internal-error", "The request could not be answered; nothing was allowed.")
            status, body, extra = _refusal(failed)
        response = [(b"content-length", b"%d" % len(body)), (b"cache-control", b"no-store"), *extra]
        if request_id:
            response.append((b"x-request-id", request_id.encode("latin-1")))
        _count(scope["path"], scope["method"], status, began)
        await send({"type": "http.response.start", "status": status, "headers": response})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope: Scope, headers: Headers, request_id: str, receive: Receive) -> tuple[int, bytes, Headers]:
        path, method = scope["path"], scope["method"]
        if not path.startswith(PREFIX):
            _allow(method, "GET", "HEAD")
            return 200, _encode(await self.point.in_thread(metadata, path)), [(b"content-type", _JSON)]
        if path not in _ROUTES:
            raise Problem(404, "not-found", f"There is no {path}.")
        _allow(method, "POST")
        sender = sender_of(
            _joined(headers, b"authorization"),
            _joined(headers, b"dpop"),
            _joined(headers, b"subject-token"),
            method=method,
            path=path,
            address=_client_address(scope),
            request_id=request_id[:200],
        )
        if not _is_short(headers):
            # Whoever has no key does not get to send much.
            await self.point.authenticate(sender)
        body = await _within_time(_read(headers, receive))
        if path in _SEARCHES:
            answer = await self._search(_SEARCHES[path], body, headers, sender)
        else:
            answer = await self._evaluations(body, headers, sender, batch=path == "/access/v1/evaluations")
        found = [(b"content-type", _JSON)]
        if sender.bound:
            found.append((b"dpop-nonce", nonce_of(datetime.now(UTC)).encode("ascii")))
        return 200, _encode(answer), found

    async def _evaluations(self, body: bytes, headers: Headers, sender: Sender, *, batch: bool) -> Json:
        """Answer one question, or a batch; a batch without items is one question (section 7.1)."""
        many = False

        def work_of() -> EvaluationWork:
            nonlocal many
            value = requests.decode(body)
            semantic = requests.semantic(value) if batch else requests.SEMANTICS[0]
            found = requests.items(value) if batch else []
            many = bool(found)
            items = [_item(item, position) for position, item in enumerate(found)]
            wants_full = partial(_wants_full, headers, default=not many)
            return EvaluationWork(items or [requests.asked(value)], semantic=semantic, wants_full=wants_full)

        results = await self.point.settle(sender, work_of)
        if many:
            return {"evaluations": [answer_json(result) for result in results]}
        if isinstance(results[0], Problem):
            raise results[0]
        return answer_json(results[0])

    async def _search(self, searched: SearchFor, body: bytes, headers: Headers, sender: Sender) -> Json:
        work: SearchWork | None = None

        def work_of() -> SearchWork:
            nonlocal work
            work = SearchWork(searched, requests.decode(body), self.point.worlds)
            return work

        found = await self.point.settle(sender, work_of)
        if work is None:
            raise RuntimeError("a search that was settled was read")
        return work.response(found, full=_wants_full(headers, work.asked, default=False))


def _item(item: Json, position: int) -> Asked | Problem:
    """Read one item of a batch; one that cannot be read is answered with no, and the others go on (section 7.2.1)."""
    try:
        return requests.asked(item, pointer=f"/evaluations/{position}")
    except Problem as problem:
        return problem


def _allow(method: str, *methods: str) -> None:
    if method not in methods:
        allowed = ", ".join(methods)
        raise Problem(405, "method-not-allowed", f"Use {allowed} here.", headers={"Allow": allowed})


def _refusal(problem: Problem) -> tuple[int, bytes, Headers]:
    extra = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in problem.headers.items()]
    return problem.status, problem.encode(), [(b"content-type", problems.CONTENT_TYPE.encode("latin-1")), *extra]


def _is_short(headers: Headers) -> bool:
    length = _header(headers, b"content-length")
    return length.isdecimal() and int(length) <= _SHORT_BYTES


async def _within_time(reading: Awaitable[bytes]) -> bytes:
    try:
        async with asyncio.timeout(_READ_SECONDS):
            return await reading
    except TimeoutError:
        raise Problem(408, "too-slow", "The body did not come in time.", headers={"Connection": "close"}) from None


def _too_large() -> Problem:
    return Problem(413, "too-large", f"The body may have at most {MAX_BODY_BYTES} bytes.", headers={"Connection": "close"})


async def _read(headers: Headers, receive: Receive) -> bytes:
    content_type = _header(headers, b"content-type").partition(";")[0].strip().lower()
    if content_type != "application/json":
        raise Problem(415, "unsupported-media-type", "Send the body as Content-Type: application/json.")
    length = _header(headers, b"content-length")
    if length.isdecimal() and int(length) > MAX_BODY_BYTES:
        raise _too_large()
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Problem(400, "disconnected", "The request ended before its body did.")
        part = message.get("body", b"")
        size += len(part)
        if size > MAX_BODY_BYTES:
            raise _too_large()
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts)


application: Final = AccessApplication()
