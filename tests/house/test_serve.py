"""The server as an operator starts it: a process of its own and real HTTP."""

import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.core.management import CommandError, call_command

from agentiam import serving
from agentiam.management.commands import serve
from tests.serving import ROOT, Served, free_port, served


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("served")) as copy:
        yield copy


@contextmanager
def another(product: Served, directory: Path, *, workers: int) -> Iterator[Served]:
    """Serve the same database a second time: setting one up is what takes long."""
    copy = Served(directory, product.environment, f"http://127.0.0.1:{free_port()}", workers=workers)
    copy.start()
    try:
        yield copy
    finally:
        copy.stop(signal.SIGKILL)


@contextmanager
def raw_connection(product: Served) -> Iterator[socket.socket]:
    host, port = product.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        yield connection


def test_it_lives_and_is_ready(product: Served) -> None:
    assert httpx.get(f"{product.url}/healthz").text == "ok\n"
    ready = httpx.get(f"{product.url}/readyz")
    assert ready.status_code == 200
    assert set(ready.json()["parts"]) >= {"database", "migrations", "audit_writer"}


def test_decisions_and_pages_come_from_one_address(product: Served) -> None:
    metadata = httpx.get(f"{product.url}/.well-known/authzen-configuration")
    assert metadata.headers["content-type"].startswith("application/json")
    assert httpx.post(f"{product.url}/access/v1/evaluation", json={}).status_code == 401
    assert "Sign in" in httpx.get(product.url, follow_redirects=True).text


def test_it_does_not_say_what_it_is_made_of(product: Served) -> None:
    for path in ("/healthz", "/login/", "/nothing", "/access/v1/nothing", "/static/css/tokens.css"):
        headers = httpx.get(f"{product.url}{path}").headers
        assert "server" not in headers
        assert "x-powered-by" not in headers


def test_static_files_are_served_with_strict_headers(product: Served) -> None:
    answer = httpx.get(f"{product.url}/static/css/tokens.css")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/css")
    assert "access-control-allow-origin" not in answer.headers
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert httpx.get(f"{product.url}/static/../manage.py").status_code == 404


def test_a_foreign_host_is_refused(product: Served) -> None:
    answer = httpx.get(f"{product.url}/login/", headers={"Host": "evil.example"})
    assert answer.status_code == 400
    assert "cannot be understood" in answer.text


def test_a_body_that_is_too_long_is_refused_before_it_is_read(product: Served) -> None:
    with raw_connection(product) as connection:
        connection.sendall(b"POST /login/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 10000000\r\n\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 413 ")


def test_a_body_of_unknown_length_is_refused_for_pages(product: Served) -> None:
    answer = httpx.post(f"{product.url}/login/", content=iter([b"a=1"]))
    assert answer.status_code == 411
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_taken_port_is_a_clear_error(product: Served) -> None:
    port = product.url.rsplit(":", 1)[1]
    done = product.manage("serve", "--port", port, check=False)
    assert done.returncode == 1
    assert f"Port {port} of 127.0.0.1 cannot be used: Address already in use. Choose another with --port." in done.stderr
    assert "Traceback" not in done.stderr


def test_an_address_of_another_machine_is_a_clear_error(product: Served) -> None:
    done = product.manage("serve", "--host", "192.0.2.1", check=False)
    assert done.returncode == 1
    assert "192.0.2.1" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_database_without_its_migrations_is_refused(product: Served, tmp_path: Path) -> None:
    environment = dict(product.environment) | {
        "AGENTIAM_DATA_DIR": str(tmp_path),
        "DATABASE_URL": f"sqlite:///{tmp_path}/empty",
    }
    command = [sys.executable, str(ROOT / "manage.py"), "serve"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert ".venv/bin/python manage.py migrate" in done.stderr


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_in_order_and_finishes_what_is_under_way(
    product: Served, tmp_path: Path, number: signal.Signals, workers: int
) -> None:
    with another(product, tmp_path, workers=workers) as copy:
        answers: list[int] = []

        def ask() -> None:
            # Half a request first: it is under way when the signal comes.
            with raw_connection(copy) as connection:
                body = b"username=a&password=b"
                head = f"POST /login/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n"
                connection.sendall(f"{head}Content-Type: application/x-www-form-urlencoded\r\n\r\n".encode() + body[:5])
                time.sleep(1.5)
                connection.sendall(body[5:])
                answers.append(int(connection.recv(65536).split()[1]))

        asking = threading.Thread(target=ask)
        asking.start()
        time.sleep(0.5)
        assert copy.stop(number) == 0
        asking.join()
        assert answers == [403], "the request under way was not answered"
        with pytest.raises(httpx.TransportError):
            httpx.get(f"{copy.url}/healthz")
        assert "Traceback" not in copy.log()


def test_a_server_that_cannot_start_says_so_with_its_exit_code(product: Served) -> None:
    environment = dict(product.environment) | {"PYTHONPATH": str(ROOT)}
    program = "from agentiam import serving; serving.APPLICATION='tests.house.broken:application'; "
    program += "raise SystemExit(serving.run(serving.listen('127.0.0.1', 0), workers=1, trusted_proxies=[]))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, check=False)
    assert done.returncode == 3


@pytest.mark.parametrize(
    ("address", "port"),
    [
        ("http://127.0.0.1:8123", 8123),
        ("http://localhost:9000", 9000),
        ("http://127.0.0.1", 80),
        ("https://iam.acme.example", 8000),
        ("http://iam.acme.example:9000", 8000),
    ],
)
def test_it_listens_where_people_are_told_to_go_if_that_is_here(settings: Any, address: str, port: int) -> None:
    settings.BASE_URL = address
    assert serving.usual_port() == port


def test_several_processes_that_cannot_count_together_are_warned_of(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.REDIS_URL = ""
    monkeypatch.setattr(serve, "pending_migrations", lambda: ["audit.0099"])
    said = StringIO()
    for workers in (1, 3):
        with pytest.raises(CommandError, match="lacks 1 migrations"):
            call_command("serve", "--workers", str(workers), stderr=said)
    assert said.getvalue().count("--workers 3 without Redis") == 1
    assert "3 times the tries. Set REDIS_URL, or serve with --workers 1." in said.getvalue()
    assert "--workers 1 without" not in said.getvalue()
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    with pytest.raises(CommandError, match="lacks 1 migrations"):
        call_command("serve", "--workers", "3", stderr=said)
    assert said.getvalue().count("without Redis") == 1


@pytest.mark.parametrize("port", ["99999", "-1", "http"])
def test_a_port_that_is_none_is_refused_in_a_line(port: str) -> None:
    with pytest.raises(CommandError, match="is not a port"):
        call_command("serve", "--port", port)
