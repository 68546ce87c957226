"""Each resource of the directory does over the API what its service does, for those who may, and for nobody else."""

import pytest
from django.utils import timezone

from agentiam.api.models import RememberedAnswer
from audit.models import Event
from directory.models import Agent, Credential, Invitation, OnboardingToken, PersonKey, Run, Team
from directory.services.onboarding_tokens import issue_onboarding_token
from tests.factories import SYSTEM, make_agent, make_blueprint, make_person, make_team


@pytest.fixture
def alice(as_):
    return as_("alice")


def refused(answer, status=403):
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == "application/problem+json"


# --- organization, people, teams --------------------------------------------------------------------------------------------


def test_an_administrator_changes_her_organization_and_sees_no_other(as_, alice, acme, evil):
    shown = alice.get("organizations").json()["items"]
    assert [each["slug"] for each in shown] == ["acme"]
    answer = alice.patch(f"organizations/{acme.pk}", {"name": "Acme AG", "time_zone": "Europe/Zurich"})
    assert (answer.status_code, answer.json()["time_zone"]) == (200, "Europe/Zurich")
    refused(alice.patch(f"organizations/{evil.pk}", {"name": "Mine"}), 404)
    refused(as_("carol").patch(f"organizations/{acme.pk}", {"name": "Mine"}))


def test_a_person_comes_in_gets_a_role_and_leaves(as_, alice, agent):
    made = alice.post("people", {"external_id": "frank", "username": "frank@acme.example", "name": "Frank"})
    assert made.status_code == 201, made.content
    frank = made.json()["id"]
    assert alice.get(made["Location"].partition("testserver")[2]).json()["external_id"] == "frank"
    assert alice.replace(f"people/{frank}/console-roles", {"console_roles": ["auditor"]}).json()["console_roles"] == ["auditor"]
    left = alice.post(f"people/{frank}/deactivate", {"reason": "left"})
    assert (left.status_code, left.json()["is_active"]) == (200, False)
    assert alice.post(f"people/{frank}/reactivate").json()["is_active"] is True


def test_nobody_makes_themselves_more_than_they_are(as_, people):
    for name in ("bob", "carol", "olivia", "dave"):
        answer = as_(name).replace(f"people/{people[name].pk}/console-roles", {"console_roles": ["security_administrator"]})
        refused(answer)
    refused(as_("alice").replace(f"people/{people['alice'].pk}/console-roles", {"console_roles": []}))
    refused(as_("mallory").replace(f"people/{people['bob'].pk}/console-roles", {"console_roles": []}), 404)


def test_nobody_closes_their_own_account(alice, people):
    for action in ("deactivate", "offboard"):
        answer = alice.post(f"people/{people['alice'].pk}/{action}", {"reason": "I leave"})
        assert (answer.status_code, answer.json()["fact"]) == (403, "OwnAccount")
    people["alice"].refresh_from_db()
    assert people["alice"].is_active


def test_the_accounts_of_agents_are_no_people(alice, agent):
    assert agent.external_id not in {each["external_id"] for each in alice.get("people").json()["items"]}
    refused(alice.get(f"people/{agent.user_id}"), 404)


def test_a_person_without_a_role_sees_themselves_only(as_, people):
    assert [each["external_id"] for each in as_("dave").get("people").json()["items"]] == ["dave"]


def test_a_team_is_made_moved_and_filled(as_, alice, people, evil):
    upper = alice.post("teams", {"external_id": "it", "name": "IT"}).json()
    lower = alice.post("teams", {"external_id": "ops", "name": "Operations", "parent": upper["id"]}).json()
    assert lower["parent"]["external_id"] == "it"
    filled = alice.replace(f"teams/{lower['id']}/members", {"members": [str(people["bob"].pk)]})
    assert [each["external_id"] for each in filled.json()["members"]] == ["bob"]
    moved = alice.patch(f"teams/{lower['id']}", {"parent": None})
    assert moved.json()["parent"] is None
    stranger = make_person(evil, "spy")
    refused(alice.replace(f"teams/{lower['id']}/members", {"members": [str(stranger.pk)]}), 422)
    assert list(Team.objects.get(pk=lower["id"]).members.values_list("external_id", flat=True)) == ["bob"]


# --- blueprints and onboarding ----------------------------------------------------------------------------------------------


def test_a_blueprint_is_made_and_changed(as_, alice):
    made = alice.post("blueprints", {"external_id": "clerk", "name": "Clerk", "sign_offs": 1, "credential_days": 30})
    assert made.status_code == 201, made.content
    changed = alice.patch(f"blueprints/{made.json()['id']}", {"credential_days": 7, "reason": "shorter"})
    assert (changed.json()["credential_days"], changed.json()["sign_offs"]) == (7, 1)
    refused(as_("carol").patch(f"blueprints/{made.json()['id']}", {"credential_days": 900}))


def test_an_agent_is_registered_signed_off_and_works(as_, alice, acme, people):
    blueprint = make_blueprint(acme, sign_offs=1)
    olivia = str(people["olivia"].pk)
    body = {"external_id": "new", "name": "New", "purpose": "Works.", "owner": olivia, "sponsor": olivia}
    made = alice.post("agents", {**body, "blueprint": str(blueprint.pk)})
    assert (made.status_code, made.json()["state"]) == (201, "pending")
    path = f"agents/{made.json()['id']}"
    refused(alice.post(f"{path}/sign-off"))
    refused(as_("dave").post(f"{path}/sign-off"), 404)
    agreed = as_("bob").post(f"{path}/sign-off", {"reason": "fine"})
    assert (agreed.status_code, agreed.json()["state"]) == (200, "active")


def test_who_may_use_a_blueprint_may_register_from_it_and_from_no_other(as_, acme, people):
    from directory.services.access import give_access

    allowed, other = make_blueprint(acme), make_blueprint(acme)
    give_access(thing=allowed, right="use_blueprint", to=people["dave"], by=SYSTEM, now=timezone.now())
    dave = str(people["dave"].pk)
    body = {"external_id": "d1", "name": "D", "purpose": "Works.", "owner": dave, "sponsor": dave}
    refused(as_("dave").post("agents", {**body, "blueprint": str(other.pk)}))
    refused(as_("dave").post("agents", body))
    assert as_("dave").post("agents", {**body, "blueprint": str(allowed.pk)}).status_code == 201


def test_a_pipeline_onboards_with_its_token_and_only_so_often(as_, alice, acme, people):
    blueprint = make_blueprint(acme)
    olivia = str(people["olivia"].pk)
    issued = alice.post(
        "onboarding-tokens", {"blueprint": str(blueprint.pk), "label": "CI", "owner": olivia, "sponsor": olivia}
    )
    assert issued.status_code == 201, issued.content
    bearer = {"Authorization": f"Bearer {issued.json()['secret']}", "Idempotency-Key": "0123456789abcdef"}
    body = {"external_id": "built", "name": "Built", "purpose": "Made by a pipeline."}
    done = as_("anonymous").post("onboarding", body, **bearer)
    assert done.status_code == 201, done.content
    assert (done.json()["state"], done.json()["owner"]["external_id"]) == ("active", "olivia")
    assert as_("anonymous").get("agents", Authorization=f"Bearer {done.json()['secret']}").status_code == 403
    # Its answer got lost, perhaps; it holds a secret, so it is given again while the token is good, and not afterwards.
    assert as_("anonymous").post("onboarding", body, **bearer).json()["secret"] == done.json()["secret"]
    another = bearer | {"Idempotency-Key": "another-0123456789"}
    refused(as_("anonymous").post("onboarding", {**body, "external_id": "again"}, **another), 401)
    assert RememberedAnswer.objects.count() == 1
    assert alice.post(f"onboarding-tokens/{issued.json()['id']}/revoke").status_code == 200
    refused(as_("anonymous").post("onboarding", body, **bearer), 401)
    assert Agent.objects.filter(external_id="again").count() == 0
    assert "secret" not in alice.get(f"onboarding-tokens/{issued.json()['id']}").json()


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer aio_x", "Basic eA=="])
def test_no_token_onboards_nobody(as_, acme, header):
    headers = {"Authorization": header} if header else {}
    refused(as_("anonymous").post("onboarding", {"external_id": "x", "name": "X", "purpose": "X."}, **headers), 401)


def test_the_token_opens_nothing_else(as_, acme, people):
    owner = people["olivia"]
    _, token = issue_onboarding_token(
        blueprint=make_blueprint(acme), label="CI", owner=owner, sponsor=owner, by=SYSTEM, now=timezone.now()
    )
    refused(as_("anonymous").get("agents", Authorization=f"Bearer {token.text}"), 401)
    assert OnboardingToken.objects.get().uses == 0


# --- credentials, keys, runs --------------------------------------------------------------------------------------------------


def test_a_credential_is_shown_once_rotated_and_revoked(as_, alice, agent):
    issued = as_("olivia").post("credentials", {"agent": str(agent.pk), "label": "main", "scopes": ["read"]})
    assert issued.status_code == 201, issued.content
    secret = issued.json()["secret"]
    caller = {"Authorization": f"Bearer {secret}"}
    assert as_("anonymous").get("agents", **caller).status_code == 200
    row = issued.json()["id"]
    assert "secret" not in alice.get(f"credentials/{row}").json()
    stored = Credential.objects.get(pk=row)
    for path in ("credentials", f"credentials/{row}", "agents"):
        text = alice.get(path).content.decode()
        assert stored.digest not in text
        assert secret not in text
    rotated = as_("olivia").post(f"credentials/{row}/rotate", {"overlap_seconds": 60})
    assert rotated.status_code == 201, rotated.content
    assert as_("anonymous").get("agents", **caller).status_code == 200
    assert as_("olivia").post(f"credentials/{row}/revoke").json()["revoked_at"]
    refused(as_("anonymous").get("agents", **caller), 401)
    refused(as_("carol").post(f"credentials/{rotated.json()['id']}/revoke"))
    refused(as_("mallory").post(f"credentials/{rotated.json()['id']}/revoke"), 404)


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "public_key"},
        {"kind": "api_key", "jwk": {"kty": "OKP"}},
        {"kind": "federated", "issuer": "https://ci.example"},
        {"kind": "password"},
        {"scopes": []},
        {"scopes": ["admin"]},
    ],
)
def test_a_credential_that_makes_no_sense_is_refused(alice, agent, body):
    refused(alice.post("credentials", {"agent": str(agent.pk), "label": "x", **body}), 422)
    assert not Credential.objects.exists()


def test_a_person_makes_a_key_in_a_session_and_it_speaks_in_their_name(as_, people, agent):
    made = as_("carol").post("person-keys", {"label": "laptop", "scopes": ["read"]})
    assert made.status_code == 201, made.content
    bearer = {"Authorization": f"Bearer {made.json()['secret']}"}
    assert as_("anonymous").get("agents", **bearer).json()["items"]
    refused(as_("anonymous").post("person-keys", {"label": "more"}, **bearer))
    refused(as_("dave").get(f"person-keys/{made.json()['id']}"), 404)
    as_("alice").post(f"people/{people['carol'].pk}/deactivate", {"reason": "left"})
    refused(as_("anonymous").get("agents", **bearer), 401)
    assert PersonKey.objects.get().revoked_at is not None


def test_a_key_can_be_refused_for_decisions_and_elsewhere(as_, agent):
    refused(as_("carol").post("person-keys", {"label": "x", "scopes": ["decide"]}), 422)
    made = as_("carol").post("person-keys", {"label": "x", "allowed_networks": ["203.0.113.0/24"]})
    refused(as_("anonymous").get("agents", Authorization=f"Bearer {made.json()['secret']}"), 401)


def test_an_agent_starts_and_ends_its_own_run(as_, agent):
    caller = as_("agent")
    started = caller.post("runs", {"agent": str(agent.pk), "task_id": "T-1", "purpose": "invoices"})
    assert started.status_code == 201, started.content
    assert caller.post(f"runs/{started.json()['id']}/end").json()["ended_at"]
    other = make_agent(agent.organization, "other", owner=agent.owner)
    refused(caller.post("runs", {"agent": str(other.pk), "task_id": "T-2"}), 422)
    assert Run.objects.count() == 1


def test_an_agent_spawns_within_its_limits_and_only_for_itself(as_, agent, acme):
    Agent.objects.filter(pk=agent.pk).update(blueprint=make_blueprint(acme, spawn_depth=1, spawn_children=1))
    body = {"external_id": "child", "name": "Child", "purpose": "Helps."}
    made = as_("agent").post(f"agents/{agent.pk}/spawn", body)
    assert (made.status_code, made.json()["parent"]["external_id"]) == (201, "runner")
    refused(as_("agent").post(f"agents/{agent.pk}/spawn", {**body, "external_id": "second"}), 409)


def test_an_invitation_is_sent_and_withdrawn(as_, alice):
    made = alice.post("invitations", {"email": "new@acme.example", "console_roles": ["developer"]})
    assert made.status_code == 201, made.content
    row = made.json()["id"]
    assert alice.post(f"invitations/{row}/resend").status_code == 200
    assert alice.post(f"invitations/{row}/withdraw").json()["withdrawn_at"]
    refused(alice.post(f"invitations/{row}/withdraw"), 409)
    for name in ("bob", "carol", "olivia", "dave"):
        refused(as_(name).post("invitations", {"email": "friend@acme.example"}))
    assert Invitation.objects.count() == 1


def test_every_change_is_an_event_of_the_one_who_called(alice, people):
    alice.post("teams", {"external_id": "it", "name": "IT", "reason": "new department"})
    event = Event.objects.get(type="team.created")
    assert (event.actor_kind, event.actor_id, event.reason) == ("person", "alice", "new department")


# --- what a stranger finds ---------------------------------------------------------------------------------------------------

LISTS = [
    "organizations",
    "people",
    "person-keys",
    "invitations",
    "teams",
    "blueprints",
    "onboarding-tokens",
    "agents",
    "credentials",
    "runs",
]


@pytest.mark.parametrize("path", LISTS)
def test_a_stranger_and_a_nobody_find_nothing_of_ours(as_, alice, agent, people, path):
    as_("olivia").post("credentials", {"agent": str(agent.pk), "label": "main"})
    as_("agent", scopes=("read", "write")).post("runs", {"agent": str(agent.pk), "task_id": "T-1"})
    make_team(agent.organization, "it")
    make_blueprint(agent.organization, "clerk")
    alice.post("person-keys", {"label": "mine"})
    alice.post("invitations", {"email": "new@acme.example"})
    ours = {each["id"] for each in alice.get(path).json()["items"]}
    theirs = {each["id"] for each in as_("mallory").get(path).json()["items"]}
    assert not ours & theirs
    for row in ours:
        refused(as_("mallory").get(f"{path}/{row}"), 404)
    refused(as_("anonymous").get(path), 401)
    its = [each["id"] for each in as_("application").get(path).json()["items"]]
    assert its == ([str(agent.organization_id)] if path == "organizations" else [])


# --- what happens in an agent's life -----------------------------------------------------------------------------------------


def test_an_agent_is_onboarded_with_its_key_in_one_call(as_, alice, people):
    olivia = str(people["olivia"].pk)
    body = {"external_id": "one", "name": "One", "purpose": "Works.", "owner": olivia, "sponsor": olivia}
    done = alice.post("agents/onboard", {**body, "credential": {"label": "first"}})
    assert done.status_code == 201, done.content
    assert (done.json()["state"], done.json()["missing_sign_offs"]) == ("active", 0)
    assert done.json()["secret"].startswith("aia_")
    refused(as_("carol").post("agents/onboard", {**body, "external_id": "two"}))


def test_who_may_still_sign_is_told(as_, alice, acme, people):
    blueprint = make_blueprint(acme, sign_offs=1)
    olivia = str(people["olivia"].pk)
    body = {"external_id": "new", "name": "New", "purpose": "Works.", "owner": olivia, "sponsor": olivia}
    row = alice.post("agents", {**body, "blueprint": str(blueprint.pk)}).json()["id"]
    told = alice.get(f"agents/{row}/onboarding").json()
    assert told["missing"] == 1
    assert "bob" in {each["external_id"] for each in told["may_sign"]}
    assert "alice" not in {each["external_id"] for each in told["may_sign"]}
    as_("bob").post(f"agents/{row}/sign-off", {"reason": "read it"})
    told = alice.get(f"agents/{row}/onboarding").json()
    assert [(each["person"]["external_id"], each["reason"]) for each in told["sign_offs"]] == [("bob", "read it")]


def test_many_agents_are_stopped_each_by_itself(as_, alice, agent, evil):
    second, foreign = make_agent(agent.organization, "second", owner=agent.owner), make_agent(evil, "foreign")
    items = [{"agent": str(each.pk), "operation": "suspend", "reason": "drill"} for each in (agent, foreign, second, agent)]
    told = as_("olivia").post("agents/bulk", {"items": items}).json()
    assert [each["status"] for each in told["results"]] == [200, 404, 200, 409]
    assert (told["done"], told["refused"]) == (2, 2)
    assert Agent.objects.get(pk=foreign.pk).state == "active"
    assert Event.objects.filter(type="agent.suspended", reason="drill").count() == 2
    refused(alice.post("agents/bulk", {"items": items * 30}), 422)


def test_many_agents_are_registered_each_by_itself(alice, people):
    olivia = str(people["olivia"].pk)
    item = {"name": "N", "purpose": "Works.", "owner": olivia, "sponsor": olivia}
    items = [{**item, "external_id": name} for name in ("x1", "x2", "x1")]
    told = alice.post("agents/bulk-register", {"items": items}).json()
    assert [each["status"] for each in told["results"]] == [201, 201, 409]


def test_rights_on_one_agent_are_given_seen_and_taken_back(as_, alice, agent, people):
    path, dave = f"agents/{agent.pk}", {"person": str(people["dave"].pk), "right": "operate_agent"}
    refused(as_("dave").post(f"{path}/suspend"), 404)
    assert alice.post(f"{path}/rights/give", dave).json()["items"][0]["person"]["external_id"] == "dave"
    assert as_("dave").post(f"{path}/suspend", {"reason": "mine to stop"}).status_code == 200
    refused(as_("dave").patch(path, {"name": "Mine"}))
    refused(as_("dave").post(f"{path}/rights/give", {**dave, "right": "manage_agent"}))
    alice.post(f"{path}/rights/withdraw", dave)
    refused(as_("dave").post(f"{path}/resume"), 404)
    refused(as_("carol").post(f"{path}/rights/give", {**dave, "person": str(people["carol"].pk)}))


def test_another_model_stops_an_agent_until_somebody_else_has_looked(as_, alice, agent):
    path = f"agents/{agent.pk}"
    assert as_("agent").post(f"{path}/fingerprints", {"model_hash": "sha256:1"}).json()["model_hash"] == "sha256:1"
    told = as_("olivia").post(f"{path}/fingerprints", {"model_hash": "sha256:2"}).json()
    assert (told["state"], told["review_needed"]) == ("suspended", True)
    refused(as_("olivia").post(f"{path}/resume"), 409)
    reviewed = as_("bob").post(f"{path}/review", {"model_hash": "sha256:2", "reason": "tested"})
    assert (reviewed.status_code, reviewed.json()["review_needed"]) == (200, False)
    assert as_("olivia").post(f"{path}/resume").json()["state"] == "active"


def test_a_retired_agent_leaves_a_proof(as_, alice, agent):
    alice.post("credentials", {"agent": str(agent.pk), "label": "main"})
    refused(alice.post(f"agents/{agent.pk}/retire", {}), 422)
    gone = as_("olivia").post(f"agents/{agent.pk}/retire", {"reason": "replaced"})
    assert (gone.status_code, gone.json()["state"]) == (200, "retired")
    proofs = as_("carol").get("attestations").json()["items"]
    assert len(proofs) == 1
    assert Credential.objects.get().revoked_at is not None


def test_a_card_is_written_published_and_taken_down(as_, alice, agent):
    card = {
        "description": "Runs errands.",
        "supportedInterfaces": [
            {"url": "https://runner.acme.example/a2a", "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}
        ],
        "capabilities": {"streaming": False},
        "defaultInputModes": ["text/plain"],
        "defaultOutputModes": ["text/plain"],
        "skills": [{"id": "run", "name": "Run", "description": "Runs.", "tags": ["run"]}],
    }
    path = f"agents/{agent.pk}"
    written = as_("olivia").replace(f"{path}/card/set", {"card": card})
    assert written.status_code == 200, written.content
    as_("olivia").post(f"{path}/card/publish")
    assert alice.get(f"{path}/card").json()["published"] is True
    as_("olivia").post(f"{path}/card/withdraw")
    assert alice.get(f"{path}/card").json()["published"] is False
    refused(as_("carol").post(f"{path}/card/publish"))


def test_a_person_is_offboarded_and_nothing_of_theirs_stays(as_, alice, people, agent):
    refused(as_("bob").post(f"people/{people['olivia'].pk}/offboard", {"reason": "left"}))
    gone = alice.post(f"people/{people['olivia'].pk}/offboard", {"reason": "left"})
    assert (gone.status_code, gone.json()["is_active"]) == (200, False)
    stopped = Agent.objects.get(pk=agent.pk)
    assert (stopped.state, stopped.ownerless) == ("suspended", True)
