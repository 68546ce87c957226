"""The first run offers the company to who can answer, and loads it unasked only where somebody said so beforehand."""

import io
import os
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from agentiam.management.commands import quickstart
from agentiam.management.commands.quickstart import Command


class Screen(io.StringIO):
    """What is written to a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def keyboard(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Sit at a terminal; give what to type into."""
    ours, theirs = os.openpty()
    with open(theirs) as typed:  # noqa: PTH123  (a descriptor)
        monkeypatch.setattr(sys, "stdin", typed)
        yield ours
    os.close(ours)


def offered(screen: io.StringIO) -> bool:
    return Command(stdout=screen)._wants_company()


@pytest.mark.parametrize(("typed", "wanted"), [("\n", True), ("y\n", True), ("Yes\n", True), ("n\n", False), ("No\n", False)])
def test_who_sits_at_a_terminal_is_asked(keyboard: int, typed: str, wanted: bool) -> None:
    screen = Screen()
    os.write(keyboard, typed.encode())
    assert offered(screen) is wanted
    assert "Load a demo company to look at, too? [Y/n]" in screen.getvalue()


def test_silence_at_a_terminal_is_a_yes(keyboard: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quickstart, "QUESTION_SECONDS", 0.05)
    assert offered(Screen()) is True


def test_an_input_that_ended_is_nobodys_yes(keyboard: int) -> None:
    os.write(keyboard, b"\x04")
    assert offered(Screen()) is False


def test_without_a_terminal_nobody_is_asked_and_nothing_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    said = io.StringIO()
    assert offered(said) is False
    assert "manage.py demo" in said.getvalue()


@pytest.mark.parametrize(("said", "wanted"), [("yes", True), ("no", False)])
def test_who_said_so_beforehand_is_not_asked(settings: Any, said: str, wanted: bool) -> None:
    settings.DEMO = said
    screen = Screen()
    assert offered(screen) is wanted
    assert screen.getvalue() == ""
