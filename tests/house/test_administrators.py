import re
from io import StringIO
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.contrib.auth import authenticate
from django.core.management import CommandError, call_command

from agentiam.administrators import make_password
from audit.models import Event
from directory.models import Organization, User
from directory.services.people import deactivate_person
from tests.factories import NOW, SYSTEM, make_organization, make_person
from tests.house.conftest import PASSWORD


def create(**changes: Any) -> str:
    output = StringIO()
    options = {"organization": "acme", "name": "Dora", "email": "dora@acme.example"} | changes
    call_command("create_administrator", stdout=output, **options)
    return output.getvalue()


def test_an_administrator_signs_in_with_what_was_printed(acme: Organization) -> None:
    text = create()
    password = re.search(r"Password:  (\S+)", text)
    assert password
    person = authenticate(username="dora@acme.example", password=password[1])
    assert isinstance(person, User)
    assert (person.is_superuser, person.organization, person.kind) == (False, acme, "person")
    assert (person.console_roles, person.is_staff, person.password_is_temporary) == (["security_administrator"], True, True)
    assert person.has_perm("directory.assign_console_roles")


def test_making_an_administrator_is_an_event_without_the_password(acme: Organization) -> None:
    text = create()
    event = Event.objects.get(type="person.created", target_id="dora@acme.example")
    assert event.actor_id == "create_administrator"
    assert text.split("Password:")[1].split()[0] not in event.body


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"organization": "nobody"}, "no organization 'nobody'"),
        ({"email": "dora"}, "not an e-mail address"),
        ({"name": ""}, "--name is missing"),
    ],
)
def test_what_cannot_be_is_refused(acme: Organization, changes: dict[str, str], problem: str) -> None:
    with pytest.raises(CommandError, match=problem):
        create(**changes)
    assert not User.objects.filter(name="Dora").exists()


def test_a_taken_user_name_is_refused(acme: Organization) -> None:
    create()
    with pytest.raises(CommandError, match="is taken"):
        create(id="another")


def test_an_address_means_the_person_whose_it_is(acme: Organization) -> None:
    alice = make_person(acme, "alice", username="alice@acme", email="Alice@acme.example")
    text = create(email="alice@acme.example", name="")
    assert f"User name: {alice.username}\n" in text
    assert list(User.objects.filter(email__iexact="alice@acme.example")) == [alice]
    make_person(acme, "alix", username="alix@acme", email="alice@acme.example")
    with pytest.raises(CommandError, match=r"Several people .* alice@acme, alix@acme"):
        create(email="alice@acme.example")


def test_a_locked_out_administrator_is_let_in_again(acme: Organization) -> None:
    create()
    person = User.objects.get(username="dora@acme.example")
    make_person(acme, "other", console_roles=["security_administrator"], password=PASSWORD)
    deactivate_person(person=person, by=SYSTEM, now=NOW)
    Authenticator.objects.create(user=person, type="totp", data={"secret": "x"})
    errors = StringIO()
    text = create(name="", stderr=errors)
    assert "one-time password" in errors.getvalue()
    assert "role of security administrator" not in errors.getvalue(), "they have it"
    again = re.search(r"Password:  (\S+)", text)
    assert again
    signed_in = authenticate(username="dora@acme.example", password=again[1])
    assert isinstance(signed_in, User)
    assert signed_in.password_is_temporary
    assert "person.password_changed" in Event.objects.values_list("type", flat=True)
    assert Authenticator.objects.filter(user=person).exists()
    create(reset_second_factor=True)
    assert not Authenticator.objects.filter(user=person).exists()
    assert not any(again[1] in event.body for event in Event.objects.all())


def test_whoever_is_let_in_and_was_no_administrator_is_said_to_be_one_now(acme: Organization) -> None:
    make_person(acme, "auditor", username="ada@acme.example", console_roles=["auditor"], password=PASSWORD)
    errors = StringIO()
    create(name="", email="ada@acme.example", stderr=errors)
    assert "are given the role of security administrator" in errors.getvalue()
    assert User.objects.get(username="ada@acme.example").console_roles == ["auditor", "security_administrator"]


def test_nobody_of_another_organization_is_let_in(acme: Organization) -> None:
    elsewhere = make_person(make_organization("elsewhere"), "eve", username="dora@mail.example", password=PASSWORD)
    with pytest.raises(CommandError, match="is taken"):
        create(email="dora@mail.example")
    with pytest.raises(CommandError, match="another organization's"):
        create(email="dora@elsewhere.example")
    elsewhere.refresh_from_db()
    assert elsewhere.check_password(PASSWORD)
    assert not elsewhere.password_is_temporary


def test_passwords_are_long_and_never_the_same() -> None:
    passwords = {make_password() for _ in range(100)}
    assert len(passwords) == 100
    assert all(re.fullmatch(r"([a-z2-9]{5}-){4}[a-z2-9]{5}", password) for password in passwords)
    assert not any(letter in "".join(passwords) for letter in "ilo01")
