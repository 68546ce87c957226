"""A recorded decision exists for those who may know of it, and for nobody else; some are told the answer only."""

import uuid

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from agentiam.api.callers import ApplicationCaller
from agentiam.kit.ids import uuid7
from audit.models import Event
from directory.models import User
from directory.services.people import deactivate_person
from permissions.questions import Asker
from permissions.selectors.records import decision_record
from permissions.services.decisions import decide
from tests.factories import NOW, SYSTEM
from tests.permissions.scene import asked, make_scene

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def scene():
    return make_scene()


@pytest.fixture
def decided(scene):
    """A no that says what a condition saw."""
    crm = Asker("application", "crm", "CRM", believes_resource_properties=True)
    return decide(organization=scene.acme, asked=asked("read", "record-2"), caller=crm, now=NOW)


def application(scene, slug="crm", organization=None):
    row = scene.more["crm"]
    return ApplicationCaller(row.pk, (organization or scene.acme).pk, slug, row.name)


def test_who_reads_the_log_and_who_answers_for_the_agent_read_all_of_it(scene, decided):
    for person in (scene.alice, scene.bob):
        record = decision_record(person, decided.evaluation_id)
        assert (record.decision, record.depth, record.subject) == (False, "full", "agent/runner")
        assert record.said["lost"]["tried"][0]["conditions"][0]["seen"] == "US"
        assert record.question["resource"] == "record-2"
        assert record.caller == {"kind": "application", "id": "crm", "key": ""}
        assert record.revision == decided.revision


def test_the_agent_and_the_application_that_asked_read_what_they_were_told(scene, decided):
    for caller in (scene.runner.user, application(scene)):
        record = decision_record(caller, decided.evaluation_id)
        assert record.depth == "told"
        assert (record.question, record.caller) == (None, None)
        assert "US" not in str(record)
        assert record.said["lost"] == {"term": "grants", "who": "agent/runner", "reason": decided.said["lost"]["reason"]}


def test_for_everybody_else_it_does_not_exist(scene, decided):
    elsewhere = scene.more["elsewhere"]
    others = [
        scene.carol,
        scene.mallory,
        scene.helper.user,
        application(scene, "lake"),
        application(scene, "crm", elsewhere),
    ]
    for caller in others:
        assert decision_record(caller, decided.evaluation_id) is None
    deactivate_person(person=scene.bob, by=SYSTEM, now=NOW)
    assert decision_record(User.objects.get(pk=scene.bob.pk), decided.evaluation_id) is None


def test_a_parent_is_told_what_its_child_was_and_no_more(scene):
    result = decide(organization=scene.acme, asked=asked("read", "record-2", subject="helper"), caller=SYSTEM, now=NOW)
    record = decision_record(scene.runner.user, result.evaluation_id)
    assert record.depth == "told"
    assert decision_record(scene.helper.user, result.evaluation_id).depth == "told"


def test_what_is_no_decision_is_not_found(scene, decided):
    change = Event.objects.exclude(type="access.decided").first()
    for number in (change.pk, uuid7(), uuid.uuid4()):
        assert decision_record(scene.alice, number) is None


def test_it_costs_the_same_for_one_and_for_many(scene, decided):
    few = counted(scene, decided)
    for _ in range(20):
        decide(organization=scene.acme, asked=asked("read", "record-2"), caller=SYSTEM, now=NOW)
    assert counted(scene, decided) == few


def counted(scene, decided):
    bob = User.objects.get(pk=scene.bob.pk)
    with CaptureQueriesContext(connection) as captured:
        assert decision_record(bob, decided.evaluation_id) is not None
    return len(captured)
