"""What cannot be recorded is not answered, and never with a yes."""

import asyncio
import json
import threading
from collections.abc import Callable, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import OperationalError

from agentiam.kit.tokens import make_token
from audit.models import Event
from audit.writer import RECORDED, Draft, RecordUnavailable, Stale
from directory.models import Organization
from directory.services.revisions import advance_revision
from permissions.access.application import AccessApplication
from permissions.worlds import Needs, Worlds
from tests.access import worlds
from tests.access.asking import question

pytestmark = pytest.mark.django_db(transaction=True)


class Writer:
    """A writer that does what a test says, and counts."""

    def __init__(self, outcome: Callable[[int], Any]) -> None:
        self.outcome = outcome
        self.asked = 0

    def submit_soon(self, loop: asyncio.AbstractEventLoop, drafts: Sequence[Draft]) -> "asyncio.Future[Any]":
        """Answer at once."""
        self.asked += 1
        future: asyncio.Future[Any] = loop.create_future()
        found = self.outcome(self.asked)
        if isinstance(found, Exception):
            future.set_exception(found)
        else:
            future.set_result(found)
        return future

    def stop(self) -> None:
        """Have nothing to stop."""


@pytest.fixture
def key(tmp_path: Path) -> str:
    """Load acme, and give its CRM's key."""
    path = tmp_path / "acme.yaml"
    path.write_text(worlds.ACME)
    out = StringIO()
    call_command("apply", str(path), "--json", stdout=out)
    return str(json.loads(out.getvalue())["credentials"]["application/crm"])


def _answer(
    app: AccessApplication, key: str, path: str = "/access/v1/evaluation", *, stalls: bool = False
) -> tuple[int, dict[str, Any]]:
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        if stalls:
            await asyncio.sleep(30)
        return {"type": "http.request", "body": json.dumps(question()).encode(), "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"authorization", f"Bearer {key}".encode()), (b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": path, "headers": headers, "client": ("127.0.0.1", 5)}

    async def run() -> None:
        try:
            await app(scope, receive, send)
        finally:
            await app.shutdown()

    asyncio.run(run())
    return sent[0]["status"], json.loads(sent[1]["body"])


def _with(outcome: Callable[[int], Any]) -> tuple[AccessApplication, Writer]:
    app, writer = AccessApplication(), Writer(outcome)
    app.point.writer = writer
    return app, writer


def test_a_decision_that_cannot_be_recorded_is_a_503(key: str) -> None:
    app, _ = _with(lambda _: RecordUnavailable("the disk is full"))
    status, body = _answer(app, key)
    assert status == 503
    assert "decision" not in body
    assert "disk" not in json.dumps(body)
    assert not Event.objects.filter(type="access.decided").exists()


def test_a_decision_on_rules_that_moved_on_is_made_anew(key: str) -> None:
    app, writer = _with(lambda count: Stale(99) if count < 4 else RECORDED)
    status, body = _answer(app, key)
    assert (status, body["decision"], writer.asked) == (200, True, 4)


def test_rules_that_never_stand_still_end_in_a_503(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("permissions.access.point.PATIENCE_SECONDS", 0.5)
    app, writer = _with(lambda _: Stale(99))
    status, body = _answer(app, key)
    assert status == 503
    assert writer.asked > 2
    assert "decision" not in body


def test_a_database_that_does_not_answer_is_a_503(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    app, _ = _with(lambda _: RECORDED)

    def broken(*_: Any) -> Any:
        raise OperationalError("the server closed the connection")

    monkeypatch.setattr(app.point.worlds, "with_needs", broken)
    status, body = _answer(app, key)
    assert status == 503
    assert "decision" not in body


def test_a_fault_of_ours_is_a_500_that_says_nothing_and_allows_nothing(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    app, _ = _with(lambda _: RECORDED)

    def broken(*_: Any) -> Any:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr(app.point.worlds, "with_needs", broken)
    status, body = _answer(app, key)
    assert status == 500
    assert "decision" not in body
    assert "secret" not in json.dumps(body)


def test_a_body_that_does_not_come_is_given_up(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("permissions.access.application._READ_SECONDS", 0.05)
    app, _ = _with(lambda _: RECORDED)
    assert _answer(app, key, stalls=True)[0] == 408


def test_a_long_body_is_not_read_from_somebody_without_a_key(key: str) -> None:
    app, _ = _with(lambda _: RECORDED)
    assert _answer(app, make_token("aip").text, stalls=True)[0] == 401


def test_a_world_is_renewed_while_another_thread_reads_into_it(key: str) -> None:
    worlds = Worlds()
    organization = Organization.objects.get(slug="acme")
    known = worlds.current(organization.pk)
    ended = threading.Event()

    def read() -> None:
        number = 0
        while not ended.is_set():
            number += 1
            worlds.current(organization.pk).principals[f"agent/{number}"] = None

    known.principals.update({f"user/{number}": None for number in range(50_000)})
    thread = threading.Thread(target=read)
    thread.start()
    try:
        for number in range(10):
            advance_revision(organization_id=organization.pk, touched=[f"user/{number}"])
            renewed = worlds.current(organization.pk)
            assert f"user/{number}" not in renewed.principals
            assert f"user/{number + 1}" in renewed.principals
    finally:
        ended.set()
        thread.join()


def test_whoever_names_ever_new_things_does_not_fill_the_memory(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("permissions.worlds._MAX_KNOWN", 10)
    worlds = Worlds()
    organization = Organization.objects.get(slug="acme").pk
    known = worlds.current(organization)
    worlds.with_needs(known, Needs(principals=frozenset(f"user/{number}" for number in range(20))))
    assert len(known.principals) == 20
    assert not worlds.current(organization).principals


def test_a_key_is_never_older_than_the_revision_it_is_remembered_with(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from django.utils import timezone

    from agentiam.kit.actors import system
    from agentiam.kit.tokens import split_token
    from permissions.access import point
    from permissions.models import ApplicationKey
    from permissions.services.application_keys import revoke_application_key

    read = point.key_facts
    calls: list[str] = []

    def revoked_in_between(token: Any) -> Any:
        found = read(token)
        if not calls:
            row = ApplicationKey.objects.get(public_id=split_token(key).public_id)
            revoke_application_key(key=row, by=system("test"), reason="leaked", now=timezone.now())
        calls.append(token.public_id)
        return found

    monkeypatch.setattr(point, "key_facts", revoked_in_between)
    app, writer = _with(lambda _: RECORDED)
    status, _ = _answer(app, key)
    assert (status, writer.asked, len(calls)) == (401, 0, 2)
