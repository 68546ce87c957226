"""A forgotten password is replaced by a mailed link: once, soon, by its owner, and not round what protects the account."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.core import mail
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from agentiam.accounts import limits
from agentiam.accounts.invitations import BadLink, link_token
from agentiam.accounts.jobs import mail_reset_links, tell_password_reset
from agentiam.accounts.records import stranger
from agentiam.accounts.resets import link_of, reset_password
from agentiam.jobs.models import Job
from agentiam.kit.redaction import without_secrets
from audit.models import Event
from directory.models import PersonKey, User
from directory.services.invitations import invite_person
from directory.services.people import RightsNotYours, create_person, deactivate_person, reactivate_person, update_person
from directory.services.person_keys import issue_person_key
from directory.services.rights import RoleNotYours
from permissions.services.offboarding import offboard_person
from tests.factories import SYSTEM, make_person
from tests.people.conftest import PASSWORD, Cast, add_app, code_of, sign_in, signed_in

CHOSEN = "chosen after forgetting"
PAGE = "/login/forgotten/"
ClientOf = Callable[[User], Client]


def ask(name: str, client: Client | None = None) -> Any:
    return (client or Client()).post(PAGE, {"username": name})


def run_jobs() -> None:
    """Do what a worker would do about mails."""
    for job in Job.objects.filter(task__startswith="accounts.").order_by("created_at", "pk"):
        {"accounts.mail_reset_links": mail_reset_links, "accounts.tell_password_reset": tell_password_reset}[job.task](
            **job.arguments
        )
        job.delete()


def mailed(name: str) -> str:
    """Ask for a link, and answer its path as it stands in the mail."""
    ask(name)
    mail.outbox.clear()
    run_jobs()
    (message,) = mail.outbox
    found = re.search(r"http://127\.0\.0\.1:8000(/\S+)", message.body)
    assert found
    return found[1]


def path_of(user: User) -> str:
    user.refresh_from_db()
    return link_of(user).removeprefix("http://127.0.0.1:8000")


def choose(path: str, password: str = CHOSEN, client: Client | None = None) -> Any:
    return (client or Client()).post(path, {"password1": password, "password2": password})


def opens(user: User, password: str) -> bool:
    client = Client()
    sign_in(client, user, password)
    return signed_in(client)


def causes() -> list[str]:
    return [json.loads(event.body)["data"]["cause"] for event in Event.objects.filter(type="person.refused")]


@pytest.mark.parametrize("name", ["erin@acme.example", "ERIN@acme.example", "erin"])
def test_a_person_chooses_another_password_by_a_mailed_link(cast: Cast, name: str) -> None:
    erin = make_person(cast.acme, "erin", username="erin", email="erin@acme.example", password=PASSWORD)
    client = Client()
    assert PAGE in client.get("/login/").content.decode()
    answer = ask(name, client)
    assert answer.headers["Location"] == "/login/"
    assert mail.outbox == []
    run_jobs()
    (message,) = mail.outbox
    assert message.to == ["erin@acme.example"]
    path = re.findall(r"http://127\.0\.0\.1:8000(/login/forgotten/\S+)", message.body)[0]
    assert 'value="erin"' in client.get(path).content.decode()
    assert choose(path, client=client).headers["Location"] == "/login/"
    assert not signed_in(client)
    assert opens(erin, CHOSEN)
    assert not opens(erin, PASSWORD)


def test_the_request_and_the_reset_are_events_and_no_secret_is_in_any(cast: Cast) -> None:
    path = mailed(cast.dave.username)
    choose(path)
    happened = Event.objects.filter(type__startswith="person.password_")
    assert set(happened.values_list("type", "actor_kind", "target_id")) == {
        ("person.password_reset_requested", "system", "dave"),
        ("person.password_changed", "system", "dave"),
        ("person.password_reset", "system", "dave"),
    }
    assert all("127.0.0.1" in event.body for event in happened)
    logged = "".join(Event.objects.values_list("body", flat=True))
    assert CHOSEN not in logged
    assert path.split("/")[-2] not in logged


def test_every_name_gets_the_same_answer_for_the_same_work(cast: Cast) -> None:
    deactivate_person(person=cast.carol, by=SYSTEM, now=datetime.now(UTC))
    User.objects.filter(pk=cast.agent.user.pk).update(email="runner@acme.example")
    pages, work = set(), set()
    for name in ("dave@acme.example", "carol@acme.example", "nobody@acme.example", "runner@acme.example"):
        client = Client()
        client.get(PAGE)
        with CaptureQueriesContext(connection) as queries:
            answer = ask(name, client)
        tables = tuple(re.sub(r"'[^']*'|\d+", "?", each["sql"])[:60] for each in queries)
        work.add((len(queries), tables))
        page = client.get(answer.headers["Location"]).content.decode()
        assert "If that is an account" in page
        pages.add((answer.status_code, re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", page)))
    assert len(pages) == 1
    assert len(work) == 1
    assert Job.objects.filter(task="accounts.mail_reset_links", organization_id=None).count() == 4
    assert mail.outbox == []


def test_what_was_typed_is_kept_nowhere(cast: Cast) -> None:
    ask("my secret password in the wrong field")
    assert Job.objects.get().arguments == {
        "person_ids": [],
        "address": "127.0.0.1",
        "request_id": Job.objects.get().arguments["request_id"],
    }
    run_jobs()
    assert not Event.objects.filter(body__contains="wrong field").exists()


def test_the_mail_goes_to_the_address_of_the_directory_and_not_to_the_one_typed(cast: Cast) -> None:
    ask("DAVE@ACME.EXAMPLE")
    run_jobs()
    assert [message.to for message in mail.outbox] == [["dave@acme.example"]]
    mail.outbox.clear()
    # A letter that only looks like another is not folded into it.
    ask("dave@acme.examp\u217ce")
    run_jobs()
    assert mail.outbox == []


def test_somebodys_user_name_does_not_take_anothers_link_away(cast: Cast) -> None:
    erin = make_person(cast.acme, "erin", username="erin", email="erin@acme.example", password=PASSWORD)
    mal = make_person(cast.elsewhere, "mal", email="erin@acme.example", password=PASSWORD)
    # Such a user name is refused today, and may be there from before.
    User.objects.filter(pk=mal.pk).update(username="erin@acme.example")
    ask("erin@acme.example")
    run_jobs()
    (message,) = mail.outbox
    assert message.to == ["erin@acme.example"]
    assert erin.pk.hex in message.body
    assert not Event.objects.filter(organization_id=cast.elsewhere.pk, type__startswith="person.password_").exists()


def test_looking_at_the_link_changes_nothing(cast: Cast, as_: ClientOf) -> None:
    there = as_(cast.dave)
    path = path_of(cast.dave)
    before = User.objects.values().get(pk=cast.dave.pk)
    for _ in range(3):
        client = Client()
        assert client.get(path).status_code == 200
        assert client.head(path).status_code == 200
        assert not client.session.keys()
    assert User.objects.values().get(pk=cast.dave.pk) == before
    assert signed_in(there)
    assert choose(path).status_code == 302


def test_a_reset_takes_the_token_of_the_form(cast: Cast) -> None:
    client = Client(enforce_csrf_checks=True)
    assert choose(path_of(cast.dave), client=client).status_code == 403
    assert ask(cast.dave.username, client).status_code == 403
    assert opens(cast.dave, PASSWORD)
    assert not Job.objects.exists()


def test_a_link_is_good_once(cast: Cast) -> None:
    path = path_of(cast.dave)
    choose(path)
    for answer in (choose(path, "another one altogether"), Client().get(path)):
        assert answer.status_code == 410
        assert "not good" in answer.content.decode()
    assert opens(cast.dave, CHOSEN)


def test_of_two_uses_at_once_the_second_finds_it_void(cast: Cast, rf: Any) -> None:
    token = path_of(cast.dave).split("/")[-2]
    by = stranger(rf.get("/"))
    reset_password(token=token, password=CHOSEN, by=by, now=datetime.now(UTC))
    with pytest.raises(BadLink):
        reset_password(token=token, password="another one altogether", by=by, now=datetime.now(UTC))
    assert Event.objects.filter(type="person.password_reset").count() == 1


def test_every_other_link_dies_with_the_first_use(cast: Cast) -> None:
    first = path_of(cast.dave)
    with time_machine.travel(datetime.now(UTC) + timedelta(minutes=5)):
        second = path_of(cast.dave)
        assert first != second
        assert choose(second).status_code == 302
        assert choose(first, "another one altogether").status_code == 410


def test_a_link_ends_after_half_an_hour(cast: Cast) -> None:
    now = datetime.now(UTC)
    with time_machine.travel(now, tick=False):
        path = path_of(cast.dave)
    with time_machine.travel(now + timedelta(minutes=29), tick=False):
        assert Client().get(path).status_code == 200
    with time_machine.travel(now + timedelta(minutes=30, seconds=1), tick=False):
        assert choose(path).status_code == 410


def test_a_link_dies_when_the_person_signs_in(cast: Cast, as_: ClientOf) -> None:
    as_(cast.dave)
    path = path_of(cast.dave)
    as_(cast.dave)
    assert choose(path).status_code == 410


def test_a_link_dies_when_the_password_changes(cast: Cast, as_: ClientOf) -> None:
    client = as_(cast.dave)
    path = path_of(cast.dave)
    changed = client.post("/account/password/", {"oldpassword": PASSWORD, "password1": CHOSEN, "password2": CHOSEN})
    assert changed.status_code == 302
    assert choose(path, "another one altogether").status_code == 410
    assert opens(cast.dave, CHOSEN)


def test_a_link_that_was_changed_or_made_elsewhere_is_not_good(cast: Cast, settings: Any) -> None:
    token = path_of(cast.dave).split("/")[-2]
    number, moment, proof = token.split("-")
    later = moment[:-1] + ("z" if moment[-1] != "z" else "y")
    forged = [
        f"{cast.alice.pk.hex}-{moment}-{proof}",
        f"{number}-{later}-{proof}",
        f"{number}-{moment}-{'0' * 32}",
        f"{number}-{moment}",
        number,
        f"{number}--",
        "x" * 5000,
        link_token(
            invite_person(organization=cast.acme, email="e@acme.example", by=cast.alice.as_actor(), now=datetime.now(UTC))
        ),
    ]
    settings.SECRET_KEY = "another key of another installation"
    forged.append(path_of(cast.dave).split("/")[-2])
    settings.SECRET_KEY = "and what this one has now is different from both"
    for text in forged:
        assert choose(f"{PAGE}{text}/").status_code == 410, text
    assert opens(cast.dave, PASSWORD)
    assert opens(cast.alice, PASSWORD)


def test_a_bad_password_is_said_beside_the_field_and_keeps_the_link(cast: Cast) -> None:
    path = path_of(cast.dave)
    for first, second, words in (
        ("short", "short", "too short"),
        ("password1234", "password1234", "too common"),
        ("dave@acme.example", "dave@acme.example", "too similar"),
        (CHOSEN, CHOSEN + "x", "not the same"),
    ):
        page = Client().post(path, {"password1": first, "password2": second}).content.decode()
        assert words in page
        assert 'aria-invalid="true"' in page
        assert f'value="{first}"' not in page.replace('name="username" value="dave@acme.example"', "")
    assert choose(path).status_code == 302


def test_a_reset_ends_all_sessions_of_the_person_and_nobody_elses(cast: Cast, as_: ClientOf) -> None:
    theirs = [as_(cast.dave) for _ in range(2)]
    another = as_(cast.bob)
    choose(path_of(cast.dave))
    assert [signed_in(client) for client in (*theirs, another)] == [False, False, True]


def test_a_reset_does_not_go_round_the_second_factor(cast: Cast, as_: ClientOf) -> None:
    secret = add_app(as_(cast.dave))
    client = Client()
    choose(path_of(cast.dave), client=client)
    assert sign_in(client, cast.dave, CHOSEN).headers["Location"] == "/login/second-factor/"
    assert not signed_in(client)
    client.post("/login/second-factor/", {"code": code_of(secret)})
    assert signed_in(client)


def test_a_reset_does_not_remove_a_passkey(cast: Cast) -> None:
    Authenticator.objects.create(user=cast.dave, type=Authenticator.Type.WEBAUTHN, data={"credential": {}, "name": "Laptop"})
    choose(path_of(cast.dave))
    client = Client()
    assert sign_in(client, cast.dave, CHOSEN).headers["Location"] == "/login/second-factor/"
    assert not signed_in(client)


def test_whoever_waits_at_the_second_step_with_the_old_password_gets_no_further(cast: Cast, as_: ClientOf) -> None:
    secret = add_app(as_(cast.dave))
    thief = Client()
    assert sign_in(thief, cast.dave).headers["Location"] == "/login/second-factor/"
    choose(path_of(cast.dave))
    answer = thief.post("/login/second-factor/", {"code": code_of(secret)}, follow=True)
    assert not signed_in(thief)
    assert "Sign in again" in answer.content.decode()
    assert "password changed between two steps" in causes()


def test_a_temporary_password_is_temporary_no_more(cast: Cast) -> None:
    erin = make_person(cast.acme, "erin", email="erin@acme.example", password=PASSWORD, password_is_temporary=True)
    choose(path_of(erin))
    assert opens(erin, CHOSEN)


def refused_of(cast: Cast, kind: str) -> User:
    now = datetime.now(UTC)
    if kind == "deactivated":
        return deactivate_person(person=cast.dave, by=SYSTEM, now=now)
    if kind == "an agent's account":
        account = cast.agent.user
        account.email = "runner@acme.example"
        account.set_password(PASSWORD)
        account.save()
        return account
    if kind == "no password: signs in by a provider":
        values = {"external_id": "erin", "username": "erin", "name": "Erin", "email": "erin@acme.example"}
        return create_person(organization=cast.acme, **values, by=SYSTEM, now=now)
    if kind == "no address":
        return make_person(cast.acme, "erin", username="erin", email="", password=PASSWORD)
    sign_in(Client(), cast.dave)
    cast.dave.refresh_from_db()
    return update_person(
        person=cast.dave,
        name="Dave",
        email="mallory@elsewhere.example",
        attributes={},
        by=cast.alice.as_actor(),
        now=datetime.now(UTC),
    )


@pytest.mark.parametrize(
    "kind",
    [
        "deactivated",
        "an agent's account",
        "no password: signs in by a provider",
        "no address",
        "address changed since the last sign-in",
    ],
)
def test_who_gets_no_password_by_mail_is_refused_in_silence_and_on_the_record(cast: Cast, kind: str) -> None:
    user = refused_of(cast, kind)
    ask(user.username)
    run_jobs()
    assert mail.outbox == []
    assert causes() == [kind]
    before = User.objects.get(pk=user.pk).password
    assert choose(path_of(user)).status_code == 410
    assert User.objects.get(pk=user.pk).password == before


def gone_and_back(cast: Cast, person: User) -> User:
    offboard_person(person=person, by=cast.alice.as_actor(), reason="left", now=datetime.now(UTC))
    return reactivate_person(person=person, by=cast.alice.as_actor(), now=datetime.now(UTC))


def test_whoever_was_offboarded_and_is_back_chooses_a_password_by_mail_and_no_old_way_is_open(cast: Cast) -> None:
    sign_in(Client(), cast.dave)
    cast.dave.refresh_from_db()
    Authenticator.objects.create(user=cast.dave, type=Authenticator.Type.TOTP, data={"secret": "x"})
    old = path_of(cast.dave)
    back = gone_and_back(cast, cast.dave)
    client = Client()
    sign_in(client, back)
    assert not signed_in(client)
    assert choose(old).status_code == 410
    choose(mailed(back.username))
    assert opens(back, CHOSEN)
    assert not opens(back, PASSWORD)


def test_whoever_is_gone_gets_no_link(cast: Cast) -> None:
    offboard_person(person=cast.dave, by=cast.alice.as_actor(), reason="left", now=datetime.now(UTC))
    ask(cast.dave.username)
    run_jobs()
    assert mail.outbox == []
    assert causes() == ["deactivated"]


@pytest.mark.parametrize("linked", [False, True])
def test_whoever_a_provider_signs_in_gets_no_password_by_having_been_away(cast: Cast, *, linked: bool) -> None:
    values = {"external_id": "erin", "username": "erin", "name": "Erin", "email": "erin@acme.example"}
    erin = create_person(organization=cast.acme, **values, by=SYSTEM, now=datetime.now(UTC))
    if linked:
        # She had a password once; now it is her provider that signs her in.
        erin.set_password(PASSWORD)
        erin.save()
    back = gone_and_back(cast, erin)
    if linked:
        SocialAccount.objects.create(user=back, provider="acme-sso", uid="e-1")
    ask(back.username)
    run_jobs()
    assert mail.outbox == []
    assert causes() == ["no password: signs in by a provider"]


def test_a_link_dies_with_the_account_and_with_the_address(cast: Cast) -> None:
    path = path_of(cast.dave)
    person = deactivate_person(person=cast.dave, by=SYSTEM, now=datetime.now(UTC))
    assert choose(path).status_code == 410
    person = reactivate_person(person=person, by=SYSTEM, now=datetime.now(UTC))
    update_person(person=person, name="Dave", email="d@acme.example", attributes={}, by=SYSTEM, now=datetime.now(UTC))
    assert choose(path).status_code == 410


def test_a_changed_address_is_good_after_the_person_has_signed_in_with_it(cast: Cast) -> None:
    update_person(person=cast.dave, name="Dave", email="d@acme.example", attributes={}, by=SYSTEM, now=datetime.now(UTC))
    assert choose(path_of(cast.dave)).status_code == 410
    assert opens(cast.dave, PASSWORD)
    assert choose(path_of(cast.dave)).status_code == 302


def test_nobody_changes_the_address_of_somebody_whose_rights_they_could_not_give(cast: Cast) -> None:
    now = datetime.now(UTC)
    changed = {"name": "A", "email": "bob@acme.example", "attributes": {}, "now": now}
    with pytest.raises(RoleNotYours):
        update_person(person=cast.alice, by=cast.bob.as_actor(), **changed)
    operator = make_person(cast.acme, "root", email="root@acme.example", is_superuser=True)
    with pytest.raises(RightsNotYours):
        update_person(person=operator, by=cast.alice.as_actor(), **changed)
    assert update_person(person=cast.alice, by=cast.adam.as_actor(), **changed).email == "bob@acme.example"
    assert update_person(person=cast.bob, by=cast.bob.as_actor(), **changed | {"name": "B"}).name == "B"


def test_the_keys_of_the_person_end_with_the_forgotten_password_and_nobody_elses(cast: Cast) -> None:
    now = datetime.now(UTC)
    key, token = issue_person_key(user=cast.dave, label="script", by=cast.dave.as_actor(), now=now)
    others, _ = issue_person_key(user=cast.bob, label="script", by=cast.bob.as_actor(), now=now)
    thief = {"Authorization": f"Bearer {token.text}"}
    assert Client().get("/api/v1/person-keys", headers=thief).status_code == 200
    choose(path_of(cast.dave))
    assert Client().get("/api/v1/person-keys", headers=thief).status_code == 401
    assert list(PersonKey.objects.filter(revoked_at=None)) == [others]
    (reset,) = Event.objects.filter(type="person.password_reset")
    assert json.loads(reset.body)["data"] == {"keys": [key.public_id]}
    assert Event.objects.filter(type="person_key.revoked", target_id=str(key.pk)).count() == 1
    run_jobs()
    (message,) = mail.outbox
    assert f"So have your keys {key.public_id};" in message.body
    assert token.text not in message.body


def test_changing_a_password_that_one_knows_leaves_the_keys(cast: Cast, as_: ClientOf) -> None:
    key, _ = issue_person_key(user=cast.dave, label="script", by=cast.dave.as_actor(), now=datetime.now(UTC))
    as_(cast.dave).post("/account/password/", {"oldpassword": PASSWORD, "password1": CHOSEN, "password2": CHOSEN})
    assert opens(cast.dave, CHOSEN)
    assert list(PersonKey.objects.filter(revoked_at=None)) == [key]


def test_the_person_hears_of_the_new_password(cast: Cast) -> None:
    choose(path_of(cast.dave))
    run_jobs()
    (message,) = mail.outbox
    assert message.to == ["dave@acme.example"]
    assert "was replaced" in message.subject
    assert "keys" not in message.body
    assert CHOSEN not in message.body
    assert "/login/forgotten/" not in message.body


def test_requests_are_limited_for_one_name_and_from_one_place(cast: Cast) -> None:
    for _ in range(limits.RESET.account_here):
        assert ask("dave@acme.example").status_code == 302
    for name in ("dave@acme.example", "DAVE@acme.example"):
        assert "Too many tries" in ask(name).content.decode()
    for number in range(limits.RESET.address):
        ask(f"nobody-{number}")
    assert "Too many tries" in ask("carol@acme.example").content.decode()
    # The same for somebody who does not exist.
    client = Client(REMOTE_ADDR="192.0.2.9")
    for _ in range(limits.RESET.account_here):
        ask("nobody@acme.example", client)
    assert "Too many tries" in ask("nobody@acme.example", client).content.decode()


def test_nobodys_mailbox_is_filled_from_many_places_or_by_several_names(cast: Cast) -> None:
    erin = make_person(cast.acme, "erin", username="erin", email="erin@acme.example", password=PASSWORD)
    for number in range(limits.RESET_MAIL.account + 4):
        ask("erin@acme.example" if number % 2 else "erin", Client(REMOTE_ADDR=f"192.0.2.{number}"))
    run_jobs()
    assert len(mail.outbox) == limits.RESET_MAIL.account
    assert causes() == ["too many tries"]
    # What was mailed is good all the same: the flood took nothing from the owner.
    assert choose(path_of(erin)).status_code == 302


def test_links_cannot_be_tried_out(cast: Cast) -> None:
    path = path_of(cast.dave)
    for number in range(limits.LINK.address):
        Client().get(f"{PAGE}guess-{number}/")
    assert Client().get(path).status_code == 429
    assert choose(path).status_code == 429


def test_the_link_is_told_to_no_other_site_no_cache_and_no_log(cast: Cast) -> None:
    path = path_of(cast.dave)
    answer = Client().get(path)
    assert answer.headers["Referrer-Policy"] == "same-origin"
    assert answer.headers["Cache-Control"] == "no-store"
    page = answer.content.decode()
    assert not re.search(r'(src|href|action)="(https?:)?//', page)
    token = path.split("/")[-2]
    for line in (f"GET {path} failed", {"path": path}, f"http://127.0.0.1:8000{path}?x=1"):
        assert token not in str(without_secrets(line))


def test_the_link_names_this_installation_whatever_host_was_asked(cast: Cast) -> None:
    Client().post(PAGE, {"username": cast.dave.username}, headers={"host": "localhost"})
    run_jobs()
    assert "http://127.0.0.1:8000/login/forgotten/" in mail.outbox[0].body


def test_no_name_writes_lines_of_its_own_into_the_mail(cast: Cast) -> None:
    make_person(cast.acme, "erin", username="erin\n\nGo to https://evil.example", email="erin@acme.example", password=PASSWORD)
    ask("erin@acme.example")
    run_jobs()
    assert "your account erin Go to https://evil.example on agentiam" in mail.outbox[0].body


def test_a_name_with_what_no_database_keeps_is_answered(cast: Cast) -> None:
    assert ask("dave\x00").status_code == 200
    assert ask("").status_code == 200
    assert ask("d" * 400).status_code == 200
    assert not Job.objects.exists()
