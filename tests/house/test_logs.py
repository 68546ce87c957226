import asyncio
import json
import logging
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
import structlog

from agentiam import logs
from agentiam.jobs.models import Job
from agentiam.jobs.work import perform
from agentiam.kit.tokens import make_token
from permissions.access.application import AccessApplication

KEY = make_token("aia")
JWT = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl"


def written_by(name: str, monkeypatch: pytest.MonkeyPatch) -> Callable[[], str]:
    """Catch the lines of one logger as production writes them."""
    stream = StringIO()
    config = logs.configuration(as_json=True, level="INFO")
    formatter = config["formatters"]["lines"]
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=formatter["processors"], foreign_pre_chain=formatter["foreign_pre_chain"]
        )
    )
    logger = logging.getLogger(name)
    monkeypatch.setattr(logger, "handlers", [handler])
    monkeypatch.setattr(logger, "propagate", False)
    monkeypatch.setattr(logger, "level", logging.INFO)
    return stream.getvalue


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Callable[[], str]:
    return written_by("tests.house.logs", monkeypatch)


def failing() -> None:
    raise RuntimeError(f"no such key: {KEY.text}")


def log_exception() -> None:
    try:
        failing()
    except RuntimeError:
        logging.getLogger("tests.house.logs").exception("failed")


SAYS: list[Callable[[], Any]] = [
    lambda: logging.getLogger("tests.house.logs").info("key %s", KEY.text),
    lambda: logging.getLogger("tests.house.logs").info("headers %s", {"Authorization": f"Bearer {KEY.text}"}),
    lambda: logging.getLogger("tests.house.logs").info("Authorization: Bearer %s", KEY.secret),
    lambda: structlog.get_logger("tests.house.logs").info("said", authorization=KEY.secret),
    lambda: structlog.get_logger("tests.house.logs").info("said", body={"deep": [{"password": KEY.secret}]}),
    lambda: structlog.get_logger("tests.house.logs").info("said", url=f"postgres://me:{KEY.secret}@host/db"),
    lambda: structlog.get_logger("tests.house.logs").info("said", raw=KEY.text.encode()),
    lambda: structlog.get_logger("tests.house.logs").info("said", thing=ValueError(KEY.text)),
    log_exception,
]


@pytest.mark.parametrize("say", SAYS)
def test_no_secret_is_in_a_line(written: Callable[[], str], say: Callable[[], Any]) -> None:
    say()
    text = written()
    assert text
    assert KEY.secret not in text
    json.loads(text)


def test_the_public_id_of_a_key_stays(written: Callable[[], str]) -> None:
    logging.getLogger("tests.house.logs").info("key %s", KEY.text)
    assert KEY.public_id in written()


def test_a_json_web_token_is_hidden(written: Callable[[], str]) -> None:
    logging.getLogger("tests.house.logs").info("token %s", JWT)
    assert "eyJ" not in written()


def test_a_line_is_json_with_level_logger_and_time(written: Callable[[], str]) -> None:
    logging.getLogger("tests.house.logs").info("hello")
    line = json.loads(written())
    assert (line["event"], line["level"], line["logger"]) == ("hello", "info", "tests.house.logs")
    assert line["timestamp"].endswith("Z")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("outside", [True, False])
def test_the_lines_of_a_job_say_which_job_it_was_and_hold_no_secret(
    monkeypatch: pytest.MonkeyPatch, written: Callable[[], str], outside: bool
) -> None:
    failing_job = written_by("agentiam.jobs.work", monkeypatch)
    job = Job.objects.create(task="tests.logs")

    def work() -> None:
        logging.getLogger("tests.house.logs").info("at work with %s", KEY.text)
        raise RuntimeError(f"no such key: {KEY.text}")

    assert not perform(job.pk, task="tests.logs", function=work, outside=outside)
    for text in (written(), failing_job()):
        line = json.loads(text)
        assert (line["job_id"], line["task"]) == (str(job.pk), "tests.logs")
        assert KEY.secret not in text
    logging.getLogger("tests.house.logs").info("afterwards")
    assert "job_id" not in json.loads(written().splitlines()[-1])


def test_a_decision_that_failed_is_logged_under_its_request_id(monkeypatch: pytest.MonkeyPatch) -> None:
    text = written_by("permissions.access.application", monkeypatch)
    application = AccessApplication()

    async def fail(*_: Any) -> Any:
        raise RuntimeError(f"no such key: {KEY.text}")

    async def send(message: Any) -> None:
        sent.append(message)

    sent: list[Any] = []
    monkeypatch.setattr(application, "_answer", fail)
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/access/v1/evaluation",
        "headers": [(b"x-request-id", b"request-0001"), (b"authorization", f"Bearer {KEY.text}".encode())],
    }
    asyncio.run(application(scope, send, send))
    assert sent[0]["status"] == 500
    line = json.loads(text())
    assert (line["event"], line["request_id"], line["path"]) == ("a decision request failed", "request-0001", scope["path"])
    assert KEY.secret not in text()
