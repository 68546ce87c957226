from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.test import Client

from agentiam.accounts import limits
from audit.models import Event
from directory.models import Organization, User
from directory.services.people import deactivate_person
from tests.factories import NOW, SYSTEM, make_agent, make_person
from tests.house.conftest import PASSWORD

USERNAME = "alice@acme.example"


def sign_in(client: Client, password: str = PASSWORD, username: str = USERNAME, **extra: str):
    return client.post("/login/" + extra.pop("query", ""), {"username": username, "password": password, **extra})


def signed_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def test_a_person_signs_in_and_out(client: Client, people: dict[str, User]) -> None:
    assert sign_in(client).headers["Location"] == "/"
    assert signed_in(client)
    assert client.post("/logout/").headers["Location"] == "/login/"
    assert not signed_in(client)


def test_signing_out_takes_a_post(client: Client, people: dict[str, User]) -> None:
    sign_in(client)
    assert client.get("/logout/").status_code == 405
    assert signed_in(client)


def test_a_person_comes_back_to_where_they_wanted_to_go(client: Client, people: dict[str, User]) -> None:
    assert client.get("/?page=2").headers["Location"] == "/login/?next=/%3Fpage%3D2"
    assert sign_in(client, next="/?page=2").headers["Location"] == "/?page=2"


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example", "javascript:alert(1)", "http:///evil.example"])
def test_nobody_is_sent_to_another_site(client: Client, people: dict[str, User], target: str) -> None:
    assert sign_in(client, next=target).headers["Location"] == "/"


def test_a_wrong_password_and_an_unknown_name_are_refused_alike(client: Client, people: dict[str, User]) -> None:
    wrong = sign_in(client, "wrong").content.decode()
    unknown = sign_in(client, "wrong", "nobody@acme.example").content.decode()
    message = "The user name or the password is not right."
    assert message in wrong
    assert message in unknown
    assert not signed_in(client)
    assert 'value="wrong"' not in wrong


def test_a_deactivated_person_is_refused(client: Client, people: dict[str, User]) -> None:
    deactivate_person(person=people["alice"], by=SYSTEM, now=NOW)
    assert "is not right" in sign_in(client).content.decode()
    assert not signed_in(client)


def test_a_session_ends_when_the_person_is_deactivated(client: Client, people: dict[str, User]) -> None:
    sign_in(client)
    people["alice"].refresh_from_db()
    deactivate_person(person=people["alice"], by=SYSTEM, now=NOW)
    assert client.get("/").status_code == 302


def test_an_agent_never_signs_in_even_with_a_password(client: Client, acme: Organization) -> None:
    account = make_agent(acme, "runner").user
    account.set_password(PASSWORD)
    account.save(update_fields=["password"])
    assert "is not right" in sign_in(client, username=account.username).content.decode()
    assert not signed_in(client)


def test_the_session_gets_a_new_key_at_signing_in(client: Client, people: dict[str, User]) -> None:
    sign_in(client)
    first = client.session.session_key
    client.post("/logout/")
    sign_in(client)
    assert client.session.session_key != first


def test_passwords_are_hashed_with_argon2(acme: Organization) -> None:
    assert make_person(acme, "alice", password=PASSWORD).password.startswith("argon2$argon2id$")


def test_too_many_tries_are_refused_even_with_the_right_password(client: Client, people: dict[str, User]) -> None:
    for _ in range(limits.PASSWORD.account_here):
        sign_in(client, "wrong")
    assert "Too many tries" in sign_in(client).content.decode()
    assert not signed_in(client)


def test_somebody_elses_tries_do_not_lock_a_person_out(client: Client, people: dict[str, User]) -> None:
    for _ in range(limits.PASSWORD.account_here + 1):
        sign_in(Client(REMOTE_ADDR="192.0.2.7"), "wrong")
    sign_in(client)
    assert signed_in(client)


def test_a_name_in_other_letters_counts_as_the_same(client: Client, people: dict[str, User]) -> None:
    for _ in range(limits.PASSWORD.account_here):
        sign_in(client, "wrong", USERNAME.upper())
    assert "Too many tries" in sign_in(client).content.decode()


def test_signing_in_forgets_the_tries_before(client: Client, people: dict[str, User]) -> None:
    for _ in range(3):
        for _ in range(limits.PASSWORD.account_here - 1):
            sign_in(client, "wrong")
        sign_in(client)
        assert signed_in(client)
        client.post("/logout/")


def test_tries_at_once_are_all_counted() -> None:
    with ThreadPoolExecutor(16) as pool:
        counts = list(pool.map(lambda _: limits._count("test", 60), range(64)))
    assert sorted(counts) == list(range(1, 65))


def test_signing_in_and_out_and_refusals_are_events(client: Client, people: dict[str, User]) -> None:
    sign_in(client, "hunter2 hunter2")
    sign_in(client)
    client.post("/logout/")
    events = list(Event.objects.filter(type__in=["person.refused", "person.signed_in", "person.signed_out"]).order_by("id"))
    assert [(event.type, event.actor_id, event.target_id) for event in events] == [
        ("person.refused", "sign-in", "alice"),
        ("person.signed_in", "alice", "alice"),
        ("person.signed_out", "alice", "alice"),
    ]
    assert all("127.0.0.1" in event.body and event.request_id for event in events)
    assert not any("hunter2" in event.body for event in events)
    assert '"methods":["password"]' in events[1].body
    assert '"cause":"wrong password"' in events[0].body


def test_what_is_typed_for_an_unknown_name_is_kept_nowhere(client: Client, people: dict[str, User]) -> None:
    before = Event.objects.count()
    sign_in(client, "x", "my password in the wrong field")
    assert Event.objects.count() == before


def test_a_signed_in_person_is_sent_on_from_the_sign_in_page(as_: Callable[[str], Client]) -> None:
    assert as_("alice").get("/login/").headers["Location"] == "/"


def test_the_form_says_what_belongs_where(client: Client, db: None) -> None:
    text = client.get("/login/").content.decode()
    assert 'autocomplete="username webauthn"' in text
    assert 'autocomplete="current-password"' in text
    assert '<label for="id_username">User name or e-mail</label>' in text
