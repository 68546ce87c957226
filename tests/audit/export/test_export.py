import asyncio
import csv
import io
import json
import time
import tracemalloc
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from asgiref.sync import sync_to_async
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connections, transaction

from agentiam.kit.ids import uuid7
from audit import services
from audit.export import CONTENT_TYPES, BadFilter, Filters, Format, export, reading
from audit.models import Event
from audit.services import Target
from tests.audit.export.conftest import CAROL, later
from tests.audit.tampering import pk, tamper

pytestmark = pytest.mark.django_db
threads = pytest.mark.django_db(transaction=True)
"""For what the writer's thread records."""

FORMATS = [str(each) for each in Format]


@threads
@pytest.mark.parametrize("format_name", FORMATS)
def test_two_halves_of_an_export_are_the_whole(exported, log, organization_id, monkeypatch, format_name):
    monkeypatch.setattr(reading, "_PAGE", 3)
    until = Filters(until=datetime.now(UTC))
    whole = exported(format_name, filters=until)
    first = export(organization_id=organization_id, format=format_name, filters=until, by=CAROL, now=later())
    begun = [next(first) for _ in range(3)]
    rest = exported(format_name, filters=until, after=first.cursor)
    assert 3 <= first.count < 20
    assert b"".join(begun) + rest == whole


@threads
@pytest.mark.parametrize("format_name", FORMATS)
def test_an_export_read_backwards_goes_on_as_well(exported, log, organization_id, monkeypatch, format_name):
    monkeypatch.setattr(reading, "_PAGE", 3)
    back = Filters(until=datetime.now(UTC), newest_first=True)
    whole = exported(format_name, filters=back)
    first = export(organization_id=organization_id, format=format_name, filters=back, by=CAROL, now=later())
    begun = [next(first) for _ in range(3)]
    assert b"".join(begun) + exported(format_name, filters=back, after=first.cursor) == whole


@threads
def test_order_is_that_of_the_ids_in_both_directions(lines, log):
    ids = [line["id"] for line in lines("jsonl")]
    assert ids == sorted(ids)
    assert [line["id"] for line in lines("jsonl", filters=Filters(newest_first=True))][-len(ids) :] == ids[::-1]


@threads
def test_every_event_is_there_once_with_its_record_and_hash(lines, log):
    found = {line["id"]: line for line in lines("jsonl", filters=Filters(until=datetime.now(UTC)))}
    events = list(Event.objects.exclude(type__startswith="log.export"))
    assert len(found) == len(events) == 20
    for event in events:
        line = found[str(event.id)]
        assert line.pop("hash") == event.hash
        assert line == json.loads(event.body)


def test_the_export_is_an_event_before_a_byte_leaves(organization_id, happen):
    happen("agent.suspended")
    filters = Filters(types=("agent.suspended",), actor="carol", since=datetime(2026, 1, 1, tzinfo=UTC))
    after = uuid7()
    export(organization_id=organization_id, format="csv", filters=filters, after=after, by=CAROL, reason="audit", now=later())
    event = Event.objects.get(type="log.exported")
    data = json.loads(event.body)["data"]
    assert (event.actor_id, event.reason) == ("carol", "audit")
    assert (data["format"], data["after"]) == ("csv", str(after))
    assert data["filters"] == {"types": ["agent.suspended"], "actor": "carol", "since": "2026-01-01T00:00:00.000000Z"}
    assert UUID(data["before"])


def ends_of_exports():
    """Answer what the log says of exports that went to their end."""
    return [json.loads(event.body)["data"] for event in Event.objects.filter(type="log.export_completed").order_by("id")]


@pytest.mark.parametrize("format_name", FORMATS)
def test_an_export_that_went_to_its_end_says_how_much_and_how_far_before_it_ends(organization_id, happen, format_name):
    first, second = happen("agent.suspended"), happen("agent.resumed")
    for after, count, last in ((None, 2, second), (first.id, 1, second), (second.id, 0, second)):
        found = export(
            organization_id=organization_id,
            format=format_name,
            filters=Filters(types=("agent.suspended", "agent.resumed")),
            after=after,
            by=CAROL,
            now=later(),
        )
        before = ends_of_exports()
        list(found)
        assert next(found, None) is None
        assert ends_of_exports() == [*before, {"export": str(found.id), "count": count, "last": str(last.id)}]
        assert Event.objects.get(pk=found.id).type == "log.exported"
    event = Event.objects.filter(type="log.export_completed").latest("id")
    assert (event.actor_id, event.organization_id) == ("carol", organization_id)


def test_an_export_of_nothing_from_the_beginning_has_no_last_event(organization_id):
    found = export(organization_id=organization_id, format="csv", filters=Filters(actor="nobody"), by=CAROL, now=later())
    list(found)
    assert ends_of_exports() == [{"export": str(found.id), "count": 0, "last": None}]


def test_an_export_that_is_left_in_the_middle_or_fails_there_is_not_said_to_be_whole(organization_id, happen, monkeypatch):
    for _ in range(5):
        happen("agent.suspended")
    monkeypatch.setattr(reading, "_PAGE", 2)
    left = export(organization_id=organization_id, format="jsonl", by=CAROL, now=later())
    next(left)
    failing = export(organization_id=organization_id, format="jsonl", by=CAROL, now=later())
    next(failing)

    def fail(row):
        raise DatabaseError("gone")

    with monkeypatch.context() as patched:
        patched.setattr(reading, "_exported", fail)
        with pytest.raises(DatabaseError):
            next(failing)
    assert next(failing, None) is None, "a generator that has failed gives nothing more"
    assert ends_of_exports() == []


def test_an_export_whose_end_cannot_be_recorded_does_not_end_well(organization_id, happen, monkeypatch):
    happen("agent.suspended")
    found = export(organization_id=organization_id, format="jsonl", by=CAROL, now=later())
    next(found)

    def fail(*args, **options):
        raise DatabaseError("gone")

    with monkeypatch.context() as patched:
        patched.setattr(services, "record", fail)
        with pytest.raises(DatabaseError):
            next(found)
    assert ends_of_exports() == []


def test_nothing_leaves_when_it_cannot_be_recorded(organization_id, happen, monkeypatch):
    happen("agent.suspended")

    def fail(*args, **options):
        raise DatabaseError("gone")

    monkeypatch.setattr(services, "record", fail)
    with pytest.raises(DatabaseError):
        export(organization_id=organization_id, format="jsonl", by=CAROL, now=later())


def test_another_organizations_events_never_leave(exported, happen, organization_id):
    happen("agent.suspended", reason="ours")
    stranger = uuid7()
    with transaction.atomic():
        services.record(services.events.event_type("agent.resumed"), organization_id=stranger, by=CAROL, reason="theirs")
        other = services.record(
            services.events.event_type("agent.suspended"), organization_id=stranger, by=CAROL, reason="theirs"
        )
    for format_name in FORMATS:
        text = exported(format_name)
        assert b"ours" in text
        assert b"theirs" not in text
        assert b"theirs" not in exported(format_name, after=other.id)
        assert b"theirs" in exported(format_name, organization_id=stranger)


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (Filters(types=("agent.suspended",)), {"a", "b"}),
        (Filters(types=("agent.suspended", "agent.resumed")), {"a", "b", "c"}),
        (Filters(actor="dora"), {"c"}),
        (Filters(target="agent-2"), {"b", "c"}),
        (Filters(effects=("deny",)), set()),
        (Filters(actor="carol", target="agent-2"), {"b"}),
        (Filters(since=datetime(2026, 2, 2, tzinfo=UTC), until=datetime(2026, 2, 4, tzinfo=UTC)), {"b", "c"}),
        (Filters(until=datetime(2026, 2, 2, tzinfo=UTC)), {"a"}),
    ],
)
def test_a_filter_keeps_what_it_names_and_nothing_else(lines, happen, filters, expected):
    first, second = (Target(type="agent", id=f"agent-{n}", label=f"Agent {n}") for n in (1, 2))
    dora = type(CAROL)(kind="person", id="dora", label="Dora")
    happen("agent.suspended", target=first, reason="a", at=datetime(2026, 2, 1, tzinfo=UTC))
    happen("agent.suspended", target=second, reason="b", at=datetime(2026, 2, 2, tzinfo=UTC))
    happen("agent.resumed", by=dora, target=second, reason="c", at=datetime(2026, 2, 3, tzinfo=UTC))
    assert {line["reason"] for line in lines("jsonl", filters=filters)} == expected


@threads
def test_decisions_are_chosen_by_their_effect(lines, log):
    found = lines("jsonl", filters=Filters(effects=("allow",)))
    assert len(found) == 10
    assert {line["effect"] for line in found} == {"allow"}


@pytest.mark.parametrize(
    "filters",
    [
        Filters(types=("agent.suspendet",)),
        Filters(effects=("maybe",)),
        Filters(effects=("",)),
        Filters(since=datetime(2026, 1, 1)),  # noqa: DTZ001  (that is what is wrong)
        Filters(since=datetime(2026, 1, 2, tzinfo=UTC), until=datetime(2026, 1, 1, tzinfo=UTC)),
        Filters(actor="a\0b"),
    ],
)
def test_a_filter_that_cannot_be_meant_is_refused_and_nothing_is_recorded(organization_id, filters):
    with pytest.raises(BadFilter):
        export(organization_id=organization_id, format="jsonl", filters=filters, by=CAROL, now=later())
    assert not Event.objects.exists()


def test_an_unknown_format_is_refused_and_nothing_is_recorded(organization_id):
    with pytest.raises(ValueError, match="xml"):
        export(organization_id=organization_id, format="xml", by=CAROL, now=later())
    assert not Event.objects.exists()


def test_what_may_not_have_settled_waits_for_the_next_export(lines, happen):
    happen("agent.suspended")
    assert lines("jsonl", now=datetime.now(UTC)) == []
    time.sleep(0.002)
    assert [line["type"] for line in lines("jsonl")] == ["agent.suspended", "log.exported", "log.export_completed"]


def test_every_format_has_a_content_type_and_csv_alone_a_header(exported, happen, organization_id):
    assert set(CONTENT_TYPES) == set(Format)
    event = happen("agent.suspended")
    for format_name in FORMATS:
        nothing = exported(format_name, filters=Filters(actor="nobody"))
        assert bool(nothing) is (format_name == "csv")
        assert not exported(format_name, filters=Filters(actor="nobody"), after=event.id)


@threads
def test_an_event_loop_reads_it_page_by_page(organization_id, log, monkeypatch):
    monkeypatch.setattr(reading, "_PAGE", 3)
    found = export(organization_id=organization_id, format="jsonl", by=CAROL, now=later())

    async def collect():
        try:
            return [chunk async for chunk in found.asynchronously()]
        finally:
            await sync_to_async(connections.close_all)()

    chunks = asyncio.run(collect())
    assert len(chunks) == 7
    assert b"".join(chunks).count(b"\n") == 20 == found.count


def test_memory_stays_that_of_a_page(organization_id, happen, monkeypatch):
    monkeypatch.setattr(reading, "_PAGE", 20)
    with transaction.atomic():
        change = services.Change(
            event_type=services.events.event_type("agent.suspended"),
            organization_id=organization_id,
            by=CAROL,
            data={"filling": "x" * 20_000},
        )
        services.record_all([change] * 400)

    def peak(filters):
        reading_out = export(organization_id=organization_id, format="jsonl", filters=filters, by=CAROL, now=later())
        next(reading_out)
        tracemalloc.start()
        size = sum(len(chunk) for chunk in reading_out)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return size, most

    size, most = peak(Filters())
    assert size > 7_000_000
    assert most < size / 2


@threads
def test_a_record_that_was_made_unreadable_does_not_stop_the_rest(lines, exported, happen, log):
    event = happen("agent.suspended", reason="=1+1", target=Target(type="agent", id="a-1", label="A"))
    tamper(("UPDATE audit_event SET body = %s WHERE id = %s", ['{"actor":\n{"broken', pk(event.id)]))
    found = {line["id"]: line for line in lines("jsonl")}
    assert len(found) == 21
    assert found[str(event.id)]["data"] == {"unreadable": '{"actor":\n{"broken'}
    assert found[str(event.id)]["target"]["id"] == "a-1"
    for format_name in FORMATS:
        assert str(event.id).encode() in exported(format_name)


@threads
def test_queries_do_not_grow_with_the_number_of_events_on_a_page(organization_id, log, django_assert_num_queries):
    found = export(organization_id=organization_id, format="ocsf", by=CAROL, now=later())
    with django_assert_num_queries(1):
        next(found)
    later_half = export(organization_id=organization_id, format="ocsf", after=found.cursor, by=CAROL, now=later())
    with django_assert_num_queries(2):
        next(later_half)


def run_command(organization_id, capfdbinary, *arguments):
    call_command("export_audit", str(organization_id), *arguments)
    written = capfdbinary.readouterr()
    return written.out, written.err.decode()


@threads
def test_the_command_prints_events_and_where_to_go_on(organization_id, log, capfdbinary, monkeypatch):
    monkeypatch.setattr(reading, "SETTLING", timedelta(seconds=-60))
    out, err = run_command(organization_id, capfdbinary, "--format", "csv", "--effect", "allow")
    rows = list(csv.DictReader(io.StringIO(out.decode(), newline="")))
    assert len(rows) == 10
    assert f"10 events. Go on with --after {rows[-1]['id']}" in err
    rest, err = run_command(organization_id, capfdbinary, "--format", "csv", "--effect", "allow", "--after", rows[4]["id"])
    assert out.endswith(rest)
    assert "5 events." in err


def test_a_format_that_is_none_is_refused_in_the_words_of_the_command_line():
    with pytest.raises(CommandError) as refused:
        call_command("export_audit", "acme", "--format", "xml")
    assert "jsonl" in str(refused.value)
    assert "<Format." not in str(refused.value)


@threads
@pytest.mark.parametrize(
    "arguments",
    [
        ("--format", "csv", "--type", "agent.suspendet"),
        ("--actor", "carol"),
        ("--after", "0190f3c2-1111-7abc-8def-000000000001"),
        ("--format", "csv", "--after", "yesterday"),
        ("--format", "csv", "--from", "yesterday"),
        ("--format", "xml"),
    ],
)
def test_the_command_refuses_what_it_cannot_do_in_a_line(organization_id, log, arguments):
    with pytest.raises(CommandError):
        call_command("export_audit", str(organization_id), *arguments)
    assert not Event.objects.filter(type="log.exported").exists()
