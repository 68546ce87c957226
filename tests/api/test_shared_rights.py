"""Rights on single objects over the API: shared by who manages the object, in words about those whom the caller sees."""

import pytest
from guardian.shortcuts import assign_perm

from directory.services.access import give_access as give_access_in_directory
from directory.services.teams import set_team_members
from permissions.services.access import give_access
from tests.factories import NOW, SYSTEM, make_blueprint, make_team
from tests.permissions.factories import make_application, make_role


def things(acme, agent):
    return {
        "agents": (agent, "view_agent"),
        "teams": (make_team(acme, "operations"), "view_team"),
        "blueprints": (make_blueprint(acme, "clerk"), "view_blueprint"),
        "applications": (make_application(acme, "crm"), "view_application"),
        "roles": (make_role(acme, "reader"), "view_role"),
    }


@pytest.mark.parametrize("kind", ["agents", "teams", "blueprints", "applications", "roles"])
def test_a_right_is_given_seen_and_withdrawn(as_, acme, people, agent, kind):
    thing, right = things(acme, agent)[kind]
    alice, body = as_("alice"), {"right": right, "person": str(people["bob"].pk), "reason": "holidays"}
    given = alice.post(f"{kind}/{thing.pk}/rights/give", body)
    assert given.status_code == 200, given.content
    [row] = [each for each in given.json()["items"] if each["person"] and each["person"]["external_id"] == "bob"]
    assert (row["right"], row["team"]) == (right, None)
    assert alice.post(f"{kind}/{thing.pk}/rights/give", body).status_code == 409
    assert alice.post(f"{kind}/{thing.pk}/rights/withdraw", body).status_code == 200
    assert alice.post(f"{kind}/{thing.pk}/rights/withdraw", body).status_code == 409


@pytest.mark.parametrize("kind", ["agents", "teams", "blueprints", "applications", "roles"])
def test_who_only_reads_shares_nothing(as_, acme, people, agent, kind):
    thing, right = things(acme, agent)[kind]
    body = {"right": right, "person": str(people["dave"].pk)}
    assert as_("carol").get(f"{kind}/{thing.pk}/rights").status_code == 200
    for change in ("give", "withdraw"):
        answer = as_("carol").post(f"{kind}/{thing.pk}/rights/{change}", body)
        assert (answer.status_code, answer.json()["right"]) == (403, f"manage_{kind[:-1]}")
        assert as_("mallory").post(f"{kind}/{thing.pk}/rights/{change}", body).status_code == 404


def test_who_manages_one_application_shares_that_one_and_hands_on_no_more_than_they_hold(as_, acme, people, agent):
    crm, erp = make_application(acme, "crm"), make_application(acme, "erp")
    give_access(thing=crm, right="manage_application", to=people["dave"], by=SYSTEM, now=NOW)
    to_olivia = {"person": str(people["olivia"].pk)}
    dave = as_("dave")
    seen = dave.post(f"applications/{crm.pk}/rights/give", {"right": "manage_application", **to_olivia})
    # Whom one does not see one does not name.
    assert (seen.status_code, seen.json()["errors"][0]["pointer"]) == (422, "/person")
    assert dave.post(f"applications/{erp.pk}/rights/give", {"right": "manage_application", **to_olivia}).status_code == 403
    team = make_team(acme, "operations", members=(people["dave"],))
    to_team = {"right": "manage_application", "team": str(team.pk)}
    refused = dave.post(f"applications/{crm.pk}/rights/give", to_team)
    assert (refused.status_code, refused.json()["fact"]) == (403, "WidensOneself")
    give_access_in_directory(thing=team, right="view_team", to=people["dave"], by=SYSTEM, now=NOW)
    set_team_members(team=team, members=[people["olivia"]], by=SYSTEM, now=NOW)
    assert dave.post(f"applications/{crm.pk}/rights/give", to_team).status_code == 200


@pytest.mark.parametrize("kind", ["agents", "teams", "blueprints", "applications", "roles"])
def test_a_right_goes_neither_to_an_agent_nor_to_oneself_and_an_old_one_is_taken_back(as_, acme, people, agent, kind):
    thing, right = things(acme, agent)[kind]
    alice, path = as_("alice"), f"{kind}/{thing.pk}/rights"
    to_agent = {"right": right, "person": str(agent.user_id), "reason": "helpful"}
    refused = alice.post(f"{path}/give", to_agent)
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/person")
    to_herself = alice.post(f"{path}/give", {"right": right, "person": str(people["alice"].pk)})
    assert (to_herself.status_code, to_herself.json()["fact"]) == (403, "WidensOneself")
    assert alice.get(path).json()["items"] == []
    assign_perm(f"{thing._meta.app_label}.{right}", agent.user, thing)
    assert alice.post(f"{path}/withdraw", to_agent).json() == {"items": []}


def test_the_names_of_whom_one_does_not_see_are_not_told(as_, acme, people, agent):
    hidden = make_team(acme, "hidden")
    give_access_in_directory(thing=agent, right="view_agent", to=hidden, by=SYSTEM, now=NOW)
    give_access_in_directory(thing=agent, right="view_agent", to=people["bob"], by=SYSTEM, now=NOW)
    alice = as_("alice").get(f"agents/{agent.pk}/rights").json()["items"]
    assert [each["team"]["external_id"] for each in alice if each["team"]] == ["hidden"]
    for name in ("olivia", "agent"):
        told = as_(name).get(f"agents/{agent.pk}/rights")
        assert told.status_code == 200
        assert b"hidden" not in told.content


def test_the_teams_of_a_person_are_those_that_the_caller_sees(as_, acme, people):
    set_team_members(team=make_team(acme, "hidden"), members=[people["bob"]], by=SYSTEM, now=NOW)
    set_team_members(team=make_team(acme, "open"), members=[people["bob"], people["olivia"]], by=SYSTEM, now=NOW)
    teams = {name: as_(name).get(f"people/{people['bob'].pk}") for name in ("alice", "olivia")}
    assert [each["external_id"] for each in teams["alice"].json()["teams"]] == ["hidden", "open"]
    assert [each["external_id"] for each in teams["olivia"].json()["teams"]] == ["open"]
