import asyncio
from collections.abc import Iterable
from typing import Any

import pytest

from agentiam.routing import MAX_BODY_BYTES, Router


class Recorder:
    """Stands for both applications: notes what reaches them."""

    def __init__(self, *, fails: str = "") -> None:
        self.seen: list[str] = []
        self.fails = fails

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.seen.append(scope["path"])

    async def startup(self) -> None:
        self._phase("startup")

    async def shutdown(self) -> None:
        self._phase("shutdown")

    def _phase(self, phase: str) -> None:
        self.seen.append(phase)
        if phase == self.fails:
            raise RuntimeError("a secret reason")


def run(router: Router, scope: dict[str, Any], messages: Iterable[dict[str, Any]] = ()) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []
    waiting = list(messages)

    async def receive() -> dict[str, Any]:
        return waiting.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(router(scope, receive, send))
    return sent


def routed(access: Recorder, pages: Any) -> Router:
    return Router(access=access, serves=lambda path: path.startswith("/access/"), pages=pages, body_seconds=0.1)


def http(path: str, **headers: str) -> dict[str, Any]:
    return {"type": "http", "path": path, "headers": [(k.replace("_", "-").encode(), v.encode()) for k, v in headers.items()]}


@pytest.mark.parametrize(("path", "decides"), [("/access/v1/evaluation", True), ("/", False), ("/accessories", False)])
def test_a_path_reaches_its_application(path: str, decides: bool) -> None:
    access, pages = Recorder(), Recorder()
    run(routed(access, pages), http(path))
    assert (access.seen, pages.seen) == (([path], []) if decides else ([], [path]))


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"content_length": str(MAX_BODY_BYTES + 1)}, 413),
        ({"content_length": "many"}, 413),
        ({"content_length": "-1"}, 413),
        ({"transfer_encoding": "chunked"}, 411),
    ],
)
def test_a_body_beyond_the_limits_does_not_reach_the_pages(headers: dict[str, str], status: int) -> None:
    pages = Recorder()
    sent = run(routed(Recorder(), pages), http("/", **headers))
    assert sent[0]["status"] == status
    assert pages.seen == []


def test_a_body_at_the_limit_reaches_the_pages() -> None:
    pages = Recorder()
    run(routed(Recorder(), pages), http("/", content_length=str(MAX_BODY_BYTES)))
    assert pages.seen == ["/"]


def test_a_client_that_stalls_in_its_body_is_given_up() -> None:
    heard: list[str] = []

    async def pages(scope: Any, receive: Any, send: Any) -> None:
        heard.append((await receive())["type"])

    async def main() -> None:
        async def never() -> dict[str, Any]:
            await asyncio.sleep(60)
            return {}

        async def send(message: Any) -> None:
            raise AssertionError(message)

        await routed(Recorder(), pages)(http("/"), never, send)

    asyncio.run(main())
    assert heard == ["http.disconnect"]


def test_decisions_start_and_stop_with_the_server() -> None:
    access = Recorder()
    messages = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    sent = run(routed(access, Recorder()), {"type": "lifespan"}, messages)
    assert [message["type"] for message in sent] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert access.seen == ["startup", "shutdown"]


@pytest.mark.parametrize("phase", ["startup", "shutdown"])
def test_a_failure_to_start_or_stop_is_told_to_the_server(phase: str) -> None:
    messages = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    sent = run(routed(Recorder(fails=phase), Recorder()), {"type": "lifespan"}, messages)
    assert sent[-1] == {"type": f"lifespan.{phase}.failed", "message": "RuntimeError"}
