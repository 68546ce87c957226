"""Signing in by an e-mail address: it is a name of one person or of nobody, whatever other organizations write of theirs."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth import hashers
from django.test import Client

from agentiam.accounts import limits
from agentiam.accounts.backends import find_account
from agentiam.accounts.invitations import link_token
from audit.models import Event
from directory.models import Invitation, Organization, User
from directory.services.invitations import accept_invitation, invite_person
from directory.services.people import create_person, deactivate_person, update_person
from directory.services.user_names import ForeignUserName
from tests.factories import NOW, SYSTEM, make_person
from tests.people.conftest import PASSWORD, Cast, signed_in

THEIRS = "another long password"
CHOSEN = "chosen by the invited"


def by(name: str, password: str = PASSWORD) -> bool:
    client = Client()
    client.post("/login/", {"username": name, "password": password})
    return signed_in(client)


def answer(name: str, password: str) -> str:
    return Client().post("/login/", {"username": name, "password": password}).content.decode()


def refused() -> list[tuple[str, str]]:
    """Tell whose refusals are recorded, and where: the organization's trust domain and the person."""
    domains = dict(Organization.objects.values_list("pk", "trust_domain"))
    return [(domains[event.organization_id], event.target_id) for event in Event.objects.filter(type="person.refused")]


def invite(organization: Organization, email: str) -> Invitation:
    return invite_person(organization=organization, email=email, by=SYSTEM, now=datetime.now(UTC))


def accept(invitation: Invitation) -> User:
    path = f"/invitations/{link_token(invitation)}/"
    assert Client().post(path, {"name": "Erin", "password1": CHOSEN, "password2": CHOSEN}).status_code == 302
    invitation.refresh_from_db()
    assert invitation.person is not None
    return invitation.person


def test_an_address_signs_in_like_the_user_name(cast: Cast) -> None:
    make_person(cast.acme, "erin", username="erin", email="Erin@acme.example", password=PASSWORD)
    assert by("erin@ACME.example")
    assert not by("erin@acme.example", "wrong")


def test_an_address_of_several_people_signs_nobody_in(cast: Cast) -> None:
    for name in ("erin", "erin2"):
        make_person(cast.acme, name, username=name, email="both@acme.example", password=PASSWORD)
    assert not by("both@acme.example")
    assert by("erin")


def test_another_organizations_people_take_no_address_away_and_hear_of_nothing(cast: Cast) -> None:
    make_person(cast.acme, "erin", username="erin", email="erin@acme.example", password=PASSWORD)
    for number in range(3):
        make_person(cast.elsewhere, f"eve{number}", email="erin@acme.example", password=THEIRS)
    assert not by("erin@acme.example", THEIRS)
    assert refused() == [("acme.example", "erin")]
    client = Client()
    client.post("/login/", {"username": "erin@acme.example", "password": PASSWORD})
    assert "erin, Acme" in client.get("/account/").content.decode()


@pytest.mark.parametrize("address", ["alice@acme.example", "nobody@acme.example", "nobody@mail.example"])
def test_what_an_administrator_writes_of_their_own_people_tells_nothing_of_others(cast: Cast, address: str) -> None:
    eve = make_person(cast.elsewhere, "eve", email="eve@elsewhere.example", password=THEIRS)
    assert by("eve@elsewhere.example", THEIRS)
    update_person(person=eve, name="Eve", email=address, attributes={}, by=cast.mallory.as_actor(), now=NOW)
    assert not by(address, THEIRS)
    with pytest.raises(ForeignUserName) as taken:
        create_person(
            organization=cast.elsewhere, external_id="e", username=address, name="E", by=cast.mallory.as_actor(), now=NOW
        )
    assert taken.value.message == "A user name with @ ends in @elsewhere or @elsewhere.example."


@pytest.mark.parametrize(
    "name", ["erin@acme.example", "erin@ACME.example", "erin@acme", "x@elsewhere@acme", "erin@", "erin@sub.elsewhere.example"]
)
def test_no_user_name_stands_in_for_an_address_of_others(cast: Cast, name: str) -> None:
    eve = {"external_id": "eve", "name": "Eve", "username": name}
    with pytest.raises(ForeignUserName):
        create_person(organization=cast.elsewhere, **eve, by=cast.mallory.as_actor(), now=NOW)
    assert not User.objects.filter(username=name).exists()


@pytest.mark.parametrize("name", ["eve", "eve@elsewhere", "eve@elsewhere.example", "eve@mail.example@elsewhere"])
def test_user_names_of_ones_own_are_given(cast: Cast, name: str) -> None:
    eve = {"external_id": "eve", "name": "Eve", "username": name}
    assert create_person(organization=cast.elsewhere, **eve, by=cast.mallory.as_actor(), now=NOW).username == name


def test_the_system_names_nobody_by_another_organizations_address(cast: Cast) -> None:
    eve = {"external_id": "eve", "name": "Eve"}
    for name in ("erin@acme.example", "erin@Acme"):
        with pytest.raises(ForeignUserName):
            create_person(organization=cast.elsewhere, username=name, **eve, by=SYSTEM, now=NOW)
    assert create_person(organization=cast.elsewhere, username="eve@mail.example", **eve, by=SYSTEM, now=NOW)


def test_a_user_name_from_before_takes_no_address_away(cast: Cast) -> None:
    make_person(cast.acme, "erin", username="erin", email="erin@acme.example", password=PASSWORD)
    eve = make_person(cast.elsewhere, "eve", password=THEIRS)
    User.objects.filter(pk=eve.pk).update(username="erin@acme.example")
    assert not by("erin@acme.example", THEIRS)
    assert refused() == [("acme.example", "erin")]
    assert by("erin@acme.example")


def test_an_invited_address_signs_in_whoever_accepted_and_nobody_who_only_has_it_written(cast: Cast) -> None:
    make_person(cast.elsewhere, "other", username="erin@mail.example", password=THEIRS)
    person = accept(invite(cast.acme, "erin@mail.example"))
    assert person.username == "erin@mail.example@acme"
    # The user name comes first, and the address is a name where nobody has it as theirs.
    assert by("erin@mail.example", THEIRS)
    assert by("erin@mail.example@acme", CHOSEN)
    User.objects.filter(username="erin@mail.example").update(username="other")
    make_person(cast.elsewhere, "eve", email="erin@mail.example", password=THEIRS)
    assert by("ERIN@mail.example", CHOSEN)
    assert not by("erin@mail.example", THEIRS)


def test_an_address_that_was_changed_since_the_invitation_is_not_proved(cast: Cast) -> None:
    mal = accept(invite(cast.elsewhere, "mal@mail.example"))
    update_person(person=mal, name="Mal", email="erin@mail.example", attributes={}, by=cast.mallory.as_actor(), now=NOW)
    assert find_account("erin@mail.example") is None
    # The invitation was mailed there, and the address is somebody else's by now.
    User.objects.filter(pk=mal.pk).update(username="mal")
    assert find_account("mal@mail.example") is None


def test_what_a_provider_says_of_an_address_proves_it_to_its_own_organization_alone(cast: Cast) -> None:
    invitation = invite(cast.elsewhere, "erin@mail.example")
    now = datetime.now(UTC)
    squatter = accept_invitation(invitation=invitation, name="Eve", password=None, by=SYSTEM, now=now)
    assert squatter.username == "erin@mail.example@elsewhere"
    assert find_account("erin@mail.example") is None
    erin = accept(invite(cast.acme, "erin@mail.example"))
    assert erin.username == "erin@mail.example"
    assert by("erin@mail.example", CHOSEN)


def test_an_invited_address_of_another_organizations_domain_is_no_user_name(cast: Cast) -> None:
    person = accept(invite(cast.acme, "guest@elsewhere.example"))
    assert person.username == "guest@elsewhere.example@acme"
    assert by("guest@elsewhere.example", CHOSEN)
    # Whose domain it is says whose name it is.
    make_person(cast.elsewhere, "guest", email="guest@elsewhere.example", password=THEIRS)
    assert by("guest@elsewhere.example", THEIRS)
    assert by("guest@elsewhere.example@acme", CHOSEN)


@pytest.mark.parametrize("typed", ["w\u0131ll@acme.example", "\u212aim@acme.example", "wi\u017fe@acme.example"])
def test_letters_that_a_database_folds_are_not_taken_for_others(cast: Cast, typed: str) -> None:
    for name in ("will", "kim", "wise"):
        make_person(cast.acme, name, username=name, email=f"{name}@acme.example", password=PASSWORD)
    assert find_account(typed) is None
    exact = make_person(cast.acme, "exact", username="exact", password=PASSWORD)
    User.objects.filter(pk=exact.pk).update(email=typed)
    assert find_account(typed) == exact


def test_user_name_and_address_have_one_count_of_tries(cast: Cast) -> None:
    make_person(cast.acme, "erin", username="erin", email="erin@acme.example", password=PASSWORD)
    for _ in range(limits.PASSWORD.account_here):
        assert not by("erin", "wrong")
    assert not by("erin@acme.example")
    assert not by("ERIN@acme.example")
    causes = [json.loads(event.body)["data"]["cause"] for event in Event.objects.filter(type="person.refused").order_by("id")]
    assert causes == ["wrong password"] * limits.PASSWORD.account_here + ["too many tries"]


def test_the_one_count_does_not_tell_that_two_names_are_one_persons(cast: Cast) -> None:
    make_person(cast.acme, "erin", username="erin", email="erin@acme.example", password=PASSWORD)
    for name, address in (("erin", "erin@acme.example"), ("nobody", "nobody@acme.example")):
        for _ in range(limits.PASSWORD.account_here):
            assert "is not right" in answer(name, "wrong")
        assert "Too many tries" in answer(name, "wrong")
        for _ in range(limits.PASSWORD.account_here):
            assert "is not right" in answer(address, "wrong")
        assert "Too many tries" in answer(address, "wrong")


def test_signing_in_forgets_the_tries_by_every_name(cast: Cast) -> None:
    make_person(cast.acme, "erin", username="erin", email="erin@acme.example", password=PASSWORD)
    for _ in range(limits.PASSWORD.account_here - 1):
        assert not by("erin", "wrong")
    assert by("erin@acme.example")
    assert not by("erin@acme.example", "wrong")
    assert by("erin@acme.example")


def test_every_try_costs_the_work_of_one_password(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    make_person(cast.acme, "erin", username="erin", email="erin@acme.example", password=PASSWORD)
    make_person(cast.acme, "without", username="without", email="without@acme.example")
    gone = make_person(cast.acme, "gone", username="gone", email="gone@acme.example", password=PASSWORD)
    deactivate_person(person=gone, by=SYSTEM, now=NOW)
    for name in ("a", "b"):
        make_person(cast.acme, name, email="both@acme.example", password=PASSWORD)
        make_person(cast.elsewhere, name, email="erin@acme.example", password=PASSWORD)
    eve = make_person(cast.elsewhere, "eve", password=PASSWORD)
    User.objects.filter(pk=eve.pk).update(username="erin@acme.example")
    done: list[str] = []

    def counting(work: Callable[..., Any]) -> Callable[..., Any]:
        def counted(self: hashers.Argon2PasswordHasher, password: str, *rest: str) -> Any:
            done.append(password)
            return work(self, password, *rest)

        return counted

    for name in ("encode", "verify"):
        monkeypatch.setattr(hashers.Argon2PasswordHasher, name, counting(getattr(hashers.Argon2PasswordHasher, name)))
    exhausted = ["erin"] * (limits.PASSWORD.account_here - 1)
    names = ["erin@acme.example", *exhausted, "erin@ACME.example", "both@acme.example", "gone", "without", "nobody@x.example"]
    for name in names:
        done.clear()
        assert "is not right" in answer(name, "wrong"), name
        assert len(done) == 1, name


def test_the_address_of_an_agent_signs_nobody_in(cast: Cast) -> None:
    account = cast.agent.user
    account.email = "runner@acme.example"
    account.set_password(PASSWORD)
    account.save()
    assert not by("runner@acme.example")
    update_person(person=cast.dave, name="Dave", email="", attributes={}, by=SYSTEM, now=NOW)
    assert not by("")
