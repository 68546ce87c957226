"""Who may do what over the whole API: every operation, every kind of caller, and the status that each of them gets.

The table is permission_table.txt. An operation is tried with a body that is as it must be (bodies.py), and taken back. So
whoever may do it does it (2xx), and whoever may not is refused (403, 404): a 422 stands for a body that names what the caller
does not see, and for nothing else. There is one row of each kind, in the organization of all but mallory; the agent is
olivia's.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import transaction
from django.urls import get_resolver

from permissions.services.decisions import InsideTransaction
from tests.api.bodies import Rows, address_for, body_for, prepare_for, rows_for_the_table
from tests.api.conftest import Caller
from tests.api.world import Cast, make_everything

FILE = Path(__file__).parent / "permission_table.txt"
WHO = ("alice", "bob", "carol", "olivia", "dave", "mallory", "agent", "application", "anonymous")
UNDESCRIBED = {"openapi.json", "docs"}
FOR_EVERYBODY = {
    ("POST", "onboarding"): "a pipeline's token opens it, and no caller's key is one",
    ("POST", "cards/verify"): "what is presented was not ours before, and the answer depends on the caller's organization",
}


def read_table() -> dict[tuple[str, str], tuple[int, ...]]:
    """Read the table: method, path, then one status for each of WHO."""
    rows = {}
    for line in FILE.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            method, path, *statuses = line.split()
            rows[method, path] = tuple(map(int, statuses))
    return rows


def operations() -> Iterator[tuple[str, str]]:
    """List what the API answers to."""
    api = next(each for each in get_resolver().url_patterns if getattr(each, "app_name", None) == "api")
    for pattern in api.url_patterns:
        path = str(pattern.pattern)
        if path not in UNDESCRIBED:
            # DRF answers HEAD like GET, and adds that to the actions when it does so first.
            yield from ((method.upper(), path) for method in list(pattern.callback.actions) if method != "head")


TABLE = read_table()
AREAS = sorted({path.partition("/")[0] for _, path in TABLE})


def test_every_operation_is_in_the_table() -> None:
    assert sorted(operations()) == sorted(TABLE)


def attempt(caller: Caller, method: str, path: str, rows: Rows) -> tuple[int, str]:
    """Answer the status and what was said; in bulk, where each item is done or refused by itself, those of the one item."""
    try:
        answer = caller(method, address_for(path, rows), body_for(method, path, rows), **{"If-Match": "*"})
    except InsideTransaction:
        # Whoever comes so far may plan: what is asked before is who may, and a test's transaction keeps from the rest
        # (tests/api/permissions/test_reading.py goes to the end).
        return 200, ""
    if answer.streaming:
        return answer.status_code, ""
    if answer.status_code == 200 and path.startswith("agents/bulk"):
        [result] = answer.json()["results"]
        return result["status"], str(result["problem"])
    return answer.status_code, answer.content.decode()


def test_every_operation_is_refused_to_somebody_who_is_known() -> None:
    alike = {key for key, (*known, _) in TABLE.items() if len(set(known)) == 1}
    lists = {(method, path) for method, path in TABLE if method == "GET" and "/" not in path}
    # A list is answered to everybody, with what they see; integrity is no list.
    assert alike == {*FOR_EVERYBODY, *(lists - {("GET", "integrity")})}


def test_nobody_unknown_is_let_in() -> None:
    assert {anonymous for *_, anonymous in TABLE.values()} == {401}


@pytest.fixture
def everything(db: None) -> tuple[Cast, Rows]:
    cast, rows = make_everything()
    return cast, rows_for_the_table(cast, rows)


@pytest.fixture
def cast(everything: tuple[Cast, Rows]) -> Cast:
    """The cast that these rows are of."""
    return everything[0]


@pytest.mark.parametrize("area", AREAS)
def test_everybody_gets_what_the_table_says(as_, everything, area) -> None:
    rows = everything[1]
    callers = {who: as_(who) for who in WHO}
    wrong = []
    for (method, path), expected in TABLE.items():
        if path.partition("/")[0] != area:
            continue
        for who, status in zip(WHO, expected, strict=True):
            with transaction.atomic():
                prepare_for(path, rows)
                got, said = attempt(callers[who], method, path, rows)
                transaction.set_rollback(True)
            if got != status or (got == 422 and "that you can see." not in said):
                wrong.append(f"{method} {path}: {who} got {got}, not {status}: {said[:200]}")
    assert wrong == []
