"""Tasks that leave a mark for each time they were carried through, in a table that only the tests have."""

import os
import time
from pathlib import Path

from django.db import connection

from agentiam.jobs.progress import progress
from agentiam.jobs.tasks import job_task

CREATE = {
    "sqlite": "CREATE TABLE IF NOT EXISTS tests_mark (id integer PRIMARY KEY AUTOINCREMENT, name text, process text)",
    "postgresql": "CREATE TABLE IF NOT EXISTS tests_mark (id bigserial PRIMARY KEY, name text, process text)",
}


def leave_mark(name: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO tests_mark (name, process) VALUES (%s, %s)", [name, str(os.getpid())])


def leave_mark_once(name: str) -> None:
    """What the receiver of a message does who knows its key: the second time changes nothing."""
    sql = "INSERT INTO tests_mark (name, process) SELECT %s, %s WHERE NOT EXISTS (SELECT 1 FROM tests_mark WHERE name = %s)"
    with connection.cursor() as cursor:
        cursor.execute(sql, [name, str(os.getpid()), name])


def marks(prefix: str = "") -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM tests_mark WHERE name LIKE %s ORDER BY id", [f"{prefix}%"])
        return [row[0] for row in cursor.fetchall()]


def processes() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT DISTINCT process FROM tests_mark")
        return {row[0] for row in cursor.fetchall()}


def dwell(flag: str, seconds: float) -> None:
    """Stay in the middle of the work, the first time."""
    if flag and not Path(flag).exists():
        Path(flag).write_text(str(os.getpid()))
        time.sleep(seconds)


@job_task(name="tests.mark")
def mark(*, name: str = "by the clock", flag: str = "", seconds: float = 60) -> None:
    leave_mark(name)
    dwell(flag, seconds)


@job_task(name="tests.tell", outside=True)
def tell(*, name: str, flag: str = "", seconds: float = 60) -> None:
    leave_mark_once(name)
    dwell(flag, seconds)


@job_task(name="tests.fail")
def fail(*, name: str, message: str) -> None:
    leave_mark(name)
    raise RuntimeError(message)


@job_task(name="tests.end")
def end(*, name: str) -> None:
    leave_mark(name)
    raise SystemExit(name)


@job_task(name="tests.count", outside=True)
def count(*, name: str, until: int) -> None:
    for number in range(until):
        progress(number + 1, until, f"{name} {number + 1}")


@job_task(name="tests.count_within")
def count_within(*, name: str) -> None:
    leave_mark(name)
    progress(2, 2, "both")


TASKS = {task.name: task for task in (mark, tell, fail, end, count, count_within)}
