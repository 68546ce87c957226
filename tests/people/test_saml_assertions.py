"""A SAML assertion signs in one person of its provider's organization, once, in the browser that asked for it."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from allauth.socialaccount.models import SocialAccount
from allauth.socialaccount.providers import registry
from allauth.socialaccount.providers.saml.provider import SAMLProvider
from django.test import Client

from agentiam.accounts import limits
from agentiam.accounts.provider_settings import Provider, saml_apps
from audit.models import Event
from directory.services.people import deactivate_person
from tests.factories import SYSTEM
from tests.people.conftest import Cast, signed_in
from tests.people.saml_identity_provider import Said, SamlProvider, begin, changed, response_around, send

PLACES = ("acme", "elsewhere")


@pytest.fixture(scope="module")
def keys() -> dict[str, SamlProvider]:
    """Make the two organizations' providers once: keys take their time."""
    return {place: SamlProvider() for place in PLACES}


@pytest.fixture
def idp(cast: Cast, settings: Any, keys: dict[str, SamlProvider]) -> Iterator[SamlProvider]:
    providers = tuple(
        Provider(
            id=f"{place}-saml",
            name=f"{place.capitalize()} SAML",
            organization=place,
            client_id=place,
            email_domains=(f"{place}.example",),
            settings=keys[place].settings,
        )
        for place in PLACES
    )
    settings.SAML_PROVIDERS = providers
    settings.SOCIALACCOUNT_PROVIDERS = {"saml": {"APPS": saml_apps(providers)}}
    settings.ROOT_URLCONF = "tests.people.saml_urls"
    registry.get_class_list()
    registry.register(SAMLProvider)
    yield keys["acme"]
    del registry.provider_map[SAMLProvider.id]


def browser() -> Client:
    """Give a browser, which names the host."""
    return Client(headers={"host": "127.0.0.1:8000"})


def refused(client: Client, answer: Any) -> bool:
    """Tell whether somebody was sent back to the sign-in page, in no session, without a link to an account."""
    words = client.get("/login/").content.decode()
    said = "did not work" in words or "nobody here is known" in words
    return answer.headers.get("Location") == "/login/" and said and not signed_in(client)


@pytest.mark.parametrize("sign", ["assertion", "response"])
def test_a_good_assertion_signs_in_the_person_that_it_names(idp: SamlProvider, cast: Cast, sign: str) -> None:
    client = browser()
    said = begin(client, next="/account/")
    assert send(client, idp.answer(said, sign=sign)).headers["Location"] == "/account/"
    assert "Dave, dave@acme.example, Acme" in client.get("/account/").content.decode()
    account = SocialAccount.objects.get()
    assert (account.user, account.provider, account.uid, account.extra_data) == (cast.dave, "acme-saml", "d-1", {})
    body = json.loads(Event.objects.get(type="person.signed_in", target_id="dave").body)
    assert body["data"] == {"methods": ["provider"], "provider": "acme-saml"}
    # The next time it is the identity that counts, and a new assertion is as good as the first.
    again = browser()
    send(again, idp.answer(changed(begin(again), email="other@acme.example")))
    assert signed_in(again)


def test_an_assertion_that_was_changed_signs_nobody_in(idp: SamlProvider) -> None:
    for before, after in (
        ("dave@acme.example", "alice@acme.example"),
        (">d-1<", ">a-1<"),
        ("cm:bearer", "cm:sender-vouches"),
    ):
        for sign in ("assertion", "response"):
            client = browser()
            whole = idp.answer(begin(client), sign=sign)
            assert before in whole
            assert refused(client, send(client, whole.replace(before, after)))
    assert not SocialAccount.objects.exists()


def test_an_assertion_without_a_signature_signs_nobody_in(idp: SamlProvider) -> None:
    client = browser()
    assert refused(client, send(client, idp.answer(begin(client), sign="nothing")))


def test_an_assertion_signed_by_another_key_signs_nobody_in(idp: SamlProvider, keys: dict[str, SamlProvider]) -> None:
    # Of a stranger, and of another organization's provider, which is known here.
    for other in (SamlProvider(), keys["elsewhere"]):
        client = browser()
        assert refused(client, send(client, other.answer(begin(client))))


def test_a_second_assertion_beside_the_signed_one_signs_nobody_in(idp: SamlProvider) -> None:
    client = browser()
    said = begin(client)
    good, forged = idp.sign(said.assertion()), changed(said, email="alice@acme.example", subject="a-1").assertion()
    for both in (good + forged, forged + good):
        assert refused(client, send(client, response_around(both, request=said.request)))
    # The signed one hidden within the forged one, so that its signature still holds.
    wrapped = forged.replace("</saml:Assertion>", f"<saml:Advice>{good}</saml:Advice></saml:Assertion>")
    assert refused(client, send(client, response_around(wrapped, request=said.request)))


@pytest.mark.parametrize(
    "change",
    [
        {"audience": "https://other.example/metadata/"},
        {"audience": "http://127.0.0.1:8000/login/saml/elsewhere/metadata/"},
        {"recipient": "https://other.example/acs/"},
        {"recipient": "http://127.0.0.1:8000/login/saml/elsewhere/acs/"},
        {"issuer": "https://other.example/saml"},
        {"ends": timedelta(minutes=-6), "starts": timedelta(minutes=-20)},
        {"starts": timedelta(minutes=6), "ends": timedelta(minutes=20)},
        {"has_end": False},
        {"names_request": False},
        {"request": "_of-somebody-else"},
    ],
    ids=str,
)
def test_an_assertion_for_another_place_or_time_signs_nobody_in(idp: SamlProvider, change: dict[str, Any]) -> None:
    client = browser()
    said = begin(client)
    assert refused(client, send(client, idp.answer(changed(said, **change), request=said.request)))
    assert not SocialAccount.objects.exists()


def test_an_assertion_is_over_when_it_says_so(idp: SamlProvider) -> None:
    client = browser()
    whole = idp.answer(begin(client))
    with time_machine.travel(datetime.now(UTC) + timedelta(minutes=5, seconds=1)):
        assert refused(client, send(client, whole))


def test_a_replayed_assertion_signs_nobody_in(idp: SamlProvider) -> None:
    client = browser()
    whole = idp.answer(begin(client))
    send(client, whole)
    assert signed_in(client)
    client.post("/logout/")
    # In the same browser, and in another, which has asked for something itself.
    assert refused(client, send(client, whole))
    thief = browser()
    begin(thief)
    assert refused(thief, send(thief, whole))


def test_an_assertion_of_the_same_number_is_a_replay_whatever_request_it_names(idp: SamlProvider) -> None:
    client = browser()
    send(client, idp.answer(changed(begin(client), number="_twice")))
    assert signed_in(client)
    again = browser()
    assert refused(again, send(again, idp.answer(changed(begin(again), number="_twice"))))


def test_a_stolen_assertion_in_a_response_for_the_thiefs_request_signs_nobody_in(idp: SamlProvider) -> None:
    victim, thief = browser(), browser()
    for said in (begin(victim), changed(begin(victim), names_request=False)):
        mine = begin(thief)
        stolen = idp.sign(said.assertion())
        assert refused(thief, send(thief, response_around(stolen, request=mine.request)))


def test_a_response_that_nobody_asked_for_signs_nobody_in(idp: SamlProvider) -> None:
    client = browser()
    unasked = Said(request="", names_request=False)
    assert refused(client, send(client, idp.answer(unasked)))
    assert refused(client, send(client, idp.answer(Said(request="_made-up"))))


def test_an_answer_after_ten_minutes_signs_nobody_in(idp: SamlProvider) -> None:
    client = browser()
    said = begin(client)
    with time_machine.travel(datetime.now(UTC) + timedelta(minutes=11)):
        assert refused(client, send(client, idp.answer(said)))


def test_a_provider_signs_in_nobody_of_another_organization(
    idp: SamlProvider, keys: dict[str, SamlProvider], cast: Cast
) -> None:
    client = browser()
    assert refused(client, send(client, idp.answer(changed(begin(client), email="mallory@elsewhere.example"))))
    # Nor does the other organization's provider sign in as somebody of ours, with everything else right.
    theirs = changed(begin(client, "elsewhere-saml"), email="dave@acme.example")
    assert refused(client, send(client, keys["elsewhere"].answer(theirs), to="elsewhere"))
    # Not even if the account was linked otherwise.
    SocialAccount.objects.create(user=cast.mallory, provider="acme-saml", uid="d-1")
    assert refused(client, send(client, idp.answer(begin(client))))


def test_an_answer_of_one_provider_is_nothing_at_the_address_of_another(
    idp: SamlProvider, keys: dict[str, SamlProvider]
) -> None:
    client = browser()
    said = begin(client)
    for signer in keys.values():
        assert refused(client, send(client, signer.answer(said), to="elsewhere"))


def test_a_second_identity_with_the_address_of_a_linked_person_is_refused(idp: SamlProvider, cast: Cast) -> None:
    first = browser()
    send(first, idp.answer(begin(first)))
    second = browser()
    assert refused(second, send(second, idp.answer(changed(begin(second), subject="d-2"))))


def test_a_deactivated_person_is_not_signed_in(idp: SamlProvider, cast: Cast) -> None:
    deactivate_person(person=cast.dave, by=SYSTEM, now=datetime.now(UTC))
    client = browser()
    send(client, idp.answer(begin(client)))
    assert not signed_in(client)


@pytest.mark.parametrize("text", ["", "no XML", "<a/>", "<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/hostname'>]><a>&b;</a>"])
def test_what_is_no_response_is_refused_and_breaks_nothing(idp: SamlProvider, text: str) -> None:
    client = browser()
    begin(client)
    assert refused(client, send(client, text))


def test_answers_are_limited_from_one_place_before_anything_is_kept(idp: SamlProvider) -> None:
    client = browser()
    for _ in range(limits.LINK.address):
        client.post("/login/saml/acme/acs/", {"SAMLResponse": "x"})
    answer = client.post("/login/saml/acme/acs/", {"SAMLResponse": "x"})
    assert answer.headers["Location"] == "/login/"
    assert "Too many tries" in client.get("/login/").content.decode()


def test_the_provider_signs_out_and_nobody_else_does(idp: SamlProvider, keys: dict[str, SamlProvider]) -> None:
    client = browser()
    send(client, idp.answer(begin(client)))
    assert client.get(idp.sign_out(signed=False)).status_code == 400
    assert client.get(idp.sign_out(signed=False) + "&Signature=").status_code == 400
    assert client.get(keys["elsewhere"].sign_out(signed=True)).status_code == 400
    for text in ("", "x", "PGEvPg==", "eA=="):
        for name in ("SAMLRequest", "SAMLResponse"):
            assert client.get("/login/saml/acme/sls/", {name: text, "Signature": "x"}).status_code == 400
    assert client.get("/login/saml/acme/sls/", {"Signature": "x"}).status_code == 400
    assert signed_in(client)
    assert client.get(idp.sign_out(signed=True)).status_code == 302
    assert not signed_in(client)


def test_a_sign_in_begins_by_a_form_of_the_sign_in_page(idp: SamlProvider) -> None:
    client = browser()
    for method in (client.get, client.post):
        assert method("/login/saml/acme/login/").headers["Location"] == "/login/"
    assert client.get("/login/saml/nobody/metadata/").status_code == 404
    assert client.post("/login/saml/nobody/acs/", {}).status_code == 404
