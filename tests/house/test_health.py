from typing import Any

import pytest
from django.test import Client

from agentiam import health
from audit.writer import RecordUnavailable, get_writer

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _stop_writer():
    yield
    get_writer().stop()


def test_a_process_that_lives_says_so_without_the_database(client: Client, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        answer = client.get("/healthz")
    assert (answer.status_code, answer.content) == (200, b"ok\n")


def test_a_process_that_can_work_is_ready_in_every_part(client: Client) -> None:
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["status"] == "ready"
    assert all(part == {"ok": True} for part in answer.json()["parts"].values())


@pytest.mark.parametrize("part", ["database", "migrations", "audit_writer"])
def test_one_part_that_fails_makes_it_not_ready_and_tells_nothing_secret(
    client: Client, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    def fail() -> None:
        raise RuntimeError("password authentication failed for hunter2")

    monkeypatch.setattr(health, f"_{part}", fail)
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["parts"][part] == {"ok": False, "problem": "it does not answer"}
    assert b"hunter2" not in answer.content
    assert all(state["ok"] for name, state in answer.json()["parts"].items() if name != part)


def test_migrations_that_are_not_applied_make_it_not_ready(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "pending_migrations", lambda: ["audit.0003"])
    answer = client.get("/readyz")
    assert answer.json()["parts"]["migrations"] == {"ok": False, "problem": "1 migrations are not applied"}


def test_a_writer_that_takes_nothing_makes_it_not_ready(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    class Closing:
        def submit(self, drafts: Any, *, deadline_seconds: float) -> Any:
            raise RecordUnavailable("records are not taken while the writer stops")

    monkeypatch.setattr(health, "get_writer", Closing)
    assert client.get("/readyz").json()["parts"]["audit_writer"]["ok"] is False


def test_redis_is_asked_when_it_is_configured(client: Client, settings: Any) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    settings.CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "redis://127.0.0.1:1/0"}
    }
    assert client.get("/readyz").json()["parts"]["redis"] == {"ok": False, "problem": "it does not answer"}


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_a_probe_changes_nothing(client: Client, path: str) -> None:
    assert client.post(path).status_code == 405
    assert not client.get(path).cookies
