"""``manage.py serve`` as a test of its jobs needs it: with the tests' tasks, leases that run out soon, and no schedule."""

import os
import sys
import threading
from datetime import timedelta

import django


def main(lease: str, *arguments: str) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "agentiam.settings")
    django.setup()
    from django.core.management import call_command

    from agentiam.jobs import leases, schedule
    from tests.jobs import tasks
    from tests.jobs.worker import end_with

    assert tasks.TASKS
    threading.Thread(target=end_with, args=[os.getppid()], daemon=True).start()
    leases.LEASE = timedelta(seconds=float(lease))
    schedule.declared = lambda: ()
    call_command(*arguments)


if __name__ == "__main__":
    main(*sys.argv[1:])
