"""Who may give what to whom: the right on the holder, the right on what is given, and never to oneself."""

import pytest
from django.contrib.auth.models import Permission
from guardian.shortcuts import assign_perm

from audit.models import Event
from directory.lifecycle import State
from directory.models import BlueprintUserPermission, OnboardingToken
from directory.services.access import give_access
from directory.services.handover import transfer_agent
from directory.services.teams import set_team_members
from permissions.models import Grant, RoleAssignment
from permissions.services.givers import WidensOneself, require_not_oneself
from permissions.services.roles import set_blueprint_roles, set_role_inclusions
from tests.api.permissions.conftest import grant, held
from tests.factories import NOW, SYSTEM, make_agent, make_blueprint, make_person, make_team
from tests.permissions.factories import make_assignment, make_role, make_trust, spec


def test_an_administrator_gives_and_the_log_says_to_whom_and_why(as_, world):
    answer = as_("alice").post("grants", grant(world, reason="needs it", where='resource.region == "EU"', fields=["title"]))
    assert answer.status_code == 201, answer.content
    told = answer.json()
    assert told["holder"] == {"kind": "agent", "id": str(world.runner.pk), "external_id": "runner", "name": "Runner"}
    assert (told["type"], told["where"], told["fields"], told["given_by"]) == (
        "record",
        'resource.region == "EU"',
        ["title"],
        "person/alice",
    )
    event = Event.objects.get(type="grant.given")
    assert (event.actor_id, event.reason) == ("alice", "needs it")
    assert answer["Location"].endswith(told["id"])


@pytest.mark.parametrize("name", ["bob", "carol", "olivia", "dave"])
def test_owning_or_seeing_an_agent_is_no_right_to_give_to_it(as_, world, name):
    answer = as_(name).post("grants", grant(world))
    assert answer.status_code in {403, 422}
    assert not Grant.objects.exists()


def test_the_owner_is_told_which_right_is_missing(as_, world):
    answer = as_("olivia").post("grants", grant(world))
    assert (answer.status_code, answer.json()["right"]) == (403, "grant_agent")


def test_a_right_on_the_agent_is_enough_for_types_that_one_sees(as_, world):
    world.let("olivia", "grant_agent", world.runner)
    unseen = as_("olivia").post("grants", grant(world))
    assert unseen.status_code == 422
    assert "record" not in unseen.json()["errors"][0]["detail"]
    world.let("olivia", "view_application", world.crm)
    assert as_("olivia").post("grants", grant(world)).status_code == 201
    assert as_("olivia").post("grants", grant(world, world.helper)).status_code == 422


def test_a_type_that_does_not_exist_and_one_that_is_not_seen_look_alike(as_, world):
    world.let("olivia", "grant_agent", world.runner)
    unseen = as_("olivia").post("grants", grant(world))
    unknown = as_("olivia").post("grants", grant(world, type="starship"))
    assert unseen.json() == unknown.json()


def test_a_role_needs_the_right_on_the_role_too(as_, world):
    body = {"role": str(world.reader.pk), "holder": held(world)}
    world.let("olivia", "grant_agent", world.runner)
    assert as_("olivia").post("role-assignments", body).status_code == 422
    world.let("olivia", "view_role", world.reader)
    answer = as_("olivia").post("role-assignments", body)
    assert (answer.status_code, answer.json()["right"]) == (403, "assign_role")
    world.let("olivia", "assign_role", world.reader)
    assert as_("olivia").post("role-assignments", body).status_code == 201


def test_a_right_on_the_role_alone_gives_it_to_nobody(as_, world):
    world.let("olivia", "assign_role", world.reader)
    answer = as_("olivia").post("role-assignments", {"role": str(world.reader.pk), "holder": held(world)})
    assert (answer.status_code, answer.json()["right"]) == (403, "grant_agent")
    assert not RoleAssignment.objects.exists()


def test_nobody_gives_to_themselves_or_their_team(as_, world):
    team = make_team(world.acme, "ops")
    for holder in ({"person": str(world.people["alice"].pk)}, {"team": str(team.pk)}):
        assert as_("alice").post("grants", grant(world) | {"holder": holder}).status_code == (
            403 if "person" in holder else 201
        )
    set_team_members(team=team, members=[world.people["alice"]], by=SYSTEM, now=NOW)
    answer = as_("alice").post("grants", grant(world) | {"holder": {"team": str(team.pk)}})
    assert (answer.status_code, answer.json()["fact"]) == (403, "WidensOneself")
    other = {"person": str(make_person(world.acme, "zoe").pk)}
    assert as_("alice").post("grants", grant(world) | {"holder": other}).status_code == 201


def test_giving_to_people_and_teams_needs_the_right_everywhere(as_, world):
    team = make_team(world.acme, "ops", members=(world.people["dave"],))
    for holder in ({"team": str(team.pk)}, {"person": str(world.people["dave"].pk)}):
        answer = as_("dave").post("grants", grant(world) | {"holder": holder})
        assert (answer.status_code, answer.json()["right"]) == (403, "add_grant")


def test_an_agent_gives_nothing_by_rights_on_single_objects(as_, world):
    child = make_agent(parent=world.runner, external_id="child")
    for target in (world.runner, child):
        for to in (world.runner.user, child.user):
            assign_perm("directory.grant_agent", to, target)
    for holder in (world.runner, child):
        answer = as_("agent").post("grants", grant(world, holder))
        assert (answer.status_code, answer.json()["right"]) == (403, "grant_agent")


def test_an_agent_that_may_give_to_all_gives_neither_to_itself_nor_to_its_parent(as_, world):
    child = make_agent(parent=world.runner, external_id="child")
    codenames = ("grant_agent", "view_resourcetype")
    world.runner.user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    child.user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    itself = as_("agent").post("grants", grant(world))
    assert (itself.status_code, itself.json()["fact"]) == (403, "WidensOneself")
    with pytest.raises(WidensOneself):
        require_not_oneself(world.runner.user, by=child.user.as_actor())
    assert as_("agent").post("grants", grant(world, child)).status_code == 201


def test_an_application_gives_nothing(as_, world):
    assert as_("application").post("grants", grant(world)).status_code == 422
    assert as_("application").get("grants").json()["items"] == []


def test_exactly_one_holder_is_named(as_, world):
    for holder in ({}, held(world) | {"person": str(world.people["bob"].pk)}, {"robot": "x"}):
        assert as_("alice").post("grants", grant(world) | {"holder": holder}).status_code == 422


def test_a_stranger_is_no_holder_and_a_partners_agent_is_named_by_its_id(as_, world, evil):
    theirs = make_agent(evil, "theirs")
    assert as_("alice").post("grants", grant(world, theirs)).status_code == 422
    body = grant(world) | {"holder": {"partner_agent": theirs.spiffe_id}}
    unknown = as_("alice").post("grants", grant(world) | {"holder": {"partner_agent": "spiffe://evil.example/agent/x"}})
    assert as_("alice").post("grants", body).json() == unknown.json()
    make_trust(world.acme, evil)
    told = as_("alice").post("grants", body).json()
    assert told["holder"] == {
        "kind": "partner_agent",
        "id": None,
        "external_id": theirs.spiffe_id,
        "name": theirs.spiffe_id,
    }


def test_a_bad_condition_is_refused_with_its_place(as_, world):
    answer = as_("alice").post("grants", grant(world, where="resource.colour == 1"))
    told = answer.json()
    assert (answer.status_code, told["type"]) == (422, "urn:agentiam:problem:invalid")
    assert (told["fact"], told["clause"], told["line"]) == ("InvalidCondition", "where", 1)
    assert "^" in told["caret"]
    assert told["errors"] == [{"pointer": "/where", "detail": told["detail"]}]


# --- several at once ---------------------------------------------------------------------------------------------------------


def test_several_are_given_as_one_change(as_, world):
    before = world.acme.__class__.objects.get(pk=world.acme.pk).revision
    items = [grant(world), grant(world, actions=["write"]), grant(world, world.helper)]
    answer = as_("alice").post("grants/bulk", {"items": items, "all_or_none": True, "reason": "the new team"})
    assert answer.status_code == 200, answer.content
    made = [Grant.objects.get(pk=each["id"]).actions for each in answer.json()["results"]]
    assert made == [["read"], ["write"], ["read"]]
    assert Event.objects.filter(type="grant.given", reason="the new team").count() == 3
    assert world.acme.__class__.objects.get(pk=world.acme.pk).revision == before + 1


def test_of_several_all_are_given_or_none(as_, world):
    items = [grant(world), grant(world, actions=["fly"])]
    assert as_("alice").post("grants/bulk", {"items": items, "all_or_none": True}).status_code == 422
    world.let("olivia", "grant_agent", world.runner)
    world.let("olivia", "view_application", world.crm)
    mixed = {"items": [grant(world), grant(world, world.helper)], "all_or_none": True}
    assert as_("olivia").post("grants/bulk", mixed).status_code == 422
    assert not Grant.objects.exists()
    assert not Event.objects.filter(type="grant.given").exists()


def test_each_of_several_is_given_or_refused_by_itself(as_, world):
    items = [grant(world), grant(world, actions=["fly"]), grant(world, world.helper)]
    told = as_("alice").post("grants/bulk", {"items": items}).json()
    assert [each["status"] for each in told["results"]] == [201, 422, 201]
    assert told["results"][1]["problem"]["fact"] == "UnknownAction"
    assert told["results"][1]["problem"]["errors"][0]["pointer"] == "/actions"
    assert (told["done"], told["refused"], Grant.objects.count()) == (2, 1, 2)


@pytest.mark.parametrize("count", [0, 201])
def test_too_few_and_too_many_are_refused(as_, world, count):
    assert as_("alice").post("grants/bulk", {"items": [grant(world)] * count}).status_code == 422


# --- taking back -------------------------------------------------------------------------------------------------------------


def test_what_is_given_is_listed_ended_and_gone_from_the_next_decision(as_, world):
    key = as_("alice").post("grants", grant(world)).json()["id"]
    assert [row["id"] for row in as_("olivia").get("grants").json()["items"]] == [key]
    assert as_("olivia").post(f"grants/{key}/end", {}).status_code == 403
    assert as_("mallory").post(f"grants/{key}/end", {}).status_code == 404
    ended = as_("alice").post(f"grants/{key}/end", {"reason": "done"})
    assert ended.json()["ended_at"] is not None
    again = as_("alice").post(f"grants/{key}/end", {})
    assert (again.status_code, again.json()["fact"]) == (409, "EndedAlready")
    assert as_("alice").get("grants?ended=false").json()["items"] == []


def test_lists_are_narrowed(as_, world):
    as_("alice").post("grants/bulk", {"items": [grant(world), grant(world, world.helper)]})
    alice = as_("alice")
    assert len(alice.get(f"grants?agent={world.helper.pk}").json()["items"]) == 1
    assert len(alice.get("grants?type=record&source=manual").json()["items"]) == 2
    assert alice.get("grants?type=starship").json()["items"] == []


# --- roles and blueprints ----------------------------------------------------------------------------------------------------


def entitle(world, *actions):
    return {"entitlements": [{"type": "record", "actions": list(actions)}]}


def test_who_manages_a_role_does_not_widen_their_own_agent_by_it(as_, world):
    world.let("dave", "manage_role", world.reader)
    path = f"roles/{world.reader.pk}/entitlements"
    assert as_("dave").replace(path, entitle(world, "read", "write")).status_code == 200
    mine = make_agent(world.acme, "daves", owner=world.people["dave"])
    make_assignment(world.reader, mine.user)
    answer = as_("dave").replace(path, entitle(world, "*"))
    assert (answer.status_code, answer.json()["fact"]) == (403, "WidensOneself")
    assert as_("alice").replace(path, entitle(world, "*")).status_code == 200


def test_nor_by_a_role_that_is_included_in_what_the_agent_holds(as_, world):
    world.let("dave", "manage_role", world.reader)
    outer = make_role(world.acme, "outer")
    set_role_inclusions(role=outer, included=[world.reader], by=SYSTEM, now=NOW)
    make_assignment(outer, make_agent(world.acme, "daves", sponsor=world.people["dave"]).user)
    assert as_("dave").replace(f"roles/{world.reader.pk}/entitlements", entitle(world, "*")).status_code == 403


def test_including_a_role_needs_the_right_to_assign_it(as_, world):
    powerful = make_role(world.acme, "powerful", spec(actions=["*"]))
    world.let("dave", "manage_role", world.reader)
    body = {"includes": [str(powerful.pk)]}
    answer = as_("dave").replace(f"roles/{world.reader.pk}/includes", body)
    assert (answer.status_code, answer.json()["right"]) == (403, "assign_role")
    world.let("dave", "assign_role", powerful)
    told = as_("dave").replace(f"roles/{world.reader.pk}/includes", body).json()
    assert [each["external_id"] for each in told["includes"]] == ["powerful"]


def test_a_blueprint_hands_out_only_roles_that_one_may_assign(as_, world):
    blueprint = make_blueprint(world.acme, "clerk")
    world.let("olivia", "manage_blueprint", blueprint)
    world.let("olivia", "view_role", world.reader)
    path, body = f"blueprint-roles/{blueprint.pk}", {"roles": [str(world.reader.pk)]}
    assert as_("olivia").patch(path, body).status_code == 403
    world.let("olivia", "assign_role", world.reader)
    assert as_("olivia").patch(path, body).json()["roles"][0]["external_id"] == "reader"
    assert as_("olivia").patch(path, {"roles": []}).json()["roles"] == []
    make_agent(world.acme, "hers", owner=world.people["olivia"], blueprint=blueprint)
    answer = as_("olivia").patch(path, body)
    assert (answer.status_code, answer.json()["fact"]) == (403, "WidensOneself")


_CEILING = [{"type": "record", "actions": ["read"]}]
_NARROW = {
    "ceiling": _CEILING,
    "sign_offs": 2,
    "credential_methods": ["public_key"],
    "credential_days": 30,
    "spawn_depth": 1,
    "spawn_children": 2,
    "spawn_seconds": 60,
    "suspend_at_risk": 60,
}


@pytest.mark.parametrize(
    "wider",
    [
        {"ceiling": None},
        {"ceiling": [*_CEILING, {"type": "record", "actions": ["delete"]}]},
        {"ceiling": [{"type": "record", "actions": ["*"]}]},
        {"sign_offs": 0},
        {"credential_methods": []},
        {"credential_methods": ["public_key", "api_key"]},
        {"credential_days": 31},
        {"spawn_depth": 2},
        {"spawn_children": 3},
        {"spawn_seconds": 61},
        {"spawn_seconds": None},
        {"suspend_at_risk": 61},
        {"suspend_at_risk": None},
    ],
    ids=str,
)
def test_nobody_widens_the_terms_of_an_agent_that_they_answer_for(as_, world, wider):
    blueprint = make_blueprint(world.acme, "clerk", **_NARROW)
    world.let("olivia", "manage_blueprint", blueprint)
    path = f"blueprints/{blueprint.pk}"
    make_agent(world.acme, "hers", owner=world.people["olivia"], blueprint=blueprint, state=State.PENDING)
    answer = as_("olivia").patch(path, wider)
    assert (answer.status_code, answer.json()["fact"]) == (403, "WidensOneself")
    blueprint.refresh_from_db()
    assert {name: getattr(blueprint, name) for name in _NARROW} == _NARROW
    assert as_("alice").patch(path, wider).status_code == 200


def test_whoever_answers_for_an_agent_may_narrow_its_terms_and_widen_those_of_others(as_, world):
    blueprint = make_blueprint(world.acme, "clerk", **_NARROW)
    world.let("olivia", "manage_blueprint", blueprint)
    path = f"blueprints/{blueprint.pk}"
    assert as_("olivia").patch(path, {"sign_offs": 1}).status_code == 200
    make_agent(world.acme, "hers", owner=world.people["olivia"], blueprint=blueprint, state=State.PENDING)
    narrower = {
        "ceiling": [],
        "sign_offs": 3,
        "credential_days": 7,
        "spawn_depth": 0,
        "spawn_seconds": 30,
        "suspend_at_risk": 1,
        "name": "Clerks",
    }
    assert as_("olivia").patch(path, narrower).status_code == 200


def test_whoever_may_register_agents_from_a_blueprint_does_not_widen_it_first(as_, world):
    blueprint = make_blueprint(world.acme, "clerk", sign_offs=1)
    for right in ("manage_blueprint", "use_blueprint"):
        world.let("olivia", right, blueprint)
    world.let("olivia", "manage_role", world.reader)
    set_blueprint_roles(blueprint=blueprint, roles=[world.reader], by=SYSTEM, now=NOW)
    answers = [
        as_("olivia").patch(f"blueprints/{blueprint.pk}", {"sign_offs": 0}),
        as_("olivia").replace(f"roles/{world.reader.pk}/entitlements", entitle(world, "*")),
    ]
    assert [(each.status_code, each.json()["fact"]) for each in answers] == [(403, "WidensOneself")] * 2


def test_to_change_a_blueprint_is_no_right_to_register_agents_from_it_or_to_let_a_pipeline(as_, world):
    blueprint = make_blueprint(world.acme, "clerk", sign_offs=1)
    world.let("olivia", "manage_blueprint", blueprint)
    olivia = str(world.people["olivia"].pk)
    answering = {"owner": olivia, "sponsor": olivia, "blueprint": str(blueprint.pk)}
    agent = {"external_id": "hers", "name": "Hers", "purpose": "Works.", **answering}
    answers = [as_("olivia").post("agents", agent), as_("olivia").post("onboarding-tokens", {"label": "ci", **answering})]
    assert [(each.status_code, each.json()["right"]) for each in answers] == [(403, "use_blueprint")] * 2
    world.let("olivia", "use_blueprint", blueprint)
    assert as_("olivia").post("onboarding-tokens", {"label": "ci", **answering}).status_code == 201
    OnboardingToken.objects.get()
    BlueprintUserPermission.objects.filter(permission__codename="use_blueprint").delete()
    answer = as_("olivia").patch(f"blueprints/{blueprint.pk}", {"sign_offs": 0})
    assert (answer.status_code, answer.json()["fact"]) == (403, "WidensOneself")


def test_whoever_gave_an_agent_away_does_not_widen_the_role_that_its_old_key_lives_by(as_, world):
    hers = make_agent(world.acme, "hers", owner=world.people["olivia"])
    make_assignment(world.reader, hers.user)
    world.let("olivia", "manage_role", world.reader)
    alice = world.people["alice"]
    transfer_agent(agent=hers, owner=alice, sponsor=alice, by=world.people["olivia"].as_actor(), now=NOW)
    answer = as_("olivia").replace(f"roles/{world.reader.pk}/entitlements", entitle(world, "*"))
    assert (answer.status_code, answer.json()["fact"]) == (403, "WidensOneself")


def test_giving_an_agent_away_for_a_moment_is_no_way_round(as_, world):
    blueprint = make_blueprint(world.acme, "clerk", sign_offs=1)
    hers = make_agent(world.acme, "hers", owner=world.people["alice"], blueprint=blueprint, state=State.PENDING)
    world.let("olivia", "manage_blueprint", blueprint)
    world.let("olivia", "manage_role", world.reader)
    make_assignment(world.reader, hers.user)
    world.let("olivia", "manage_agent", hers)
    answers = [
        as_("olivia").patch(f"blueprints/{blueprint.pk}", {"sign_offs": 0}),
        as_("olivia").replace(f"roles/{world.reader.pk}/entitlements", entitle(world, "*")),
    ]
    assert [(each.status_code, each.json()["fact"]) for each in answers] == [(403, "WidensOneself")] * 2


def test_a_team_that_may_manage_an_agent_does_not_widen_its_terms(as_, world):
    blueprint = make_blueprint(world.acme, "clerk", sign_offs=1)
    theirs = make_agent(world.acme, "theirs", owner=world.people["alice"], blueprint=blueprint, state=State.PENDING)
    team = make_team(world.acme, "ops", members=(world.people["olivia"],))
    give_access(thing=theirs, right="manage_agent", to=team, by=SYSTEM, now=NOW)
    world.let("olivia", "manage_blueprint", blueprint)
    answer = as_("olivia").patch(f"blueprints/{blueprint.pk}", {"sign_offs": 0})
    assert (answer.status_code, answer.json()["fact"]) == (403, "WidensOneself")


def test_a_role_lives_from_its_creation_to_its_removal(as_, world):
    alice = as_("alice")
    made = alice.post("roles", {"external_id": "writer", "name": "Writer"})
    assert made.status_code == 201
    path = f"roles/{made.json()['id']}"
    assert alice.patch(path, {"description": "Writes."}).json()["description"] == "Writes."
    assert alice.replace(f"{path}/entitlements", entitle(world, "write")).json()["entitlements"][0]["actions"] == ["write"]
    assert as_("carol").post(f"{path}/remove").status_code == 403
    make_assignment(alice_role(made), world.runner.user)
    assert alice.post(f"{path}/remove").status_code == 409
    for row in alice.get("role-assignments").json()["items"]:
        alice.post(f"role-assignments/{row['id']}/end")
    assert alice.post(f"{path}/remove").status_code == 204
    assert alice.get(path).status_code == 404


def alice_role(made):
    from permissions.models import Role

    return Role.objects.get(pk=made.json()["id"])
