"""What every resource of the API has: problems, versions, pages, repeated requests, limits and scopes."""

import base64
import json
from uuid import uuid4

import pytest

from agentiam.api.models import RememberedAnswer
from audit.models import Event
from directory.models import Agent, Credential
from tests.factories import make_agent, make_team


def register(owner, **more):
    return {"external_id": f"a-{uuid4().hex[:8]}", "name": "New", "purpose": "Tries.", "owner": str(owner), **more}


def test_an_unknown_caller_is_told_how_to_prove_itself(as_):
    answer = as_("anonymous").get("agents")
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"].startswith("Bearer")
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["type"] == "urn:agentiam:problem:unauthorized"
    assert answer.json()["remedy"] == "Send the key as Authorization: Bearer KEY."


def test_a_stranger_finds_nothing(as_, agent):
    answer = as_("mallory").get(f"agents/{agent.pk}")
    assert answer.status_code == 404
    assert "runner" not in answer.content.decode()
    assert as_("mallory").get("agents").json()["items"] == []
    assert as_("mallory").post(f"agents/{agent.pk}/suspend").status_code == 404


def test_what_is_seen_is_not_yet_allowed(as_, agent):
    answer = as_("carol").post(f"agents/{agent.pk}/suspend", {"reason": "why not"})
    assert answer.status_code == 403
    assert answer.json()["right"] == "operate_agent"
    assert Agent.objects.get(pk=agent.pk).state == "active"


def test_an_owner_stops_an_agent_and_the_log_says_who_and_why(as_, agent):
    answer = as_("olivia").post(f"agents/{agent.pk}/suspend", {"reason": "it loops"})
    assert answer.status_code == 200, answer.content
    assert answer.json()["state"] == "suspended"
    event = Event.objects.get(type="agent.suspended")
    assert (event.actor_id, event.reason) == ("olivia", "it loops")
    assert event.request_id == answer["X-Request-Id"]


def test_a_refusal_says_the_fact_and_the_remedy(as_, agent):
    answer = as_("olivia").post(f"agents/{agent.pk}/resume")
    assert answer.status_code == 409
    assert answer.json()["fact"] == "IllegalTransition"
    assert "suspend" in answer.json()["remedy"]


@pytest.mark.parametrize(
    ("body", "status", "pointer"),
    [
        ({"reason": 7, "resaon": "typo"}, 422, "/resaon"),
        ([], 422, ""),
        ("text", 422, ""),
    ],
)
def test_a_body_that_nobody_understands_is_refused(as_, agent, body, status, pointer):
    answer = as_("alice")("POST", f"agents/{agent.pk}/suspend", body)
    assert answer.status_code == status, answer.content
    assert pointer in {error["pointer"] for error in answer.json()["errors"]}
    assert Agent.objects.get(pk=agent.pk).state == "active"


@pytest.mark.parametrize(
    "raw", ["{", '{"reason": "\\u0000"}', '{"reason": "\\ud800"}', "[" * 5000, '{"reason": NaN}', "\xff", "1" * 5000]
)
def test_a_body_that_cannot_be_stored_is_a_problem_and_not_an_error(as_, agent, raw):
    answer = as_("alice").client.generic(
        "POST", f"/api/v1/agents/{agent.pk}/suspend", raw.encode("latin-1"), content_type="application/json"
    )
    assert answer.status_code in (400, 422), answer.content
    assert answer["Content-Type"] == "application/problem+json"


def test_another_type_of_body_is_refused(as_, agent):
    answer = as_("alice").client.post(f"/api/v1/agents/{agent.pk}/suspend", {"reason": "form"})
    assert answer.status_code == 415


def test_a_bad_id_and_a_wrong_method_are_problems(as_, agent):
    for method, path, status in (
        ("GET", "agents/not-an-id", 404),
        ("DELETE", f"agents/{agent.pk}", 405),
        ("PUT", "agents", 405),
    ):
        answer = as_("alice")(method, path)
        assert answer.status_code == status
        assert answer["Content-Type"] == "application/problem+json"


def test_a_wrong_method_is_told_the_right_ones(as_, agent):
    answer = as_("alice")("DELETE", f"agents/{agent.pk}")
    assert answer["Allow"] == "GET, PATCH, HEAD, OPTIONS"
    assert answer.json()["remedy"] == "Here are: GET, PATCH, HEAD."


@pytest.mark.parametrize("path", ["agents/runner", "agents/runner/suspend", "agents/runner/effective-access"])
def test_a_name_where_an_id_belongs_is_told_how_to_find_one(as_, agent, path):
    answer = as_("alice").get(path)
    assert answer.status_code == 404
    said = answer.json()["remedy"]
    assert said == "Ids are UUIDs, and 'runner' is none; find one in /api/v1/agents, often by ?external_id=…"
    assert "remedy" not in as_("alice").get("agentz/runner").json()


def test_an_unknown_member_and_a_wrong_choice_are_told_what_there_is(as_, people):
    body = register(people["olivia"].pk, sponsor=str(people["olivia"].pk), environment="moon")
    answer = as_("alice").post("agents", body)
    assert answer.status_code == 422
    wrong = {"pointer": "/environment", "detail": '"moon" is none of: development, staging, production.'}
    assert wrong in answer.json()["errors"]
    answer = as_("alice").post("agents", {**body, "sponsors": 1})
    [unknown] = answer.json()["errors"]
    assert unknown["pointer"] == "/sponsors"
    assert "what can: " in unknown["detail"]
    assert "sponsor_team" in unknown["detail"]


def test_an_agent_without_a_sponsor_or_with_two_is_a_wrong_value(as_, people, acme):
    owner = str(people["olivia"].pk)
    both = {"sponsor": owner, "sponsor_team": str(make_team(acme, "spare").pk)}
    for more, words in (({}, "Name one of sponsor and sponsor_team."), (both, "not both"), ({"sponsor": None}, "Name one")):
        for path in ("agents", "agents/onboard"):
            answer = as_("alice").post(path, register(owner, **more))
            assert answer.status_code == 422, answer.content
            assert [each["pointer"] for each in answer.json()["errors"]] == ["/sponsor"]
            assert words in answer.json()["errors"][0]["detail"]
    assert not Agent.objects.filter(name="New").exists()


def test_a_session_needs_the_csrf_token_to_change_something(as_, agent):
    answer = as_("alice", enforce_csrf_checks=True).post(f"agents/{agent.pk}/suspend")
    assert answer.status_code == 403
    assert Agent.objects.get(pk=agent.pk).state == "active"


# --- versions ----------------------------------------------------------------------------------------------------------------


def test_a_change_names_the_version_that_was_read(as_, agent):
    alice = as_("alice")
    read = alice.get(f"agents/{agent.pk}")
    assert alice("PATCH", f"agents/{agent.pk}", {"name": "Other"}).status_code == 428
    first = alice.patch(f"agents/{agent.pk}", {"name": "Other"}, **{"If-Match": read["ETag"]})
    assert (first.status_code, first.json()["name"]) == (200, "Other")
    late = alice.patch(f"agents/{agent.pk}", {"name": "Late"}, **{"If-Match": read["ETag"]})
    assert late.status_code == 412
    assert late["ETag"] == first["ETag"]
    assert Agent.objects.get(pk=agent.pk).name == "Other"


def test_who_has_the_version_gets_it_no_second_time(as_, agent):
    read = as_("alice").get(f"agents/{agent.pk}")
    again = as_("alice").get(f"agents/{agent.pk}", **{"If-None-Match": read["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


# --- pages -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["id", "-id", "name", "-name", "last_seen_at", "-last_seen_at"])
def test_pages_show_every_row_once_in_order(as_, agent, order):
    for number in range(6):
        make_agent(agent.organization, f"n{number}", name=f"Twin {number // 2}", owner=agent.owner)
    alice, seen, path = as_("alice"), [], f"agents?limit=2&order={order}"
    while path:
        page = alice.get(path).json()
        seen += page["items"]
        path = f"agents?limit=2&order={order}&after={page['next']}" if page["next"] else ""
    assert len(seen) == 7
    assert len({row["id"] for row in seen}) == 7
    if "name" in order:
        names = [row["name"] for row in seen]
        assert names == sorted(names, reverse=order.startswith("-"))


def test_the_link_header_leads_to_the_next_page(as_, agent):
    make_agent(agent.organization, "second", owner=agent.owner)
    first = as_("alice").get("agents?limit=1")
    address = first["Link"].partition("<")[2].partition(">")[0].partition("testserver")[2]
    assert as_("alice").get(address).json()["items"][0]["external_id"] == "second"


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=501",
        "limit=x",
        "after=%00",
        "after=bm8",
        "order=purpose",
        "stat=active",
        "state=gone",
        "owner=7",
        "q=%00",
    ],
)
def test_a_parameter_that_means_nothing_is_refused(as_, agent, query):
    answer = as_("alice").get(f"agents?{query}")
    assert answer.status_code == 422, answer.content
    assert answer.json()["errors"]


def test_a_cursor_of_another_list_carries_no_right(as_, agent, evil):
    foreign = [make_agent(evil, f"e{number}") for number in range(2)]
    cursor = as_("mallory").get("agents?limit=1").json()["next"]
    shown = as_("alice").get(f"agents?after={cursor}").json()["items"]
    assert not {row["id"] for row in shown} & {str(each.pk) for each in foreign}


def test_filters_and_search_narrow(as_, agent):
    make_agent(agent.organization, "writer", name="Writer of letters", owner=agent.owner, environment="staging")
    alice = as_("alice")
    assert [row["external_id"] for row in alice.get("agents?environment=staging").json()["items"]] == ["writer"]
    assert [row["external_id"] for row in alice.get("agents?q=letters+writer").json()["items"]] == ["writer"]
    assert [row["external_id"] for row in alice.get("agents?q=100%25").json()["items"]] == []


# --- repeated requests -------------------------------------------------------------------------------------------------------


def test_a_repeated_post_is_answered_again_and_does_nothing(as_, people):
    key, body, alice = str(uuid4()), register(people["olivia"].pk, sponsor=str(people["olivia"].pk)), as_("alice")
    first = alice.post("agents", body, **{"Idempotency-Key": key})
    assert first.status_code == 201, first.content
    again = alice.post("agents", body, **{"Idempotency-Key": key})
    assert again.status_code == 201
    assert again.content == first.content
    assert again["Location"] == first["Location"]
    assert again["Idempotency-Replayed"] == "true"
    assert Agent.objects.filter(external_id=body["external_id"]).count() == 1


def test_a_key_stands_for_one_request_of_one_caller(as_, people):
    key, alice = str(uuid4()), as_("alice")
    body = register(people["olivia"].pk, sponsor=str(people["olivia"].pk))
    assert alice.post("agents", body, **{"Idempotency-Key": key}).status_code == 201
    assert alice.post("agents", body | {"name": "Else"}, **{"Idempotency-Key": key}).status_code == 422
    other = as_("mallory").post("agents", body, **{"Idempotency-Key": key})
    assert other.status_code == 422
    assert "Idempotency-Replayed" not in other


def test_a_refused_request_changes_nothing_and_is_refused_again(as_, agent):
    key = str(uuid4())
    first = as_("alice").post(f"agents/{agent.pk}/resume", {}, **{"Idempotency-Key": key})
    again = as_("alice").post(f"agents/{agent.pk}/resume", {}, **{"Idempotency-Key": key})
    assert (first.status_code, again.status_code) == (409, 409)
    assert first.content == again.content


def test_what_is_remembered_cannot_be_read_in_the_database(as_, people):
    key, body = str(uuid4()), register(people["olivia"].pk, sponsor=str(people["olivia"].pk))
    as_("alice").post("agents", body, **{"Idempotency-Key": key})
    row = RememberedAnswer.objects.get()
    stored = json.dumps([row.digest, row.fingerprint]).encode() + bytes(row.sealed)
    assert key.encode() not in stored
    assert body["external_id"].encode() not in stored


@pytest.mark.parametrize("key", ["short", "x" * 201, "white space in it"])
def test_a_bad_key_is_refused(as_, agent, key):
    assert as_("alice").post(f"agents/{agent.pk}/suspend", {}, **{"Idempotency-Key": key}).status_code == 400


# --- limits and scopes -------------------------------------------------------------------------------------------------------


def test_every_answer_says_what_is_left_and_too_many_are_refused(as_, agent, settings):
    settings.API_RATE = 3
    alice = as_("alice")
    left = [alice.get("agents")["RateLimit"] for _ in range(3)]
    assert [text.partition(";r=")[2].partition(";")[0] for text in left] == ["2", "1", "0"]
    refused = alice.get("agents")
    assert refused.status_code == 429
    assert int(refused["Retry-After"]) >= 1
    assert as_("bob").get("agents").status_code == 200


def test_a_key_is_for_what_its_scopes_say(as_, agent):
    reader = as_("agent", scopes=("read",))
    assert reader.get(f"agents/{agent.pk}").status_code == 200
    refused = reader.post(f"agents/{agent.pk}/spawn", {})
    assert refused.status_code == 403
    assert 'scope="write"' in refused["WWW-Authenticate"]
    assert as_("agent", scopes=("decide",)).get("agents").status_code == 403


def test_an_agent_sees_itself_and_can_neither_resume_nor_change_itself(as_, agent):
    other = make_agent(agent.organization, "other", owner=agent.owner)
    caller = as_("agent")
    assert [row["external_id"] for row in caller.get("agents").json()["items"]] == ["runner"]
    assert caller.get(f"agents/{other.pk}").status_code == 404
    assert caller.patch(f"agents/{agent.pk}", {"name": "Root"}).status_code == 403
    assert caller.post(f"agents/{agent.pk}/suspend").status_code == 403


def test_the_key_of_a_suspended_agent_opens_nothing(as_, agent):
    caller = as_("agent")
    assert caller.get("agents").status_code == 200
    as_("alice").post(f"agents/{agent.pk}/suspend", {"reason": "stop"})
    assert caller.get("agents").status_code == 401


@pytest.mark.parametrize("header", ["Bearer", "Bearer x", "Basic YTpi", "Bearer aia_0000000000000000_" + "0" * 49])
def test_a_key_that_is_none_is_refused(as_, header):
    assert as_("anonymous").get("agents", Authorization=header).status_code == 401


def test_a_revoked_key_is_refused_in_the_words_for_an_unknown_one(as_, agent):
    caller = as_("agent")
    Credential.objects.update(revoked_at="2020-01-01T00:00:00Z")
    unknown = as_("anonymous").get("agents", Authorization="Bearer nonsense").json()
    assert caller.get("agents").json() == unknown


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("grants?ends_before=0156-12-28T10:46:02%2B16:54", 200),
        ("grants?ends_after=2026-01-01T00:00:00-23:59", 200),
        ("events?since=2026-01-01T00:00:00%2B23:59", 200),
        ("events?until=0001-01-01T00:00:00%2B23:59", 422),
        ("attestations?at_before=9999-12-31T23:59:59-23:59", 422),
        ("person-keys?expires_after=0001-01-01T00:00:00%2B00:01", 422),
    ],
)
def test_an_instant_may_have_any_offset_that_leaves_it_a_year(as_, path, status):
    assert as_("alice").get(path).status_code == status


def test_a_cursor_may_name_an_instant_of_any_offset(as_, agent):
    for instant, status in (("2026-01-01T00:00:00+23:59", 200), ("0001-01-01T00:00:00+23:59", 422)):
        sealed = base64.urlsafe_b64encode(json.dumps(["last_seen_at", instant, str(agent.pk)]).encode()).decode()
        assert as_("alice").get(f"agents?order=last_seen_at&after={sealed}").status_code == status


@pytest.mark.parametrize("header", [{}, {"If-Match": '"of-another-version"'}])
def test_who_replaces_a_whole_set_says_which_one(as_, acme, people, header):
    team = make_team(acme, "operations", members=(people["dave"],))
    answer = as_("alice").post(f"teams/{team.pk}/members", {"members": []}, **header)
    assert answer.status_code == (412 if header else 428)
    assert [each["external_id"] for each in as_("alice").get(f"teams/{team.pk}").json()["members"]] == ["dave"]
    etag = as_("alice").get(f"teams/{team.pk}")["ETag"]
    assert as_("alice").post(f"teams/{team.pk}/members", {"members": []}, **{"If-Match": etag}).json()["members"] == []


def test_a_version_that_is_named_counts_in_every_change(as_, agent):
    stale = as_("alice").get(f"agents/{agent.pk}")["ETag"]
    assert as_("alice").patch(f"agents/{agent.pk}", {"purpose": "Another."}).status_code == 200
    assert as_("alice").post(f"agents/{agent.pk}/suspend", {"reason": "x"}, **{"If-Match": stale}).status_code == 412
    fresh = as_("alice").get(f"agents/{agent.pk}")["ETag"]
    assert as_("alice").post(f"agents/{agent.pk}/suspend", {"reason": "x"}, **{"If-Match": fresh}).status_code == 200
