"""What is refused says what to do: where ids are found, what can be chosen, which header was meant."""

import pytest

from tests.permissions.factories import make_resource_type


@pytest.fixture
def alice(as_):
    return as_("alice")


def errors_of(answer, status=422):
    assert answer.status_code == status, answer.content
    return {each["pointer"]: each["detail"] for each in answer.json()["errors"]}


def test_a_name_in_place_of_an_id_is_told_where_ids_are_found(alice):
    body = {
        "external_id": "new",
        "name": "New",
        "purpose": "Work.",
        "owner": "alice",
        "sponsor_team": "sales",
        "blueprint": "x",
    }
    said = errors_of(alice.post("agents", body))
    assert said["/owner"] == '"alice" is no id (a UUID). Find it: GET /api/v1/people?external_id=alice.'
    assert said["/sponsor_team"].endswith("GET /api/v1/teams?external_id=sales.")
    assert said["/blueprint"].endswith("GET /api/v1/blueprints?external_id=x.")


@pytest.mark.parametrize(
    "path",
    ["people?external_id=x", "teams?external_id=x", "agents?external_id=x", "roles?external_id=x", "applications?slug=x"],
)
def test_the_lists_that_are_named_can_be_looked_in(alice, path):
    assert alice.get(path).status_code == 200


def test_a_filter_says_what_it_takes(alice):
    said = errors_of(alice.get("agents?state=foo"))
    assert said["/state"] == '"foo" is none of: discovered, pending, active, suspended, retired.'


@pytest.mark.parametrize("header", ["abc", "'abc'", '"abc', '"a" "b"'])
def test_what_is_no_etag_is_not_taken_for_an_old_one(alice, agent, header):
    answer = alice("PATCH", f"agents/{agent.pk}", {"name": "New"}, **{"If-Match": header})
    assert (answer.status_code, answer.json()["type"]) == (400, "urn:agentiam:problem:malformed-header")
    old = alice("PATCH", f"agents/{agent.pk}", {"name": "New"}, **{"If-Match": '"abc", W/"def"'})
    assert old.status_code == 412


def test_a_type_that_is_unknown_is_answered_with_those_that_are_known(alice, agent):
    make_resource_type(agent.organization, "case")
    body = {"holder": {"agent": str(agent.pk)}, "type": "nothing", "actions": ["read"], "reason": "to try"}
    (said,) = errors_of(alice.post("grants", body)).values()
    assert said.startswith("There is no resource type of this name that you can see; there are: ")
    assert "case" in said


def test_a_first_credential_says_what_it_lacks(alice, people):
    body = {"external_id": "new", "name": "New", "purpose": "Work.", "owner": str(people["olivia"].pk)}
    body |= {"sponsor": str(people["olivia"].pk), "credential": {"kind": "public_key"}}
    assert errors_of(alice.post("agents/onboard", body)) == {"/credential/jwk": "This kind of credential needs it."}


def test_the_document_names_the_defaults_of_a_new_agent(alice):
    schemas = alice.get("openapi.json").json()["components"]["schemas"]
    said = schemas["AgentRegisteredRequest"]["properties"]["environment"]["description"]
    assert "production unless" in said


def test_an_unknown_console_role_is_pointed_at(alice, people):
    said = errors_of(alice.replace(f"people/{people['bob'].pk}/console-roles", {"console_roles": ["king"]}))
    assert list(said) == ["/console_roles"] or list(said) == ["/console_roles/0"]


def test_an_address_that_leads_nowhere_is_no_unseen_thing(alice):
    assert alice.get("nothing-here").json()["detail"] == "There is no such address."
    unseen = alice.get("agents/00000000-0000-7000-8000-000000000000").json()
    assert unseen["detail"] == "There is nothing here that you can see."
