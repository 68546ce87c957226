"""Who reviews what, as data."""

from datetime import time, timedelta
from typing import Any

import pytest

from approvals.rules import Ask, Quiet, ReviewRule, Step, Verdict, conflict_of, rule_for, seats_at
from permissions.engine.conditions import Situation
from tests.approvals.scenes import ROSTER, ask, cover, rule, step, when
from tests.engine.scenes import NOW

FINANCE = step("team/finance")
BROKEN = "action.properties.nothing > 1"

CHOICES: list[tuple[str, dict[str, Any], Ask, bool]] = [
    ("of any kind", {}, ask(), True),
    ("of the type", {"type": "case"}, ask(), True),
    ("of another type", {"type": "lead"}, ask(), False),
    ("of the action", {"actions": frozenset({"refund", "close"})}, ask(), True),
    ("of another action", {"actions": frozenset({"close"})}, ask(), False),
    ("of a class of data", {"data_classes": frozenset({"personal", "internal"})}, ask(), True),
    ("of another class of data", {"data_classes": frozenset({"personal"})}, ask(), False),
    ("of the least risk", {"least_risk": "medium"}, ask(), True),
    ("of a greater risk", {"least_risk": "high"}, ask(), False),
    ("a condition that holds", {"when": when("action.properties.amount > 200")}, ask(), True),
    ("a condition that does not", {"when": when("action.properties.amount > 500")}, ask(), False),
    ("a condition without an answer", {"when": when(BROKEN)}, ask(), True),
]


@pytest.mark.parametrize(("values", "asked", "chosen"), [each[1:] for each in CHOICES], ids=[each[0] for each in CHOICES])
def test_a_rule_is_about_a_request(values: dict[str, Any], asked: Ask, chosen: bool) -> None:
    assert (rule_for([rule(FINANCE, **values)], asked) is not None) is chosen


def test_the_first_rule_that_is_about_it_decides() -> None:
    rules = [rule(FINANCE, name="a", type="lead"), rule(FINANCE, name="b"), rule(FINANCE, name="c")]
    chosen = rule_for(rules, ask())
    assert chosen is not None
    assert chosen.id == "b"
    assert rule_for(rules[:1], ask()) is None


def test_in_doubt_a_rule_refuses_by_itself_and_never_approves() -> None:
    approves, refuses = (rule(name=each, automatic=each, when=when(BROKEN)) for each in (Verdict.APPROVE, Verdict.DENY))
    assert rule_for([approves], ask()) is None
    assert rule_for([approves, refuses], ask()) is refuses


@pytest.mark.parametrize(
    ("steps", "automatic"),
    [((), None), ((FINANCE,), Verdict.DENY), ((step("owner", needed=0),), None), ((Step("empty", ()),), None)],
)
def test_a_rule_asks_people_or_answers_by_itself(steps: tuple[Step, ...], automatic: Verdict | None) -> None:
    with pytest.raises(ValueError, match=r"a rule asks people|a step needs"):
        ReviewRule("r", 1, steps, automatic=automatic)


@pytest.mark.parametrize(
    ("person", "asked", "owner_may", "reason"),
    [
        ("bob", ask(), False, ""),
        ("bob", ask(requester="bob"), True, "asked for it"),
        ("bob", ask(acted_for="bob"), True, "is the one it would be done for"),
        ("bob", ask(owners=frozenset({"bob"})), False, "owns an agent that would act"),
        ("bob", ask(owners=frozenset({"bob"})), True, ""),
        ("bob", ask(behind=frozenset({"bob"})), True, "can act in the name of an agent that would act"),
    ],
)
def test_nobody_judges_what_is_their_own(person: str, asked: Ask, owner_may: bool, reason: str) -> None:
    assert conflict_of(person, asked, rule(FINANCE, owner_may=owner_may)) == reason


def seats(step_: Any, elapsed: float = 0, *, covers: Any = (), asked: Ask | None = None, now: Any = NOW, **values: Any) -> Any:
    return seats_at(rule(step_, **values), step_, elapsed, roster=ROSTER, covers=covers, ask=asked or ask(), now=now)


def test_the_next_are_asked_when_nobody_answered_and_the_first_still_may() -> None:
    ladder = step("sponsor", then=("team/security",))
    assert set(seats(ladder)) == {"sam"}
    assert set(seats(ladder, 599)) == {"sam"}
    assert set(seats(ladder, 600)) == {"sam", "alice", "ada"}


def test_whoever_covers_takes_one_place_and_does_not_pass_it_on() -> None:
    covers = (cover("sam", "dave"), cover("dave", "erin"))
    assert seats(step("sponsor"), covers=covers) == {"sam": {"sam"}, "dave": {"sam"}}


def test_cover_is_for_a_time_for_some_rules_and_for_nobody_with_a_part_in_it() -> None:
    sponsor = step("sponsor")
    assert set(seats(sponsor, covers=(cover("sam", "dave", minutes=-1),))) == {"sam"}
    assert set(seats(sponsor, covers=(cover("sam", "dave", rules=frozenset({"others"})),))) == {"sam"}
    assert set(seats(sponsor, covers=(cover("sam", "dave"),), asked=ask(acted_for="dave"))) == {"sam"}
    assert set(seats(sponsor, covers=(cover("sam", "dave"),), asked=ask(requester="sam"))) == set()


def test_in_quiet_hours_the_people_on_call_are_asked_as_well() -> None:
    night = Quiet(time(22), time(6), "Europe/Berlin", ("user/carol",))
    day = NOW.replace(hour=12)
    late = NOW.replace(hour=23)
    assert (night.at(day), night.at(late), night.at(late + timedelta(hours=3))) == (False, True, True)
    assert set(seats(step("sponsor"), quiet=night, now=late)) == {"sam", "carol"}
    assert set(seats(step("sponsor"), quiet=night, now=day)) == {"sam"}
    assert Quiet(time(9), time(17), "UTC", ()).at(day)


def test_a_condition_sees_the_situation() -> None:
    chosen = rule(FINANCE, when=when("action.properties.amount > 200"))
    small = ask(situation=Situation(action={"properties": {"amount": 20}}, now=NOW))
    assert rule_for([chosen], small) is None
