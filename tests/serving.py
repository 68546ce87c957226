"""A served copy of the product for tests: its own data directory and database, its own process, real HTTP."""

import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests import migrated
from tests.migrated import ROOT


def free_port() -> int:
    """Find a port of the loopback interface that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@dataclass
class Served:
    """One running copy; ``keys`` collects the credentials that ``apply`` printed."""

    directory: Path
    environment: Mapping[str, str]
    url: str
    process: subprocess.Popen[bytes] | None = None
    workers: int = 1
    program: tuple[str, ...] = (str(ROOT / "manage.py"),)
    keys: dict[str, str] = field(default_factory=dict, repr=False)
    console: subprocess.Popen[str] | None = None

    def manage(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a management command on this copy."""
        command = [sys.executable, str(ROOT / "manage.py"), *arguments]
        done = subprocess.run(command, env=dict(self.environment), cwd=ROOT, capture_output=True, text=True, check=False)
        if check and done.returncode:
            raise AssertionError(f"{arguments} ended with {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    def apply(self, manifest: str, *arguments: str) -> dict[str, Any]:
        """Load an organization, and note the keys that were made."""
        path = self.directory / f"{uuid.uuid4().hex}.yaml"
        path.write_text(manifest)
        arguments = ("apply", str(path), "--json", *arguments)
        code = f"out = io.StringIO()\ncall_command(*{arguments!r}, stdout=out)\nresult = json.loads(out.getvalue())"
        result: dict[str, Any] = self.run(f"import io, json\nfrom django.core.management import call_command\n{code}")
        self.keys.update({f"{result['organization']}:{name}": key for name, key in result["credentials"].items()})
        return result

    def start(self) -> None:
        """Serve, and wait until it is ready."""
        host, port = self.url.removeprefix("http://").split(":")
        command = [
            sys.executable,
            *self.program,
            "serve",
            "--host",
            host,
            "--port",
            port,
            "--workers",
            str(self.workers),
        ]
        log = (self.directory / "serve.log").open("ab")
        self.process = subprocess.Popen(
            command, env=dict(self.environment), cwd=ROOT, stdout=log, stderr=log, start_new_session=True
        )
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise AssertionError(f"the server ended at once:\n{self.log()}")
            try:
                if httpx.get(f"{self.url}/readyz", timeout=5).status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.1)
        raise AssertionError(f"the server did not become ready:\n{self.log()}")

    def log(self) -> str:
        """Give what the server has printed."""
        return (self.directory / "serve.log").read_text(errors="replace")

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End the server and all its processes; give the exit status."""
        if self.process is None:
            return 0
        if number == signal.SIGKILL:
            os.killpg(self.process.pid, number)
        else:
            self.process.send_signal(number)
        status = self.process.wait(timeout=60)
        self.process = None
        return status

    def run(self, code: str) -> Any:
        """Run Python beside the server, in a process of its own with models and services at hand; give its ``result``."""
        if self.console is None:
            self.console = subprocess.Popen(
                [sys.executable, "-m", "tests.console"],
                env=dict(self.environment),
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        assert self.console.stdin is not None
        assert self.console.stdout is not None
        self.console.stdin.write(json.dumps(textwrap.dedent(code)) + "\n")
        self.console.stdin.flush()
        answer = json.loads(self.console.stdout.readline())
        if "error" in answer:
            raise AssertionError(answer["error"])
        return answer["result"]

    def post(self, path: str, body: Any, key: str, **headers: str) -> httpx.Response:
        """Send JSON as the holder of a key."""
        sent = {"Authorization": f"Bearer {key}", **headers}
        return httpx.post(f"{self.url}{path}", json=body, headers=sent, timeout=30)


@contextmanager
def served(directory: Path, *, workers: int = 1, serve: bool = True, jobs: str = "none") -> Iterator[Served]:
    """Set up a copy of its own, serve it, and clear it away; it runs jobs only if ``jobs`` says how."""
    name = f"served_{uuid.uuid4().hex[:16]}"
    if migrated.on_postgresql():
        migrated.copy_to_database(name)
    else:
        migrated.copy_to_file(directory / "var" / "agentiam.sqlite3")
    address = f"http://127.0.0.1:{free_port()}"
    environment = {
        **migrated.clean_environment(),
        "AGENTIAM_DATA_DIR": str(directory / "var"),
        "AGENTIAM_BASE_URL": address,
        "AGENTIAM_JOBS": jobs,
        **({"DATABASE_URL": f"{migrated.server()}/{name}"} if migrated.on_postgresql() else {}),
    }
    copy = Served(directory, environment, address, workers=workers)
    try:
        if serve:
            copy.start()
        yield copy
    finally:
        if copy.console is not None:
            copy.console.kill()
            copy.console.wait()
        if copy.process is not None:
            copy.stop(signal.SIGKILL)
        if migrated.on_postgresql():
            migrated.execute("DROP DATABASE IF EXISTS {name} WITH (FORCE)", name=name)
