"""What answers come to: a request is approved when each step had its yeses in time, each by another person; one no ends it.

Pure, and a function of the answers and the time alone: whoever reckons it, whenever and however often, finds the same. A job
that comes late finds a request expired at its deadline, and a yes that came later counts for nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from approvals.lifecycle import State
from approvals.rules import Ask, Cover, Person, ReviewRule, Step, Verdict, seats_at


@dataclass(frozen=True, slots=True)
class Answer:
    """What a person said, and when."""

    person: Person
    verdict: Verdict
    at: datetime


@dataclass(frozen=True, slots=True)
class Counted:
    """A yes that counts: whose it was, and in whose place."""

    person: Person
    seat: Person
    step: int


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a request stands: in which step, who is awaited, until when; once it has ended, when and by whose no."""

    state: State
    at: datetime
    step: int = 0
    counted: tuple[Counted, ...] = ()
    awaited: frozenset[Person] = frozenset()
    missing: int = 0
    deadline: datetime | None = None
    denied_by: Person | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """What a request is judged by: its rule, who is in which role, and who covers whom."""

    rule: ReviewRule
    ask: Ask
    roster: Mapping[str, frozenset[Person]]
    covers: tuple[Cover, ...] = ()


def standing(facts: Facts, answers: Iterable[Answer], *, opened_at: datetime, now: datetime) -> Standing:
    """Work out where a request stands, from all answers up to an instant; they may come in any order."""
    if facts.rule.automatic is not None:
        return Standing(State.APPROVED if facts.rule.automatic is Verdict.APPROVE else State.DENIED, opened_at)
    # Of two at the same instant the no is first.
    heard = sorted((each for each in answers if each.at <= now), key=lambda each: (each.at, each.verdict is Verdict.APPROVE))
    counted: tuple[Counted, ...] = ()
    began = opened_at
    for number, step in enumerate(facts.rule.steps):
        reckoned = _step(facts, number, step, heard, counted, began=began, now=now)
        if reckoned.state is not State.APPROVED:
            return reckoned
        began, counted = reckoned.at, reckoned.counted
        heard = [each for each in heard if each.at > began]
    return Standing(State.APPROVED, began, len(facts.rule.steps), counted)


def _step(
    facts: Facts,
    number: int,
    step: Step,
    heard: Iterable[Answer],
    before: tuple[Counted, ...],
    *,
    began: datetime,
    now: datetime,
) -> Standing:
    deadline = began + timedelta(seconds=step.seconds)
    counted = before
    for answer in heard:
        if not began <= answer.at < deadline:
            continue
        everybody = _seats(facts, step, began=began, at=answer.at)
        if answer.verdict is Verdict.DENY and answer.person in everybody:
            # Also of somebody who said yes before: whoever has second thoughts is heard.
            return Standing(State.DENIED, answer.at, number, counted, denied_by=answer.person)
        seats = _left(everybody, counted)
        if answer.verdict is Verdict.DENY or answer.person not in seats:
            continue
        seat = answer.person if answer.person in seats[answer.person] else min(seats[answer.person])
        counted += (Counted(answer.person, seat, number),)
        if len(counted) - len(before) == step.needed:
            return Standing(State.APPROVED, answer.at, number, counted)
    if now >= deadline:
        return Standing(State.EXPIRED, deadline, number, counted)
    awaited = frozenset(_left(_seats(facts, step, began=began, at=now), counted))
    missing = step.needed - (len(counted) - len(before))
    return Standing(State.PENDING, began, number, counted, awaited, missing, deadline)


def _seats(facts: Facts, step: Step, *, began: datetime, at: datetime) -> dict[Person, frozenset[Person]]:
    elapsed = (at - began).total_seconds()
    return seats_at(facts.rule, step, elapsed, roster=facts.roster, covers=facts.covers, ask=facts.ask, now=at)


def _left(seats: Mapping[Person, frozenset[Person]], counted: tuple[Counted, ...]) -> dict[Person, frozenset[Person]]:
    """Leave out who has answered and whose place is taken: nobody counts twice, over all steps."""
    people = {each.person for each in counted}
    taken = {each.seat for each in counted}
    return {person: held - taken for person, held in seats.items() if person not in people and held - taken}
