"""A decision in process is the endpoint's: recorded before it is given, made anew when rules move on, never within a change."""

import pytest
from django.db import transaction

from agentiam.kit.actors import Actor
from audit.models import Event
from audit.submissions import RecordUnavailable
from directory.models import Organization
from directory.services.revisions import ForeignOrganization
from permissions.engine.conditions import FALSE, matches
from permissions.questions import Asker, Entity
from permissions.services import decisions
from permissions.services.decisions import AboutSomebodyElse, InsideTransaction, RulesInMotion, Via, asker_of, decide, plan_rows
from permissions.services.grants import end_assignment
from tests.directory.recorded import data_of
from tests.factories import NOW, SYSTEM
from tests.permissions.scene import asked, let_act_for_alice, make_scene

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def scene():
    return make_scene()


def answered(scene, *question, by=None, **more):
    return decide(organization=scene.acme, asked=asked(*question, **more), caller=by or scene.alice.as_actor(), now=NOW)


def test_a_yes_and_a_no_are_answered_and_recorded(scene):
    yes, no = answered(scene), answered(scene, "read", "record-2")
    assert (yes.decision.allows, no.decision.allows) == (True, False)
    assert yes.context(yes.told)["fields"] == {"allowed": ["title"], "masked": ["email"], "denied": ["iban"]}
    for result, effect in ((yes, "allow"), (no, "deny")):
        event = Event.objects.get(pk=result.evaluation_id)
        assert (event.type, event.effect, event.actor_id) == ("access.decided", effect, "runner")
        assert data_of(event)["caller"] == {"kind": "person", "id": "alice", "key": ""}
        assert data_of(event)["revision"] == result.revision


def test_where_it_came_from_is_in_the_record(scene):
    actor = scene.alice.as_actor(address="192.0.2.7", request_id="req-1")
    event = Event.objects.get(pk=answered(scene, by=actor).evaluation_id)
    assert event.request_id == "req-1"
    assert "192.0.2.7" in event.body
    asker = Asker("application", "crm", "CRM", believes_resource_properties=True)
    via = Via(key="k7", address="192.0.2.8", request_id="req-2")
    result = decide(organization=scene.acme, asked=asked(), caller=asker, via=via, now=NOW)
    assert data_of(Event.objects.get(pk=result.evaluation_id))["caller"] == {"kind": "application", "id": "crm", "key": "k7"}


def test_only_those_are_believed_who_are_said_to_be(scene):
    sent = {"resource": Entity("record", "record-2", {"region": "EU"})}
    question = asked()
    claimed = type(question)(**{name: getattr(question, name) for name in question.__slots__} | sent)
    for caller, allows in ((SYSTEM, False), (asker_of(SYSTEM), False), (asker_of(SYSTEM, believed=True), True)):
        assert decide(organization=scene.acme, asked=claimed, caller=caller, now=NOW).decision.allows is allows
    agent = asker_of(scene.runner.user.as_actor(), believed=True)
    assert not decide(organization=scene.acme, asked=claimed, caller=agent, now=NOW).decision.allows


def test_an_agent_asks_about_itself_and_is_told_no_more_than_over_http(scene):
    itself = scene.runner.user.as_actor()
    result = answered(scene, "read", "record-2", by=itself)
    assert "US" not in str(result.told)
    assert "US" in str(result.said)
    before = Event.objects.count()
    with pytest.raises(AboutSomebodyElse):
        answered(scene, subject="helper", by=itself)
    assert Event.objects.count() == before


def test_an_application_knows_its_own_types_only(scene):
    lake = Asker("application", "lake", "Lake")
    result = decide(organization=scene.acme, asked=asked(), caller=lake, now=NOW)
    assert (result.decision.allows, result.decision.lost.term) == (False, "resource_type")


def test_nobody_asks_in_another_organization(scene):
    for caller in (scene.mallory.as_actor(), Actor(kind="person", id="x", label="X")):
        with pytest.raises(ForeignOrganization):
            answered(scene, by=caller)
    assert not Event.objects.filter(type="access.decided").exists()


def test_nothing_is_decided_within_a_transaction(scene):
    with pytest.raises(InsideTransaction), transaction.atomic():
        answered(scene)
    assert not Event.objects.filter(type="access.decided").exists()


def test_an_end_bites_on_the_next_decision(scene):
    assert answered(scene).decision.allows
    end_assignment(assignment=scene.more["assignment"], by=SYSTEM, now=NOW)
    assert not answered(scene).decision.allows


def test_a_decision_that_rests_on_former_rules_is_made_anew(scene, monkeypatch):
    settled = decisions.settled
    calls: list[decisions.Settled] = []

    def overtaken(*arguments, **options):
        result = settled(*arguments, **options)
        if not calls:
            end_assignment(assignment=scene.more["assignment"], by=SYSTEM, now=NOW)
        calls.append(result)
        return result

    monkeypatch.setattr(decisions, "settled", overtaken)
    result = answered(scene)
    assert [each.decision.allows for each in calls] == [True, False]
    assert not result.decision.allows
    assert Event.objects.filter(type="access.decided").count() == 1


def test_rules_that_never_rest_give_no_decision(scene, monkeypatch):
    monkeypatch.setattr(decisions, "PATIENCE_SECONDS", 0.3)
    settled = decisions.settled

    def overtaken(*arguments, **options):
        Organization.objects.filter(pk=scene.acme.pk).update(revision=1_000 + len(calls))
        calls.append(1)
        return settled(*arguments, **options)

    calls = []
    monkeypatch.setattr(decisions, "settled", overtaken)
    with pytest.raises(RulesInMotion):
        answered(scene)
    assert not Event.objects.filter(type="access.decided").exists()


def test_without_a_record_there_is_no_decision(scene, monkeypatch):
    class Broken:
        def install_fence(self, fence):
            pass

        def submit(self, drafts):
            raise RecordUnavailable("the disk is full")

    monkeypatch.setattr(decisions, "get_writer", Broken)
    with pytest.raises(RecordUnavailable):
        answered(scene)


def test_rows_are_given_as_a_condition_and_recorded(scene):
    found = plan_rows(organization=scene.acme, asked=asked("read", ""), caller=scene.alice.as_actor(), now=NOW)
    assert matches(found.rows, {"id": "x", "region": "EU"})
    assert not matches(found.rows, {"id": "x", "region": "US"})
    event = Event.objects.get(pk=found.plan_id)
    assert (event.type, event.effect) == ("access.planned", "")
    assert 'resource.region == "EU"' in data_of(event)["rows"]
    nothing = plan_rows(organization=scene.acme, asked=asked("delete", ""), caller=scene.alice.as_actor(), now=NOW)
    assert (nothing.rows, nothing.lost.term) == (FALSE, "blueprint")


def test_rows_for_a_user_are_those_that_the_user_may_see_too(scene):
    let_act_for_alice(scene)
    user = {"on_behalf_of": Entity("user", "alice")}
    found = plan_rows(organization=scene.acme, asked=asked("read", "", **user), caller=SYSTEM, now=NOW)
    refused = sorted((each.fields, each.rows == FALSE) for each in found.fields)
    assert refused == [(("email",), True), (("iban",), True), (("title",), False)]
