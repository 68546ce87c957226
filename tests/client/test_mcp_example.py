"""The example in docs/examples/mcp_server, as it is run: two programs, the official MCP client, and real HTTP."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from agentiam.client import AgentClient, ClientSecretPost, DpopKey
from tests.client.server import AGENT, APPLICATION, APPLICATION_KEY, SECRET, FakeServer
from tests.serving import free_port

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "docs" / "examples" / "mcp_server"
CALL = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "tools/call",
    "params": {"name": "read_case", "arguments": {"case_id": "case-1"}},
}
CALL_HEADERS = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2025-11-25"}
MASKED = {
    "decision": True,
    "context": {
        "effect": "allow",
        "fields": {"allowed": ["title", "status"], "masked": ["email"], "denied": ["iban"]},
        "obligations": [
            {"id": "mask", "type": "custom", "properties": {"vendor": "agentiam", "action": "mask", "fields": ["email"]}}
        ],
    },
}


@contextmanager
def listening(fake: FakeServer, port: int) -> Iterator[None]:
    """Let the fake server answer on a port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            url = f"http://127.0.0.1:{port}{self.path}"
            answer = fake(httpx.Request(self.command, url, headers=list(self.headers.items()), content=body))
            self.send_response(answer.status_code)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.content)

        do_POST = do_GET  # noqa: N815

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass
class Running:
    fake: FakeServer
    resource: str
    environment: dict[str, str]

    def call(self, case: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(EXAMPLE / "call.py"), case]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    """Run the example's server against a fake authorization server."""
    issuing, serving = free_port(), free_port()
    resource, issuer = f"http://127.0.0.1:{serving}/mcp", f"http://127.0.0.1:{issuing}/o/acme"
    fake = FakeServer(issuer=issuer, resource=resource, clock=time.time)
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "RESOURCE": resource,
        "AGENTIAM_ISSUER": issuer,
        "AGENTIAM_APPLICATION": APPLICATION,
        "AGENTIAM_KEY": APPLICATION_KEY,
        "AGENTIAM_CLIENT_ID": AGENT,
        "AGENTIAM_CLIENT_SECRET": SECRET,
    }
    with listening(fake, issuing):
        process = subprocess.Popen([sys.executable, str(EXAMPLE / "server.py")], env=environment)
        try:
            until = time.monotonic() + 30
            while not answers(resource):
                assert process.poll() is None
                assert time.monotonic() < until
                time.sleep(0.05)
            yield Running(fake, resource, environment)
        finally:
            process.terminate()
            process.wait(timeout=10)


def answers(resource: str) -> bool:
    try:
        return httpx.get(resource).status_code == 401
    except httpx.TransportError:
        return False


def test_an_agent_reads_a_case_masked(running: Running) -> None:
    running.fake.answer = MASKED
    done = running.call("case-1")
    assert done.returncode == 0, done.stderr
    assert '"title": "Ferry cancelled"' in done.stdout
    assert '"email": "***"' in done.stdout
    assert "dora" not in done.stdout
    assert "iban" not in done.stdout
    form, question = running.fake.forms[-1], running.fake.questions[-1]
    assert (form["grant_type"], form["resource"], form["scope"]) == ("client_credentials", running.resource, "case:read")
    assert question["subject"] == {"type": "agent", "id": AGENT}
    assert question["resource"] == {"type": "case", "id": "case-1"}


def test_a_no_reaches_the_agent_as_its_sentence(running: Running) -> None:
    running.fake.answer = {"decision": False, "context": {"effect": "deny", "reason_user": "Not for you."}}
    done = running.call("case-2")
    assert (done.returncode, done.stdout.strip()) == (1, "refused: Error executing tool read_case: Not for you.")


def test_without_an_answer_nothing_is_read(running: Running) -> None:
    running.fake.overrides["evaluation"] = lambda request: httpx.Response(500)
    done = running.call("case-1")
    del running.fake.overrides["evaluation"]
    assert (done.returncode, done.stdout.strip()) == (
        1,
        "refused: Error executing tool read_case: Access cannot be checked now.",
    )


def test_an_agent_of_the_library_comes_through_with_a_bound_token(running: Running) -> None:
    running.fake.answer = MASKED
    agent = AgentClient(running.fake.issuer, ClientSecretPost(AGENT, SECRET), dpop=DpopKey.generate())
    with httpx.Client(auth=agent.auth(running.resource, "case:read")) as client:
        response = client.post(running.resource, json=CALL, headers=CALL_HEADERS)
    agent.close()
    assert response.status_code == 200, response.text
    assert '"***"' in response.text or '\\"***\\"' in response.text


def test_a_stranger_learns_where_to_ask_and_no_more(running: Running) -> None:
    response = httpx.post(running.resource, json={"jsonrpc": "2.0", "id": 1, "method": "tools/list"})
    assert response.status_code == 401
    assert "resource_metadata=" in response.headers["www-authenticate"]
    forged = httpx.post(
        running.resource, headers={"Authorization": f"Bearer {running.fake.token(aud='https://other.example')}"}
    )
    assert forged.status_code == 401
