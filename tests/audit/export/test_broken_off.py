"""An export that fails on the way is broken off, so that no client takes a part for the whole; then it goes on where it was."""

import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from tests.serving import Served, served

WORLD = """
from tests.factories import make_organization, make_person
from directory.services.person_keys import issue_person_key
acme = make_organization("acme")
carol = make_person(acme, "carol", console_roles=("auditor",))
for number in range(6):
    make_person(acme, f"person-{number}")
_, token = issue_person_key(user=carol, label="siem", scopes=("read", "write"), by=by, now=now)
from audit.models import Event
ids = Event.objects.filter(type="person.created").order_by("id").values_list("pk", flat=True)
result = {"key": token.text, "ids": [str(pk) for pk in ids]}
"""
ENDS = """
import json
from audit.models import Event
ended = [json.loads(event.body)["data"] for event in Event.objects.filter(type="log.export_completed").order_by("id")]
result = {each["export"]: [each["count"], each["last"]] for each in ended}
"""


@pytest.fixture(scope="module")
def limit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("limit") / "last readable event"


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory, limit: Path) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("exports"), serve=False) as copy:
        copy.program = ("-m", "tests.audit.export.server", str(limit))
        copy.start()
        yield copy


@pytest.fixture(scope="module")
def world(product: Served) -> dict[str, Any]:
    return cast("dict[str, Any]", product.run(WORLD))


class Received:
    """What a client has of one export: the bytes, the export's id, and whether the answer ended as HTTP wants it."""

    def __init__(self, product: Served, key: str, **asked: Any) -> None:
        self.bytes, self.whole, self.error = b"", False, ""
        body = {"types": ["person.created"], **asked}
        with httpx.stream(
            "POST", f"{product.url}/api/v1/events/export", json=body, headers={"Authorization": f"Bearer {key}"}, timeout=30
        ) as answer:
            assert answer.status_code == 200, answer.read()
            assert answer.headers["Transfer-Encoding"] == "chunked"
            self.id = answer.headers["X-Agentiam-Export"]
            try:
                for part in answer.iter_raw():
                    self.bytes += part
                self.whole = True
            except httpx.RemoteProtocolError as error:
                self.error = str(error)


def last_of_lines(name: Callable[[bytes], str]) -> Callable[[bytes], str]:
    return lambda part: name(part.splitlines()[-1])


# How docs/exports.md says that the cursor is found.
CURSORS: dict[str, Callable[[bytes], str]] = {
    "jsonl": last_of_lines(lambda line: json.loads(line)["id"]),
    "ocsf": last_of_lines(lambda line: json.loads(line)["metadata"]["uid"]),
    "ocsf-1.8": last_of_lines(lambda line: json.loads(line)["metadata"]["uid"]),
    "cef": last_of_lines(lambda line: re.findall(rb"\bexternalId=(\S+)", line)[0].decode()),
    "csv": lambda part: list(csv.DictReader(io.StringIO(part.decode(), newline="")))[-1]["id"],
}


@pytest.mark.parametrize("form", CURSORS)
def test_an_export_that_fails_on_the_way_is_an_error_for_its_client_and_goes_on_later(
    product: Served, world: dict[str, Any], limit: Path, form: str
) -> None:
    key, ids = world["key"], world["ids"]
    whole = Received(product, key, format=form)
    limit.write_text(ids[3])
    broken = Received(product, key, format=form)
    limit.unlink()
    assert whole.whole
    assert not broken.whole
    assert "incomplete chunked read" in broken.error
    assert whole.bytes.startswith(broken.bytes)
    assert CURSORS[form](broken.bytes) == ids[3]
    rest = Received(product, key, format=form, after=CURSORS[form](broken.bytes))
    assert rest.whole
    assert broken.bytes + rest.bytes == whole.bytes
    ends = product.run(ENDS)
    assert ends[whole.id] == [len(ids), ids[-1]]
    assert ends[rest.id] == [len(ids) - 4, ids[-1]]
    assert broken.id not in ends
    assert "the disk is gone" in product.log()


@pytest.mark.parametrize("form", [form for form in CURSORS if form != "csv"])
def test_a_part_that_was_cut_within_a_line_goes_on_after_the_line_before(
    product: Served, world: dict[str, Any], form: str
) -> None:
    whole = Received(product, world["key"], format=form)
    for cut in (1, 20, len(whole.bytes) // 2):
        part = whole.bytes[:-cut]
        kept = part[: part.rfind(b"\n") + 1]
        rest = Received(product, world["key"], format=form, after=CURSORS[form](kept))
        assert kept + rest.bytes == whole.bytes


def test_an_export_that_has_nothing_new_says_where_it_stood(product: Served, world: dict[str, Any]) -> None:
    last = world["ids"][-1]
    nothing = Received(product, world["key"], format="csv", after=last)
    assert (nothing.bytes, nothing.whole) == (b"", True)
    assert product.run(ENDS)[nothing.id] == [0, last]
