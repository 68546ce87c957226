import json
import logging
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
import structlog

from agentiam import logs
from agentiam.kit.tokens import make_token

KEY = make_token("aia")
JWT = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl"


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Callable[[], str]:
    stream = StringIO()
    config = logs.configuration(as_json=True, level="INFO")
    formatter = config["formatters"]["lines"]
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=formatter["processors"], foreign_pre_chain=formatter["foreign_pre_chain"]
        )
    )
    logger = logging.getLogger("tests.house.logs")
    monkeypatch.setattr(logger, "handlers", [handler])
    monkeypatch.setattr(logger, "propagate", False)
    logger.setLevel(logging.INFO)
    return stream.getvalue


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
