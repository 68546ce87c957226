"""Authenticator apps and recovery codes: each code once, few tries, and nothing readable at rest."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.db import connection
from django.test import Client

from agentiam.accounts import limits
from agentiam.accounts.forms import AddAppForm
from audit.models import Event
from directory.models import User
from directory.services.people import deactivate_person
from tests.factories import NOW, SYSTEM
from tests.people.conftest import Cast, add_app, code_of, grow_old, sign_in, signed_in

ClientOf = Callable[[User], Client]


def second_step(client: Client, code: str) -> Any:
    return client.post("/login/second-factor/", {"code": code})


def recovery_codes(client: Client) -> list[str]:
    return re.findall(r"<li><code>(\d+)</code></li>", client.get("/account/recovery-codes/").content.decode())


def bodies(kind: str) -> list[dict[str, Any]]:
    return [json.loads(event.body) for event in Event.objects.filter(type=kind).order_by("id")]


def test_with_an_app_a_password_alone_does_not_sign_in(as_: ClientOf, cast: Cast) -> None:
    secret = add_app(as_(cast.dave))
    client = Client()
    assert sign_in(client, cast.dave).headers["Location"].startswith("/login/second-factor/")
    assert not signed_in(client)
    assert second_step(client, code_of(secret)).headers["Location"] == "/"
    assert signed_in(client)
    assert bodies("person.signed_in")[-1]["data"]["methods"] == ["password", "totp"]


def test_what_was_wanted_is_kept_over_the_second_step(as_: ClientOf, cast: Cast) -> None:
    secret = add_app(as_(cast.dave))
    client = Client()
    sign_in(client, cast.dave, next="/account/")
    assert second_step(client, code_of(secret)).headers["Location"] == "/account/"


def test_a_code_is_good_once_in_whichever_process(as_: ClientOf, cast: Cast, settings: Any) -> None:
    secret = add_app(as_(cast.dave))
    code = code_of(secret)
    first, second = Client(), Client()
    for client in (first, second):
        sign_in(client, cast.dave)
    assert second_step(first, code).status_code == 302
    # Another process has another memory.
    settings.CACHES = {"default": settings.CACHES["default"] | {"KEY_PREFIX": "another-process"}}
    assert "used before" in second_step(second, code).content.decode()
    assert not signed_in(second)
    # Nor does an older one that nobody has used.
    assert second_step(second, code_of(secret, later=-1)).status_code == 200
    assert not signed_in(second)
    assert "code used before" in [body["data"]["cause"] for body in bodies("person.refused")]


def test_codes_cannot_be_tried_out(as_: ClientOf, cast: Cast) -> None:
    secret = add_app(as_(cast.dave))
    client = Client()
    sign_in(client, cast.dave)
    for _ in range(limits.SECOND_FACTOR.account_here):
        second_step(client, "000000")
    assert "Too many tries" in second_step(client, code_of(secret)).content.decode()
    # Beginning anew, or coming from elsewhere, gives few further tries.
    tries = 0
    for number in range(40):
        other = Client(REMOTE_ADDR=f"192.0.2.{number}")
        sign_in(other, cast.dave)
        if "Too many tries" in second_step(other, "000000").content.decode():
            break
        tries += 1
    assert tries <= limits.SECOND_FACTOR.account
    causes = [body["data"]["cause"] for body in bodies("person.refused")]
    assert causes.count("wrong code") <= limits.SECOND_FACTOR.account
    assert "too many tries" in causes


def test_a_recovery_code_signs_in_once(as_: ClientOf, cast: Cast) -> None:
    owner = as_(cast.dave)
    add_app(owner)
    codes = recovery_codes(owner)
    assert len(codes) == 10
    assert recovery_codes(owner) == []
    client = Client()
    sign_in(client, cast.dave)
    assert second_step(client, codes[0]).status_code == 302
    assert bodies("person.signed_in")[-1]["data"]["methods"] == ["password", "recovery_codes"]
    again = Client()
    sign_in(again, cast.dave)
    assert second_step(again, codes[0]).status_code == 200
    assert not signed_in(again)


def test_recovery_codes_cannot_be_tried_out(as_: ClientOf, cast: Cast) -> None:
    owner = as_(cast.dave)
    add_app(owner)
    codes = recovery_codes(owner)
    client = Client()
    sign_in(client, cast.dave)
    for number in range(limits.SECOND_FACTOR.account_here):
        second_step(client, f"{number:010}")
    assert "Too many tries" in second_step(client, codes[0]).content.decode()


def test_secrets_are_sealed_in_the_database_and_in_no_event(as_: ClientOf, cast: Cast) -> None:
    client = as_(cast.dave)
    secret = add_app(client)
    codes = recovery_codes(client)
    with connection.cursor() as cursor:
        cursor.execute("SELECT data FROM mfa_authenticator")
        stored = str(cursor.fetchall())
    logged = "".join(Event.objects.values_list("body", flat=True))
    for text in (secret, *codes):
        assert text not in stored
        assert text not in logged
    assert {event.type for event in Event.objects.filter(target_id="dave")} >= {"second_factor.added", "recovery_codes.made"}


def test_removing_the_app_asks_for_a_code_and_not_only_for_the_password(as_: ClientOf, cast: Cast, settings: Any) -> None:
    client = as_(cast.dave)
    secret = add_app(client)
    grow_old(client)
    assert client.post("/account/app/remove/").headers["Location"].startswith("/account/proof/")
    assert client.get("/account/proof/?next=/account/app/remove/").headers["Location"].startswith("/account/proof/code/")
    assert client.post("/account/proof/", {"password": "correct horse battery staple"}).status_code == 302
    assert Authenticator.objects.filter(user=cast.dave, type="totp").exists()
    # What was to be done is done once it is proved.
    proved = client.post("/account/proof/code/", {"code": code_of(secret), "next": "/account/app/remove/"})
    assert proved.headers["Location"] == "/account/"
    assert not Authenticator.objects.filter(user=cast.dave).exists()
    assert [body["data"] for body in bodies("person.reauthenticated")] == [{"method": "totp"}]
    assert bodies("second_factor.removed")


def test_new_recovery_codes_make_the_old_ones_void(as_: ClientOf, cast: Cast) -> None:
    client = as_(cast.dave)
    add_app(client)
    old = recovery_codes(client)
    client.post("/account/recovery-codes/new/")
    new = recovery_codes(client)
    assert len(new) == 10
    assert not set(old) & set(new)
    other = Client()
    sign_in(other, cast.dave)
    assert second_step(other, old[1]).status_code == 200
    assert second_step(other, new[1]).status_code == 302


def test_no_second_factor_is_added_to_an_account_that_is_closed_meanwhile(
    as_: ClientOf, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = as_(cast.dave)
    client.get("/account/app/")
    secret = client.session["mfa.totp.secret"]
    valid = AddAppForm.is_valid

    def is_valid(form: Any) -> bool:
        answer: bool = valid(form)
        User.objects.filter(pk=cast.dave.pk).update(is_active=False)
        return answer

    monkeypatch.setattr(AddAppForm, "is_valid", is_valid)
    assert client.post("/account/app/", {"code": code_of(secret)}).status_code == 403
    assert not Authenticator.objects.exists()


def test_whoever_is_deactivated_between_the_steps_stays_out(as_: ClientOf, cast: Cast) -> None:
    secret = add_app(as_(cast.bob))
    client = Client()
    sign_in(client, cast.bob)
    deactivate_person(person=User.objects.get(pk=cast.bob.pk), by=SYSTEM, now=NOW)
    second_step(client, code_of(secret))
    assert not signed_in(client)


def test_a_sign_in_that_waits_can_be_given_up(as_: ClientOf, cast: Cast) -> None:
    secret = add_app(as_(cast.dave))
    client = Client()
    sign_in(client, cast.dave)
    assert client.get("/login/").headers["Location"] == "/login/second-factor/"
    assert client.post("/login/begin-anew/").headers["Location"] == "/login/"
    assert client.get("/login/").status_code == 200
    assert second_step(client, code_of(secret)).headers["Location"].startswith("/login/")
    assert not signed_in(client)


def test_a_session_that_was_handed_to_somebody_is_never_theirs(as_: ClientOf, cast: Cast) -> None:
    secret = add_app(as_(cast.dave))
    attacker, victim = Client(), Client()
    session = attacker.session
    session["planted"] = True
    session.save()
    victim.cookies["agentiam-session"] = session.session_key
    sign_in(victim, cast.dave)
    # The attacker knows the key of before: what the victim proved is not behind it.
    attacker.cookies["agentiam-session"] = session.session_key
    assert attacker.get("/login/second-factor/").headers["Location"].startswith("/login/")
    second_step(victim, code_of(secret))
    assert signed_in(victim)
    assert not signed_in(attacker)
    assert session.session_key != victim.session.session_key


@pytest.mark.parametrize("path", ["/account/app/", "/account/passkeys/new/"])
def test_nobody_adds_a_second_factor_to_a_session_left_open(as_: ClientOf, cast: Cast, path: str) -> None:
    client = as_(cast.dave)
    grow_old(client)
    assert client.get(path).headers["Location"].startswith("/account/proof/")
    wrong = client.post("/account/proof/", {"password": "wrong", "next": path})
    assert "not right" in wrong.content.decode()
    assert (
        client.post("/account/proof/", {"password": "correct horse battery staple", "next": path}).headers["Location"] == path
    )
    assert client.get(path).status_code == 200
