import csv
import io

import pytest

from audit.export.plain import COLUMNS, json_text, safe_cell
from audit.services import Target
from tests.audit.export.conftest import CAROL

pytestmark = pytest.mark.django_db

NASTY = [
    '=HYPERLINK("http://evil.example","x")',
    "+1",
    "-2+3",
    "@SUM(A1)",
    "\tx",
    "\rx",
    "\n=x",
    "\uff1d1+1",
    "\uff20x",
]


def read_rows(raw):
    return list(csv.DictReader(io.StringIO(raw.decode("utf-8"), newline="")))


@pytest.mark.parametrize("text", NASTY)
def test_a_cell_is_no_formula(exported, happen, text):
    happen("agent.suspended", reason=text, target=Target(type="agent", id=text, label=text))
    row = next(row for row in read_rows(exported("csv")) if row["type"] == "agent.suspended")
    assert (row["reason"], row["target_id"], row["target_label"]) == ("'" + text,) * 3


def test_what_is_harmless_stays_as_it_is():
    for text in ("", "a", "'=1", "1-1", "a@b.example", " x", "{}"):
        assert safe_cell(text) == text


def test_rows_are_those_of_rfc_4180(exported, happen):
    nasty = 'a "quoted", comma\r\nand a line'
    happen("agent.suspended", reason=nasty, data={"n": 1})
    raw = exported("csv")
    rows = read_rows(raw)
    assert tuple(rows[0]) == COLUMNS
    assert rows[0]["reason"] == nasty
    assert rows[0]["data"] == '{"n":1}'
    assert rows[0]["actor_address"] == CAROL.address
    assert b'"a ""quoted"", comma\r\nand a line"' in raw
    assert raw.endswith(b"\r\n")
    assert raw.splitlines()[0].decode().split(",") == list(COLUMNS)


def test_a_line_holds_one_event_whatever_is_in_it(exported, happen):
    happen("agent.suspended", reason="one\ntwo\u2028three\x85four")
    assert exported("jsonl").count(b"\n") == 1


def test_text_that_is_no_text_is_replaced():
    assert json_text({"a\ud800": ["\udfff"]}) == b'{"a\xef\xbf\xbd":["\xef\xbf\xbd"]}'
