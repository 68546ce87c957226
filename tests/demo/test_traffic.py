"""A day through a server of its own: every effect, the anomaly, true records, and no key that outlives it."""

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tests.serving import ROOT, Served, free_port, served

DECISIONS = 500

FACTS = """
from collections import Counter
from audit.models import Event
from directory.models import Organization
from permissions.models import ApplicationKey
from directory.models import Credential
company = Organization.objects.get(slug="saltmark")
decided = list(Event.objects.filter(type="access.decided"))
bodies = [json.loads(each.body) for each in decided]
result = {
    "effects": Counter(each.effect for each in decided),
    "organizations": len({each.organization_id for each in decided}),
    "days": sorted({each.at.date().isoformat() for each in decided}),
    "today": now.date().isoformat(),
    "searches": Event.objects.filter(type="access.searched").count(),
    "masked": sum(bool(each["data"]["fields"]["masked"]) for each in bodies),
    "terms": sorted({each["data"]["lost"]["term"] for each in bodies if "lost" in each["data"]}),
    "addresses": Counter(each["actor"]["address"] for each in bodies if each["actor"]["id"] == "loyalty-insights"),
    "callers": sorted({each["data"]["caller"]["id"] for each in bodies}),
    "chains": max(len(each["data"]["question"]["delegation"]) for each in bodies),
    "live": ApplicationKey.objects.filter(label="demo_traffic", revoked_at=None).count()
    + Credential.objects.filter(label="demo_traffic", revoked_at=None).count(),
    "issued": sum(model.objects.filter(label="demo_traffic").count() for model in (ApplicationKey, Credential)),
}
"""


@dataclass(frozen=True, slots=True)
class Played:
    """A copy on which one day was played, what the command said, and what was recorded when it had ended."""

    copy: Served
    text: str
    found: dict


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    with served(tmp_path_factory.mktemp("demo"), serve=False) as copy:
        copy.manage("demo")
        copy.start()
        done = copy.manage("demo_traffic", "--decisions", str(DECISIONS), "--seed", "7", "--day", "2026-11-24")
        yield Played(copy, done.stdout, facts(copy))


def facts(copy: Served) -> dict:
    found: dict = copy.run("import json\n" + FACTS)
    return found


def live_keys(copy: Served) -> int:
    keys = "keys.objects.filter(label='demo_traffic', revoked_at=None).count()"
    found: int = copy.run(f"result = sum({keys} for keys in (ApplicationKey, Credential))")
    return found


def test_a_day_brings_every_effect_and_no_fault(company: Played) -> None:
    found = company.found
    assert set(found["effects"]) == {"allow", "deny", "escalate"}
    assert sum(found["effects"].values()) >= DECISIONS
    assert found["organizations"] == 1
    assert found["masked"] > 50
    assert found["searches"] >= 1
    assert found["chains"] == 3
    assert {"grants", "consent", "subject", "guardrail", "capabilities"} <= set(found["terms"])
    assert {"reservations", "freight", "fleet", "crew", "care", "warehouse"} <= set(found["callers"])
    assert "!" not in company.text
    assert "Traceback" not in company.copy.log()


def test_what_is_said_at_the_end_is_what_was_recorded(company: Played) -> None:
    for effect, count in company.found["effects"].items():
        assert re.search(rf"^  {effect} +{count}$", company.text, flags=re.MULTILINE), (effect, count)
    assert "100 %" in company.text


def test_decisions_are_recorded_when_they_are_made(company: Played) -> None:
    found = company.found
    assert found["days"][-1] <= found["today"]
    assert len(found["days"]) <= 2


def test_the_stray_agent_is_there_to_be_found(company: Played) -> None:
    addresses = company.found["addresses"]
    assert addresses["127.0.9.66"] >= 30
    assert set(addresses) - {"127.0.9.66"}


def test_no_key_outlives_the_day(company: Played) -> None:
    assert company.found["issued"] >= 10
    assert company.found["live"] == 0
    assert not re.search(r"ai[pa]_\w{20}", company.text)


def test_the_log_is_whole_afterwards(company: Played) -> None:
    reports = [json.loads(line) for line in company.copy.manage("verify_audit", "--json").stdout.splitlines()]
    assert len(reports) == 2
    assert all(report["whole"] for report in reports)


def test_only_the_first_day_is_played_by_itself(company: Played) -> None:
    copy = company.copy
    before = facts(copy)
    assert copy.manage("demo_traffic", "--first").stdout == ""
    assert facts(copy) == before


def test_an_interrupted_day_leaves_no_key_behind(company: Played) -> None:
    copy = company.copy
    before = facts(copy)["issued"]
    command = [sys.executable, str(ROOT / "manage.py"), "demo_traffic", "--decisions", "20000"]
    player = subprocess.Popen(
        command, env=dict(copy.environment), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    for _ in range(600):
        if live_keys(copy):
            break
        time.sleep(0.1)
    player.send_signal(signal.SIGINT)
    _, said = player.communicate(timeout=90)
    assert player.returncode == 130, said
    assert "the keys are revoked" in said
    found = facts(copy)
    assert found["issued"] > before
    assert found["live"] == 0


def refused(copy: Served, url: str) -> str:
    done = copy.manage("demo_traffic", "--base-url", url, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    return done.stderr


def test_a_server_that_is_not_there_is_named(company: Played) -> None:
    copy = company.copy
    before = facts(copy)["issued"]
    assert "No server answers at http://127.0.0.1:" in refused(copy, f"http://127.0.0.1:{free_port()}")
    assert "is not the address of a server" in refused(copy, "127.0.0.1:8000")
    assert "is not the address of a server" in refused(copy, "http://127.0.0.1:many")
    assert facts(copy)["issued"] == before


def test_somebody_else_who_answers_gets_no_key(company: Played) -> None:
    asked = []

    class Stranger(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.headers)
            self.send_response(200)
            self.send_header("Content-Length", "5")
            self.end_headers()
            self.wfile.write(b"hello")

        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Stranger) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        said = refused(company.copy, f"http://127.0.0.1:{server.server_port}")
        server.shutdown()
    assert "is not agentiam" in said
    assert not any("Authorization" in headers for headers in asked)


def test_another_installation_is_told_apart_and_without_the_company_there_is_nothing_to_play(
    company: Played, tmp_path: Path
) -> None:
    with served(tmp_path) as other:
        assert "has no organization saltmark" in refused(company.copy, other.url)
        assert "Load it first: .venv/bin/python manage.py demo" in refused(other, other.url)
        assert other.manage("demo_traffic", "--first").stdout == ""
