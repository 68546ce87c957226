import asyncio
import logging
import os
import threading
import time

import msgspec
import pytest
from django.db import DatabaseError, OperationalError, connection, transaction

from agentiam.kit.ids import uuid7
from audit import selectors, services, store
from audit.events import UnknownEventType
from audit.models import Chain, Checkpoint, Event
from audit.submissions import answer
from audit.writer import GroupCommitWriter, Recorded, RecordUnavailable, Stale
from tests.audit.conftest import AGENT_SUSPENDED, make_draft

pytestmark = pytest.mark.django_db(transaction=True)


def ids():
    return set(Event.objects.values_list("id", flat=True))


def test_what_was_answered_is_in_the_table_and_whole(writer, organization_id):
    draft = make_draft(organization_id, action="read")
    assert writer.submit([draft]).result(10) == Recorded()
    event = Event.objects.get()
    assert (event.id, event.effect, event.actor_label, event.target_id) == (draft.id, "allow", "Invoice reader", "lead-1")
    assert selectors.verify_organization(organization_id).whole


def test_drafts_of_one_call_stand_together(writer, organization_id):
    drafts = [make_draft(organization_id, n=n) for n in range(1200)]
    assert writer.submit(drafts).result(20) == Recorded()
    recorded = Event.objects.order_by("sequence").values_list("id", flat=True)
    assert list(recorded) == [draft.id for draft in drafts]


def test_nothing_to_record_is_recorded_at_once(writer):
    assert writer.submit([]).result(10) == Recorded()


def test_many_threads_may_submit(writer):
    organizations = [uuid7() for _ in range(3)]
    submitted = []

    def work():
        for n in range(100):
            draft = make_draft(organizations[n % 3], n=n)
            submitted.append(draft.id)
            assert writer.submit([draft]).result(20) == Recorded()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert ids() == set(submitted)
    assert len(submitted) == 800
    reports = [selectors.verify_organization(organization) for organization in organizations]
    assert [(report.whole, report.chains) for report in reports] == [(True, 1)] * 3


def test_decisions_and_changes_are_written_side_by_side(writer, organization_id, alice):
    for n in range(20):
        future = writer.submit([make_draft(organization_id, n=n)])
        with transaction.atomic():
            services.record(AGENT_SUSPENDED, organization_id=organization_id, by=alice)
        assert future.result(20) == Recorded()
    report = selectors.verify_organization(organization_id)
    assert (report.whole, report.chains, report.records) == (True, 2, 40)


def test_an_event_loop_is_entered_once_for_a_batch(make_writer, organization_id, monkeypatch):
    started, release = threading.Event(), threading.Event()

    def fence(cursor, organizations):
        started.set()
        release.wait(10)
        return dict.fromkeys(organizations, 0)

    writer = make_writer()
    writer.install_fence(fence)
    calls = []

    async def scenario():
        loop = asyncio.get_running_loop()
        enter = loop.call_soon_threadsafe

        def counting(*args):
            calls.append(args[0])
            return enter(*args)

        monkeypatch.setattr(loop, "call_soon_threadsafe", counting)
        first = writer.submit_soon(loop, [make_draft(organization_id)])
        assert await asyncio.to_thread(started.wait, 10)
        rest = [writer.submit_soon(loop, [make_draft(organization_id)]) for _ in range(100)]
        release.set()
        return await asyncio.gather(first, *rest)

    assert asyncio.run(scenario()) == [Recorded()] * 101
    assert calls.count(answer) == 2


def test_a_future_that_its_owner_cancelled_disturbs_nobody(writer, organization_id):
    async def scenario():
        loop = asyncio.get_running_loop()
        cancelled, other = (writer.submit_soon(loop, [make_draft(organization_id)]) for _ in range(2))
        cancelled.cancel()
        return await other

    assert asyncio.run(scenario()) == Recorded()


def test_a_loop_that_closed_disturbs_nobody(writer, organization_id):
    loop = asyncio.new_event_loop()
    writer.submit_soon(loop, [make_draft(organization_id)])
    loop.close()
    assert writer.submit([make_draft(organization_id)]).result(10) == Recorded()


def test_a_decision_that_rests_on_a_partners_outdated_policy_is_not_recorded(writer, organization_id):
    partner = uuid7()
    writer.install_fence(lambda _cursor, asked: dict.fromkeys(asked, 5))
    stale, current = (
        msgspec.structs.replace(make_draft(organization_id, fence=5), partner_fences={partner: revision}) for revision in (4, 5)
    )
    assert isinstance(writer.submit([stale]).result(10), Stale)
    assert writer.submit([current]).result(10) == Recorded()
    assert ids() == {current.id}


def test_a_decision_on_an_outdated_policy_is_not_recorded(writer, organization_id):
    other = uuid7()
    seen = []

    def fence(cursor, asked):
        seen.append(asked)
        return {organization_id: 8, other: 3}

    writer.install_fence(fence)
    current, stale = make_draft(organization_id, fence=8), make_draft(organization_id, fence=7)
    assert writer.submit([stale]).result(10) == Stale(8)
    assert writer.submit([current]).result(10) == Recorded()
    assert writer.submit([make_draft(other, fence=3), make_draft(organization_id, fence=7)]).result(10) == Stale(8)
    assert writer.submit([make_draft(uuid7(), fence=1)]).result(10) == Stale(-1)
    assert ids() == {current.id}
    assert seen[0] == {organization_id}
    assert selectors.verify_organization(organization_id).whole


def test_the_fence_may_ask_the_database(writer, organization_id):
    def fence(cursor, organizations):
        cursor.execute("SELECT 5")
        return dict.fromkeys(organizations, cursor.fetchone()[0])

    writer.install_fence(fence)
    assert writer.submit([make_draft(organization_id, fence=5)]).result(10) == Recorded()


def test_a_fence_that_fails_records_nothing_and_the_writer_lives(writer, organization_id):
    def broken(cursor, organizations):
        raise ZeroDivisionError

    writer.install_fence(broken)
    with pytest.raises(RecordUnavailable) as refusal:
        writer.submit([make_draft(organization_id)]).result(10)
    assert refusal.value.perhaps_written is False
    writer.install_fence(None)
    assert writer.submit([make_draft(organization_id)]).result(10) == Recorded()
    assert Event.objects.count() == 1


def hold(writer):
    """Make the writer wait inside its next transaction until released."""
    started, release = threading.Event(), threading.Event()

    def fence(cursor, organizations):
        started.set()
        release.wait(20)
        return dict.fromkeys(organizations, 0)

    writer.install_fence(fence)
    return started, release


@pytest.mark.parametrize(
    "poison",
    [
        lambda o: [make_draft(o, x=object())],
        lambda o: [make_draft(o), make_draft(o, x=uuid7())],
        lambda o: [make_draft(o, x="\ud800")],
        lambda o: [_replaced(make_draft(o), reason="\0")],
        lambda o: [_replaced(make_draft(o), effect="maybe")],
        lambda o: [_replaced(make_draft(o), actor={})],
        lambda o: [make_draft(o)] * 2,
    ],
    ids=["object", "second draft", "surrogate", "nul", "unknown effect", "no actor", "same id twice"],
)
def test_a_poisoned_submission_fails_alone(writer, organization_id, poison):
    started, release = hold(writer)
    first = writer.submit([make_draft(organization_id)])
    assert started.wait(10)
    before = writer.submit([make_draft(organization_id)])
    poisoned = writer.submit(poison(organization_id))
    after = writer.submit([make_draft(organization_id)])
    release.set()
    assert [future.result(10) for future in (first, before, after)] == [Recorded()] * 3
    with pytest.raises(RecordUnavailable):
        poisoned.result(10)
    assert Event.objects.count() == 3
    assert selectors.verify_organization(organization_id).whole


def _replaced(draft, **changes):
    return type(draft)(**{**{name: getattr(draft, name) for name in draft.__struct_fields__}, **changes})


def test_an_unknown_type_is_refused_before_it_is_queued(writer, organization_id):
    with pytest.raises(UnknownEventType):
        writer.submit([_replaced(make_draft(organization_id), type="nobody.registered")])


def test_when_the_write_fails_everybody_hears_of_it_and_later_ones_succeed(writer, organization_id, monkeypatch):
    assert writer.submit([make_draft(organization_id)]).result(10) == Recorded()
    with monkeypatch.context() as patch:

        def fail(rows):
            raise OperationalError("the disk is full")

        patch.setattr(store, "insert_rows", fail)
        futures = [writer.submit([make_draft(organization_id)]) for _ in range(20)]
        for future in futures:
            with pytest.raises(RecordUnavailable, match="disk is full") as refusal:
                future.result(10)
            assert refusal.value.perhaps_written is False
    assert writer.submit([make_draft(organization_id)]).result(10) == Recorded()
    report = selectors.verify_organization(organization_id)
    assert (report.whole, report.records, report.chains) == (True, 2, 1)


def backends() -> set[int]:
    """Tell the server's processes that serve connections to this database."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pid FROM pg_stat_activity WHERE datname = current_database()")
        return {pid for (pid,) in cursor.fetchall()}


def test_a_connection_that_broke_while_idle_is_replaced_unnoticed(writer, organization_id):
    others = backends() if connection.vendor == "postgresql" else set()
    assert writer.submit([make_draft(organization_id)]).result(10) == Recorded()
    if connection.vendor == "postgresql":
        # Only the writer's: connections of other tests' fixtures may be open in this process.
        (pid,) = backends() - others
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s, 10000)", [pid])
    assert writer.submit([make_draft(organization_id)]).result(10) == Recorded()
    assert selectors.verify_organization(organization_id).records == 2


def test_a_commit_that_breaks_says_that_the_record_may_exist(writer, organization_id, monkeypatch):
    from django.db.backends.base.base import BaseDatabaseWrapper

    commit = BaseDatabaseWrapper._commit

    def break_after_commit(self):
        commit(self)
        if threading.current_thread().name == "audit-writer":
            raise OperationalError("the server closed the connection")

    with monkeypatch.context() as patch:
        patch.setattr(BaseDatabaseWrapper, "_commit", break_after_commit)
        with pytest.raises(RecordUnavailable) as refusal:
            writer.submit([make_draft(organization_id)]).result(10)
    assert refusal.value.perhaps_written is True
    assert writer.submit([make_draft(organization_id)]).result(10) == Recorded()
    report = selectors.verify_organization(organization_id)
    assert (report.whole, report.records, report.chains) == (True, 2, 1)


def test_a_head_that_was_lost_is_looked_up_again(writer, organization_id):
    assert writer.submit([make_draft(organization_id)]).result(10) == Recorded()
    chain = Chain.objects.get()
    writer._heads[organization_id].sequence += 7
    assert writer.submit([make_draft(organization_id)]).result(10) == Recorded()
    chain.refresh_from_db()
    assert chain.last_sequence == 2


def test_a_full_queue_refuses_at_once(make_writer, organization_id):
    writer = make_writer(queue_limit=10)
    started, release = hold(writer)
    first = writer.submit([make_draft(organization_id)])
    assert started.wait(10)
    waiting = writer.submit([make_draft(organization_id) for _ in range(10)])
    with pytest.raises(RecordUnavailable, match="10 records"):
        writer.submit([make_draft(organization_id)]).result(0)
    release.set()
    assert [first.result(10), waiting.result(10)] == [Recorded()] * 2
    assert writer.submit([make_draft(organization_id)]).result(10) == Recorded()


def test_what_is_late_is_refused_and_never_written(make_writer, organization_id):
    writer = make_writer(deadline_seconds=0.3)
    started, release = hold(writer)
    begun = writer.submit([make_draft(organization_id)])
    assert started.wait(10)
    queued = writer.submit([make_draft(organization_id)])
    patient = writer.submit([make_draft(organization_id)], deadline_seconds=20)
    for future in (begun, queued):
        with pytest.raises(RecordUnavailable, match="in time") as refusal:
            future.result(5)
        assert refusal.value.perhaps_written is False
    release.set()
    assert patient.result(10) == Recorded()
    assert Event.objects.count() == 1


def test_others_of_the_batch_are_written_when_one_of_it_was_late(make_writer, organization_id):
    writer = make_writer()
    started, release = hold(writer)
    first = writer.submit([make_draft(organization_id)])
    assert started.wait(10)
    second_started, second_release = threading.Event(), threading.Event()

    def fence(cursor, organizations):
        second_started.set()
        second_release.wait(10)
        return dict.fromkeys(organizations, 0)

    impatient = writer.submit([make_draft(organization_id)], deadline_seconds=0.6)
    patient = writer.submit([make_draft(uuid7())])
    writer.install_fence(fence)
    release.set()
    assert first.result(10) == Recorded()
    assert second_started.wait(10)
    with pytest.raises(RecordUnavailable) as refusal:
        impatient.result(10)
    assert refusal.value.perhaps_written is False
    second_release.set()
    assert patient.result(10) == Recorded()
    assert Event.objects.count() == 2


def test_a_commit_that_outlasts_the_deadline_is_reported_as_perhaps_written(make_writer, organization_id, monkeypatch, caplog):
    from django.db.backends.base.base import BaseDatabaseWrapper

    commit = BaseDatabaseWrapper._commit

    def slow_commit(self):
        if threading.current_thread().name == "audit-writer":
            time.sleep(1.0)
        commit(self)

    writer = make_writer(deadline_seconds=0.3)
    draft = make_draft(organization_id)
    with monkeypatch.context() as patch, caplog.at_level(logging.WARNING, logger="audit.writer"):
        patch.setattr(BaseDatabaseWrapper, "_commit", slow_commit)
        with pytest.raises(RecordUnavailable) as refusal:
            writer.submit([draft]).result(5)
        writer.stop()
    assert refusal.value.perhaps_written is True
    assert ids() == {draft.id}
    assert str(draft.id) in caplog.text


def test_a_database_that_is_locked_by_somebody_else_is_waited_for_no_longer_than_the_deadline(make_writer, organization_id):
    writer = make_writer(deadline_seconds=0.5)
    assert writer.submit([make_draft(organization_id)]).result(10) == Recorded()
    with transaction.atomic():
        list(Chain.objects.select_for_update())
        begun = time.monotonic()
        with pytest.raises(RecordUnavailable):
            writer.submit([make_draft(organization_id)]).result(10)
        assert time.monotonic() - begun < 3
    assert writer.submit([make_draft(organization_id)], deadline_seconds=20).result(20) == Recorded()
    assert Event.objects.count() == 2


def test_stopping_writes_what_is_queued_and_swears_it(make_writer, organization_id):
    writer = make_writer(checkpoint_seconds=60)
    futures = [writer.submit([make_draft(organization_id)]) for _ in range(300)]
    writer.stop()
    assert all(future.result(0) == Recorded() for future in futures)
    report = selectors.verify_organization(organization_id)
    assert (report.whole, report.records, report.unsworn, report.checkpoints) == (True, 300, 0, 1)


def test_a_stopped_writer_starts_again_when_it_is_needed(writer, organization_id):
    for _ in range(2):
        assert writer.submit([make_draft(organization_id)]).result(10) == Recorded()
        writer.stop()
    assert selectors.verify_organization(organization_id).records == 2


def test_checkpoints_are_signed_while_the_writer_is_idle_also_over_changes(make_writer, organization_id, alice):
    writer = make_writer(checkpoint_seconds=0.2)
    writer.start()
    with transaction.atomic():
        services.record(AGENT_SUSPENDED, organization_id=organization_id, by=alice)
    deadline = time.monotonic() + 10
    while not Checkpoint.objects.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert Checkpoint.objects.count() == 1
    time.sleep(0.6)
    assert Checkpoint.objects.count() == 1


def test_a_checkpoint_that_cannot_be_signed_does_not_stop_the_records(make_writer, organization_id, monkeypatch):
    def fail(organization_id):
        raise DatabaseError("no checkpoint today")

    writer = make_writer(checkpoint_seconds=0.05)
    with monkeypatch.context() as patch:
        patch.setattr(services, "sign_checkpoint", fail)
        for _ in range(5):
            assert writer.submit([make_draft(organization_id)]).result(10) == Recorded()
            time.sleep(0.06)
    writer.stop()
    assert selectors.verify_organization(organization_id).unsworn == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_the_child_of_a_fork_has_a_writer_of_its_own(writer, organization_id):
    assert writer.submit([make_draft(organization_id)]).result(10) == Recorded()
    parent = writer._chain_writer
    connection.close()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            if writer.submit([make_draft(organization_id)]).result(10) == Recorded() and writer._chain_writer != parent:
                status = 0
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert writer.submit([make_draft(organization_id)]).result(10) == Recorded()
    report = selectors.verify_organization(organization_id)
    assert (report.whole, report.records, report.chains) == (True, 3, 2)


def test_a_writer_is_not_kept_alive_by_its_guard_against_forks():
    import gc
    import weakref

    reference = weakref.ref(GroupCommitWriter())
    gc.collect()
    assert reference() is None
