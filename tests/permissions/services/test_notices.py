"""Announcements of what is allowed: to the holder, to those who answer for it, and to those who keep an application."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext

from agentiam.jobs.models import Job
from directory.models import User
from directory.services.mails import mail_notice
from directory.services.people import deactivate_person
from permissions.models import ApplicationGroupPermission, ApplicationUserPermission, Consent, Delegation, Grant, Trust
from permissions.services.application_keys import issue_application_key
from permissions.services.consents import end_consent
from permissions.services.delegations import end_delegation
from permissions.services.grants import end_grant
from permissions.services.notices import announce_ends
from tests.directory.recorded import data_of, events_of, revision
from tests.factories import NOW, SYSTEM, make_agent, make_organization, make_person, make_team
from tests.permissions.factories import (
    make_application,
    make_assignment,
    make_consent,
    make_delegation,
    make_grant,
    make_resource_type,
    make_role,
    make_trust,
    spec,
)

DAY = timedelta(days=1)
END = NOW + 30 * DAY


def told(organization):
    """Answer for each announced holding, in order, who was told of it."""
    events = [event for event in events_of(organization) if event.type.endswith(".expiry_announced")]
    return [(event.type.partition(".")[0], data_of(event).get("holder"), data_of(event)["to"]) for event in events]


def test_a_holding_is_announced_to_whoever_holds_it_or_answers_for_the_holder(cast):
    before = revision(cast.acme)
    role = make_role(cast.acme, "reader", spec())
    make_grant(cast.acme, cast.agent.user, ends_at=END)
    make_grant(cast.acme, cast.carol, ends_at=END)
    make_grant(cast.acme, cast.sales, ends_at=END)
    make_assignment(role, cast.planner.user, ends_at=END)
    before = revision(cast.acme)
    for left, expected in ((15, 0), (14, 4), (10, 0), (3, 4), (1, 4), (0.1, 0)):
        assert announce_ends(now=END - left * DAY) == expected
    first = [
        ("assignment", "agent/planner", ["alice"]),
        ("grant", "agent/crm-bot", ["alice", "bob"]),
        ("grant", "team/sales", ["bob"]),
        ("grant", "user/carol", ["carol"]),
    ]
    announced = told(cast.acme)
    assert [sorted(announced[start : start + 4]) for start in (0, 4, 8)] == [first] * 3
    assert told(cast.elsewhere) == []
    assert Job.objects.filter(task="directory.deliver_notice", organization_id=cast.acme.pk).count() == 12
    assert revision(cast.acme) == before


def test_of_a_partners_agent_nobody_over_there_is_told(cast):
    make_trust(cast.acme, cast.elsewhere)
    make_grant(cast.acme, cast.foreign_agent.user, ends_at=END)
    assert announce_ends(now=END - DAY) == 1
    assert told(cast.acme) == [("grant", f"agent/{cast.foreign_agent.spiffe_id}", [])]
    assert told(cast.elsewhere) == []


def announced_of(organization, kind):
    """Answer what each announcement of one kind says, and to whom."""
    events = [event for event in events_of(organization) if event.type == f"{kind}.expiry_announced"]
    assert all(data_of(event)["ends_at"] == END.isoformat() for event in events)
    return [{name: value for name, value in data_of(event).items() if name != "ends_at"} for event in events]


def test_a_consent_is_announced_to_the_person_and_to_those_who_answer_for_the_agent(cast):
    make_consent(cast.carol, cast.agent, cast.record, ends_at=END)
    for left, expected in ((15, 0), (14, 1), (13, 0), (3, 1), (1, 1), (0.1, 0), (-1, 0)):
        assert announce_ends(now=END - left * DAY) == expected
    about = {"user": "carol", "agent": "crm-bot", "to": ["alice", "bob", "carol"]}
    assert announced_of(cast.acme, "consent") == [{**about, "days": days} for days in (14, 3, 1)]


def test_a_delegation_is_announced_to_those_who_answer_for_either_agent(cast):
    other = make_agent(cast.acme, "other", owner=cast.carol, sponsor=cast.carol)
    make_delegation(cast.agent, other, ends_at=END)
    for left, expected in ((15, 0), (14, 1), (13, 0), (3, 1), (1, 1), (0.1, 0)):
        assert announce_ends(now=END - left * DAY) == expected
    about = {"delegator": "crm-bot", "delegate": "other", "to": ["alice", "bob", "carol"]}
    assert announced_of(cast.acme, "delegation") == [{**about, "days": days} for days in (14, 3, 1)]


def test_a_trust_is_announced_to_the_administrators_of_both_sides_each_in_their_own_log(cast):
    User.objects.filter(pk__in=[cast.alice.pk, cast.mallory.pk]).update(console_roles=["security_administrator"])
    make_trust(cast.acme, cast.elsewhere, ends_at=END)
    for left, expected in ((15, 0), (14, 2), (13, 0), (3, 2), (1, 2), (0.1, 0)):
        assert announce_ends(now=END - left * DAY) == expected
    for organization, person in ((cast.acme, "alice"), (cast.elsewhere, "mallory")):
        about = {"organization": "acme", "partner": "elsewhere", "to": [person]}
        assert announced_of(organization, "trust") == [{**about, "days": days} for days in (14, 3, 1)]
        delivered = Job.objects.filter(task="directory.deliver_notice", organization_id=organization.pk)
        assert delivered.count() == 3


def test_a_trust_in_a_partner_elsewhere_is_announced_here_alone(cast):
    User.objects.filter(pk=cast.alice.pk).update(console_roles=["security_administrator"])
    trust = make_trust(cast.acme, cast.elsewhere, ends_at=END)
    Trust.objects.filter(pk=trust.pk).update(partner=None, issuer="https://iam.partner.example", keys={"keys": [{}]})
    assert announce_ends(now=END - DAY) == 1
    assert [said["partner"] for said in announced_of(cast.acme, "trust")] == ["https://iam.partner.example"]
    assert announced_of(cast.elsewhere, "trust") == []


def test_a_trust_that_was_agreed_to_late_has_missed_no_warning(cast):
    trust = make_trust(cast.acme, cast.elsewhere, ends_at=END)
    Trust.objects.filter(pk=trust.pk).update(agreed_there_at=END - 2 * DAY)
    assert announce_ends(now=END - 2 * DAY) == 0
    assert announce_ends(now=END - DAY) == 2


def test_what_lets_nobody_act_any_more_is_not_announced(cast):
    make_trust(cast.acme, cast.elsewhere, agreed=False, ends_at=END)
    end_consent(consent=make_consent(cast.carol, cast.agent, cast.record, ends_at=END), by=cast.carol.as_actor(), now=NOW)
    end_delegation(delegation=make_delegation(cast.agent, cast.planner, ends_at=END), by=cast.by, now=NOW)
    gone = make_person(cast.acme, "gone")
    make_consent(gone, cast.agent, cast.record, ends_at=END)
    deactivate_person(person=gone, by=SYSTEM, now=NOW)
    assert announce_ends(now=END - DAY) == 0
    assert announce_ends(now=END - 14 * DAY) == 0


def test_a_consent_s_mail_names_the_person_who_gave_it(cast, mailoutbox):
    User.objects.filter(pk=cast.carol.pk).update(email="carol@acme.example")
    make_consent(cast.carol, cast.agent, cast.record, ends_at=END)
    announce_ends(now=END - DAY)
    event = next(event for event in events_of(cast.acme) if event.type == "consent.expiry_announced")
    assert mail_notice(event_id=event.pk, person_id=cast.carol.pk)
    assert "the consent “" in mailoutbox[0].body
    assert ", of user carol ends on" in mailoutbox[0].body


def test_what_was_ended_or_belongs_to_somebody_who_left_is_not_announced(cast):
    grant = make_grant(cast.acme, cast.carol, ends_at=END)
    end_grant(grant=grant, by=cast.by, now=NOW)
    gone = make_person(cast.acme, "gone")
    make_grant(cast.acme, gone, ends_at=END)
    deactivate_person(person=gone, by=SYSTEM, now=NOW)
    assert announce_ends(now=END - DAY) == 0


def permit(thing, to):
    permission = Permission.objects.get(content_type__app_label="permissions", codename="manage_application")
    if isinstance(to, User):
        ApplicationUserPermission.objects.create(user=to, permission=permission, content_object=thing)
    else:
        ApplicationGroupPermission.objects.create(group=to.group, permission=permission, content_object=thing)


def test_an_applications_key_is_announced_to_those_who_keep_it_and_else_to_the_administrators(cast):
    kept, unkept, other = (make_application(cast.acme, slug) for slug in ("kept", "unkept", "other"))
    permit(kept, cast.carol)
    permit(kept, cast.sales)
    permit(other, cast.planner.owner)
    User.objects.filter(pk=cast.alice.pk).update(console_roles=["auditor", "security_administrator"])
    User.objects.filter(pk=cast.carol.pk).update(console_roles=["auditor"])
    User.objects.filter(pk=cast.mallory.pk).update(console_roles=["security_administrator"])
    for application in (kept, unkept):
        issue_application_key(application=application, label="k", expires_at=END, by=SYSTEM, now=NOW)
    assert announce_ends(now=END - 3 * DAY) == 2
    assert [each[2] for each in told(cast.acme)] == [["bob", "carol"], ["alice"]]


@pytest.mark.django_db
def test_the_queries_are_as_many_for_one_as_for_twenty():
    counts = []
    for number in (1, 20):
        acme = make_organization()
        make_resource_type(acme)
        team = make_team(acme, members=(make_person(acme),))
        application = make_application(acme)
        permit(application, team)
        partner = make_organization()
        make_trust(acme, partner, ends_at=END)
        record = make_resource_type(acme, "consented")
        for _ in range(number):
            agent = make_agent(acme, sponsor_team=team)
            make_grant(acme, agent.user, ends_at=END)
            make_consent(make_person(acme), agent, record, ends_at=END)
            make_delegation(agent, make_agent(acme, sponsor_team=team), ends_at=END)
            make_grant(acme, team, ends_at=END)
            issue_application_key(application=application, label="k", expires_at=END, by=SYSTEM, now=NOW)
        with CaptureQueriesContext(connection) as queries:
            assert announce_ends(now=END - 14 * DAY) == 5 * number + 2
        counts.append(len(queries))
        for model in (Grant, Consent, Delegation, Trust):
            model.objects.update(ends_at=None)
        application.keys.update(expires_at=END + 90 * DAY)
    assert counts[0] == counts[1]
