"""Signs about agents: what each adds to the risk, who can cause it, what decisions make of it, and when it is over."""

from datetime import timedelta

import pytest
from django.core import mail
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from agentiam.jobs.models import Job
from directory.models import Agent, User
from directory.services.credentials import issue_api_key, issue_client_secret
from directory.services.mails import deliver_notice, mail_notice
from directory.services.runs import start_run
from directory.services.suspension import resume_agent
from permissions.models import LastAddress, Signal
from permissions.selectors.past import Past
from permissions.selectors.principals import principal_facts
from permissions.selectors.shared import shared_facts
from permissions.selectors.signals import MOST_UNPROVEN, NO_RISK, risks_of
from permissions.services.decisions import decide
from permissions.services.lapses import lapse_signs, prune_signs
from permissions.services.places import note_place
from permissions.services.signals import MOST_A_MINUTE, Sign, note_sign
from permissions.services.terms import InvalidCondition
from permissions.services.uses import note_key_use, note_refused_network
from permissions.worlds import Needs
from tests.directory.recorded import data_of, event_types, events_of, last_event, revision
from tests.directory.test_races import at_once
from tests.factories import NOW, SYSTEM, make_agent, make_blueprint, make_organization, make_person
from tests.permissions.factories import make_delegation, make_grant, make_guardrail, make_resource_type, spec
from tests.permissions.scene import asked, make_scene

DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)


@pytest.fixture(autouse=True)
def _no_flood_yet():
    cache.clear()


@pytest.fixture
def agent(db):
    return make_agent(make_organization("acme"), "runner")


def note(agent, sign=Sign.ASSERTION_REPLAYED, *, proven=True, now=NOW, by=None, **more):
    return note_sign(sign=sign, agent=agent, proven=proven, data={}, by=by or agent.user.as_actor(), now=now, **more)


def risk_of(agent):
    return risks_of([agent.pk]).get(agent.pk, NO_RISK)


def view_of(agent):
    ref = f"agent/{agent.external_id}"
    facts = principal_facts(agent.organization_id, {ref}, shared_facts(agent.organization))[ref]
    return facts.view["risk"], facts.view["signs"]


# --- what a sign adds -------------------------------------------------------------------------------------------------------


def test_a_sign_is_a_row_an_event_and_a_revision_that_touches_the_agent(agent):
    before = revision(agent.organization)
    signal = note(agent, by=agent.user.as_actor(address="192.0.2.7"))
    assert (signal.sign, signal.weight, signal.proven, signal.address) == ("assertion_replayed", 60, True, "192.0.2.7")
    event = last_event(agent.organization, "sign.noted")
    assert event.target_id == "runner"
    assert data_of(event) == {"sign": "assertion_replayed", "weight": 60, "proven": True, "risk": 60, "credential": None}
    assert revision(agent.organization) == before + 1
    assert view_of(agent) == (60, ["assertion_replayed"])


def test_signs_add_up_and_a_hundred_is_the_most(agent):
    note(agent, Sign.FAR_APART)
    note(agent, Sign.PROOF_REPLAYED)
    assert view_of(agent) == (90, ["far_apart", "proof_replayed"])
    note(agent, Sign.CODE_REUSED)
    assert view_of(agent) == (100, ["code_reused", "far_apart", "proof_replayed"])


def test_an_agent_without_signs_has_no_risk(agent):
    assert view_of(agent) == (0, [])


def test_what_a_stranger_causes_weighs_little_however_much_of_it_there_is(agent):
    for sign in Sign:
        for _ in range(3):
            note(agent, sign, proven=False)
    assert risk_of(agent).total == MOST_UNPROVEN
    note(agent, Sign.NETWORK_REFUSED)
    assert risk_of(agent).total == MOST_UNPROVEN + 30


def test_a_sign_that_changes_nothing_for_decisions_makes_no_revision(agent):
    for _ in range(2):
        note(agent, Sign.UNKNOWN_KID, proven=False)
    before, events = revision(agent.organization), len(events_of(agent.organization))
    note(agent, Sign.UNKNOWN_KID, proven=False)
    assert (revision(agent.organization), len(events_of(agent.organization))) == (before, events + 1)


def test_of_a_flood_ten_a_minute_are_noted_of_each_kind(agent):
    noted = [note(agent, Sign.UNKNOWN_KID, proven=False) for _ in range(MOST_A_MINUTE + 5)]
    assert (sum(each is not None for each in noted), Signal.objects.count()) == (MOST_A_MINUTE, MOST_A_MINUTE)
    assert event_types(agent.organization).count("sign.noted") == MOST_A_MINUTE
    # What is proven does not drown in what is not, nor one kind or agent in another.
    assert note(agent, Sign.UNKNOWN_KID) is not None
    assert note(agent, Sign.FAR_APART, proven=False) is not None
    assert note(make_agent(agent.organization, "other"), Sign.UNKNOWN_KID, proven=False) is not None


def test_the_risk_of_many_agents_is_one_query(agent):
    others = [make_agent(agent.organization, f"other-{n}") for n in range(4)]
    shared = shared_facts(agent.organization)

    def queries(*agents):
        with CaptureQueriesContext(connection) as captured:
            principal_facts(agent.organization_id, {f"agent/{each.external_id}" for each in agents}, shared)
        return [query["sql"] for query in captured if "permissions_signal" in query["sql"]]

    for each in others:
        note(each)
    assert len(queries(agent)) == len(queries(agent, *others)) == 1


# --- chains -----------------------------------------------------------------------------------------------------------------


def test_the_risk_of_an_ancestor_is_not_left_behind_by_spawning(agent):
    child = make_agent(parent=agent, external_id="child")
    grandchild = Agent.objects.get(pk=make_agent(parent=child, external_id="grandchild").pk)
    note(child, Sign.NETWORK_REFUSED)
    note(agent)
    assert [view_of(each)[0] for each in (agent, child, grandchild)] == [60, 60, 60]
    assert view_of(grandchild)[1] == ["assertion_replayed", "network_refused"]
    touched = agent.organization.policy_changes.order_by("-revision").first().touched
    assert {"agent/runner", "agent/child", "agent/grandchild"} <= set(touched)


@pytest.mark.django_db(transaction=True)
def test_the_risk_of_a_delegator_is_not_left_behind_by_delegating():
    acme = make_organization("acme")
    planner, worker = make_agent(acme, "planner"), make_agent(acme, "worker")
    make_resource_type(acme, "record")
    make_grant(acme, planner.user, spec(), use=True, delegate=True)
    make_grant(acme, worker.user, spec())
    make_delegation(planner, worker, spec())
    make_guardrail(acme, "hijacked", effect="deny", when="agent.risk >= 60")
    question = asked(subject="worker", delegation=("agent/planner",))
    assert decide(organization=acme, asked=question, caller=SYSTEM, now=NOW).decision.allows
    note(planner)
    refused = decide(organization=acme, asked=question, caller=SYSTEM, now=NOW)
    assert (refused.decision.allows, [rule.id for rule in refused.decision.rules if rule.kind == "guardrail"]) == (
        False,
        ["hijacked"],
    )
    # Alone the worker acts as before: its own proofs are not in question.
    assert decide(organization=acme, asked=asked(subject="worker"), caller=SYSTEM, now=NOW).decision.allows


# --- guardrails -------------------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("effect", "answer"), [("deny", "deny"), ("require_approval", "escalate")], ids=["deny", "step up"])
@pytest.mark.parametrize("condition", ["agent.risk >= 60", '"assertion_replayed" in agent.signs'])
def test_a_guardrail_bites_from_the_sign_on_and_lets_go_a_day_later(effect, answer, condition):
    scene = make_scene()
    make_guardrail(scene.acme, "hijacked", effect=effect, when=condition)

    def effect_now():
        return decide(organization=scene.acme, asked=asked(), caller=SYSTEM, now=NOW).decision.effect.value

    assert effect_now() == "allow"
    note(scene.runner, Sign.NETWORK_REFUSED)
    assert effect_now() == "allow"
    note(scene.runner)
    assert effect_now() == answer
    assert lapse_signs(now=NOW + DAY - MINUTE) == 0
    assert effect_now() == answer
    assert lapse_signs(now=NOW + DAY) == 2
    assert effect_now() == "allow"


@pytest.mark.django_db(transaction=True)
def test_a_grant_may_depend_on_the_risk():
    agent = make_agent(make_organization("acme"), "runner")
    make_resource_type(agent.organization, "record")
    make_grant(agent.organization, agent.user, spec(when="agent.risk < 50"))

    def allows():
        return decide(organization=agent.organization, asked=asked(), caller=SYSTEM, now=NOW).decision.allows

    assert allows()
    note(agent)
    assert not allows()


@pytest.mark.parametrize("condition", ["agent.risk >= 'high'", "agent.risks > 1", "agent.signs > 3"])
def test_conditions_know_the_types(agent, condition):
    with pytest.raises(InvalidCondition):
        make_guardrail(agent.organization, "wrong", effect="deny", when=condition)


# --- the clock --------------------------------------------------------------------------------------------------------------


def test_the_clock_lets_each_sign_lapse_once_and_says_what_the_risk_is(agent):
    note(agent)
    note(agent, Sign.NETWORK_REFUSED, now=NOW + HOUR)
    before = revision(agent.organization)
    assert lapse_signs(now=NOW + DAY) == 1
    assert lapse_signs(now=NOW + DAY) == 0
    assert revision(agent.organization) == before + 1
    event = last_event(agent.organization, "sign.lapsed")
    assert event.actor_id == "clock"
    assert data_of(event) == {"count": 1, "before": 90, "risk": 30, "signs": ["network_refused"]}
    assert view_of(agent) == (30, ["network_refused"])


@pytest.mark.django_db(transaction=True)
def test_of_several_workers_one_lets_a_sign_lapse():
    agent = make_agent(make_organization("acme"), "runner")
    for _ in range(3):
        note(agent)
    done = at_once(*[lambda: lapse_signs(now=NOW + DAY)] * 3)
    assert sum(each for each in done if isinstance(each, int)) == 3
    lapsed = [data_of(event)["count"] for event in events_of(agent.organization) if event.type == "sign.lapsed"]
    assert sum(lapsed) == 3


def test_a_world_of_the_past_has_the_risk_of_then(agent):
    note(agent, now=NOW + HOUR)
    lapse_signs(now=NOW + 2 * DAY)

    def risk_at(at):
        past = Past(at)
        known = past.with_needs(past.current(agent.organization_id), Needs(frozenset({"agent/runner"})))
        return known.principals["agent/runner"].view["risk"]

    assert [risk_at(NOW + ago) for ago in (MINUTE, 2 * HOUR, HOUR + DAY)] == [0, 60, 0]


def test_old_signs_are_deleted_and_those_that_count_are_not(agent, settings):
    note(agent)
    lapse_signs(now=NOW + DAY)
    note(agent, now=NOW + DAY)
    kept = settings.RETENTION_SIGNALS
    assert prune_signs(now=NOW + kept - MINUTE) == 0
    assert prune_signs(now=NOW + kept) == 1
    assert prune_signs(now=NOW + kept + 2 * DAY) == 0
    assert Signal.objects.count() == 1


# --- suspension -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def guarded(db):
    acme = make_organization("acme")
    olivia, sam = make_person(acme, "olivia"), make_person(acme, "sam")
    User.objects.filter(pk=sam.pk).update(console_roles=["security_administrator"], email="sam@acme.example")
    User.objects.filter(pk=olivia.pk).update(email="olivia@acme.example")
    return make_agent(acme, "runner", owner=olivia, blueprint=make_blueprint(acme, "clerk", suspend_at_risk=60))


def test_an_agent_is_suspended_at_once_when_its_risk_reaches_what_its_blueprint_says(guarded):
    note(guarded, Sign.FAR_APART)
    guarded.refresh_from_db()
    assert guarded.state == "active"
    note(guarded, Sign.NETWORK_REFUSED)
    guarded.refresh_from_db()
    assert guarded.state == "suspended"
    noted, suspended, announced = events_of(guarded.organization)[-3:]
    assert [each.type for each in (noted, suspended, announced)] == [
        "sign.noted",
        "agent.suspended",
        "agent.suspension_announced",
    ]
    assert suspended.actor_id == "signals"
    assert suspended.reason == "Its risk is 80, and its blueprint lets it reach 60: far_apart, network_refused."
    assert data_of(announced) == {"risk": 80, "signs": ["far_apart", "network_refused"], "to": ["olivia", "sam"]}


def test_its_owner_and_the_security_administrators_get_a_mail(guarded):
    note(guarded, Sign.REFRESH_REUSED)
    event = last_event(guarded.organization, "agent.suspension_announced")
    assert Job.objects.filter(task="directory.deliver_notice", arguments={"event_id": str(event.pk)}).count() == 1
    assert deliver_notice(event_id=event.pk, now=NOW) == 2
    for job in Job.objects.filter(task="directory.mail_notice"):
        assert mail_notice(event_id=event.pk, person_id=job.arguments["person_id"])
    assert sorted(to for message in mail.outbox for to in message.to) == ["olivia@acme.example", "sam@acme.example"]
    assert mail.outbox[0].subject == "The agent “Runner” was suspended"
    assert "refresh reused" in mail.outbox[0].body
    assert "80 of 100" in mail.outbox[0].body


def test_what_a_stranger_can_cause_never_suspends(guarded):
    guarded.blueprint.suspend_at_risk = 1
    guarded.blueprint.save()
    for sign in Sign:
        note(guarded, sign, proven=False)
    guarded.refresh_from_db()
    assert (guarded.state, risk_of(guarded).total) == ("active", MOST_UNPROVEN)
    guarded.blueprint.suspend_at_risk = 40
    guarded.blueprint.save()
    note(guarded, Sign.NETWORK_REFUSED)
    guarded.refresh_from_db()
    assert (guarded.state, risk_of(guarded).total) == ("active", 50)


def test_without_a_limit_no_risk_suspends(agent):
    for _ in range(3):
        note(agent, Sign.REFRESH_REUSED)
    agent.refresh_from_db()
    assert agent.state == "active"


def test_a_suspended_agent_is_not_suspended_again_and_a_resumed_one_is_by_the_next_sign(guarded):
    note(guarded, Sign.REFRESH_REUSED)
    note(guarded, Sign.REFRESH_REUSED)
    assert event_types(guarded.organization).count("agent.suspended") == 1
    resume_agent(agent=guarded, by=SYSTEM, reason="It has new credentials.", now=NOW)
    note(guarded, Sign.NETWORK_REFUSED)
    assert event_types(guarded.organization).count("agent.suspended") == 2


@pytest.mark.django_db(transaction=True)
def test_of_two_signs_at_once_one_suspends():
    acme = make_organization("acme")
    agent = make_agent(acme, "runner", blueprint=make_blueprint(acme, "clerk", suspend_at_risk=60))
    at_once(*[lambda: note(agent, Sign.REFRESH_REUSED)] * 2)
    assert event_types(acme).count("agent.suspended") == 1


def test_when_the_suspension_fails_nothing_was_noted(guarded, monkeypatch):
    def broken(*args, **kwargs):
        raise RuntimeError("no")

    monkeypatch.setattr("permissions.services.signals.enqueue_all", broken)
    with pytest.raises(RuntimeError):
        note(guarded, Sign.REFRESH_REUSED)
    guarded.refresh_from_db()
    assert (guarded.state, Signal.objects.count()) == ("active", 0)


# --- two places at a time ---------------------------------------------------------------------------------------------------


@pytest.fixture
def credential(agent):
    found, _ = issue_client_secret(agent=agent, label="secret", by=SYSTEM, now=NOW)
    start_run(agent=agent, task_id="t-1", by=SYSTEM, now=NOW)
    return found


def used(credential, address, now=NOW):
    return note_place(credential=credential, address=address, by=credential.agent.user.as_actor(address=address), now=now)


@pytest.mark.parametrize(
    ("one", "other", "apart"),
    [
        ("192.0.2.1", "198.51.100.1", True),
        ("8.8.1.1", "8.8.200.1", False),
        ("8.8.1.1", "8.9.1.1", True),
        ("10.1.0.1", "10.1.255.1", False),
        ("10.1.0.1", "10.2.0.1", True),
        ("8.8.1.1", "10.1.0.1", True),
        ("2600:1:2:3::1", "2600:1:2:ffff::1", False),
        ("2600:1:2::1", "2600:1:3::1", True),
        ("8.8.1.1", "2600:1:2::1", False),
        ("8.8.1.1", "::ffff:8.8.2.2", False),
        ("8.8.1.1", "::ffff:8.9.2.2", True),
        ("8.8.1.1", "", False),
    ],
)
def test_places_are_far_apart_by_their_networks(credential, one, other, apart):
    assert not used(credential, one)
    assert used(credential, other, NOW + MINUTE) is apart
    assert Signal.objects.filter(sign="far_apart", credential=credential).exists() is apart


def test_who_moves_within_more_than_ten_minutes_is_in_one_place(credential):
    used(credential, "8.8.1.1")
    assert not used(credential, "9.9.1.1", NOW + 11 * MINUTE)
    assert used(credential, "8.8.1.1", NOW + 12 * MINUTE)


def test_of_a_credential_that_is_not_at_work_nothing_is_said(agent):
    idle, _ = issue_client_secret(agent=agent, label="secret", by=SYSTEM, now=NOW)
    used(idle, "8.8.1.1")
    assert not used(idle, "9.9.1.1", NOW + MINUTE)


def test_a_place_is_no_version_of_the_credential(credential):
    versions = credential.history.count()
    used(credential, "8.8.1.1")
    used(credential, "8.8.2.2", NOW + MINUTE)
    assert credential.history.count() == versions
    assert LastAddress.objects.get().address == "8.8.2.2"


# --- API keys ---------------------------------------------------------------------------------------------------------------


@pytest.fixture
def key(credential):
    found, _ = issue_api_key(agent=credential.agent, label="key", by=SYSTEM, now=NOW)
    return found


def test_the_place_of_a_key_is_looked_at_once_a_minute(key):
    assert note_key_use(record=key, address="8.8.1.1", now=NOW)
    assert not note_key_use(record=key, address="9.9.1.1", now=NOW + timedelta(seconds=30))
    assert Signal.objects.count() == 0
    assert note_key_use(record=key, address="9.9.1.1", now=NOW + MINUTE)
    signal = Signal.objects.get()
    assert (signal.sign, signal.credential, signal.address, signal.data["before"]) == ("far_apart", key, "9.9.1.1", "8.8.1.1")


def test_a_use_that_is_not_written_costs_one_query(key):
    note_key_use(record=key, address="8.8.1.1", now=NOW)
    with CaptureQueriesContext(connection) as captured:
        note_key_use(record=key, address="9.9.1.1", now=NOW)
    assert len(captured) == 1


def test_a_key_from_elsewhere_is_a_sign(key):
    note_refused_network(record=key, address="9.9.1.1", now=NOW)
    signal = Signal.objects.get()
    assert (signal.sign, signal.proven, signal.credential, signal.address) == ("network_refused", True, key, "9.9.1.1")


def test_a_key_of_the_management_api_from_elsewhere_is_a_sign_and_a_wrong_secret_is_none(agent):
    now = timezone.now()
    found, token = issue_api_key(agent=agent, label="key", allowed_networks=["10.0.0.0/8"], scopes=["read"], by=SYSTEM, now=now)
    wrong = token.text[:-1] + ("A" if token.text[-1] != "A" else "B")
    for text, count in ((wrong, 0), (token.text, 1)):
        answer = Client().get("/api/v1/agents", headers={"Authorization": f"Bearer {text}"})
        assert (answer.status_code, Signal.objects.filter(sign="network_refused", credential=found).count()) == (401, count)


# --- the API ----------------------------------------------------------------------------------------------------------------


def test_the_list_is_narrowed_by_agent_kind_and_time(agent):
    other = make_agent(agent.organization, "other")
    note(agent, Sign.FAR_APART)
    note(agent, Sign.CODE_REUSED, now=NOW + HOUR)
    note(other, Sign.FAR_APART, now=NOW + HOUR)
    auditor = make_person(agent.organization, "auditor")
    User.objects.filter(pk=auditor.pk).update(console_roles=["auditor"])
    client = Client()
    client.force_login(User.objects.get(pk=auditor.pk))

    def found(**narrowed):
        answer = client.get("/api/v1/signals", narrowed)
        assert answer.status_code == 200, answer.content
        return [(row["agent"]["external_id"], row["sign"]) for row in answer.json()["items"]]

    assert found() == [("runner", "far_apart"), ("runner", "code_reused"), ("other", "far_apart")]
    assert found(agent=str(other.pk)) == [("other", "far_apart")]
    assert found(sign="code_reused") == [("runner", "code_reused")]
    assert found(at_after=(NOW + MINUTE).isoformat()) == [("runner", "code_reused"), ("other", "far_apart")]
    assert client.post("/api/v1/signals", {}, content_type="application/json").status_code == 405
