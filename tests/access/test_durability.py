"""An answer that left is in the log, whatever happened to the server; and a log that was touched says so."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from signal import SIGKILL, SIGTERM

import httpx
import pytest

from tests.access import worlds
from tests.access.asking import question
from tests.serving import ROOT, Served, served


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Serve a copy that may be killed."""
    with served(tmp_path_factory.mktemp("durability")) as copy:
        copy.apply(worlds.ACME)
        yield copy


class Load:
    """Clients that ask as fast as they can, and note the id of every answer they got."""

    def __init__(self, product: Served, clients: int = 8) -> None:
        self.answered: list[str] = []
        self._ended = threading.Event()
        self._product = product
        self._threads = [threading.Thread(target=self._ask) for _ in range(clients)]

    def _ask(self) -> None:
        headers = {"Authorization": f"Bearer {self._product.keys['acme:application/crm']}"}
        with httpx.Client(headers=headers, timeout=5) as client:
            while not self._ended.is_set():
                try:
                    answer = client.post(f"{self._product.url}/access/v1/evaluation", json=question())
                except httpx.TransportError:
                    return
                if answer.status_code == 200:
                    self.answered.append(answer.json()["context"]["evaluation_id"])

    def run_until(self, count: int) -> None:
        """Ask until so many answers have come."""
        for thread in self._threads:
            thread.start()
        while len(self.answered) < count:
            assert any(thread.is_alive() for thread in self._threads)
            self._ended.wait(0.01)

    def end(self) -> set[str]:
        """Wait for the clients, and give the ids of all answers."""
        self._ended.set()
        for thread in self._threads:
            thread.join()
        return set(self.answered)


def _recorded(product: Served) -> set[str]:
    found = product.run(
        "from audit.models import Event\nresult = [str(pk) for pk in Event.objects.values_list('pk', flat=True)]"
    )
    return set(found)


@pytest.mark.parametrize("number", [SIGKILL, SIGTERM])
def test_a_server_that_ends_under_load_has_recorded_every_answer(alone: Served, number: int) -> None:
    load = Load(alone)
    load.run_until(300)
    status = alone.stop(SIGKILL if number == SIGKILL else SIGTERM)
    assert status == (-SIGKILL if number == SIGKILL else 0), alone.log()
    answered = load.end()
    assert len(answered) >= 300
    assert answered <= _recorded(alone)
    assert alone.manage("verify_audit").returncode == 0
    alone.start()


BIT = "UPDATE audit_event SET body = replace(body, 'record-1', 'record-2') WHERE id = '{victim}'"
REMOVED = "DELETE FROM audit_event WHERE id = '{victim}'"
SWAPPED = (
    "UPDATE audit_event SET sequence = 1000000 WHERE id = '{victim}';"
    "UPDATE audit_event SET sequence = {at} WHERE id = '{after}';"
    "UPDATE audit_event SET sequence = {next} WHERE id = '{victim}'"
)
CUT = "DELETE FROM audit_event WHERE chain_id = '{chain}' AND sequence >= {at}"
HARMS = {"changed": BIT, "removed": REMOVED, "swapped": SWAPPED, "cut": CUT}


def test_both_verifiers_find_and_name_what_was_done_to_the_log(tmp_path: Path) -> None:
    with served(tmp_path) as product:
        product.apply(worlds.ACME)
        key = product.keys["acme:application/crm"]
        ids = [product.post("/access/v1/evaluation", question(), key).json()["context"]["evaluation_id"] for _ in range(5)]
        assert product.stop() == 0
        assert product.manage("verify_audit").returncode == 0
        whole = product.manage("export_audit", "acme").stdout
        assert _verified_offline(tmp_path, whole).returncode == 0
        for harm, seen in product.run(_harm(ids)).items():
            assert seen["status"] == 1, harm
            assert ids[1] in seen["verified"] or ids[2] in seen["verified"] or "2" in seen["verified"], harm
            offline = _verified_offline(tmp_path, seen["exported"])
            assert offline.returncode == 1, harm + offline.stdout + offline.stderr
        assert product.manage("verify_audit").returncode == 0


def _verified_offline(directory: Path, exported: str) -> subprocess.CompletedProcess[str]:
    path = directory / "log.jsonl"
    path.write_text(exported)
    command = [sys.executable, "-m", "audit.offline", str(path)]
    environment = {"PATH": "/usr/bin:/bin"}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def _harm(ids: list[str]) -> str:
    """Write what an intruder with the database's own password would do, one harm after the other, and what is found of it."""
    return f"""
from io import BytesIO, TextIOWrapper
from django.core.management import call_command
from django.db import connection, transaction
from audit.models import Event
from tests.unguarded import unguarded
victim, after = Event.objects.get(pk={ids[1]!r}), Event.objects.get(pk={ids[2]!r})
native = connection.features.has_native_uuid_field
text = (lambda value: str(value)) if native else (lambda value: value.hex)

def said(*command):
    out, status = TextIOWrapper(BytesIO(), encoding="utf-8"), 0
    try:
        call_command(*command, stdout=out)
    except SystemExit as ended:
        status = ended.code
    out.flush()
    return out.buffer.getvalue().decode(), status

result = {{}}
for name, harm in {HARMS!r}.items():
    statements = harm.format(victim=text(victim.pk), after=text(after.pk), chain=text(victim.chain_id),
                             at=victim.sequence, next=after.sequence)
    with transaction.atomic():
        with unguarded(connection) as cursor:
            for each in statements.split(';'):
                cursor.execute(each)
        verified, status = said("verify_audit")
        exported, _ = said("export_audit", "acme")
        result[name] = {{"verified": verified, "status": status, "exported": exported}}
        transaction.set_rollback(True)
"""
