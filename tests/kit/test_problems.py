"""A problem is an exception like any other on its way to the one who answers with it."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from agentiam.kit.problems import Problem


@contextmanager
def passed_through() -> Iterator[None]:
    yield


def test_a_problem_passes_through_a_context_as_itself() -> None:
    problem = Problem(422, "invalid", "No.", {"errors": []})
    with pytest.raises(Problem) as caught, passed_through():
        raise problem
    assert caught.value is problem
    assert problem.body()["status"] == 422
