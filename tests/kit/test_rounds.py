"""A round: every organization and every chore gets its turn, whatever fails on the way."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from agentiam.kit.rounds import Chore, RoundIncomplete, go_round

NOW = datetime(2026, 1, 5, tzinfo=UTC)
ONE, TWO, THREE = (UUID(int=number) for number in (1, 2, 3))


def chore(name, counts, visited):
    def work(organization_id, now):
        visited.append((name, organization_id, now))
        for count in counts[organization_id]:
            if isinstance(count, Exception):
                raise count
            yield count

    return Chore(name, lambda now: list(counts), work)


def test_what_was_done_is_counted_and_told_after_each_step():
    visited: list[Any] = []
    told: list[int] = []
    chores = [chore("first", {ONE: [2, 3], TWO: [1]}, visited), chore("second", {TWO: [], THREE: [4]}, visited)]
    assert go_round(chores, now=NOW, heard=told.append) == 10
    assert told == [2, 5, 6, 10]
    assert visited == [("first", ONE, NOW), ("first", TWO, NOW), ("second", TWO, NOW), ("second", THREE, NOW)]


def test_what_fails_holds_up_nothing_else_and_is_named_without_its_words(caplog):
    visited: list[Any] = []
    chores = [
        chore("first", {ONE: [2, ValueError("hunter2")], TWO: [1]}, visited),
        chore("second", {ONE: [5], TWO: [KeyError("x"), 9]}, visited),
    ]
    with pytest.raises(RoundIncomplete) as caught:
        go_round(chores, now=NOW)
    assert str(caught.value) == f"first in {ONE} (ValueError), second in {TWO} (KeyError)"
    assert len(visited) == 4
    assert [record.levelname for record in caplog.records] == ["ERROR", "ERROR"]


def test_of_many_failures_a_few_are_named():
    failing = chore("first", {UUID(int=number): [ValueError()] for number in range(9)}, [])
    with pytest.raises(RoundIncomplete, match=r"and 4 more$"):
        go_round([failing], now=NOW)


def test_whoever_hears_may_end_the_round():
    visited: list[Any] = []

    def enough(done):
        raise InterruptedError

    with pytest.raises(InterruptedError):
        go_round([chore("first", {ONE: [1, 1], TWO: [1]}, visited)], now=NOW, heard=enough)
    assert [each[1] for each in visited] == [ONE]
