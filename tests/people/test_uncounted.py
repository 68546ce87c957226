"""While tries cannot be counted, nobody signs in: neither who knows the password nor who guesses; and nothing breaks."""

import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings as configured
from django.core.cache import cache
from django.test import Client
from redis import ConnectionError as NobodyThere

from agentiam.accounts import forms, limits, resets
from agentiam.accounts.limits import NotCounted, TooManyTries, Tries
from agentiam.accounts.saml import AssertionRefused, use_up
from tests.people.conftest import PASSWORD, Cast, sign_in, signed_in

SENTENCE = "Signing in is not possible for the moment. Try again in a few minutes."
REDIS = "django.core.cache.backends.redis.RedisCache"
MEMORY = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
STORAGES = [MEMORY, {"BACKEND": REDIS, "LOCATION": configured.REDIS_URL}] if configured.REDIS_URL else [MEMORY]


@pytest.fixture
def without_redis(settings: Any) -> None:
    settings.CACHES = {"default": {"BACKEND": REDIS, "LOCATION": "redis://127.0.0.1:1/0"}}


def test_nobody_signs_in_by_a_password_and_everybody_is_told_the_same(cast: Cast, without_redis: None) -> None:
    answers = [sign_in(Client(), cast.alice, PASSWORD), sign_in(Client(), cast.alice, "wrong")]
    answers.append(Client().post("/login/", {"username": "nobody@acme.example", "password": "wrong"}))
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert all(SENTENCE in answer.content.decode() for answer in answers)
    assert not any(signed_in(answer.client) for answer in answers)


def test_a_password_is_not_even_looked_at(cast: Cast, without_redis: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def look(*_arguments: object, **_options: object) -> None:
        raise AssertionError("a password was looked at without a count")

    monkeypatch.setattr(forms, "authenticate", look)
    assert SENTENCE in sign_in(Client(), cast.alice, "wrong").content.decode()


def test_who_is_signed_in_stays_so_and_can_prove_nothing_anew(cast: Cast, as_: Any, without_redis_later: Any) -> None:
    client = as_(cast.alice)
    without_redis_later()
    assert signed_in(client)
    words = {"oldpassword": PASSWORD, "password1": "another horse battery", "password2": "another horse battery"}
    answer = client.post("/account/password/", words)
    assert SENTENCE in answer.content.decode()
    cast.alice.refresh_from_db()
    assert cast.alice.check_password(PASSWORD)


@pytest.fixture
def without_redis_later(settings: Any) -> Any:
    def begin() -> None:
        settings.CACHES = {"default": {"BACKEND": REDIS, "LOCATION": "redis://127.0.0.1:1/0"}}

    return begin


def test_links_say_it_with_a_status_of_their_own(cast: Cast, without_redis: None) -> None:
    for path in ("/login/forgotten/whatever/", "/invitations/whatever/"):
        answer = Client().get(path)
        assert answer.status_code == 503, path
        assert SENTENCE in answer.content.decode()


def test_a_forgotten_password_is_not_mailed_but_asked_for_later(cast: Cast, without_redis: None) -> None:
    answer = Client().post("/login/forgotten/", {"username": "alice@acme.example"})
    assert answer.status_code == 200
    assert SENTENCE in answer.content.decode()
    # The job is tried again: its mail is late, not lost.
    with pytest.raises(NotCounted):
        resets.mail_link(person_id=cast.alice.pk, address="192.0.2.7", request_id="r")


def test_a_right_try_is_not_spoilt_by_a_redis_that_goes_away_after_it(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_arguments: object, **_options: object) -> None:
        raise NobodyThere("gone")

    monkeypatch.setattr(type(cache._connections["default"]), "delete_many", gone)
    client = Client()
    assert sign_in(client, cast.alice).status_code == 302
    assert signed_in(client)


def test_an_assertion_that_cannot_be_remembered_is_refused(without_redis: None) -> None:
    response = SimpleNamespace(get_last_assertion_not_on_or_after=lambda: time.time() + 60, get_last_assertion_id=lambda: "one")
    with pytest.raises(AssertionRefused):
        use_up("acme", response)


@pytest.mark.parametrize("storage", STORAGES, ids=["memory", "redis"][: len(STORAGES)])
def test_of_many_tries_at_once_exactly_the_allowed_number_is_looked_at(settings: Any, storage: dict[str, str]) -> None:
    settings.CACHES = {"default": storage | {"KEY_PREFIX": uuid4().hex}}
    tries = Tries(way="password", limits=limits.PASSWORD, account="alice", address="192.0.2.7")

    def looked_at(_: int) -> bool:
        try:
            tries.spend()
        except TooManyTries:
            return False
        return True

    with ThreadPoolExecutor(24) as pool:
        assert sum(pool.map(looked_at, range(100))) == limits.PASSWORD.account_here
