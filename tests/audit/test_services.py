import json
import threading
from datetime import UTC, datetime

import pytest
from django.db import connection, transaction

from agentiam.kit.ids import uuid7
from audit import events, keys, selectors, services
from audit.chain import GENESIS, PublicKey
from audit.encoding import Unencodable
from audit.models import Chain, Checkpoint, Event, SigningKey
from audit.services import Change, OutsideTransaction, Target
from tests.audit.conftest import AGENT_SUSPENDED

TARGET = Target(type="agent", id="agent-1", label="Invoice reader")


@pytest.mark.django_db(transaction=True)
def test_a_change_is_recorded_only_inside_a_transaction(organization_id, alice):
    with pytest.raises(OutsideTransaction):
        services.record(AGENT_SUSPENDED, organization_id=organization_id, by=alice)


@pytest.mark.django_db
def test_a_record_says_who_did_what_to_what_and_why(organization_id, alice):
    at = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
    event = services.record(
        AGENT_SUSPENDED,
        organization_id=organization_id,
        by=alice,
        target=TARGET,
        reason="misbehaved",
        data={"from": "active"},
        at=at,
    )
    stored = Event.objects.get()
    assert stored == event
    for name in [field.attname for field in Event._meta.concrete_fields]:
        assert getattr(stored, name) == getattr(event, name), name
    body = json.loads(stored.body)
    assert body == {
        "v": 1,
        "id": str(event.id),
        "at": "2026-11-23T09:30:00.000000Z",
        "organization": str(organization_id),
        "chain": str(event.chain_id),
        "sequence": 1,
        "previous": GENESIS,
        "type": "agent.suspended",
        "actor": {"kind": "person", "id": alice.id, "label": "Alice Adams", "address": "10.0.0.1"},
        "target": {"type": "agent", "id": "agent-1", "label": "Invoice reader"},
        "reason": "misbehaved",
        "request_id": "req-1",
        "effect": "",
        "data": {"from": "active"},
    }
    assert (stored.chain.writer, stored.chain.last_sequence, stored.chain.last_hash) == ("changes", 1, stored.hash)


@pytest.mark.django_db
def test_an_unregistered_type_is_refused(organization_id, alice):
    stranger = events.EventType("nobody.registered", "Nobody registered this")
    with pytest.raises(events.UnknownEventType):
        services.record(stranger, organization_id=organization_id, by=alice)


@pytest.mark.django_db
def test_data_that_is_not_json_is_refused_and_nothing_is_written(organization_id, alice):
    with pytest.raises(Unencodable), transaction.atomic():
        services.record(AGENT_SUSPENDED, organization_id=organization_id, by=alice, data={"id": uuid7()})
    assert not Event.objects.exists()


@pytest.mark.django_db
def test_awkward_text_arrives_unchanged(organization_id, alice):
    awkward = "tab\tnewline\nreturn\rbackslash\\ \\N \\. quote\" 'apostrophe' %s ü 漢 😀 \u2028"
    changes = [
        Change(
            event_type=AGENT_SUSPENDED,
            organization_id=organization_id,
            by=alice,
            target=Target(type="agent", id=awkward, label=awkward),
            reason=awkward,
            data={awkward: awkward},
        )
    ] * 3
    services.record_all(changes)
    for event in Event.objects.all():
        assert (event.reason, event.target_id, event.target_label) == (awkward, awkward, awkward)
    assert selectors.verify_organization(organization_id).whole


@pytest.mark.django_db
def test_many_changes_in_one_transaction_take_few_queries(organization_id, alice, django_assert_max_num_queries):
    change = Change(event_type=AGENT_SUSPENDED, organization_id=organization_id, by=alice)
    services.record_all([change])
    with django_assert_max_num_queries(3):
        services.record_all([change] * 100)
    assert selectors.verify_organization(organization_id).records == 101


@pytest.mark.django_db
def test_changes_in_two_organizations_go_to_their_own_chains(organization_id, alice):
    other = uuid7()
    changes = [
        Change(event_type=AGENT_SUSPENDED, organization_id=o, by=alice) for o in (organization_id, other, organization_id)
    ]
    assert [event.sequence for event in services.record_all(changes)] == [1, 1, 2]
    assert selectors.verify_organization(organization_id).whole
    assert selectors.verify_organization(other).whole


@pytest.mark.django_db
def test_nothing_to_record_records_nothing():
    assert services.record_all([]) == []


@pytest.mark.django_db(transaction=True)
def test_a_rolled_back_change_leaves_no_record(organization_id, alice):
    def suspend_and_fail():
        services.record(AGENT_SUSPENDED, organization_id=organization_id, by=alice)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), transaction.atomic():
        suspend_and_fail()
    assert not Event.objects.exists()
    assert not Chain.objects.exists()


def in_threads(count, work):
    problems = []

    def run():
        try:
            work()
        except BaseException as error:  # noqa: BLE001
            problems.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert problems == []


@pytest.mark.django_db(transaction=True)
def test_transactions_that_record_at_once_make_one_whole_chain(organization_id, alice):
    def work():
        for _ in range(10):
            with transaction.atomic():
                services.record(AGENT_SUSPENDED, organization_id=organization_id, by=alice)
                services.record(AGENT_SUSPENDED, organization_id=organization_id, by=alice)

    in_threads(6, work)
    report = selectors.verify_organization(organization_id)
    assert (report.whole, report.records, report.chains) == (True, 120, 1)


@pytest.mark.django_db
def test_a_checkpoint_swears_the_heads_that_moved(organization_id, alice):
    first = services.record(AGENT_SUSPENDED, organization_id=organization_id, by=alice)
    checkpoint = services.sign_checkpoint(organization_id)
    body = json.loads(checkpoint.body)
    assert (checkpoint.number, checkpoint.previous) == (1, GENESIS)
    assert body["chains"] == [{"id": str(first.chain_id), "writer": "changes", "sequence": 1, "hash": first.hash}]
    assert keys.signer().public.verifies(checkpoint.body.encode(), checkpoint.signature)
    key = SigningKey.objects.get()
    assert PublicKey.from_jwk(key.jwk).id == key.key_id == checkpoint.key_id == body["key_id"]
    assert services.sign_checkpoint(organization_id) == checkpoint
    services.record(AGENT_SUSPENDED, organization_id=organization_id, by=alice)
    assert services.organizations_to_swear() == [organization_id]
    second = services.sign_checkpoint(organization_id)
    assert (second.number, second.previous) == (2, checkpoint.hash)
    assert services.organizations_to_swear() == []


@pytest.mark.django_db(transaction=True)
def test_processes_that_sign_at_once_make_one_line_of_checkpoints(organization_id, alice):
    def work():
        for _ in range(5):
            with transaction.atomic():
                services.record(AGENT_SUSPENDED, organization_id=organization_id, by=alice)
            services.sign_checkpoint(organization_id)

    in_threads(4, work)
    numbers = list(Checkpoint.objects.order_by("number").values_list("number", flat=True))
    assert numbers == list(range(1, len(numbers) + 1))
    report = selectors.verify_organization(organization_id)
    assert (report.findings, report.unsworn) == ((), 0)
