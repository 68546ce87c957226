"""`make run` on a clean copy: in a minute and a half somebody is signed in and looks at the demo company."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.migrated import ROOT, clean_environment, on_postgresql
from tests.serving import free_port

MOST_SECONDS = 90
CHOSEN = "correct horse battery staple"


@dataclass
class Run:
    """One run: where it serves, and what it has printed."""

    url: str
    log: Path
    process: subprocess.Popen[bytes]
    began: float

    def printed(self) -> str:
        return self.log.read_text(errors="replace")


def copy_what_is_versioned(to: Path) -> None:
    """Copy the tree as a clone has it, with what is about to be added."""
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in listed.split("\0"):
        if (ROOT / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, to / name)


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    tree = tmp_path / "clone"
    copy_what_is_versioned(tree)
    # What is installed is not what this is about; make is told that it is as the lock says.
    (tree / ".venv").symlink_to(sys.prefix)
    url = f"http://127.0.0.1:{free_port()}"
    environment = {
        **clean_environment(),
        "AGENTIAM_DEMO": "yes",
        "AGENTIAM_DATA_DIR": str(tmp_path / "var"),
        "AGENTIAM_BASE_URL": url,
    }
    log = tmp_path / "run.log"
    with log.open("wb") as output:
        began = time.monotonic()
        process = subprocess.Popen(
            ["make", "--old-file=.venv/.installed", "run"],
            cwd=tree,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        yield Run(url, log, process, began)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def wait_until_served(run: Run) -> None:
    while time.monotonic() - run.began < MOST_SECONDS:
        assert run.process.poll() is None, run.printed()
        try:
            if httpx.get(f"{run.url}/", timeout=5).status_code == 302:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError(f"nobody answered:\n{run.printed()}")


def token_in(page: str) -> str:
    found = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
    assert found, page
    return found[1]


def signed_in(run: Run, username: str, password: str) -> str:
    """Sign in with a password that was printed, choose another as one is asked to, and give the first page."""
    with httpx.Client(base_url=run.url, follow_redirects=True, headers={"Referer": run.url}, timeout=30) as browser:
        form = {"username": username, "password": password, "csrfmiddlewaretoken": token_in(browser.get("/login/").text)}
        page = browser.post("/login/", data=form).text
        assert "<h1>Change your password</h1>" in page
        form = {"password1": CHOSEN, "password2": CHOSEN, "csrfmiddlewaretoken": token_in(page)}
        browser.post("/account/password/", data=form)
        return browser.get("/").text


def end_in_order(run: Run) -> None:
    """End it as Ctrl-C does, which tells every process of the group; wait until none of them is left."""
    os.killpg(run.process.pid, signal.SIGINT)
    run.process.wait(timeout=60)
    deadline = time.monotonic() + 60
    with suppress(ProcessLookupError):
        while time.monotonic() < deadline:
            os.killpg(run.process.pid, 0)
            time.sleep(0.1)
        raise AssertionError(f"something still runs:\n{run.printed()}")


# The embedded database is the one that `make run` begins with; where another is chosen, there is no such run.
if not on_postgresql():

    def test_somebody_is_signed_in_and_sees_the_demo_company_within_a_minute_and_a_half(run: Run) -> None:
        wait_until_served(run)
        administrator = re.search(r"User name\s+(\S+@saltmark)\s+Password\s+(\S+)", run.printed())
        assert administrator, run.printed()
        page = signed_in(run, administrator[1], administrator[2])
        took = time.monotonic() - run.began
        assert "<h1>Saltmark Line</h1>" in page
        assert took < MOST_SECONDS, f"it took {took:.0f} s"
        end_in_order(run)
        with pytest.raises(httpx.TransportError):
            httpx.get(run.url, timeout=5)
        assert "Traceback" not in run.printed()
