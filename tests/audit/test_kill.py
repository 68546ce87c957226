"""A process that is killed while it writes has answered nothing that is not in the table."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from uuid import UUID

import pytest
from django.conf import settings
from django.db import connection

from agentiam.kit.ids import uuid7
from audit import selectors
from audit.models import Event

CHILD = """
import os, sys, threading
from uuid import UUID
import django
django.setup()
from audit import events
from audit.writer import GroupCommitWriter
from tests.audit.conftest import ACCESS_DECIDED, make_draft

try:
    events.register(ACCESS_DECIDED)
except events.DuplicateEventType:
    pass
writer = GroupCommitWriter(checkpoint_seconds=0.2)
organization = UUID(sys.argv[1])

def work():
    while True:
        draft = make_draft(organization)
        writer.submit([draft]).result(20)
        os.write(1, f"{draft.id}\\n".encode())

for _ in range(8):
    threading.Thread(target=work, daemon=True).start()
threading.Event().wait()
"""


def database_url():
    """The database of this test, as the settings read it from the environment."""
    database = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{database['NAME']}"
    login = f"{database['USER']}:{database['PASSWORD']}".rstrip(":")
    return f"postgres://{login}@{database['HOST']}:{database['PORT'] or 5432}/{database['NAME']}"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("seconds", [0.4, 0.9])
def test_every_record_acknowledged_before_a_kill_is_in_the_table(tmp_path, seconds):
    organization = uuid7()
    acknowledged = tmp_path / "acknowledged"
    root = str(Path(__file__).parents[2])
    environment = {
        **os.environ,
        "DATABASE_URL": database_url(),
        "DJANGO_SETTINGS_MODULE": settings.SETTINGS_MODULE,
        "PYTHONPATH": os.pathsep.join([root, *sys.path]),
    }
    with acknowledged.open("wb") as out:
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(organization)], stdout=out, stderr=subprocess.PIPE, env=environment
        )
        try:
            deadline = time.monotonic() + 30
            while acknowledged.stat().st_size == 0 and child.poll() is None and time.monotonic() < deadline:
                time.sleep(0.02)
            time.sleep(seconds)
        finally:
            child.send_signal(signal.SIGKILL)
            errors = child.communicate(timeout=30)[1]
    lines = acknowledged.read_text().splitlines(keepends=True)
    answered = {UUID(line.strip()) for line in lines if line.endswith("\n")}
    assert len(answered) > 20, errors.decode()
    recorded = set(Event.objects.for_organization(organization).values_list("id", flat=True))
    assert answered <= recorded
    report = selectors.verify_organization(organization)
    assert (report.findings, report.records) == ((), len(recorded))
