"""Announcements: at 14, 3 and 1 days, once each, to those who answer for it; and the mail that comes of them."""

from datetime import timedelta
from uuid import UUID

import pytest
from django.core import mail
from django.db import connection
from django.test.utils import CaptureQueriesContext

from agentiam.jobs.models import Job
from directory.lifecycle import State
from directory.models import Agent, Credential, User
from directory.services import notices
from directory.services.credentials import issue_api_key, revoke_credential, rotate_api_key
from directory.services.mails import NotAnAnnouncement, deliver_notice, mail_notice
from directory.services.notices import announce_ends, step_of
from directory.services.offboarding import retire_agent
from directory.services.people import deactivate_person
from directory.services.person_keys import issue_person_key
from tests.directory.recorded import data_of, event_types, events_of, last_event, revision
from tests.directory.test_races import at_once
from tests.factories import NOW, SYSTEM, make_agent, make_organization, make_person, make_team

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
END = NOW + 30 * DAY


def announcements(organization):
    return [event for event in events_of(organization) if event.type.endswith(".expiry_announced")]


def told(organization):
    return [data_of(event)["to"] for event in announcements(organization)]


@pytest.mark.parametrize(
    ("made", "now", "step"),
    [
        (30 * DAY, 14 * DAY + HOUR, None),
        (30 * DAY, 14 * DAY, 14 * DAY),
        (30 * DAY, 4 * DAY, 14 * DAY),
        (30 * DAY, 3 * DAY, 3 * DAY),
        (30 * DAY, DAY, DAY),
        (30 * DAY, HOUR, DAY),
        (30 * DAY, timedelta(0), None),
        (30 * DAY, -DAY, None),
        (10 * DAY, 9 * DAY, None),  # made when the step had passed
        (10 * DAY, 3 * DAY, 3 * DAY),
        (2 * DAY, DAY + HOUR, None),
        (2 * DAY, DAY, DAY),
        (HOUR, HOUR / 2, None),
    ],
)
def test_a_step_is_reached_once_it_was_ahead(made, now, step):
    """The instants are given as what was left until the end."""
    assert step_of(END, END - made, now=END - now) == step


@pytest.mark.django_db
def test_an_agents_end_is_announced_at_each_step_once_to_its_owner_and_sponsor():
    acme = make_organization("acme")
    owner, sponsor = make_person(acme, "owner"), make_person(acme, "sponsor")
    make_person(acme, "colleague")
    agent = make_agent(acme, "bot", owner=owner, sponsor=sponsor, expires_at=END)
    before = revision(acme)
    for left, expected in ((15, 0), (14, 1), (13, 0), (4, 0), (3, 1), (3, 0), (2, 0), (1, 1), (0.5, 0), (0, 0), (-1, 0)):
        assert announce_ends(now=END - left * DAY) == expected, left
    assert event_types(acme).count("agent.expiry_announced") == 3
    assert [data_of(event) for event in announcements(acme)] == [
        {"ends_at": END.isoformat(), "days": days, "to": ["owner", "sponsor"]} for days in (14, 3, 1)
    ]
    assert {(event.actor_id, event.target_type, event.target_id) for event in announcements(acme)} == {
        ("clock", "agent", "bot")
    }
    assert Job.objects.filter(task=notices.DELIVER, organization_id=acme.pk).count() == 3
    assert Job.objects.get(key=f"end:agents:{agent.pk}:{END.isoformat()}:14").arguments == {
        "event_id": str(announcements(acme)[0].pk)
    }
    assert revision(acme) == before


@pytest.mark.django_db
def test_after_a_pause_the_step_at_hand_is_announced_and_none_of_those_missed():
    acme = make_organization("acme")
    make_agent(acme, expires_at=END)
    assert announce_ends(now=END - 2 * DAY) == 1
    assert data_of(announcements(acme)[0])["days"] == 3


@pytest.mark.django_db
def test_another_end_is_announced_anew():
    acme = make_organization("acme")
    agent = make_agent(acme, expires_at=END)
    assert announce_ends(now=END - 14 * DAY) == 1
    Agent.objects.filter(pk=agent.pk).update(expires_at=END + DAY)
    assert announce_ends(now=END - 14 * DAY) == 0
    assert announce_ends(now=END - 13 * DAY) == 1


@pytest.mark.django_db
def test_credentials_and_keys_are_announced_to_those_whose_they_are():
    acme, elsewhere = make_organization("acme"), make_organization("elsewhere")
    bob, carol, erin = (make_person(acme, name) for name in ("bob", "carol", "erin"))
    outer = make_team(acme, "outer", members=(erin,))
    make_team(acme, "inner", parent=outer, members=(carol,))
    agent = make_agent(acme, "bot", owner=bob, sponsor_team=outer)
    issue_api_key(agent=agent, label="main", expires_at=END, by=SYSTEM, now=NOW)
    issue_person_key(user=carol, label="script", expires_at=END, by=SYSTEM, now=NOW)
    make_agent(elsewhere, "theirs", expires_at=END + DAY)

    assert announce_ends(now=END - 14 * DAY) == 2
    assert {event.type: data_of(event)["to"] for event in announcements(acme)} == {
        "credential.expiry_announced": ["bob", "carol", "erin"],
        "person_key.expiry_announced": ["carol"],
    }
    assert announcements(elsewhere) == []


@pytest.mark.django_db
def test_what_ended_or_has_a_successor_is_not_announced():
    acme = make_organization("acme")
    agent, gone = make_agent(acme), make_agent(acme, expires_at=END)
    revoked, rotated = (issue_api_key(agent=agent, label=label, expires_at=END, by=SYSTEM, now=NOW)[0] for label in "ab")
    revoke_credential(credential=revoked, by=SYSTEM, now=NOW)
    rotate_api_key(credential=rotated, overlap=20 * DAY, by=SYSTEM, now=NOW)
    retire_agent(agent=gone, by=SYSTEM, now=NOW)
    assert announce_ends(now=NOW + 19 * DAY) == 0


@pytest.mark.django_db
def test_somebody_who_left_is_told_nothing_and_the_event_says_that_nobody_was():
    acme = make_organization("acme")
    owner, sponsor = make_person(acme, "owner"), make_person(acme, "sponsor")
    make_agent(acme, owner=owner, sponsor=sponsor, expires_at=END)
    deactivate_person(person=owner, by=SYSTEM, now=NOW)
    announce_ends(now=END - 14 * DAY)
    deactivate_person(person=sponsor, by=SYSTEM, now=NOW)
    announce_ends(now=END - 3 * DAY)
    assert told(acme) == [["sponsor"], []]


@pytest.mark.django_db
def test_the_queries_are_as_many_for_one_as_for_twenty():
    counts = []
    for number in (1, 20):
        acme = make_organization()
        team = make_team(acme, members=(make_person(acme), make_person(acme)))
        for _ in range(number):
            agent = make_agent(acme, sponsor_team=team, expires_at=END)
            issue_api_key(agent=agent, label="key", expires_at=END, by=SYSTEM, now=NOW)
        with CaptureQueriesContext(connection) as queries:
            assert announce_ends(now=END - 14 * DAY) == 2 * number
        counts.append(len(queries))
        Agent.objects.update(expires_at=None)
        Credential.objects.update(expires_at=END + 90 * DAY)
    assert counts[0] == counts[1]


@pytest.mark.django_db
def test_pages_follow_each_other(monkeypatch):
    monkeypatch.setattr(notices, "BATCH", 3)
    acme = make_organization("acme")
    for _ in range(7):
        make_agent(acme, expires_at=END)
    assert announce_ends(now=END - 14 * DAY) == 7
    assert announce_ends(now=END - 14 * DAY) == 0


@pytest.mark.django_db(transaction=True)
def test_of_several_workers_at_once_one_announces():
    acme = make_organization("acme")
    for _ in range(3):
        make_agent(acme, expires_at=END)
    assert sum(at_once(*[lambda: announce_ends(now=END - 14 * DAY)] * 4)) == 3
    assert event_types(acme).count("agent.expiry_announced") == 3
    assert Job.objects.filter(task=notices.DELIVER).count() == 3


@pytest.fixture
def announced(db):
    """An agent of bob's and carol's that ends in two weeks, as announced."""
    acme = make_organization("acme", time_zone="Europe/Berlin")
    bob = make_person(acme, "bob", email="bob@acme.example")
    carol = make_person(acme, "carol", email="carol@acme.example")
    make_person(acme, "mallory", email="mallory@acme.example")
    make_agent(acme, "bot", owner=bob, sponsor=carol, expires_at=END, name="CRM bot")
    announce_ends(now=END - 14 * DAY)
    return acme


def work_off(organization, now=END - 14 * DAY):
    """Do what the jobs would; answer how many mails there were."""
    for job in Job.objects.filter(task=notices.DELIVER):
        deliver_notice(event_id=UUID(job.arguments["event_id"]), now=now)
    jobs = Job.objects.filter(task="directory.mail_notice", organization_id=organization.pk).order_by("key")
    return [mail_notice(**{name: UUID(value) for name, value in job.arguments.items()}) for job in jobs]


def test_each_of_them_gets_one_mail_and_nobody_else(announced, settings):
    settings.BASE_URL = "https://iam.acme.example"
    assert work_off(announced) == [True, True]
    assert sorted(message.to for message in mail.outbox) == [["bob@acme.example"], ["carol@acme.example"]]
    message = next(message for message in mail.outbox if message.to == ["bob@acme.example"])
    assert message.subject == "The agent “CRM bot” ends within 14 days"
    assert message.body.startswith("Bob,\n")
    assert "“CRM bot” ends on 2026-02-04 at 10:00 (Europe/Berlin)" in message.body
    assert "https://iam.acme.example" in message.body
    assert "carol" not in message.body.lower()
    event = last_event(announced, "agent.expiry_announced")
    person = User.objects.get(external_id="bob")
    assert message.extra_headers["Message-ID"].startswith(f"<{event.pk}.{person.pk}@")
    assert str(message.message()["Auto-Submitted"]) == "auto-generated"


def test_a_notice_that_is_delivered_twice_makes_no_second_mail(announced):
    event = last_event(announced, "agent.expiry_announced")
    for _ in range(2):
        deliver_notice(event_id=event.pk, now=END)
    assert Job.objects.filter(task="directory.mail_notice").count() == 2


def test_who_left_or_has_no_address_gets_no_mail(announced):
    bob, carol = (User.objects.get(external_id=name) for name in ("bob", "carol"))
    event = last_event(announced, "agent.expiry_announced")
    deactivate_person(person=bob, by=SYSTEM, now=NOW)
    assert deliver_notice(event_id=event.pk, now=END) == 1
    User.objects.filter(pk=carol.pk).update(email="")
    assert not mail_notice(event_id=event.pk, person_id=bob.pk)
    assert not mail_notice(event_id=event.pk, person_id=carol.pk)
    assert mail.outbox == []


def test_nobody_who_was_not_named_is_mailed_nor_anything_that_is_no_announcement(announced):
    event = last_event(announced, "agent.expiry_announced")
    namesake = make_person(make_organization("elsewhere"), "bob", email="bob@elsewhere.example")
    for stranger in (User.objects.get(external_id="mallory"), namesake):
        assert not mail_notice(event_id=event.pk, person_id=stranger.pk)
    for other in (last_event(announced, "agent.registered").pk, namesake.pk):
        with pytest.raises(NotAnAnnouncement):
            deliver_notice(event_id=other, now=END)
        with pytest.raises(NotAnAnnouncement):
            mail_notice(event_id=other, person_id=User.objects.get(organization=announced, external_id="bob").pk)
    assert mail.outbox == []


@pytest.mark.parametrize("name", ["x\nBcc: evil@example.com", "x\r\n\r\nDear Bob, pay here", "x\u2028\u202ey", "y" * 200])
def test_a_name_adds_neither_a_header_nor_a_paragraph(db, name):
    acme = make_organization("acme")
    bob = make_person(acme, "bob", email="bob@acme.example")
    agent = make_agent(acme, "bot", owner=bob, state=State.ACTIVE, expires_at=END)
    Agent.objects.filter(pk=agent.pk).update(name=name)
    announce_ends(now=END - 14 * DAY)
    assert work_off(acme) == [True]
    (message,) = mail.outbox
    assert message.recipients() == ["bob@acme.example"]
    assert "Bcc" not in message.message()
    assert len(message.body.split("\n\n")) == 3
    assert not {"\r", "\u2028", "\u202e"} & {*message.subject, *message.body}
