"""What was given by somebody who held a credential ends with that credential, and a consent for a task with its run."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from directory.models import Agent, Credential
from directory.services.children import NotItsChild, give_child_credential
from directory.services.credentials import revoke_credential, rotate_api_key
from directory.services.runs import end_run, start_run
from directory.services.spawning import spawn_agent
from permissions.models import Consent
from permissions.services.consents import AnotherRun, end_consent, give_consent
from permissions.services.grants import end_grant
from tests.factories import SYSTEM, make_agent, make_blueprint
from tests.oauth.asking import CALLBACK, PATH, VERIFIER, address, browser_of, form_of, make_client, redirect_of
from tests.oauth.test_federation_grants import ID_JAG, ID_TOKEN, IDP, PARTNER, said, trust
from tests.oauth.worlds import CRM, TOKEN_EXCHANGE, World, ask, basic, introspected, own_token, post, secret_for
from tests.permissions.factories import make_consent, make_grant, spec

pytestmark = pytest.mark.django_db
NONE = timedelta(0)


@pytest.fixture
def child(world: World) -> tuple[Agent, Credential, Any]:
    """A child of the planner's that was given a secret by whoever held the planner's."""
    blueprint = make_blueprint(world.acme, spawn_depth=3, spawn_children=9)
    Agent.objects.filter(pk=world.planner.pk).update(blueprint=blueprint)
    planner = Agent.objects.get(pk=world.planner.pk)
    act = {"by": planner.user.as_actor(), "now": timezone.now()}
    made = spawn_agent(parent=planner, external_id="kid", name="Kid", purpose="Help", **act)
    held, token = give_child_credential(child=made, label="l", shown=world.credentials["planner"], held={"decide"}, **act)
    return made, held, token


def signs_in(name: str, secret: Any) -> bool:
    return (
        post("token", {"grant_type": "client_credentials", "resource": CRM}, authorization=basic(name, secret.text)).status
        == 200
    )


def test_a_childs_credential_ends_when_its_parents_is_rotated_at_once(
    world: World, child: tuple[Agent, Credential, Any]
) -> None:
    assert signs_in("kid", child[2])
    rotate_api_key(credential=world.credentials["planner"], overlap=NONE, by=SYSTEM, now=timezone.now())
    assert not signs_in("kid", child[2])
    assert own_token(world).status == 401


def test_a_childs_credential_ends_after_the_overlap_as_its_parents(world: World, child: tuple[Agent, Credential, Any]) -> None:
    rotate_api_key(credential=world.credentials["planner"], overlap=timedelta(minutes=5), by=SYSTEM, now=timezone.now())
    child[1].refresh_from_db()
    assert child[1].expires_at == child[1].rests_on.expires_at
    assert signs_in("kid", child[2])


def test_a_childs_new_credential_rests_on_what_its_old_one_did(world: World, child: tuple[Agent, Credential, Any]) -> None:
    Credential.objects.filter(pk=world.credentials["planner"].pk).update(expires_at=timezone.now() + timedelta(days=2))
    new, token = rotate_api_key(credential=child[1], overlap=NONE, by=SYSTEM, now=timezone.now())
    assert (new.rests_on, new.expires_at <= timezone.now() + timedelta(days=2)) == (world.credentials["planner"], True)
    revoke_credential(credential=world.credentials["planner"], by=SYSTEM, now=timezone.now())
    assert not signs_in("kid", token)


@pytest.mark.parametrize("revoked", [True, False])
def test_nothing_is_given_by_a_credential_that_has_ended(world: World, revoked: bool) -> None:
    blueprint = make_blueprint(world.acme, spawn_depth=3, spawn_children=9)
    Agent.objects.filter(pk=world.planner.pk).update(blueprint=blueprint)
    planner = Agent.objects.get(pk=world.planner.pk)
    act = {"by": planner.user.as_actor(), "now": timezone.now()}
    made = spawn_agent(parent=planner, external_id="kid", name="Kid", purpose="Help", **act)
    shown = world.credentials["planner"]
    if revoked:
        revoke_credential(credential=shown, by=SYSTEM, now=act["now"])
    else:
        act["now"] = shown.expires_at
    with pytest.raises(NotItsChild, match="has ended"):
        give_child_credential(child=made, label="l", shown=shown, held={"decide"}, **act)


def test_a_consent_for_a_task_is_none_without_it_and_ends_with_it(world: World) -> None:
    make_client(world)
    for given in Consent.objects.live(timezone.now()):
        end_consent(consent=given, by=SYSTEM, reason="anew", now=timezone.now())
    run = start_run(agent=world.planner, task_id="T-9", by=SYSTEM, now=timezone.now())
    browser = browser_of(world.ada)
    form = form_of(browser.get(address(run=str(run.pk))))
    code = redirect_of(browser.post(PATH, form | {"period": "month"}))[1]["code"]
    got = ask(
        world,
        "planner",
        {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "code_verifier": VERIFIER},
    )
    assert introspected(world, got.token)["active"] is True
    trust(world, IDP, "people")
    asked = {"grant_type": TOKEN_EXCHANGE, "subject_token_type": ID_TOKEN, "resource": CRM}
    without = ask(world, "planner", asked | {"subject_token": said(IDP, sub="ada", azp="planner")})
    assert (without.status, without.body["error"]) == (400, "invalid_grant")
    within = ask(world, "planner", asked | {"subject_token": said(IDP, sub="ada", azp="planner"), "run": str(run.pk)})
    assert (within.status, within.body["scope"]) == (200, "record:read")
    [consent] = Consent.objects.live(timezone.now())
    assert (consent.run, consent.purpose) == (run, "")
    end_run(run=run, by=SYSTEM, now=timezone.now())
    assert introspected(world, got.token) == {"active": False}
    assert not Consent.objects.live(timezone.now()).exists()


def test_nobody_consents_to_another_agents_task(world: World) -> None:
    run = start_run(agent=world.worker, task_id="T-9", by=SYSTEM, now=timezone.now())
    about = {"user": world.ada, "agent": world.planner, "resource_type": world.record, "actions": ["read"], "run": run}
    with pytest.raises(AnotherRun):
        give_consent(**about, by=world.ada.as_actor(), now=timezone.now())


@pytest.mark.parametrize("narrowed", [{"resource": "r1"}, {"when": "context.hour > 8"}, {"fields": ["title"]}])
def test_what_is_held_on_a_condition_is_not_asserted_elsewhere(world: World, narrowed: dict[str, Any]) -> None:
    files = "https://files.partner.example"
    trust(world, PARTNER, "receives_assertions", asserted_scopes=["record:read"], asserted_resources=[files])
    trust(world, IDP, "people")
    asked = {"grant_type": TOKEN_EXCHANGE, "subject_token_type": ID_TOKEN, "requested_token_type": ID_JAG}
    asked |= {"audience": PARTNER, "resource": files}
    assert ask(world, "planner", asked | {"subject_token": said(IDP, sub="ada")}).body["scope"] == "record:read"
    for held in world.planner.user.grants.filter(ended_at__isnull=True):
        end_grant(grant=held, by=SYSTEM, now=timezone.now())
    make_grant(world.acme, world.planner.user, spec(actions=["read"], **narrowed))
    refused = ask(world, "planner", asked | {"subject_token": said(IDP, sub="ada")})
    assert (refused.status, refused.body["error"]) == (400, "invalid_scope")


def test_an_agent_that_is_named_like_anothers_reference_is_not_it(world: World) -> None:
    _, secret = secret_for(evil := make_agent(world.acme, "agent/worker"))
    make_grant(world.acme, evil.user, spec(actions=["read"]))
    make_consent(world.ada, evil, world.record, actions=["read"])
    trust(world, IDP, "people")
    asked = {"grant_type": TOKEN_EXCHANGE, "subject_token_type": ID_TOKEN, "resource": CRM}
    asked["subject_token"] = said(IDP, sub="ada", may_act={"sub": "agent/worker"})
    assert post("token", asked, authorization=basic("agent/worker", secret.text)).body["error"] == "invalid_grant"


@pytest.mark.parametrize("path", ["token", "introspect", "revoke"])
def test_an_authorization_header_beyond_ascii_is_a_refusal(world: World, path: str) -> None:
    form = "application/x-www-form-urlencoded"
    sent = "grant_type=client_credentials&token=x"
    answer = Client().post(f"/o/acme/oauth/{path}", sent, content_type=form, HTTP_AUTHORIZATION="Basic \xe9")
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
