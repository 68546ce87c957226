import re
import subprocess
import sys
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.db import OperationalError, transaction
from django.test import Client
from django.utils import timezone

from agentiam.jobs.models import Job
from agentiam.jobs.queue import enqueue
from agentiam.kit.measures import measures
from agentiam.operations import metrics
from audit import services
from audit.events import LOG_EXPORTED
from directory.models import Organization
from tests.access import worlds
from tests.access.asking import Asking
from tests.factories import SYSTEM
from tests.house.test_production import without
from tests.serving import ROOT, served

pytestmark = pytest.mark.django_db

TOKEN = "T7p-9sQ0xLm3Vb8Zr5Wc2Yd6Kf1Hg4Jn"


def values(text: str) -> dict[str, float]:
    """Read the text format: each sample by its name and labels, without the process."""
    found: dict[str, float] = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            name, _, value = line.rpartition(" ")
            name = re.sub(r',?process="\d+"', "", name).replace("{}", "")
            found[name] = found.get(name, 0.0) + float(value)
    return found


def read(client: Client, **extra: Any) -> dict[str, float]:
    answer = client.get("/metrics", **extra)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    return values(answer.content.decode())


def test_requests_are_counted_by_route_method_and_status(client: Client) -> None:
    client.get("/healthz")
    before = read(client)
    client.get("/healthz")
    client.post("/healthz")
    client.get("/o/acme/nothing-like-that")
    client.generic("INVENTED", "/healthz")
    after = read(client)
    grown = {name: after[name] - before.get(name, 0) for name in after if name.startswith("agentiam_http_requests_total")}
    assert grown['agentiam_http_requests_total{method="GET",route="/healthz",status="200"}'] == 1
    assert grown['agentiam_http_requests_total{method="POST",route="/healthz",status="405"}'] == 1
    assert grown['agentiam_http_requests_total{method="GET",route="none",status="404"}'] == 1
    assert grown['agentiam_http_requests_total{method="other",route="/healthz",status="405"}'] == 1
    assert not any("nothing-like-that" in name or "INVENTED" in name for name in after)
    assert after["agentiam_page_seconds_count"] >= before["agentiam_page_seconds_count"] + 4


def test_jobs_and_checkpoints_are_told(client: Client, acme: Organization) -> None:
    now = timezone.now()
    with transaction.atomic():
        enqueue("directory.nothing", arguments={}, organization_id=None, now=now - timedelta(minutes=5))
        enqueue("directory.nothing", arguments={}, organization_id=None, now=now, run_at=now + timedelta(hours=1))
    Job.objects.create(task="directory.nothing", state=Job.State.DEAD)
    services.sign_checkpoint(acme.pk, at=now - timedelta(seconds=40))
    services.record(LOG_EXPORTED, organization_id=acme.pk, by=SYSTEM)
    found = read(client)
    assert (found['agentiam_jobs{state="waiting"}'], found['agentiam_jobs{state="dead"}']) == (2, 1)
    assert found['agentiam_jobs{state="running"}'] == 0
    assert 300 <= found["agentiam_jobs_oldest_due_seconds"] < 400
    assert 40 <= found["agentiam_checkpoint_age_seconds"] < 140
    assert found["agentiam_unsworn_records"] == 1
    assert found["agentiam_database_up"] == 1
    assert any(name.startswith("agentiam_info{version=") for name in found)


def test_a_database_that_is_down_is_told_and_the_rest_is_still_there(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise OperationalError("password authentication failed for hunter2")

    client.get("/healthz")
    monkeypatch.setattr(metrics, "_from_database", fail)
    answer = client.get("/metrics")
    found = values(answer.content.decode())
    assert found["agentiam_database_up"] == 0
    assert 'agentiam_http_requests_total{method="GET",route="/healthz",status="200"}' in found
    assert "agentiam_jobs" not in found
    assert b"hunter2" not in answer.content


@pytest.mark.parametrize(
    ("networks", "token", "extra", "status"),
    [
        ("127.0.0.0/8", "", {}, 200),
        ("127.0.0.0/8", "", {"REMOTE_ADDR": "192.0.2.7"}, 404),
        ("192.0.2.0/24", "", {"REMOTE_ADDR": "192.0.2.7"}, 200),
        ("::1/128", "", {"REMOTE_ADDR": "::1"}, 200),
        ("127.0.0.0/8", "", {"REMOTE_ADDR": ""}, 404),
        ("127.0.0.0/8", "", {"REMOTE_ADDR": "unix"}, 404),
        # A proxy on this machine that is not trusted brings the whole world with our own address.
        ("127.0.0.0/8", "", {"HTTP_X_FORWARDED_FOR": "192.0.2.7"}, 404),
        ("127.0.0.0/8", "", {"HTTP_FORWARDED": "for=192.0.2.7"}, 404),
        ("127.0.0.0/8", "", {"HTTP_X_REAL_IP": "192.0.2.7"}, 404),
        # One that is trusted has put the client's address in place of its own.
        ("192.0.2.0/24", "", {"REMOTE_ADDR": "192.0.2.7", "HTTP_X_FORWARDED_FOR": "192.0.2.7"}, 200),
        ("none", TOKEN, {"HTTP_AUTHORIZATION": f"Bearer {TOKEN}"}, 200),
        ("none", TOKEN, {"HTTP_AUTHORIZATION": f"bearer {TOKEN}", "REMOTE_ADDR": "192.0.2.7"}, 200),
        ("none", TOKEN, {"HTTP_AUTHORIZATION": f"Bearer {TOKEN}x"}, 404),
        ("none", TOKEN, {"HTTP_AUTHORIZATION": "Bearer "}, 404),
        ("none", TOKEN, {"HTTP_AUTHORIZATION": f"Basic {TOKEN}"}, 404),
        ("none", TOKEN, {"HTTP_AUTHORIZATION": "Bearer \xe4\xf6\xfc"}, 404),
        ("none", TOKEN, {}, 404),
        ("none", "", {"HTTP_AUTHORIZATION": "Bearer "}, 404),
        ("none", "", {"HTTP_AUTHORIZATION": "Bearer"}, 404),
        # Who offers a wrong token is refused also where they come from a network that may read.
        ("127.0.0.0/8", TOKEN, {"HTTP_AUTHORIZATION": "Bearer wrong"}, 404),
    ],
)
def test_only_a_near_reader_or_one_with_the_token_finds_it(
    client: Client, settings: Any, *, networks: str, token: str, extra: dict[str, str], status: int
) -> None:
    settings.METRICS_NETWORKS = [] if networks == "none" else [ip_network(networks)]
    settings.METRICS_TOKEN = token
    for method in (client.get, client.post):
        answer = method("/metrics", **extra)
        assert answer.status_code == (405 if status == 200 and method == client.post else status)
        assert (b"agentiam_" in answer.content) is (status == 200 and method == client.get)


def test_without_the_extra_it_does_not_exist(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "available", lambda: False)
    assert client.get("/metrics").status_code == 404


def run(program: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", program]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def test_the_product_loads_no_extra_before_it_is_asked_for_and_runs_without_any(tmp_path: Path) -> None:
    program = (
        "import django; django.setup(); import agentiam.asgi, sys; from django.test import Client; "
        "client = Client(SERVER_NAME='127.0.0.1'); assert client.get('/healthz').content == b'ok\\n'; "
        "print(client.get('/metrics').status_code); "
        "print([name for name in sys.modules if name.partition('.')[0] in ('prometheus_client', 'opentelemetry')])"
    )
    environment = {
        "PATH": "",
        "DJANGO_SETTINGS_MODULE": "agentiam.settings",
        "AGENTIAM_DATA_DIR": str(tmp_path / "data"),
        "AGENTIAM_TRACING": "on",
        "PYTHONPATH": str(without(tmp_path, "prometheus_client", "opentelemetry")),
    }
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines() == ["404", "[]"], done.stderr
    assert "OpenTelemetry is not installed" in done.stderr
    environment |= {"PYTHONPATH": "", "AGENTIAM_TRACING": "off"}
    program = program.replace("print(client.get('/metrics').status_code); ", "")
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines() == ["[]"], done.stderr


def test_one_process_of_several_answers_for_all(tmp_path: Path) -> None:
    with served(tmp_path, workers=2) as product:
        product.apply(worlds.ACME)
        ask = Asking(product, product.keys["acme:application/crm"])
        for _ in range(20):
            ask()
            assert ask("delete", subject="agent/runner")[0] == "deny"
        assert ask.raw({"nothing": 1}).status_code == 400
        answer = httpx.get(f"{product.url}/metrics", timeout=30)
        assert answer.status_code == 200, product.log()[-2000:]
        text = answer.text
        found = values(text)
        assert found['agentiam_decisions_total{effect="allow"}'] == 20
        assert found['agentiam_decisions_total{effect="deny"}'] == 20
        assert found["agentiam_decision_seconds_count"] == 40
        assert found['agentiam_decision_seconds_bucket{le="+Inf"}'] == 40
        assert 0 < found["agentiam_decision_seconds_sum"] < 60
        route = 'method="POST",route="/access/v1/evaluation"'
        assert found[f'agentiam_http_requests_total{{{route},status="200"}}'] == 40
        assert found[f'agentiam_http_requests_total{{{route},status="400"}}'] == 1
        assert found["agentiam_audit_batch_records_sum"] == 40
        assert found["agentiam_audit_queue_records"] == 0
        assert found['agentiam_worlds_renewed_total{how="whole"}'] >= 1
        processes = set(re.findall(r'agentiam_http_requests_total{.*process="(\d+)"', text))
        assert 1 <= len(processes) <= 2
        assert len(list((tmp_path / "var" / "metrics").glob("*.numbers"))) == 2
        assert product.keys["acme:application/crm"] not in text
        assert "runner" not in text
        assert "acme" not in text


def test_counting_is_shared_by_name() -> None:
    first, second = measures.counter("test_shared"), measures.counter("test_shared")
    first.add()
    second.add()
    assert [series.values for series in measures.own() if series.name == "test_shared"] == [(2.0,)]
