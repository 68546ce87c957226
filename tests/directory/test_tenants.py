"""Organizations, blueprints and runs."""

from datetime import timedelta
from uuid import uuid4

import pytest

from agentiam.kit.actors import Actor
from agentiam.kit.errors import IllegalTransition
from audit.models import Event
from directory.models import Blueprint, Organization, Run, User
from directory.services.blueprints import BlueprintTerms, UnknownCredentialMethod, update_blueprint
from directory.services.declarations import BadDeclaration
from directory.services.organizations import (
    BadSubjectTypes,
    OnlyTheSystem,
    create_organization,
    resume_organization,
    suspend_organization,
    update_organization,
)
from directory.services.people import deactivate_person, update_person
from directory.services.reports import together
from directory.services.revisions import ForeignOrganization, UnknownOrganization, advance_revision, lock_organization
from directory.services.runs import RunIsOver, TaskUnderway, end_run, start_run
from directory.services.suspension import suspend_agent
from directory.services.transitions import AgentNotActive, NobodyAccountable
from directory.services.versions import InvalidRecord
from tests.directory.recorded import data_of, event_types, last_event, last_touched, revision
from tests.factories import NOW, SYSTEM, make_blueprint, make_organization

HOUR = timedelta(hours=1)


def test_only_the_system_creates_an_organization(cast):
    with pytest.raises(OnlyTheSystem):
        make_organization("third", by=cast.alice.as_actor())


@pytest.mark.parametrize(
    "values",
    [{"slug": "acme"}, {"trust_domain": "acme.example"}, {"trust_domain": "Acme!"}, {"time_zone": "Mars/Base"}, {"name": ""}],
)
def test_a_malformed_or_taken_organization_is_refused_in_words(cast, values):
    given = {"slug": "third", "name": "Third", "trust_domain": "third.example"} | values
    with pytest.raises(InvalidRecord):
        create_organization(**given, by=SYSTEM, now=NOW)
    assert Organization.objects.count() == 2


@pytest.mark.parametrize("aliases", [{"bot": "robot"}, {"": "agent"}, {1: "agent"}, {"user": "agent"}])
def test_other_names_stand_for_user_or_agent(db, aliases):
    with pytest.raises(BadSubjectTypes):
        make_organization(subject_types=aliases)
    assert make_organization(subject_types={"bot": "agent", "user": "user"}).subject_types == {"bot": "agent", "user": "user"}


def test_an_organization_is_changed_suspended_and_resumed(cast):
    by = cast.alice.as_actor()
    changed = update_organization(
        organization=cast.acme, name="ACME", time_zone="Europe/Berlin", subject_types={"bot": "agent"}, by=by, now=NOW
    )
    assert (changed.name, changed.time_zone) == ("ACME", "Europe/Berlin")
    assert data_of(last_event(cast.acme, "organization.updated"))["changed"]["name"] == ["Acme", "ACME"]
    assert suspend_organization(organization=cast.acme, by=by, now=NOW).state == "suspended"
    with pytest.raises(IllegalTransition):
        suspend_organization(organization=cast.acme, by=by, now=NOW)
    assert set(Organization.objects.active()) == {cast.elsewhere}
    resumed = resume_organization(organization=cast.acme, by=by, now=NOW)
    assert resumed.state == "active"
    assert resumed.revision == revision(cast.acme)
    with pytest.raises(IllegalTransition):
        resume_organization(organization=cast.acme, by=by, now=NOW)
    assert last_touched(cast.acme) == ["*"]


def test_only_its_own_people_and_the_system_change_an_organization(cast):
    for by in (cast.mallory.as_actor(), Actor(kind="person", id="nobody", label="Nobody")):
        with pytest.raises(ForeignOrganization):
            suspend_organization(organization=cast.acme, by=by, now=NOW)


def test_an_unknown_organization_is_a_refusal(db):
    with pytest.raises(UnknownOrganization):
        lock_organization(uuid4(), by=SYSTEM)


def test_everything_touched_says_all(cast):
    number = advance_revision(organization_id=cast.acme.pk, touched=["user/bob", "*", "agent/x"])
    assert number == revision(cast.acme)
    assert last_touched(cast.acme) == ["*"]
    advance_revision(organization_id=cast.acme.pk, touched=["b", "a", "b"])
    assert last_touched(cast.acme) == ["a", "b"]


def test_a_blueprint_is_replaced_as_a_whole(cast):
    blueprint = make_blueprint(cast.acme, ceiling=[{"type": "crm.lead", "actions": ["read"]}])
    terms = BlueprintTerms.of(blueprint)
    assert terms.ceiling == blueprint.ceiling
    changed = update_blueprint(blueprint=blueprint, terms=BlueprintTerms(name="New", sign_offs=2), by=SYSTEM, now=NOW)
    assert (changed.name, changed.sign_offs, changed.ceiling) == ("New", 2, None)
    assert Blueprint.objects.get(pk=blueprint.pk).name == "New"
    assert data_of(last_event(cast.acme, "blueprint.updated"))["changed"]["sign_offs"] == [0, 2]


@pytest.mark.parametrize(
    ("terms", "refusal"),
    [
        ({"credential_methods": ["password"]}, UnknownCredentialMethod),
        ({"ceiling": [{}]}, BadDeclaration),
        ({"credential_days": 0}, InvalidRecord),
        ({"sign_offs": -1}, InvalidRecord),
        ({"spawn_seconds": -1}, InvalidRecord),
        ({"name": ""}, InvalidRecord),
    ],
)
def test_bad_terms_are_refused(cast, terms, refusal):
    with pytest.raises(refusal):
        make_blueprint(cast.acme, **terms)


def start(cast, **values):
    return start_run(agent=cast.agent, **{"task_id": "T-1", "by": cast.agent.user.as_actor(), "now": NOW} | values)


def test_a_run_starts_and_ends(cast):
    run = start(cast, purpose="Clean up", on_behalf_of=cast.carol, allows=[{"type": "crm.lead", "actions": ["read"]}])
    assert run in Run.objects.live(NOW)
    assert data_of(last_event(cast.acme, "run.started"))["on_behalf_of"] == "carol"
    ended = end_run(run=run, by=SYSTEM, now=NOW + HOUR)
    assert ended.ended_at == NOW + HOUR
    assert not Run.objects.live(NOW).exists()
    with pytest.raises(IllegalTransition):
        end_run(run=run, by=SYSTEM, now=NOW)
    assert start(cast)


def test_an_agent_is_on_a_task_once_at_a_time(cast):
    start(cast, expires_at=NOW + HOUR)
    with pytest.raises(TaskUnderway):
        start(cast)
    start(cast, task_id="T-2")
    # The first is over by the clock; starting again closes it at its own end.
    again = start(cast, now=NOW + 2 * HOUR)
    assert Run.objects.get(task_id="T-1", ended_at__isnull=False).ended_at == NOW + HOUR
    assert set(Run.objects.live(NOW + 2 * HOUR).filter(task_id="T-1")) == {again}
    assert event_types(cast.acme)[-2:] == ["run.ended", "run.started"]
    assert last_event(cast.acme, "run.ended").actor_id == "clock"


def test_a_run_is_over_by_the_clock(cast):
    start(cast, expires_at=NOW + HOUR)
    assert Run.objects.live(NOW + HOUR - timedelta(microseconds=1)).exists()
    assert not Run.objects.live(NOW + HOUR).exists()


def test_a_run_that_cannot_be_is_refused(cast):
    with pytest.raises(RunIsOver):
        start(cast, expires_at=NOW)
    with pytest.raises(BadDeclaration, match="Limit 1"):
        start(cast, allows=[{"type": "crm.lead"}])
    with pytest.raises(InvalidRecord):
        start(cast, task_id="")
    with pytest.raises(NobodyAccountable):
        start(cast, on_behalf_of=cast.agent.user)
    with pytest.raises(ForeignOrganization):
        start(cast, on_behalf_of=cast.mallory)
    deactivate_person(person=cast.carol, by=SYSTEM, now=NOW)
    with pytest.raises(NobodyAccountable):
        start(cast, on_behalf_of=cast.carol)
    suspend_agent(agent=cast.agent, by=SYSTEM, now=NOW)
    with pytest.raises(AgentNotActive):
        start(cast)


def test_old_changes_are_let_go_once_no_reader_needs_them(cast, monkeypatch):
    monkeypatch.setattr("directory.services.revisions.CHANGES_KEPT", 3)
    monkeypatch.setattr("directory.services.revisions._PRUNED_EVERY", 5)
    for _ in range(11):
        number = advance_revision(organization_id=cast.acme.pk, touched=["user/bob"])
    kept = cast.acme.policy_changes.order_by("revision").values_list("revision", flat=True)
    assert number - 3 - 5 <= min(kept)
    assert max(kept) == number


def test_what_is_done_together_is_one_revision_with_every_event_in_order(cast):
    alice = cast.alice
    before = Organization.objects.get(pk=cast.acme.pk).revision
    events = Event.objects.filter(organization_id=cast.acme.pk).count()
    with together():
        for name in ("Alice A", "Alice B", "Alice C"):
            alice = update_person(person=alice, name=name, email="", attributes={}, by=SYSTEM, now=NOW)
    assert Organization.objects.get(pk=cast.acme.pk).revision == before + 1
    assert Event.objects.filter(organization_id=cast.acme.pk).count() == events + 3


def test_what_breaks_off_together_has_not_happened(cast):
    before = Event.objects.count(), Organization.objects.get(pk=cast.acme.pk).revision

    def broken_off():
        with together():
            update_person(person=cast.alice, name="Somebody", email="", attributes={}, by=SYSTEM, now=NOW)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        broken_off()
    assert (Event.objects.count(), Organization.objects.get(pk=cast.acme.pk).revision) == before
    assert User.objects.get(pk=cast.alice.pk).name == cast.alice.name
