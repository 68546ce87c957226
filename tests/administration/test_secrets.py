"""A secret is shown once, on the page that answers its making; a digest is shown never."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import RequestFactory
from django.utils import timezone

from agentiam.api.models import RememberedAnswer
from agentiam.kit.administration.once import take
from agentiam.kit.tokens import split_token
from audit.models import Event
from directory.models import Agent, Blueprint, Credential, OnboardingToken, PersonKey, User
from directory.services.person_keys import issue_person_key
from permissions.models import (
    AccessToken,
    Application,
    ApplicationKey,
    AuthorizationCode,
    RefreshToken,
    TokenKey,
    UsedProof,
)
from tests.administration.conftest import submit, to
from tests.administration.test_organizations import every_page
from tests.administration.worlds import World


def digests() -> set[str]:
    found = {
        digest
        for model in (Credential, PersonKey, OnboardingToken, ApplicationKey)
        for digest in model.objects.values_list("digest", flat=True)
    }
    found |= {
        digest
        for model in (AccessToken, AuthorizationCode, RefreshToken, UsedProof)
        for digest in model.objects.values_list("digest", flat=True)
    }
    found |= set(TokenKey.objects.values_list("sealed", flat=True))
    return {each for each in found if each} | {
        each for each in User.objects.values_list("password", flat=True) if each[0] != "!"
    }


def test_no_page_shows_a_digest_a_password_or_a_pepper(as_: Callable[[str], Any], acme: World) -> None:
    client, hidden = as_("alice"), digests()
    assert len(hidden) > 9
    for model, row in acme.items():
        if model is RememberedAnswer:
            continue
        for address in every_page(model, row):
            page = client.get(address).content.decode()
            assert not [each for each in hidden if each in page], address
            assert "pepper" not in page.lower(), address


def making(world: World) -> dict[Any, dict[str, Any]]:
    person = world[User].pk
    return {
        Credential: {"agent": world[Agent].pk, "label": "new"},
        PersonKey: {"label": "new", "scopes": ["read"]},
        OnboardingToken: {"blueprint": world[Blueprint].pk, "label": "new", "owner": person, "sponsor": person},
        ApplicationKey: {"application": world[Application].pk, "label": "new"},
    }


@pytest.mark.parametrize("model", [Credential, PersonKey, OnboardingToken, ApplicationKey])
def test_a_new_secret_is_shown_once(as_: Callable[[str], Any], acme: World, model: Any) -> None:
    client = as_("alice")
    answer = submit(client, to("add", model), **making(acme)[model])
    _shown_once(client, model, answer)


@pytest.mark.parametrize("model", [Credential, PersonKey, ApplicationKey])
def test_a_rotated_secret_is_shown_once(as_: Callable[[str], Any], acme: World, people: dict[str, User], model: Any) -> None:
    client, row = as_("alice"), acme[model]
    if model is PersonKey:
        # A key speaks in its holder's name: one rotates one's own.
        assert submit(client, to("do", row, "rotate")).status_code == 200
        assert PersonKey.objects.get(pk=row.pk).successor is None
        now = row.created_at
        row, _ = issue_person_key(user=people["alice"], label="own", by=people["alice"].as_actor(), now=now)
    answer = submit(client, to("do", row, "rotate"), overlap_hours="0")
    _shown_once(client, model, answer)
    old = model.objects.get(pk=row.pk)
    assert old.revoked_at is not None
    assert old.successor is not None


def _shown_once(client: Any, model: Any, answer: Any) -> None:
    assert (answer.status_code, answer.headers["Location"]) == (302, "/admin/secret/")
    at_rest = str(dict(client.session))
    answer = client.get("/admin/secret/")
    secret, row = answer.context["secret"], answer.context["row"]
    assert split_token(secret).public_id == row.public_id
    assert secret in answer.content.decode()
    assert "no-store" in answer.headers["Cache-Control"]
    tail = split_token(secret).secret
    # Which it is, for whom, and until when, is beside it.
    facts = dict(answer.context["facts"])
    assert (facts["label"], facts["public id"]) == (row.label, row.public_id)
    assert facts["expires at"] == f"{row.expires_at:%Y-%m-%d %H:%M} UTC"
    assert {"agent", "user", "blueprint", "application"} & facts.keys()
    # It waited sealed, and nothing is left to open.
    assert tail not in at_rest
    assert "sealed" in at_rest
    assert "sealed" not in str(dict(client.session))
    made = model.objects.count()
    again = client.get("/admin/secret/")
    assert "was shown once" in again.content.decode()
    assert (again.context["row"], again.context["secret"]) == (row, "")
    assert tail not in again.content.decode()
    assert model.objects.count() == made
    for address in (to("change", row), to("history", row), to("changelist", model), "/admin/"):
        page = client.get(address)
        assert page.status_code == 200
        assert tail not in page.content.decode()
    assert not Event.objects.filter(body__contains=tail).exists()
    assert not any(tail in str(values) for values in model.history.values())
    assert tail not in str(dict(client.session))


def test_a_secret_that_nobody_looked_at_is_forgotten_after_two_minutes(
    as_: Callable[[str], Any], acme: World, time_machine: Any
) -> None:
    client = as_("alice")
    submit(client, to("add", ApplicationKey), **making(acme)[ApplicationKey])
    time_machine.move_to(timezone.now() + timedelta(seconds=121))
    late = client.get("/admin/secret/")
    assert late.context["secret"] == ""
    assert "sealed" not in str(dict(client.session))


def test_any_page_forgets_a_secret_that_is_late(as_: Callable[[str], Any], acme: World, time_machine: Any) -> None:
    client = as_("alice")
    submit(client, to("add", ApplicationKey), **making(acme)[ApplicationKey])
    client.get("/admin/")
    assert "sealed" in str(dict(client.session))
    time_machine.move_to(timezone.now() + timedelta(seconds=121))
    client.get("/admin/")
    assert "sealed" not in str(dict(client.session))


def test_a_secret_is_shown_in_no_other_session_and_to_nobody_who_lost_the_right(
    as_: Callable[[str], Any], acme: World, people: dict[str, User]
) -> None:
    client, thief = as_("alice"), as_("carol")
    submit(client, to("add", ApplicationKey), **making(acme)[ApplicationKey])
    assert as_("alice").get("/admin/secret/").context["secret"] == ""
    assert thief.get("/admin/secret/").context["secret"] == ""
    assert client.head("/admin/secret/").status_code == 405
    people["alice"].console_roles = ["auditor"]
    people["alice"].is_staff = False
    people["alice"].save()
    assert client.get("/admin/secret/").status_code == 403


def test_what_lies_in_the_session_table_opens_no_secret_without_the_key(
    as_: Callable[[str], Any], acme: World, settings: Any
) -> None:
    client = as_("alice")
    submit(client, to("add", ApplicationKey), **making(acme)[ApplicationKey])
    kept = client.session["secret_once"]
    request = RequestFactory().get("/admin/secret/")
    request.session = {"secret_once": kept}
    settings.SECRET_KEY = "another" * 10
    assert take(request, timezone.now()).secret == ""


def test_public_keys_and_federated_identities_are_noted_and_private_keys_refused(
    as_: Callable[[str], Any], acme: World
) -> None:
    client = as_("alice")
    jwk = '{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"%s}'
    given = {"agent": acme[Agent].pk, "label": "key", "kind": "public_key"}
    assert submit(client, to("add", Credential), **given, jwk=jwk % "").status_code == 302
    answer = submit(client, to("add", Credential), **given, jwk=jwk % ', "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"')
    assert answer.status_code == 200
    assert answer.context["errors"]
    bound = given | {"kind": "api_key", "requires_dpop": "on"}
    assert "gets no tokens" in submit(client, to("add", Credential), **bound).content.decode()
    federated = given | {"requires_dpop": "on", "kind": "federated", "issuer": "https://issuer.example", "subject": "workload"}
    more = {"audience": "api://acme", "conditions": '{"environment": ["prod"]}'}
    assert submit(client, to("add", Credential), **federated, **more).status_code == 302
    row = Credential.objects.get(kind="federated")
    assert (row.conditions, row.requires_dpop) == ({"environment": ["prod"]}, True)
    kinds = Credential.objects.filter(label="key").order_by("id").values_list("kind", flat=True)
    assert list(kinds) == ["public_key", "federated"]


def test_what_is_recorded_is_shown_as_text(as_: Callable[[str], Any], acme: World) -> None:
    client = as_("alice")
    attack = "<script>alert(1)</script><img src=x onerror=alert(1)>"
    submit(client, to("change", acme[Agent]), name=attack[:60], purpose=attack, reason=attack)
    event = Event.objects.filter(type="agent.updated").latest("id")
    for address in (
        to("change", event),
        to("changelist", Event),
        to("change", acme[Agent]),
        to("history", acme[Agent]),
        to("changelist", Agent),
        to("do", acme[Agent], "suspend"),
        "/admin/",
    ):
        page = client.get(address).content.decode()
        assert "<script>alert" not in page, address
        assert "<img src=x" not in page, address
    shown = client.get(to("change", event)).content.decode()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in shown
    assert "\n    &quot;address&quot;: &quot;127.0.0.1&quot;" in shown


def test_a_record_that_cannot_be_read_is_shown_as_it_is_stored(acme: World) -> None:
    from django.contrib import admin

    shown = admin.site.get_model_admin(Event).record(Event(body='{"broken": <b>'))
    assert shown == "<pre>{&quot;broken&quot;: &lt;b&gt;</pre>"
