"""Who reviews what: rules choose the people, and separation of duties takes out those who would judge their own.

Pure: facts and the time are passed in. A rule whose condition cannot be evaluated asks people or refuses, and never approves.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, time
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from permissions.engine.conditions import Condition, EvaluationError, Situation

Person = str
"""A person's external id."""

RISKS: Final = ("low", "medium", "high")


class Verdict(StrEnum):
    """What somebody, or a rule, says to a request."""

    APPROVE = "approve"
    DENY = "deny"


@dataclass(frozen=True, slots=True)
class Rung:
    """Whom a step asks, and for how many seconds it waits before it asks the next as well.

    Reviewers are ``owner``, ``sponsor``, ``team/ID`` or ``user/ID``.
    """

    reviewers: tuple[str, ...]
    seconds: int


@dataclass(frozen=True, slots=True)
class Step:
    """One yes of several that are needed in a row: by ``needed`` people, of those whom the rungs name one after another."""

    name: str
    rungs: tuple[Rung, ...]
    needed: int = 1

    @property
    def seconds(self) -> int:
        """How long the step lasts when nobody answers."""
        return sum(rung.seconds for rung in self.rungs)


@dataclass(frozen=True, slots=True)
class Quiet:
    """Hours of the day, in a time zone, in which the people on call are asked as well; they may go over midnight."""

    since: time
    until: time
    time_zone: str
    on_call: tuple[str, ...]

    def at(self, now: datetime) -> bool:
        """Tell whether it is quiet."""
        clock = now.astimezone(ZoneInfo(self.time_zone)).time()
        if self.since <= self.until:
            return self.since <= clock < self.until
        return clock >= self.since or clock < self.until


@dataclass(frozen=True, slots=True)
class ReviewRule:
    """Who decides about requests of a kind; None leaves a property open. ``automatic`` is an answer of the rule itself."""

    id: str
    version: int
    steps: tuple[Step, ...] = ()
    type: str | None = None
    actions: frozenset[str] | None = None
    data_classes: frozenset[str] | None = None
    least_risk: str | None = None
    when: Condition | None = None
    owner_may: bool = False
    quiet: Quiet | None = None
    automatic: Verdict | None = None

    def __post_init__(self) -> None:
        if (self.automatic is None) == (not self.steps):
            raise ValueError("a rule asks people in steps, or answers by itself")
        if any(step.needed < 1 or not step.rungs for step in self.steps):
            raise ValueError("a step needs somebody's yes")


@dataclass(frozen=True, slots=True)
class Ask:
    """What is asked for, and all who have a part in it."""

    type: str
    action: str
    risk: str
    requester: Person | None
    acted_for: Person | None
    owners: frozenset[Person]
    """Who owns the agents of the chain."""
    behind: frozenset[Person]
    """Who else can have acted in the name of an agent of the chain: with a key of it, or as its manager."""
    data_classes: frozenset[str]
    situation: Situation


@dataclass(frozen=True, slots=True)
class Cover:
    """Somebody answers for somebody who is away, for a time, under some rules or all; whoever covers is not covered by it."""

    away: Person
    stand_in: Person
    since: datetime
    until: datetime
    rules: frozenset[str] | None = None

    def holds(self, rule: ReviewRule, now: datetime) -> bool:
        """Tell whether it counts for a rule, now."""
        return self.since <= now < self.until and (self.rules is None or rule.id in self.rules)


def rule_for(rules: Iterable[ReviewRule], ask: Ask) -> ReviewRule | None:
    """Choose the first rule that is about a request."""
    return next((rule for rule in rules if _covers(rule, ask)), None)


def _covers(rule: ReviewRule, ask: Ask) -> bool:
    return (
        rule.type in (None, ask.type)
        and (rule.actions is None or ask.action in rule.actions)
        and (rule.data_classes is None or bool(rule.data_classes & ask.data_classes))
        and (rule.least_risk is None or RISKS.index(ask.risk) >= RISKS.index(rule.least_risk))
        and _holds(rule, ask)
    )


def _holds(rule: ReviewRule, ask: Ask) -> bool:
    if rule.when is None:
        return True
    try:
        return rule.when.holds(ask.situation)
    except EvaluationError:
        # What a rule refuses by itself it refuses in doubt as well; a yes is a person's then.
        return rule.automatic is not Verdict.APPROVE


def conflict_of(person: Person, ask: Ask, rule: ReviewRule) -> str:
    """Say why somebody does not decide about a request, whatever rule names them; empty where they may."""
    if person == ask.requester:
        return "asked for it"
    if person == ask.acted_for:
        return "is the one it would be done for"
    if person in ask.owners and not rule.owner_may:
        return "owns an agent that would act"
    if person in ask.behind:
        return "can act in the name of an agent that would act"
    return ""


def seats_at(
    rule: ReviewRule,
    step: Step,
    elapsed: float,
    *,
    roster: Mapping[str, frozenset[Person]],
    covers: Iterable[Cover],
    ask: Ask,
    now: datetime,
) -> dict[Person, frozenset[Person]]:
    """Say who may answer a step after some seconds, and in whose place: their own, or that of somebody whom they cover.

    Whoever was asked before may still answer. Cover is for those whom the rule names, so it does not chain.
    """
    named = _named(step, elapsed)
    if rule.quiet is not None and rule.quiet.at(now):
        named += rule.quiet.on_call
    people = frozenset().union(*(roster.get(each, frozenset()) for each in named))
    seats = {person: {person} for person in people if not conflict_of(person, ask, rule)}
    own = frozenset(seats)
    for cover in covers:
        if cover.away in own and cover.holds(rule, now) and not conflict_of(cover.stand_in, ask, rule):
            seats.setdefault(cover.stand_in, set()).add(cover.away)
    return {person: frozenset(held) for person, held in seats.items()}


def _named(step: Step, elapsed: float) -> tuple[str, ...]:
    found: tuple[str, ...] = ()
    starts = 0
    for rung in step.rungs:
        if elapsed < starts:
            break
        found += rung.reviewers
        starts += rung.seconds
    return found
