"""An invitation is a way in for one person, once, for a week, and for no more than the inviter could give today."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.core import mail
from django.test import Client

from agentiam.accounts import limits
from agentiam.accounts.invitations import link_of, link_token
from agentiam.accounts.jobs import send_invitation
from agentiam.jobs.models import Job
from audit.models import Event
from directory.models import Invitation, User
from directory.services.console_roles import set_console_roles
from directory.services.invitations import (
    InvitationOver,
    InvitedAlready,
    accept_invitation,
    invite_person,
    resend_invitation,
    withdraw_invitation,
)
from directory.services.people import deactivate_person
from directory.services.revisions import ForeignOrganization
from directory.services.rights import NotAnActivePerson, RoleNotYours, TeamNotYours
from tests.factories import SYSTEM, make_person, make_team
from tests.people.conftest import PASSWORD, Cast, sign_in, signed_in

CHOSEN = "chosen by the invited"


def now() -> datetime:
    return datetime.now(UTC)


def invite(cast: Cast, email: str = "erin@acme.example", **values: Any) -> Invitation:
    given: dict[str, Any] = {"organization": cast.acme, "by": cast.alice.as_actor(), "now": now()}
    return invite_person(email=email, **given | values)


def path_of(invitation: Invitation) -> str:
    return f"/invitations/{link_token(invitation)}/"


def accept(path: str, client: Client | None = None) -> Any:
    return (client or Client()).post(path, {"name": "Erin", "password1": CHOSEN, "password2": CHOSEN})


def test_a_person_is_invited_by_mail_and_comes_in_with_roles_and_teams(cast: Cast) -> None:
    team = make_team(cast.acme, "sales")
    invitation = invite(cast, " Erin@Acme.example ", name="Erin", console_roles=["owner"], teams=[team])
    job = Job.objects.get(task="directory.send_invitation")
    assert job.arguments == {"invitation_id": str(invitation.pk)}
    send_invitation(**job.arguments)
    (message,) = mail.outbox
    assert message.to == ["erin@acme.example"]
    found = re.search(r"http\S+(/invitations/\S+)", message.body)
    assert found
    client = Client()
    page = client.get(found[1]).content.decode()
    assert "Join Acme" in page
    assert "Alice invited" in page
    assert accept(found[1], client).headers["Location"] == "/login/"
    assert not signed_in(client)
    person = User.objects.get(external_id="erin@acme.example")
    assert (person.organization, person.console_roles, person.name) == (cast.acme, ["owner"], "Erin")
    assert list(person.teams.all()) == [team]
    assert person.groups.filter(team=team).exists()
    sign_in(client, person, CHOSEN)
    assert signed_in(client)
    logged = "".join(Event.objects.values_list("body", flat=True))
    assert CHOSEN not in logged
    assert found[1].split("/")[2] not in logged
    assert Event.objects.filter(type="invitation.accepted").exists()


def test_looking_at_the_link_accepts_nothing(cast: Cast) -> None:
    path = path_of(invite(cast))
    for _ in range(2):
        assert Client().get(path).status_code == 200
    assert not User.objects.filter(email="erin@acme.example").exists()


def test_a_link_is_good_once(cast: Cast) -> None:
    path = path_of(invite(cast))
    accept(path)
    for answer in (accept(path), Client().get(path)):
        assert answer.status_code == 410
        assert "not good" in answer.content.decode()
    assert User.objects.filter(email="erin@acme.example").count() == 1


def test_a_link_that_was_changed_or_made_elsewhere_is_not_good(cast: Cast, settings: Any) -> None:
    invitation, other = invite(cast), invite(cast, "other@acme.example")
    token = link_token(invitation)
    head, _, tail = token.partition(":")
    forged = [token[:-1] + ("A" if token[-1] != "A" else "B"), link_token(other).partition(":")[0] + ":" + tail, head, "x" * 50]
    settings.SECRET_KEY = "another key of another installation"
    forged.append(link_token(invitation))
    settings.SECRET_KEY = "and what this one has now is different from both"
    for text in forged:
        assert accept(f"/invitations/{text}/").status_code == 410
    assert not User.objects.filter(email__in=["erin@acme.example", "other@acme.example"]).exists()


def test_a_link_ends_after_a_week(cast: Cast) -> None:
    invitation = invite(cast)
    path = path_of(invitation)
    assert invitation.expires_at - invitation.created_at == timedelta(days=7)
    with time_machine.travel(invitation.expires_at, tick=False):
        assert accept(path).status_code == 410
    with pytest.raises(InvitationOver):
        accept_invitation(invitation=invitation, name="E", password=None, by=SYSTEM, now=invitation.expires_at)


def test_sending_again_makes_the_link_before_void(cast: Cast) -> None:
    invitation = invite(cast)
    old = path_of(invitation)
    new = path_of(resend_invitation(invitation=invitation, by=cast.adam.as_actor(), now=now()))
    assert accept(old).status_code == 410
    assert accept(new).status_code == 302
    assert Job.objects.filter(task="directory.send_invitation").count() == 2


def test_a_withdrawn_invitation_is_over_and_is_not_mailed(cast: Cast) -> None:
    invitation = invite(cast)
    path = path_of(invitation)
    withdraw_invitation(invitation=invitation, by=cast.adam.as_actor(), now=now())
    assert accept(path).status_code == 410
    send_invitation(invitation_id=str(invitation.pk))
    assert mail.outbox == []
    for service in (withdraw_invitation, resend_invitation):
        with pytest.raises(InvitationOver):
            service(invitation=invitation, by=cast.alice.as_actor(), now=now())


def test_links_cannot_be_tried_out(cast: Cast) -> None:
    path = path_of(invite(cast))
    for number in range(limits.LINK.address):
        Client().get(f"/invitations/guess-{number}/")
    assert Client().get(path).status_code == 429
    assert accept(path).status_code == 429


def test_nobody_invites_with_more_than_they_could_give(cast: Cast) -> None:
    team = make_team(cast.acme, "sales")
    for roles in (["owner"], ["security_administrator"]):
        with pytest.raises(RoleNotYours):
            invite(cast, console_roles=roles, by=cast.bob.as_actor())
    with pytest.raises(TeamNotYours):
        invite(cast, teams=[team], by=cast.bob.as_actor())
    with pytest.raises(NotAnActivePerson):
        invite(cast, by=cast.agent.user.as_actor())
    with pytest.raises(ForeignOrganization):
        invite(cast, by=cast.mallory.as_actor())
    with pytest.raises(ForeignOrganization):
        invite(cast, teams=[make_team(cast.elsewhere, "theirs")])
    assert not Invitation.objects.exists()
    modest = invite(cast, by=cast.bob.as_actor())
    assert modest.console_roles == []


@pytest.mark.parametrize("loses", ["role", "account"])
def test_what_the_inviter_could_not_give_today_is_not_given(cast: Cast, loses: str) -> None:
    path = path_of(invite(cast, console_roles=["security_administrator"]))
    if loses == "role":
        set_console_roles(person=cast.alice, roles=["approver"], by=SYSTEM, now=now())
    else:
        deactivate_person(person=cast.alice, by=SYSTEM, now=now())
    answer = accept(path)
    assert "could not give this access today" in answer.content.decode()
    assert not User.objects.filter(email="erin@acme.example").exists()
    # Somebody who may can send it again, and answers for it then.
    invitation = resend_invitation(invitation=Invitation.objects.get(), by=cast.adam.as_actor(), now=now())
    assert invitation.invited_by == cast.adam
    assert accept(path_of(invitation)).status_code == 302


def test_who_is_there_or_invited_already_is_not_invited(cast: Cast) -> None:
    make_person(cast.acme, "frank", email="Frank@acme.example")
    for email in ("frank@acme.example", "alice@acme.example"):
        with pytest.raises(InvitedAlready):
            invite(cast, email)
    invite(cast)
    with pytest.raises(InvitedAlready):
        invite(cast, "ERIN@acme.example")
    assert invite(cast, organization=cast.elsewhere, by=cast.mallory.as_actor())


def test_a_user_name_that_another_organization_has_is_not_taken_over(cast: Cast) -> None:
    theirs = make_person(cast.elsewhere, "erin", username="erin@mail.example", password=PASSWORD)
    accept(path_of(invite(cast, "erin@mail.example")))
    person = User.objects.get(organization=cast.acme, external_id="erin@mail.example")
    assert person.username == "erin@mail.example@acme"
    theirs.refresh_from_db()
    assert theirs.check_password(PASSWORD)


def test_a_bad_password_is_said_beside_the_field_and_keeps_the_invitation(cast: Cast) -> None:
    path = path_of(invite(cast))
    for first, second, words in (("short", "short", "too short"), (CHOSEN, CHOSEN + "x", "not the same")):
        answer = Client().post(path, {"name": "Erin", "password1": first, "password2": second})
        assert words in answer.content.decode()
        assert 'aria-invalid="true"' in answer.content.decode()
    assert accept(path).status_code == 302


def test_invitations_are_seen_by_those_who_administer_and_by_the_inviter(cast: Cast) -> None:
    mine = invite(cast, by=cast.bob.as_actor())
    assert [*Invitation.objects.visible_to(cast.bob)] == [*Invitation.objects.visible_to(cast.alice)] == [mine]
    assert [*Invitation.objects.visible_to(cast.dave)] == [*Invitation.objects.visible_to(cast.mallory)] == []
    assert link_of(mine).startswith("http://127.0.0.1:8000/invitations/")
