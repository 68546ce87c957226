"""What answers come to: cases as data, and what must hold whatever people say, and when."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from approvals.lifecycle import State
from approvals.rules import Verdict, conflict_of
from approvals.standing import Answer, Facts, standing
from tests.approvals.scenes import ROSTER, ask, cover, facts, no, rule, step, yes
from tests.engine.scenes import NOW

FINANCE, TWO = step("team/finance"), step("team/finance", needed=2)
LADDER = step("sponsor", then=("team/security",))

CASES: list[tuple[str, Facts, list[Answer], float, State]] = [
    ("nobody answered yet", facts(FINANCE), [], 5, State.PENDING),
    ("somebody said yes", facts(FINANCE), [yes("bob")], 5, State.APPROVED),
    ("somebody said no", facts(FINANCE), [no("bob")], 5, State.DENIED),
    ("a yes that is not there yet", facts(FINANCE), [yes("bob", 6)], 5, State.PENDING),
    ("somebody who was not asked", facts(FINANCE), [yes("sam"), no("sam", 2)], 5, State.PENDING),
    ("the owner", facts(step("owner")), [yes("olivia")], 5, State.PENDING),
    ("the owner where the rule lets them", facts(step("owner"), owner_may=True), [yes("olivia")], 5, State.APPROVED),
    ("the one acted for", facts(FINANCE, asked=ask(acted_for="bob")), [yes("bob")], 5, State.PENDING),
    ("one of two", facts(TWO), [yes("bob")], 5, State.PENDING),
    ("the same one twice", facts(TWO), [yes("bob"), yes("bob", 2)], 5, State.PENDING),
    ("two of two", facts(TWO), [yes("bob"), yes("ben", 2)], 5, State.APPROVED),
    ("a no after one yes", facts(TWO), [yes("bob"), no("ben", 2)], 5, State.DENIED),
    ("second thoughts", facts(TWO), [yes("bob"), no("bob", 2)], 5, State.DENIED),
    ("yes and no at once", facts(FINANCE), [yes("bob"), no("ben")], 5, State.DENIED),
    ("a no that comes after the yes", facts(FINANCE), [yes("bob"), no("ben", 2)], 5, State.APPROVED),
    ("silence to the end", facts(FINANCE), [], 10, State.EXPIRED),
    ("a yes at the very deadline", facts(FINANCE), [yes("bob", 10)], 10, State.EXPIRED),
    ("a yes after the deadline", facts(FINANCE), [yes("bob", 11)], 12, State.EXPIRED),
    ("a yes in time, looked at late", facts(FINANCE), [yes("bob", 9)], 9_999, State.APPROVED),
    ("silence asks the next", facts(LADDER), [], 10, State.PENDING),
    ("the next before their time", facts(LADDER), [yes("alice", 9)], 10, State.PENDING),
    ("the next in their time", facts(LADDER), [yes("alice", 10)], 10, State.APPROVED),
    ("the first, late", facts(LADDER), [yes("sam", 15)], 15, State.APPROVED),
    ("silence of all", facts(LADDER), [], 20, State.EXPIRED),
    ("one step of two", facts(FINANCE, step("team/security")), [yes("bob")], 5, State.PENDING),
    ("both steps", facts(FINANCE, step("team/security")), [yes("bob"), yes("ada", 2)], 5, State.APPROVED),
    ("the second step first", facts(FINANCE, step("team/security")), [yes("ada"), yes("bob", 2)], 5, State.PENDING),
    ("one person for both steps", facts(FINANCE, FINANCE), [yes("bob"), yes("bob", 2)], 5, State.PENDING),
    ("the second step begins when the first is done", facts(FINANCE, FINANCE), [yes("bob", 9)], 18, State.PENDING),
    ("and has its own end", facts(FINANCE, FINANCE), [yes("bob", 9)], 19, State.EXPIRED),
    ("somebody who covers", facts(step("sponsor"), covers=(cover("sam", "dave"),)), [yes("dave")], 5, State.APPROVED),
    (
        "a place that is taken",
        facts(step("sponsor", "user/carol", needed=2), covers=(cover("sam", "dave"),)),
        [yes("dave"), yes("sam", 2)],
        5,
        State.PENDING,
    ),
    (
        "one person for two places",
        facts(step("sponsor", "user/carol", needed=2), covers=(cover("sam", "carol"),)),
        [yes("carol"), yes("carol", 2)],
        5,
        State.PENDING,
    ),
    ("a rule that approves", Facts(rule(automatic=Verdict.APPROVE), ask(), ROSTER), [], 0, State.APPROVED),
    ("a rule that refuses", Facts(rule(automatic=Verdict.DENY), ask(), ROSTER), [yes("bob")], 5, State.DENIED),
]


def at(found: Facts, answers: list[Answer], minutes: float) -> Any:
    return standing(found, answers, opened_at=NOW, now=NOW + timedelta(minutes=minutes))


@pytest.mark.parametrize(
    ("found", "answers", "minutes", "state"), [each[1:] for each in CASES], ids=[each[0] for each in CASES]
)
def test_a_request_stands(found: Facts, answers: list[Answer], minutes: float, state: State) -> None:
    assert at(found, answers, minutes).state is state


def test_it_says_who_is_awaited_how_many_and_until_when() -> None:
    found = at(facts(TWO), [yes("bob")], 5)
    assert (found.awaited, found.missing, found.step) == ({"ben", "beth"}, 1, 0)
    assert found.deadline == NOW + timedelta(minutes=10)
    assert at(facts(TWO), [], 10).at == NOW + timedelta(minutes=10)
    assert at(facts(TWO), [no("bob", 3)], 9).denied_by == "bob"


PEOPLE = ("olivia", "sam", "bob", "ben", "beth", "alice", "ada", "carol", "dave", "mallory")
SELECTORS = tuple(ROSTER)
steps = st.builds(
    lambda first, then, needed: step(*first, needed=needed, then=tuple(then)),
    st.lists(st.sampled_from(SELECTORS), min_size=1, max_size=3),
    st.lists(st.sampled_from(SELECTORS), max_size=2),
    st.integers(1, 3),
)
spoken = st.lists(
    st.builds(
        lambda person, verdict, minutes: Answer(person, verdict, NOW + timedelta(minutes=minutes)),
        st.sampled_from(PEOPLE),
        st.sampled_from([Verdict.APPROVE, Verdict.APPROVE, Verdict.APPROVE, Verdict.DENY]),
        st.integers(-2, 70),
    ),
    max_size=14,
)
covering = st.lists(st.builds(cover, st.sampled_from(PEOPLE), st.sampled_from(PEOPLE)), max_size=3)
worlds = st.builds(
    lambda steps_, covers, acted_for, owner_may: facts(
        *steps_, covers=tuple(covers), asked=ask(acted_for=acted_for), owner_may=owner_may
    ),
    st.lists(steps, min_size=1, max_size=3),
    covering,
    st.sampled_from([None, *PEOPLE]),
    st.booleans(),
)


@given(worlds, spoken, st.integers(0, 80))
def test_no_yes_without_enough_different_people_who_may_in_time(found: Facts, answers: list[Answer], minutes: int) -> None:
    outcome = at(found, answers, minutes)
    if outcome.state is not State.APPROVED:
        return
    assert len(outcome.counted) == sum(each.needed for each in found.rule.steps)
    for members in (
        [each.person for each in outcome.counted],
        [each.seat for each in outcome.counted],
    ):
        assert len(members) == len(set(members))
    said = {(each.person, each.verdict) for each in answers if NOW <= each.at <= NOW + timedelta(minutes=minutes)}
    for each in outcome.counted:
        assert (each.person, Verdict.APPROVE) in said
        assert not conflict_of(each.person, found.ask, found.rule)
        reviewers = {name for rung in found.rule.steps[each.step].rungs for name in rung.reviewers}
        assert any(each.seat in ROSTER[name] for name in reviewers)
        covered = any((one.away, one.stand_in) == (each.seat, each.person) for one in found.covers)
        assert each.seat == each.person or covered
    assert outcome.at <= NOW + timedelta(seconds=sum(each.seconds for each in found.rule.steps))


@given(worlds, spoken, st.integers(0, 80), st.integers(0, 80))
def test_what_has_ended_stays_ended_and_as_it_was(found: Facts, answers: list[Answer], minutes: int, later: int) -> None:
    first = at(found, answers, minutes)
    if first.state is not State.PENDING:
        assert at(found, answers, minutes + later) == first


@given(worlds, spoken, st.integers(0, 80), st.randoms())
def test_the_order_in_which_answers_are_told_does_not_matter(
    found: Facts, answers: list[Answer], minutes: int, random: Any
) -> None:
    shuffled = list(answers)
    random.shuffle(shuffled)
    first, second = at(found, answers, minutes), at(found, shuffled, minutes)
    assert (first.state, first.at, first.step) == (second.state, second.at, second.step)


@given(worlds, spoken, st.sampled_from(PEOPLE), st.integers(0, 70), st.integers(0, 80))
def test_another_no_never_opens(found: Facts, answers: list[Answer], person: str, when: int, minutes: int) -> None:
    if at(found, answers, minutes).state is not State.APPROVED:
        assert at(found, [*answers, no(person, when)], minutes).state is not State.APPROVED


@given(worlds, spoken)
def test_silence_is_a_no_in_the_end_and_nobodys(found: Facts, answers: list[Answer]) -> None:
    outcome = at(found, answers, 10_000)
    assert outcome.state is not State.PENDING
    if outcome.state is State.EXPIRED:
        assert outcome.denied_by is None
