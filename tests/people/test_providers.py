"""Signing in by an identity provider: as one existing or invited person of its organization, or not at all."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialAccount, SocialToken
from django.test import Client

from agentiam.accounts.provider_settings import Provider, oidc_apps, providers_from
from agentiam.environment import Unreadable
from audit.models import Event
from directory.models import User
from directory.services.invitations import invite_person
from directory.services.people import deactivate_person, reactivate_person
from permissions.services.offboarding import offboard_person
from tests.factories import NOW, SYSTEM, make_person
from tests.people.conftest import PASSWORD, Cast, add_app, code_of, sign_in, signed_in
from tests.people.identity_provider import ISSUER, FakeProvider

ClientOf = Callable[[User], Client]
DAVE = {"sub": "d-1", "email": "dave@acme.example", "email_verified": True, "name": "Dave"}


def configure(settings: Any, *changes: dict[str, Any]) -> None:
    providers = [
        Provider(
            **{
                "id": "acme-sso",
                "name": "Acme SSO",
                "organization": "acme",
                "client_id": "agentiam",
                "client_secret": "secret",
                "issuer": ISSUER,
            }
            | change
        )
        for change in changes or ({},)
    ]
    settings.OIDC_PROVIDERS = tuple(providers)
    settings.SOCIALACCOUNT_PROVIDERS = {"openid_connect": {"APPS": oidc_apps(providers), "OAUTH_PKCE_ENABLED": True}}


@pytest.fixture
def idp(cast: Cast, settings: Any, monkeypatch: pytest.MonkeyPatch) -> FakeProvider:
    configure(settings)
    fake = FakeProvider()
    monkeypatch.setattr(DefaultSocialAccountAdapter, "get_requests_session", fake.session)
    fake.person = dict(DAVE)
    return fake


def refused(client: Client, answer: Any) -> bool:
    return answer.headers["Location"] == "/login/" and "nobody here is known" in client.get("/login/").content.decode()


def test_an_existing_person_comes_in_and_is_linked(idp: FakeProvider, cast: Cast) -> None:
    client = Client()
    assert "Continue with Acme SSO" in client.get("/login/").content.decode()
    assert idp.sign_in(client, next="/account/").headers["Location"] == "/account/"
    assert "Dave, dave@acme.example, Acme" in client.get("/account/").content.decode()
    assert "code_challenge_method=S256" in idp.asked[0]
    assert "state=" in idp.asked[0]
    account = SocialAccount.objects.get()
    assert (account.user, account.uid, account.extra_data) == (cast.dave, "d-1", {})
    assert not SocialToken.objects.exists()
    body = json.loads(Event.objects.get(type="person.signed_in", target_id="dave").body)
    assert body["data"] == {"methods": ["provider"], "provider": "acme-sso"}
    assert Event.objects.filter(type="identity.linked", target_id="dave").count() == 1
    # The next time it is the identity that counts, whatever its address is by then.
    idp.person |= {"email": "other@acme.example"}
    again = Client()
    idp.sign_in(again)
    assert signed_in(again)
    assert SocialAccount.objects.get().extra_data == {}


def test_an_address_that_is_not_verified_takes_nobody_over(idp: FakeProvider, cast: Cast) -> None:
    for verified in (False, None, "true", 1):
        idp.person = {**DAVE, "email_verified": verified}
        client = Client()
        assert refused(client, idp.sign_in(client))
        assert not signed_in(client)
    idp.person.pop("email_verified")
    client = Client()
    assert refused(client, idp.sign_in(client))
    assert not SocialAccount.objects.exists()


def test_people_of_another_organization_are_nobody_to_a_provider(idp: FakeProvider, cast: Cast) -> None:
    idp.person = {**DAVE, "sub": "m-1", "email": "mallory@elsewhere.example"}
    client = Client()
    assert refused(client, idp.sign_in(client))
    # Not even if somebody linked them: a row that was written otherwise.
    SocialAccount.objects.create(user=cast.mallory, provider="acme-sso", uid="m-1")
    assert refused(client, idp.sign_in(client))
    assert not signed_in(client)


def test_only_addresses_of_the_providers_domains_count(idp: FakeProvider, cast: Cast, settings: Any) -> None:
    configure(settings, {"email_domains": ("acme.example",)})
    make_person(cast.acme, "guest", email="guest@evil.example")
    for email in ("guest@evil.example", "guest@sub.acme.example.evil.example", "x@acme.example@evil.example"):
        idp.person = {**DAVE, "sub": email, "email": email}
        client = Client()
        assert refused(client, idp.sign_in(client))
    idp.person = dict(DAVE)
    client = Client()
    idp.sign_in(client)
    assert signed_in(client)


def test_a_recycled_address_is_another_human_being(idp: FakeProvider, cast: Cast) -> None:
    idp.sign_in(Client())
    idp.person = {**DAVE, "sub": "d-2"}
    client = Client()
    assert refused(client, idp.sign_in(client))
    assert not signed_in(client)
    causes = [json.loads(event.body)["data"]["cause"] for event in Event.objects.filter(type="person.refused")]
    assert causes == ["linked to another identity of the provider"]


def test_two_identities_in_one_answer_are_refused(idp: FakeProvider, cast: Cast) -> None:
    idp.info = {**DAVE, "sub": "a-1", "email": "alice@acme.example"}
    client = Client()
    assert refused(client, idp.sign_in(client))


def test_agents_and_inactive_people_do_not_come_in(idp: FakeProvider, cast: Cast) -> None:
    account = cast.agent.user
    account.email = "runner@acme.example"
    account.save()
    idp.person = {**DAVE, "sub": "r-1", "email": "runner@acme.example"}
    client = Client()
    assert refused(client, idp.sign_in(client))
    SocialAccount.objects.create(user=account, provider="acme-sso", uid="r-1")
    idp.sign_in(client)
    assert not signed_in(client)
    deactivate_person(person=User.objects.get(pk=cast.bob.pk), by=SYSTEM, now=NOW)
    idp.person = {**DAVE, "sub": "b-1", "email": "bob@acme.example"}
    idp.sign_in(client)
    assert not signed_in(client)
    assert not SocialAccount.objects.filter(user=cast.bob).exists(), "a link would be there when the account opens again"


def test_whoever_was_offboarded_comes_back_by_the_provider_as_who_the_directory_knows(idp: FakeProvider, cast: Cast) -> None:
    idp.sign_in(Client())
    offboard_person(person=cast.dave, by=cast.alice.as_actor(), reason="left", now=datetime.now(UTC))
    assert not SocialAccount.objects.exists()
    gone = Client()
    assert refused(gone, idp.sign_in(gone))
    assert not SocialAccount.objects.exists()
    reactivate_person(person=cast.dave, by=cast.alice.as_actor(), now=datetime.now(UTC))
    back = Client()
    idp.sign_in(back)
    assert signed_in(back)
    assert SocialAccount.objects.get().user == cast.dave


def test_nobody_is_created_unless_the_provider_may(idp: FakeProvider, cast: Cast, settings: Any) -> None:
    idp.person = {**DAVE, "sub": "n-1", "email": "New@acme.example", "name": "Nora"}
    client = Client()
    assert refused(client, idp.sign_in(client))
    assert not User.objects.filter(name="Nora").exists()
    configure(settings, {"auto_create": True, "console_roles": ("owner",), "email_domains": ("acme.example",)})
    idp.sign_in(client)
    person = User.objects.get(name="Nora")
    assert (person.organization, person.console_roles, person.is_staff) == (cast.acme, ["owner"], False)
    assert not person.has_usable_password()
    assert signed_in(client)


@pytest.mark.parametrize(
    ("domains", "address", "username"),
    [
        ((), "nora@mail.example", "nora@mail.example@acme"),
        ((), "nora@acme.example", "nora@acme.example"),
        ((), "nora@elsewhere.example", "nora@elsewhere.example@acme"),
        (("mail.example",), "nora@mail.example", "nora@mail.example"),
        (("elsewhere.example",), "nora@elsewhere.example", "nora@elsewhere.example@acme"),
    ],
)
def test_a_provider_that_may_name_any_address_takes_nobodys_name(
    idp: FakeProvider, settings: Any, domains: tuple[str, ...], address: str, username: str
) -> None:
    configure(settings, {"auto_create": True, "email_domains": domains})
    idp.person = {**DAVE, "sub": "n-1", "email": address, "name": "Nora"}
    client = Client()
    idp.sign_in(client)
    assert signed_in(client)
    assert User.objects.get(name="Nora").username == username


def test_an_invited_person_comes_in_by_the_address_of_the_invitation(idp: FakeProvider, cast: Cast) -> None:
    invite_person(
        organization=cast.acme,
        email="new@acme.example",
        console_roles=["auditor"],
        by=cast.alice.as_actor(),
        now=datetime.now(UTC),
    )
    idp.person = {**DAVE, "sub": "n-1", "email": "new@acme.example", "name": "Nora"}
    client = Client()
    idp.sign_in(client)
    assert User.objects.get(name="Nora").console_roles == ["auditor"]
    assert signed_in(client)
    assert Event.objects.filter(type="invitation.accepted").exists()


def test_another_claim_can_match(idp: FakeProvider, cast: Cast, settings: Any) -> None:
    configure(settings, {"claim": "employee", "matches": "external_id"})
    idp.person = {"sub": "d-1", "employee": "dave"}
    client = Client()
    idp.sign_in(client)
    assert "Dave, " in client.get("/account/").content.decode()
    idp.person = {"sub": "x-1", "employee": ["dave"]}
    other = Client()
    assert refused(other, idp.sign_in(other))


def test_a_second_factor_is_asked_for_after_a_provider_too(idp: FakeProvider, cast: Cast, as_: ClientOf) -> None:
    secret = add_app(as_(cast.dave))
    client = Client()
    assert idp.sign_in(client).headers["Location"].startswith("/login/second-factor/")
    assert not signed_in(client)
    client.post("/login/second-factor/", {"code": code_of(secret)})
    assert signed_in(client)


def test_nobody_who_is_signed_in_becomes_somebody_else_by_a_provider(idp: FakeProvider, cast: Cast, as_: ClientOf) -> None:
    client = as_(cast.alice)
    idp.sign_in(client)
    assert "Alice, " in client.get("/account/").content.decode()


def test_an_answer_that_nobody_asked_for_is_refused(idp: FakeProvider, cast: Cast) -> None:
    client = Client()
    idp.sign_in(client)
    client.post("/logout/")
    for state in ("guess", ""):
        answer = client.get("/login/provider/acme-sso/callback/", {"code": "code", "state": state})
        assert answer.headers["Location"] == "/login/"
    assert not signed_in(client)
    # Nor does the state of one browser open another.
    page = Client().post("/login/provider/acme-sso/")
    state = page.context["target"].partition("state=")[2].partition("&")[0]
    assert client.get("/login/provider/acme-sso/callback/", {"code": "code", "state": state}).headers["Location"] == "/login/"
    assert not signed_in(client)


def test_a_provider_that_does_not_answer_is_said_so(idp: FakeProvider, cast: Cast) -> None:
    idp.down = True
    client = Client()
    assert client.post("/login/provider/acme-sso/").headers["Location"] == "/login/"
    assert "did not work" in client.get("/login/").content.decode()


def test_who_has_no_password_proves_it_again_at_the_provider(idp: FakeProvider, cast: Cast) -> None:
    make_person(cast.acme, "sso", email="sso@acme.example")
    idp.person = {**DAVE, "sub": "s-1", "email": "sso@acme.example"}
    client = Client()
    idp.sign_in(client)
    session = client.session
    session["account_authentication_methods"] = [
        record | {"at": record["at"] - 301} for record in session["account_authentication_methods"]
    ]
    session.save()
    assert client.get("/account/app/").headers["Location"].startswith("/account/proof/")
    assert "Continue with Acme SSO" in client.get("/account/proof/?next=/account/app/").content.decode()
    assert idp.sign_in(client, next="/account/app/").headers["Location"] == "/account/app/"
    assert "prompt=login" in idp.asked[-1]
    assert client.get("/account/app/").status_code == 200
    # And gets no password, which would be another way in.
    assert client.get("/account/password/").headers["Location"] == "/account/"


def test_the_way_to_a_provider_takes_a_post_and_leads_to_no_other_site(idp: FakeProvider, cast: Cast) -> None:
    client = Client()
    assert client.get("/login/provider/acme-sso/").status_code == 405
    page = client.post("/login/provider/acme-sso/", {"next": "https://evil.example/"})
    assert page.context["target"].startswith(f"{ISSUER}/authorize?")
    assert "form-action 'self'" in page.headers["Content-Security-Policy"]
    assert idp.sign_in(client, next="//evil.example").headers["Location"] == "/"


def test_what_a_caller_adds_to_the_address_is_not_passed_on(idp: FakeProvider, cast: Cast) -> None:
    page = Client().post("/login/provider/acme-sso/?scope=admin&auth_params=prompt%3Dnone&process=connect")
    assert "admin" not in page.context["target"]
    assert "prompt" not in page.context["target"]


def test_the_password_still_works_and_tokens_are_in_no_event(idp: FakeProvider, cast: Cast) -> None:
    idp.sign_in(Client())
    client = Client()
    sign_in(client, cast.dave, PASSWORD)
    assert signed_in(client)
    assert "opaque" not in "".join(Event.objects.values_list("body", flat=True))


GOOD = {
    "id": "sso",
    "name": "SSO",
    "organization": "acme",
    "client_id": "c",
    "client_secret": "hunter2",
    "issuer": "https://idp.example",
}


def test_providers_are_read() -> None:
    (provider,) = providers_from("X", json.dumps([{**GOOD, "email_domains": ["Acme.example"]}]), needs_issuer=True)
    assert (provider.claim, provider.matches, provider.auto_create) == ("email", "email", False)
    assert provider.email_domains == ("acme.example",)
    assert "hunter2" not in repr(provider)
    assert providers_from("X", "", needs_issuer=True) == ()


@pytest.mark.parametrize(
    "change",
    [
        {"id": "No Good"},
        {"id": ""},
        {"issuer": "http://idp.example"},
        {"issuer": "https://idp.example?x=hunter2"},
        {"client_secret": 7},
        {"client_secret": ""},
        {"matches": "attributes"},
        {"auto_create": "yes"},
        {"console_roles": ["security_administrator"]},
        {"console_roles": ["auditor"]},
        {"console_roles": "owner"},
        {"email_domains": ["*"]},
        {"unknown": 1},
    ],
)
def test_a_provider_that_cannot_be_read_stops_the_start(change: dict[str, Any]) -> None:
    with pytest.raises(Unreadable) as error:
        providers_from("AGENTIAM_OIDC_PROVIDERS", json.dumps([GOOD | change]), needs_issuer=True)
    assert str(error.value).startswith("AGENTIAM_OIDC_PROVIDERS")
    assert "hunter2" not in str(error.value)


@pytest.mark.parametrize("text", ["{", "{}", "[1]", json.dumps([GOOD, GOOD])])
def test_a_list_that_is_none_stops_the_start(text: str) -> None:
    with pytest.raises(Unreadable, match="AGENTIAM_OIDC_PROVIDERS"):
        providers_from("AGENTIAM_OIDC_PROVIDERS", text, needs_issuer=True)
