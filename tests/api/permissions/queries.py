"""How many queries a request costs."""

from collections.abc import Callable
from typing import Any

from django.db import connection
from django.test.utils import CaptureQueriesContext


def count_queries(ask: Callable[[], Any]) -> int:
    """Count, of a request that is answered."""
    with CaptureQueriesContext(connection) as captured:
        answer = ask()
    assert answer.status_code == 200, answer.content
    return len(captured)
