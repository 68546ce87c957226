"""``manage.py worker`` as a test needs it: with its tasks, leases that run out soon, and a schedule of its own."""

import os
import signal
import sys
import threading
import time
from datetime import timedelta

import django


def end_with(parent: int) -> None:
    """Leave nothing behind when the test run itself was ended."""
    while os.getppid() == parent:
        time.sleep(1)
    os.killpg(os.getpgrp(), signal.SIGKILL)


def main(lease: str, every: str, grace: str, *arguments: str) -> None:
    django.setup()
    from django.core.management import call_command

    from agentiam.celery import app
    from agentiam.jobs import leases, relay, schedule
    from agentiam.management.commands import worker
    from tests.jobs import tasks

    assert tasks.TASKS
    threading.Thread(target=end_with, args=[os.getppid()], daemon=True).start()
    leases.LEASE = timedelta(seconds=float(lease))
    # A worker may be killed while it hands jobs over, some of them marked and not sent.
    relay.AGAIN_AFTER = timedelta(seconds=10)
    worker.GRACE_SECONDS = app.conf.worker_soft_shutdown_timeout = float(grace)
    entries = (schedule.Every("tests.mark", seconds=int(every)),) if int(every) else ()
    schedule.declared = lambda: entries
    call_command("worker", *arguments)


if __name__ == "__main__":
    main(*sys.argv[1:])
