"""Searches list exactly what an evaluation would allow, page by page."""

import base64
from typing import Any

import pytest

from tests.access.asking import Asking, question
from tests.serving import Served


def _search(ask: Asking, what: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = ask.raw(body, f"search/{what}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_subjects_are_those_that_an_evaluation_allows(ask: Asking) -> None:
    for kind in ("agent", "user", "identity"):
        body = {**question(), "subject": {"type": kind}}
        found = _search(ask, "subject", body)["results"]
        names = ("runner", "planner", "helper") if kind == "agent" else ("alice", "bob")
        allowed = [name for name in sorted(names) if ask("read", "record-1", subject=f"{kind}/{name}")[0] == "allow"]
        assert [(each["type"], each["id"]) for each in found] == [(kind, name) for name in allowed]
        assert allowed


def test_resources_are_those_that_an_evaluation_allows(ask: Asking) -> None:
    found = _search(ask, "resource", {**question(), "resource": {"type": "record"}})["results"]
    assert [each["id"] for each in found] == ["record-1", "record-3"]
    assert found[0]["context"]["obligations"][0]["properties"]["fields"] == ["email"]


def test_actions_are_those_that_an_evaluation_allows(ask: Asking) -> None:
    body = {**question(subject="user/alice"), "action": {"name": "ignored"}}
    found = _search(ask, "action", body)["results"]
    assert [each["name"] for each in found] == ["delete", "read"]
    assert found[0] == {"name": "delete"}
    assert found[1]["context"]["obligations"][0]["id"] == "mask"


def test_an_id_that_is_sent_for_what_is_searched_is_ignored(ask: Asking) -> None:
    with_id, without = question(), question()
    without["subject"] = {"type": "agent"}
    assert _search(ask, "subject", with_id) == _search(ask, "subject", without)


def test_pages_give_everything_once_and_end_with_an_empty_token(ask: Asking) -> None:
    body: dict[str, Any] = {**question(), "resource": {"type": "record"}, "page": {"limit": 1}}
    seen: list[str] = []
    for _ in range(10):
        found = _search(ask, "resource", body)
        seen += [each["id"] for each in found["results"]]
        assert isinstance(found["page"]["next_token"], str)
        if not found["page"]["next_token"]:
            break
        body["page"]["token"] = found["page"]["next_token"]
    assert seen == ["record-1", "record-3"]


def test_a_token_is_good_for_its_own_search_only(ask: Asking, product: Served) -> None:
    body: dict[str, Any] = {**question(), "resource": {"type": "record"}, "page": {"limit": 1}}
    token = _search(ask, "resource", body)["page"]["next_token"]
    assert token
    for changed in ({**body, "subject": {"type": "user", "id": "alice"}}, {**body, "context": {"x": 1}}):
        changed["page"] = {"token": token}
        answer = ask.raw(changed, "search/resource")
        assert answer.status_code == 400
        assert answer.json()["pointer"] == "/page/token"
    # The last character of base64 may hold bits that nobody reads; the one before it has none.
    forged = {**body, "page": {"token": token[:-2] + ("A" if token[-2] != "A" else "B") + token[-1]}}
    assert ask.raw(forged, "search/resource").status_code == 400


def test_a_token_says_nothing_and_is_good_for_its_caller_only(ask: Asking, product: Served) -> None:
    body: dict[str, Any] = {**question(), "resource": {"type": "record"}, "page": {"limit": 1}}
    token = _search(ask, "resource", body)["page"]["next_token"]
    assert b"record" not in base64.urlsafe_b64decode(token)
    again = {**body, "page": {"token": token}}
    assert ask.raw(again, "search/resource").status_code == 200
    assert ask.as_agent("runner").raw(again, "search/resource").status_code == 400


def test_nothing_is_looked_at_for_somebody_who_holds_nothing(ask: Asking) -> None:
    body = {**question(subject="agent/planner"), "resource": {"type": "record"}}
    assert _search(ask, "resource", body) == {"results": []}


@pytest.mark.parametrize("page", [{"limit": 0}, {"limit": "7"}, {"limit": True}, {"token": 5}, [], "x"])
def test_a_page_that_is_none_is_refused(ask: Asking, page: Any) -> None:
    assert ask.raw({**question(), "resource": {"type": "record"}, "page": page}, "search/resource").status_code == 400


def test_unknown_types_give_nothing(ask: Asking) -> None:
    assert _search(ask, "subject", {**question(), "subject": {"type": "spaceship"}}) == {"results": []}
    assert _search(ask, "resource", {**question(), "resource": {"type": "nowhere"}}) == {"results": []}
    assert _search(ask, "resource", {**question(), "resource": {"type": "table"}}) == {"results": []}
    assert _search(ask, "action", {**question(subject="user/nobody")}) == {"results": []}


def test_an_agent_finds_nobody_but_itself(ask: Asking) -> None:
    runner = ask.as_agent("runner")
    assert _search(runner, "subject", {**question(), "subject": {"type": "agent"}})["results"][0]["id"] == "runner"
    assert len(_search(runner, "subject", {**question(), "subject": {"type": "agent"}})["results"]) == 1
    assert _search(runner, "subject", {**question(), "subject": {"type": "user"}}) == {"results": []}
    assert (
        runner.raw({**question(subject="agent/planner"), "resource": {"type": "record"}}, "search/resource").status_code == 403
    )


def test_a_search_is_recorded(fresh: Asking) -> None:
    count = "Event.objects.filter(organization_id=organization.pk, type='access.searched').count()"
    code = f"from audit.models import Event\nresult = {count}"
    before = fresh.run(code)
    _search(fresh, "resource", {**question(), "resource": {"type": "record"}})
    assert fresh.run(code) == before + 1
