import re
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth import authenticate
from django.core.management import CommandError, call_command

from agentiam.administrators import make_password
from audit.models import Event
from directory.models import Organization, User


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
    assert (person.is_superuser, person.organization, person.kind) == (True, acme, "person")


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


def test_passwords_are_long_and_never_the_same() -> None:
    passwords = {make_password() for _ in range(100)}
    assert len(passwords) == 100
    assert all(re.fullmatch(r"([a-z2-9]{5}-){4}[a-z2-9]{5}", password) for password in passwords)
    assert not any(letter in "".join(passwords) for letter in "ilo01")
