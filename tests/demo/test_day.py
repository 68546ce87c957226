"""The script of a day: the same for the same day and seed, and made of what the company has."""

import json
from collections import Counter
from datetime import date

import pytest

from agentiam.demo.day import ANOMALY, Call, agents_with_keys, working_day
from agentiam.demo.manifests import FOLDER, PARTNER, Catalogue, catalogue, company_manifest
from agentiam.demo.routines import DEPARTMENTS, PARTS_OF_THE_DAY

_AGENTS = ("berth-planner", "crane-scheduler", "pilot-dispatch")
PARTNERS = {f"{PARTNER}/{name}": f"spiffe://ostrand.example/agent/{name}" for name in _AGENTS}
TUESDAY = date(2026, 11, 24)
SUNDAY = date(2026, 11, 29)


@pytest.fixture(scope="module")
def company() -> Catalogue:
    return catalogue()


def script(company: Catalogue, *, day: date = TUESDAY, decisions: int = 2000, seed: int = 1) -> list[Call]:
    return working_day(company, partners=PARTNERS, day=day, decisions=decisions, seed=seed)


def said(calls: list[Call]) -> str:
    return json.dumps([(call.caller, call.path, call.body, call.part) for call in calls])


def test_the_same_day_and_seed_give_the_same_requests(company: Catalogue) -> None:
    assert said(script(company)) == said(script(company))
    assert said(script(company)) != said(script(company, seed=2))
    assert said(script(company)) != said(script(company, day=SUNDAY))


@pytest.mark.parametrize("decisions", [1, 100, 2000, 5000])
def test_there_are_as_many_decisions_as_asked_for_or_a_few_more(company: Catalogue, decisions: int) -> None:
    made = sum(call.decisions for call in script(company, decisions=decisions))
    assert decisions <= made <= decisions + 100


def test_a_day_has_its_parts_in_order_and_the_anomaly_last(company: Catalogue) -> None:
    order = [*(name for name, _, _ in PARTS_OF_THE_DAY), ANOMALY]
    assert list(dict.fromkeys(call.part for call in script(company))) == order


@pytest.mark.parametrize("decisions", [5, 20, 40, 100, 2000])
def test_the_anomaly_is_a_fifth_of_a_short_day_at_most(company: Catalogue, decisions: int) -> None:
    strange = sum(call.decisions for call in script(company, decisions=decisions) if call.part == ANOMALY)
    assert 0 < strange <= decisions // 5


def test_everything_that_can_be_asked_is_asked(company: Catalogue) -> None:
    calls = script(company)
    paths = Counter(call.path for call in calls)
    assert set(paths) == {"evaluation", "evaluations", "search/subject", "search/resource", "search/action"}
    bodies = [call.body for call in calls]
    assert max(len(body.get("context", {}).get("delegation", ())) for body in bodies) == 3
    assert any("on_behalf_of" in body.get("context", {}) for body in bodies)
    assert any(call.caller.startswith("agent/") for call in calls)


def test_nothing_says_when_it_happens(company: Catalogue) -> None:
    text = said(script(company))
    assert "2026" not in text
    assert not any(word in text for word in ('"time"', '"now"', '"at"', '"timestamp"'))


def test_at_weekends_the_offices_are_closed(company: Catalogue) -> None:
    types = Counter(call.body.get("resource", {}).get("type") for call in script(company, day=SUNDAY))
    assert types["freight-invoice"] < 60 < types["booking"]
    assert types["vessel"] == types["part-order"] == 0
    assert Counter(call.body.get("resource", {}).get("type") for call in script(company))["part-order"] > 0


def test_routines_name_what_the_company_has() -> None:
    plain = company_manifest(today=TUESDAY, partners=PARTNERS).plain
    types = {each["name"]: each for app in plain["applications"] for each in app["resource_types"]}
    known = {each["id"] for each in plain["agents"]} | {"mail-helper", "spreadsheet-copilot", ""}
    people = {each["id"] for each in plain["people"]}
    for routines in DEPARTMENTS.values():
        for each in routines:
            assert each.type in types
            # One action that no type declares is asked for on purpose.
            assert each.action in types[each.type]["actions"] or each.action == "scrap"
            assert set(each.fields) <= set(types[each.type].get("fields", ()))
            assert {each.user} - {""} <= people
            assert set(each.chain) <= known
            assert each.subject in known or each.subject.startswith((f"{PARTNER}/", "user/"))
            assert each.mostly is None or each.mostly[0] in types[each.type].get("attributes", ())
    assert set(agents_with_keys()) <= known


def test_the_manifest_names_no_instant_of_its_own() -> None:
    for path in FOLDER.rglob("*.yaml"):
        assert "T00:00" not in path.read_text(encoding="utf-8"), path
