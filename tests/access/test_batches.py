"""Many questions in one request, in the three semantics."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.access.asking import OWED, Asking, question


def _batch(*resources: str, semantic: str | None = None, **more: Any) -> dict[str, Any]:
    body = {
        "subject": {"type": "agent", "id": "runner"},
        "action": {"name": "read"},
        "evaluations": [{"resource": {"type": "record", "id": each}} for each in resources],
        **more,
    }
    if semantic is not None:
        body["options"] = {"evaluations_semantic": semantic}
    return body


def _decisions(ask: Asking, body: dict[str, Any]) -> list[bool]:
    answer = ask.raw(body, "evaluations")
    assert answer.status_code == 200, answer.text
    return [item["decision"] for item in answer.json()["evaluations"]]


def test_items_are_answered_in_order_and_short(ask: Asking) -> None:
    answer = ask.raw(_batch("record-1", "record-2", "record-3"), "evaluations")
    yes = {"decision": True, "context": OWED}
    assert answer.json() == {"evaluations": [yes, {"decision": False}, yes]}


def test_reasons_come_when_they_are_asked_for(ask: Asking) -> None:
    answer = ask.raw(_batch("record-1", "record-2", context={"explain": True}), "evaluations").json()
    assert [item["context"]["effect"] for item in answer["evaluations"]] == ["allow", "deny"]


def test_a_batch_stops_where_its_semantic_says(ask: Asking) -> None:
    rows = ("record-1", "record-2", "record-1", "record-2")
    assert _decisions(ask, _batch(*rows, semantic="execute_all")) == [True, False, True, False]
    assert _decisions(ask, _batch(*rows, semantic="deny_on_first_deny")) == [True, False]
    assert _decisions(ask, _batch(*rows, semantic="permit_on_first_permit")) == [True]
    assert _decisions(ask, _batch("record-2", "record-1", "record-1", semantic="permit_on_first_permit")) == [False, True]


def test_an_unknown_semantic_is_refused(ask: Asking) -> None:
    answer = ask.raw(_batch("record-1", semantic="whatever"), "evaluations")
    assert answer.status_code == 400
    assert answer.json()["pointer"] == "/options/evaluations_semantic"


def test_an_item_that_cannot_be_read_is_a_no_and_the_others_go_on(ask: Asking) -> None:
    body = _batch("record-1")
    body["evaluations"] += [{}, {"resource": "record-1"}, {"resource": {"type": "record", "id": "record-3"}}]
    items = ask.raw(body, "evaluations").json()["evaluations"]
    assert [item["decision"] for item in items] == [True, False, False, True]
    assert items[1]["context"]["error"]["status"] == 400
    assert "/evaluations/1/resource" in items[1]["context"]["error"]["message"]


def test_an_item_about_somebody_else_is_a_no_for_an_agents_key(ask: Asking) -> None:
    body = _batch("record-1")
    body["evaluations"].append({"subject": {"type": "user", "id": "alice"}, "resource": {"type": "record", "id": "record-1"}})
    items = ask.as_agent("runner").raw(body, "evaluations").json()["evaluations"]
    assert [item["decision"] for item in items] == [True, False]
    assert items[1]["context"]["error"]["status"] == 403


def test_no_items_are_one_question(ask: Asking) -> None:
    assert ask.raw(question(), "evaluations").json()["decision"] is True
    assert ask.raw({**question(), "evaluations": []}, "evaluations").json()["decision"] is True
    assert ask.raw({"evaluations": []}, "evaluations").status_code == 400


def test_a_thousand_items_are_answered_and_one_more_is_too_many(ask: Asking) -> None:
    assert sum(_decisions(ask, _batch(*["record-1"] * 1_000))) == 1_000
    answer = ask.raw(_batch(*["record-1"] * 1_001), "evaluations")
    assert answer.status_code == 400
    assert "1001" in answer.json()["detail"]


def test_many_long_batches_at_once_are_all_answered(ask: Asking) -> None:
    body = _batch(*["record-1"] * 100)
    with ThreadPoolExecutor(12) as clients:
        answered = list(clients.map(lambda _: _decisions(ask, body), range(24)))
    assert answered == [[True] * 100] * 24


def test_every_item_that_was_decided_is_recorded(fresh: Asking) -> None:
    count = "Event.objects.filter(organization_id=organization.pk, type='access.decided').count()"
    code = f"from audit.models import Event\nresult = {count}"
    before = fresh.run(code)
    _decisions(fresh, _batch("record-1", "record-2", "record-1", semantic="deny_on_first_deny"))
    assert fresh.run(code) == before + 2
