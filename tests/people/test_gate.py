"""What must be done first is done first, on every way: a temporary password, and a second factor that is required."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client, RequestFactory
from django.urls import URLPattern, URLResolver, get_resolver

from agentiam.accounts.gate import ALWAYS, CHANGING, ENROLLING
from agentiam.accounts.stepup import prove_again, recently_proved
from audit.models import Event
from directory.models import User
from directory.services.people import NotYourPassword, PasswordUsedUp, deactivate_person, set_password, use_up_password
from tests.factories import NOW, SYSTEM
from tests.people.conftest import PASSWORD, Cast, add_app, code_of, grow_old, sign_in, signed_in

ClientOf = Callable[[User], Client]
GIVEN = "given by the operator"


def reset(user: User) -> None:
    set_password(person=user, password=GIVEN, temporary=True, by=SYSTEM, now=NOW)


def change(client: Client, old: str, new: str, again: str = "") -> Any:
    return client.post("/account/password/", {"oldpassword": old, "password1": new, "password2": again or new})


def choose(client: Client, new: str, again: str = "") -> Any:
    return client.post("/account/password/", {"password1": new, "password2": again or new})


def test_a_temporary_password_is_good_for_one_sign_in(cast: Cast) -> None:
    reset(cast.alice)
    first, second = Client(), Client()
    assert sign_in(first, cast.alice, "wrong").status_code == 200
    assert sign_in(first, cast.alice, GIVEN).status_code == 302
    assert first.get("/").headers["Location"] == "/account/password/"
    assert "is not right" in sign_in(second, cast.alice, GIVEN).content.decode()
    first.post("/logout/")
    assert "is not right" in sign_in(first, cast.alice, GIVEN).content.decode()
    used = Event.objects.filter(type="person.password_used_up")
    assert [(event.actor_id, event.target_id) for event in used] == [("alice", "alice")]
    # The operator lets in whoever lost that session.
    reset(cast.alice)
    assert sign_in(second, cast.alice, GIVEN).status_code == 302
    assert choose(second, "another long password").headers["Location"] == "/account/"
    assert sign_in(first, cast.alice, "another long password").status_code == 302
    assert first.get("/").status_code == 200


def test_a_temporary_password_is_used_up_by_the_whole_sign_in_only(cast: Cast, as_: ClientOf) -> None:
    secret = add_app(as_(cast.alice))
    reset(cast.alice)
    client = Client()
    sign_in(client, cast.alice, GIVEN)
    assert User.objects.get(pk=cast.alice.pk).check_password(GIVEN)
    client.post("/login/second-factor/", {"code": code_of(secret)})
    assert not User.objects.get(pk=cast.alice.pk).has_usable_password()
    assert choose(client, "another long password").headers["Location"] == "/account/"


def test_of_two_sign_ins_with_a_temporary_password_at_once_one_gets_in(cast: Cast) -> None:
    reset(cast.alice)
    person = User.objects.get(pk=cast.alice.pk)
    use_up_password(person=person, by=person.as_actor(), now=NOW)
    with pytest.raises(PasswordUsedUp):
        use_up_password(person=person, by=person.as_actor(), now=NOW)
    with pytest.raises(NotYourPassword):
        use_up_password(person=person, by=cast.adam.as_actor(), now=NOW)


@pytest.mark.parametrize("path", ["/", "/account/", "/account/app/", "/account/sessions/end-others/", "/admin/"])
def test_a_temporary_password_opens_no_page(cast: Cast, path: str) -> None:
    reset(cast.alice)
    client = Client()
    sign_in(client, cast.alice, GIVEN)
    for answer in (client.get(path), client.post(path)):
        assert (answer.status_code, answer.headers["Location"]) == (302, "/account/password/")


@pytest.mark.parametrize("path", ["/api/v1/agents", "/api/v1/people", "/api/v1/events"])
def test_a_temporary_password_opens_no_api_with_its_session(cast: Cast, path: str) -> None:
    reset(cast.alice)
    client = Client()
    sign_in(client, cast.alice, GIVEN)
    answer = client.get(path)
    assert answer.status_code == 403
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["type"] == "urn:agentiam:problem:account-not-ready"


def test_the_gate_names_addresses_that_exist() -> None:
    def names(patterns: list[URLPattern | URLResolver]) -> list[str]:
        return [
            name
            for each in patterns
            for name in (names(each.url_patterns) if isinstance(each, URLResolver) else [str(each.name)])
        ]

    # Those of SAML exist where it is configured.
    named = {name for name in ALWAYS | CHANGING | ENROLLING if not name.startswith("saml_")}
    assert named <= set(names(get_resolver().url_patterns))


def test_changing_a_temporary_password_opens_the_rest_and_ends_what_was_before(cast: Cast, as_: ClientOf) -> None:
    before = as_(cast.alice)
    reset(cast.alice)
    assert not signed_in(before)
    client = Client()
    sign_in(client, cast.alice, GIVEN)
    assert 'name="oldpassword"' not in client.get("/account/password/").content.decode()
    assert "is the password that you were given" in choose(client, GIVEN).content.decode()
    assert "too short" in choose(client, "short").content.decode()
    assert "not the same" in choose(client, "another long password", "another long passwort").content.decode()
    assert choose(client, "another long password").headers["Location"] == "/account/"
    assert client.get("/").status_code == 200
    assert not User.objects.get(pk=cast.alice.pk).password_is_temporary
    assert (
        "is the password that you have now" in change(client, "another long password", "another long password").content.decode()
    )
    changed = Event.objects.filter(type="person.password_changed").order_by("id").last()
    assert changed is not None
    assert (changed.actor_id, changed.target_id) == ("alice", "alice")
    assert "another long password" not in "".join(Event.objects.values_list("body", flat=True))


def test_changing_the_password_ends_every_other_session(cast: Cast, as_: ClientOf) -> None:
    here, there = as_(cast.dave), as_(cast.dave)
    key = here.session.session_key
    change(here, PASSWORD, "another long password")
    assert signed_in(here)
    assert not signed_in(there)
    assert here.session.session_key != key


def test_the_password_that_one_has_cannot_be_tried_out(cast: Cast, as_: ClientOf) -> None:
    client = as_(cast.dave)
    for _ in range(5):
        assert "is not right" in change(client, "wrong", "another long password").content.decode()
    assert "Too many tries" in change(client, PASSWORD, "another long password").content.decode()
    assert "Too many tries" in client.post("/account/proof/", {"password": PASSWORD}).content.decode()


def test_a_live_cookie_of_somebody_deactivated_opens_nothing(cast: Cast, as_: ClientOf) -> None:
    client = as_(cast.dave)
    session = dict(client.session.items())
    deactivate_person(person=User.objects.get(pk=cast.dave.pk), by=SYSTEM, now=NOW)
    assert not signed_in(client)
    # Not even if the session itself had survived somewhere.
    other = client.session
    other.update(session)
    other.save()
    client.cookies["agentiam-session"] = other.session_key
    assert not signed_in(client)
    assert client.get("/api/v1/agents").status_code in {401, 403}


def test_an_agents_account_has_no_session_however_it_came_to_it(cast: Cast) -> None:
    client = Client()
    client.force_login(cast.agent.user)
    assert not signed_in(client)


def test_people_with_power_set_up_a_second_factor_before_anything_else(cast: Cast, as_: ClientOf, settings: Any) -> None:
    settings.REQUIRE_SECOND_FACTOR = True
    for user in (cast.alice, cast.bob):
        client = as_(user)
        for path in ("/", "/api/v1/agents"):
            answer = client.get(path)
            assert answer.status_code == (403 if path.startswith("/api") else 302)
        assert "ask for a second factor" in client.get("/account/").content.decode()
        add_app(client)
        assert client.get("/").status_code == 200
        assert "ask for a second factor" not in client.get("/account/").content.decode()


def test_others_need_none_and_nobody_does_where_it_is_not_required(cast: Cast, as_: ClientOf, settings: Any) -> None:
    settings.REQUIRE_SECOND_FACTOR = True
    assert as_(cast.carol).get("/").status_code == 200
    settings.REQUIRE_SECOND_FACTOR = False
    assert as_(cast.alice).get("/").status_code == 200


def test_who_removes_the_last_second_factor_sets_up_another(cast: Cast, as_: ClientOf, settings: Any) -> None:
    settings.REQUIRE_SECOND_FACTOR = True
    client = as_(cast.alice)
    secret = add_app(client)
    client.post("/account/app/remove/")
    other = as_(cast.alice)
    assert other.get("/").headers["Location"] == "/account/"
    assert secret


def request_of(client: Client, user: User) -> Any:
    request = RequestFactory().get("/risky/?a=1")
    request.session = client.session
    request.user = user
    return request


def test_a_fresh_proof_is_of_the_last_minutes_and_of_the_kind_that_is_asked_for(cast: Cast, as_: ClientOf) -> None:
    client = as_(cast.dave)
    minutes = timedelta(minutes=5)
    assert recently_proved(request_of(client, cast.dave), within=minutes, strong=False)
    assert not recently_proved(request_of(client, cast.dave), within=minutes, strong=True)
    secret = add_app(client)
    assert recently_proved(request_of(client, cast.dave), within=minutes, strong=True)
    grow_old(client)
    assert not recently_proved(request_of(client, cast.dave), within=minutes, strong=False)
    assert recently_proved(request_of(client, cast.dave), within=timedelta(minutes=6), strong=True)
    client.post("/account/proof/code/", {"code": code_of(secret), "next": "/account/"})
    assert recently_proved(request_of(client, cast.dave), within=minutes, strong=True)


def test_a_proof_of_tomorrow_or_of_somebody_else_is_none(cast: Cast, as_: ClientOf) -> None:
    client = as_(cast.dave)
    assert not recently_proved(request_of(client, cast.carol), within=timedelta(minutes=5), strong=False)
    grow_old(client, seconds=-60)
    assert not recently_proved(request_of(client, cast.dave), within=timedelta(minutes=5), strong=False)


def test_whoever_must_prove_again_is_sent_back_to_what_they_wanted(cast: Cast, as_: ClientOf) -> None:
    answer = prove_again(request_of(as_(cast.dave), cast.dave))
    assert answer.headers["Location"] == "/account/proof/?next=%2Frisky%2F%3Fa%3D1"
