"""A value that is wrong is a 422 wherever it is noticed; what contradicts what is there is a 409."""

from typing import Any

import pytest

from agentiam.api.problems import problem_of
from agentiam.kit.errors import Conflict, Invalid, Refusal
from directory.models import User
from directory.services.versions import InvalidRecord, InvalidValue
from permissions.services.applications import create_application
from tests.factories import NOW, SYSTEM, make_blueprint, make_team
from tests.permissions.factories import make_application, make_role


class Odd(Invalid):
    field = "colour"


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (None, ""),
        ([], ""),
        ({"shape": 1}, ""),
        ({"colour": 1}, "/colour"),
        ({"thing": {"colour": 1}}, "/thing/colour"),
        ({"things": [{"a/b~": {"colour": 1}}]}, "/things/0/a~1b~0/colour"),
        ({"colour": 1, "things": [{"colour": 2}]}, ""),
    ],
)
def test_a_refusal_points_at_the_one_member_that_it_can_mean(body: Any, pointer: str) -> None:
    problem = problem_of(Odd("Too bright.", remedy="Take a darker one."), body)
    assert problem is not None
    assert problem.body() == {
        "type": "urn:agentiam:problem:invalid",
        "title": "Unprocessable Entity",
        "status": 422,
        "detail": "Too bright.",
        "fact": "Odd",
        "remedy": "Take a darker one.",
        "errors": [{"pointer": pointer, "detail": "Too bright."}],
    }


def test_a_contradiction_is_no_wrong_value() -> None:
    problem = problem_of(Conflict("It is there already."), {"colour": 1})
    assert problem is not None
    assert (problem.status, "errors" in problem.body()) == (409, False)


def test_every_refusal_has_an_answer() -> None:
    waiting, seen = [Refusal], set()
    while waiting:
        family = waiting.pop()
        waiting += family.__subclasses__()
        seen.add(family)
    assert len(seen) > 50
    for refusal in seen - {Refusal}:
        if "audit.submissions" in refusal.__module__:
            # The decision API's alone.
            continue
        error = refusal.__new__(refusal)
        Refusal.__init__(error, "No.")
        problem = problem_of(error)
        assert problem is not None
        assert problem.status in {403, 409, 422}, refusal
        assert (problem.status == 422) == issubclass(refusal, Invalid), refusal


PUBLIC_KEY = {"agent": "{agent}", "kind": "public_key", "label": "x", "jwk": {"kty": "?"}}
NETWORK = {"agent": "{agent}", "label": "x", "allowed_networks": ["here"]}


@pytest.mark.parametrize(
    ("path", "body", "wrong"),
    [
        ("agents/{agent}/card/set", {"card": {"skills": 1}}, ("BadCard", "/card")),
        ("agents/{agent}/fingerprints", {}, ("NothingReported", "")),
        ("credentials", NETWORK | {"kind": "api_key"}, ("BadNetwork", "/allowed_networks")),
        ("credentials", PUBLIC_KEY, ("BadPublicKey", "/jwk")),
        ("runs", {"agent": "{agent}", "task_id": "1", "expires_at": "2001-01-01T00:00:00Z"}, ("RunIsOver", "/expires_at")),
        ("events/export", {"format": "csv", "types": ["no.such"]}, ("BadFilter", "")),
        ("person-keys", {"label": "x", "allowed_networks": ["here"]}, ("BadNetwork", "/allowed_networks")),
    ],
)
def test_a_value_that_only_a_service_knows_to_be_wrong_is_answered_as_one(as_, agent, path, body, wrong):
    body = {name: str(agent.pk) if value == "{agent}" else value for name, value in body.items()}
    answer = as_("alice").replace(path.replace("{agent}", str(agent.pk)), body)
    told, (fact, pointer) = answer.json(), wrong
    assert (answer.status_code, told["type"], told["fact"]) == (422, "urn:agentiam:problem:invalid", fact), told
    assert told["errors"] == [{"pointer": pointer, "detail": told["detail"]}]


@pytest.mark.parametrize(
    ("more", "field"), [({"slug": "Not a slug"}, "slug"), ({"audience": "no address"}, "audience"), ({"name": "a\0b"}, "")]
)
def test_a_row_that_could_never_be_stored_is_a_wrong_value(acme: Any, more: dict[str, str], field: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        create_application(organization=acme, **{"slug": "erp", "name": "ERP", **more}, by=SYSTEM, now=NOW)
    assert refused.value.field == field


def test_a_row_that_is_there_is_no_wrong_value(acme: Any) -> None:
    make_application(acme, "crm")
    with pytest.raises(InvalidRecord) as refused:
        make_application(acme, "crm")
    assert not isinstance(refused.value, Invalid)


def test_an_end_of_an_agent_that_is_past_is_a_wrong_value(as_, agent):
    answer = as_("alice").patch(f"agents/{agent.pk}", {"expires_at": "2001-01-01T00:00:00Z"})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/expires_at")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("agents", {"external_id": "runner", "name": "N", "purpose": "P", "owner": "{olivia}", "sponsor": "{olivia}"}),
        ("applications", {"slug": "crm", "name": "Again"}),
        ("blueprints", {"external_id": "clerk", "name": "Again"}),
        ("roles", {"external_id": "reader", "name": "Again"}),
        ("teams", {"external_id": "ops", "name": "Again"}),
        ("people", {"external_id": "dave", "username": "another", "name": "Again"}),
        ("invitations", {"email": "dave@acme.example"}),
    ],
)
def test_what_is_there_already_is_a_contradiction(as_, agent, people, path, body):
    acme = agent.organization
    make_application(acme, "crm")
    make_blueprint(acme, "clerk")
    make_role(acme, "reader")
    make_team(acme, "ops")
    User.objects.filter(pk=people["dave"].pk).update(email="dave@acme.example")
    olivia = str(people["olivia"].pk)
    answer = as_("alice").post(path, {name: olivia if value == "{olivia}" else value for name, value in body.items()})
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:agentiam:problem:conflict"), answer.content
