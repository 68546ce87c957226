"""What a machine can think of to send: no answer is a server error, and every answer is one that the document describes.

By default a few requests for each operation, always the same ones. With AGENTIAM_TEST_EXAMPLES=n, n random ones for each, and
besides all that schemathesis derives from the document's limits.
"""

import os
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.db import transaction
from django.utils import timezone
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, settings
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from directory.services.person_keys import issue_person_key
from tests.api.calling import application
from tests.api.world import make_everything

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
LONG = "AGENTIAM_TEST_EXAMPLES" in os.environ
EXAMPLES = int(os.environ.get("AGENTIAM_TEST_EXAMPLES", "4"))
MANNER: dict[str, Any] = {"deadline": None, "derandomize": not LONG, "suppress_health_check": list(HealthCheck)}
if not LONG:
    MANNER["database"] = None

schema = schemathesis.openapi.from_dict(SchemaGenerator().get_schema(request=None, public=True))
schema.app = application
# More than a hundred requests for each operation.
schema.config.phases.coverage.enabled = LONG


@pytest.fixture(scope="module")
def rows(django_db_setup: None, django_db_blocker: Any) -> Iterator[dict[str, str]]:
    """Make one row of every kind, once for all tests: each request is taken back after its answer."""
    with django_db_blocker.unblock(), transaction.atomic():
        cast, made = make_everything()
        alice = cast.people["alice"]
        _, token = issue_person_key(
            user=alice, label="t", scopes=["read", "write", "credentials"], by=alice.as_actor(), now=timezone.now()
        )
        yield {**made, "key": token.text}
        transaction.set_rollback(True)


@pytest.fixture
def headers(db: None, rows: dict[str, str]) -> dict[str, str]:
    """An administrator's key: what nobody else may do, the fuzzer must be able to reach."""
    return {"Authorization": f"Bearer {rows['key']}"}


@schema.parametrize()
@settings(max_examples=EXAMPLES, **MANNER)
def test_no_answer_is_an_error_of_ours_or_another_than_described(
    case: Case, rows: dict[str, str], headers: dict[str, str]
) -> None:
    collection = case.path.removeprefix("/api/v1/").partition("/")[0]
    for name in case.path_parameters or {}:
        # An id that exists, so that what is behind it is reached.
        case.path_parameters[name] = rows.get("agents" if name == "agent" else collection, case.path_parameters[name])
    with transaction.atomic():
        case.call_and_validate(headers=headers, checks=CHECKS)
        transaction.set_rollback(True)


class Stories(schema.as_state_machine()):
    """Requests one after the other, along the links of the document: what one created, the next uses."""

    headers: dict[str, str] = {}

    def setup(self) -> None:
        self.story = transaction.atomic()
        self.story.__enter__()

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.story.__exit__(None, None, None)

    def get_call_kwargs(self, case: Case) -> dict[str, Any]:
        return {"headers": type(self).headers}

    def validate_response(self, response: Any, case: Case, additional_checks: Any = (), **kwargs: Any) -> None:
        case.validate_response(response, checks=CHECKS)


def test_no_story_ends_in_an_error(headers: dict[str, str]) -> None:
    Stories.headers = headers
    Stories.run(settings=settings(max_examples=EXAMPLES * 2, stateful_step_count=10, **MANNER))
