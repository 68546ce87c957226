"""The first minutes of a newcomer: one command, then the requests that it printed, pasted into a shell."""

import json
import re
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.serving import Served, served


@pytest.fixture(scope="module")
def first_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, str]]:
    with served(tmp_path_factory.mktemp("quickstart"), serve=False) as copy:
        text = copy.manage("quickstart").stdout
        copy.start()
        yield copy, text


def pasted(text: str) -> list[dict[str, object]]:
    """Run the printed lines in a shell, as they are."""
    script = "\n".join(line for line in text.splitlines() if re.match(r"\s*(export |curl |-H |-d |#)", line))
    script = script.replace("curl -s", "echo; curl -s")
    done = subprocess.run(["bash", "-euc", script], capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines() if line.strip()]


def test_the_printed_requests_show_a_mask_a_denial_and_an_escalation(first_run: tuple[Served, str]) -> None:
    allowed, denied, escalated = (answer for answer in pasted(first_run[1]))
    assert allowed["decision"] is True
    assert allowed["context"]["fields"]["masked"] == ["email"]
    assert "iban" not in allowed["context"]["fields"]["allowed"]
    assert denied["decision"] is False
    assert denied["context"]["effect"] == "deny"
    assert "region" in json.dumps(denied["context"])
    assert escalated["decision"] is False
    assert escalated["context"]["effect"] == "escalate"


def test_the_printed_administrator_signs_in_and_sees_the_organization(first_run: tuple[Served, str]) -> None:
    copy, text = first_run
    password = re.search(r"Password\s+(\S+)", text)
    assert password
    with httpx.Client(base_url=copy.url, follow_redirects=True, headers={"Referer": copy.url}) as browser:
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', browser.get("/login/").text)
        assert token
        form = {"username": "admin@acme", "password": password[1], "csrfmiddlewaretoken": token[1]}
        page = browser.post("/login/", data=form).text
        assert "<h1>Change your password</h1>" in page
        assert "<h1>Change your password</h1>" in browser.get("/").text
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
        assert token
        chosen = "correct horse battery staple"
        form = {"password1": chosen, "password2": chosen, "csrfmiddlewaretoken": token[1]}
        browser.post("/account/password/", data=form)
        page = browser.get("/").text
    assert "<h1>Acme</h1>" in page
    assert "2 of 2 agents are active." in " ".join(page.split())


def test_a_second_run_prints_no_secret_and_changes_nothing(first_run: tuple[Served, str]) -> None:
    text = first_run[0].manage("quickstart").stdout
    assert "Password" not in text
    assert "aip_" not in text
    assert first_run[0].url in text


def test_nothing_that_was_printed_is_in_the_data_directory(first_run: tuple[Served, str]) -> None:
    copy, text = first_run
    key = re.search(r"aip_\w+", text)
    password = re.search(r"Password\s+(\S+)", text)
    assert key
    assert password
    for path in Path(copy.environment["AGENTIAM_DATA_DIR"]).rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert key[0].encode() not in content
            assert password[1].encode() not in content
    assert key[0] not in copy.log()


def test_a_taken_port_is_told_before_anything_that_is_printed_only_once(tmp_path: Path) -> None:
    with served(tmp_path, serve=False) as copy, socket.socket() as other:
        port = int(copy.url.rsplit(":", 1)[1])
        other.bind(("127.0.0.1", port))
        other.listen()
        refused = copy.manage("quickstart", "--before-serve", check=False)
        assert refused.returncode == 1
        assert f"Port {port} of 127.0.0.1 cannot be used: Address already in use." in refused.stderr
        assert f"AGENTIAM_BASE_URL=http://127.0.0.1:{port + 1} make run" in refused.stderr
        assert "--port" not in refused.stderr
        assert refused.stdout == ""
        other.close()
        assert "Password" in copy.manage("quickstart", "--before-serve").stdout
