"""Values as their declared types; a value of another type is absent."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from permissions.engine.attributes import ATTRIBUTE_TYPES, merged, typed

MOMENT = datetime(2026, 6, 1, 10, tzinfo=UTC)
BERLIN = timezone(timedelta(hours=2))

READ = [
    ("string", "EU", "EU"),
    ("string", "", ""),
    ("int", 5, 5),
    ("int", 5.0, 5),
    ("int", -(2**63), -(2**63)),
    ("int", 2**63 - 1, 2**63 - 1),
    ("double", 5, 5.0),
    ("double", 2.5, 2.5),
    ("bool", False, False),
    ("timestamp", "2026-06-01T10:00:00Z", MOMENT),
    ("timestamp", "2026-06-01T12:00:00+02:00", MOMENT),
    ("timestamp", datetime(2026, 6, 1, 12, tzinfo=BERLIN), MOMENT),
    ("duration", "90s", timedelta(seconds=90)),
    ("duration", "-1.5s", timedelta(seconds=-1.5)),
    ("duration", timedelta(1), timedelta(1)),
    ("list<string>", ["a", ""], ["a", ""]),
    ("list<string>", ("a",), ["a"]),
    ("list<int>", [1, 2.0], [1, 2]),
    ("list<double>", [1, 2.5], [1.0, 2.5]),
    ("list<int>", [], []),
]
ABSENT = [
    ("string", 5),
    ("string", None),
    ("int", True),
    ("int", "5"),
    ("int", 5.5),
    ("int", 2**63),
    ("int", 1e300),
    ("int", float("inf")),
    ("double", True),
    ("double", "2.5"),
    ("double", 10**400),
    ("bool", 1),
    ("bool", "true"),
    ("timestamp", "2026-06-01"),
    ("timestamp", "2026-06-01T10:00:00"),
    ("timestamp", "soon"),
    ("timestamp", 5),
    ("timestamp", datetime(2026, 6, 1)),  # noqa: DTZ001  (without a zone on purpose)
    ("timestamp", datetime(1, 1, 1, tzinfo=BERLIN)),
    ("duration", "90"),
    ("duration", 90),
    ("duration", "manys"),
    ("duration", "nans"),
    ("duration", "1e300s"),
    ("list<string>", "ab"),
    ("list<string>", ["a", 1]),
    ("list<int>", [1, None]),
    ("list<double>", {"a": 1}),
]


@pytest.mark.parametrize(("declared", "value", "expected"), READ)
def test_a_value_is_read_as_its_declared_type(declared, value, expected):
    read = typed(declared, value)
    assert read == expected
    assert type(read) is type(expected)


@pytest.mark.parametrize(("declared", "value"), ABSENT)
def test_a_value_of_another_type_is_absent(declared, value):
    assert typed(declared, value) is None
    assert merged({"a": declared}, {"a": "stored", "b": 1}, {"a": value}) == {"b": 1}


def test_every_type_is_tried_here():
    assert {declared for declared, *_ in READ} == {declared for declared, _ in ABSENT} == set(ATTRIBUTE_TYPES)


def test_what_is_sent_goes_over_what_is_stored_and_undeclared_names_pass():
    stored = {"region": "EU", "amount": 1.0}
    assert merged({"region": "string", "amount": "double"}, stored, {"region": "US", "note": [1]}) == {
        "region": "US",
        "amount": 1.0,
        "note": [1],
    }
    assert stored == {"region": "EU", "amount": 1.0}
    assert merged({}, {"note": 1}, {"note": None}) == {}
