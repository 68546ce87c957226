"""Whatever the clock looks for every minute it finds by an index that holds nothing but what is still to end."""

from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from directory.models import Agent
from directory.services import expiry as of_directory
from permissions.models import Trust
from permissions.services import expiry as of_permissions

pytestmark = pytest.mark.django_db

# Holds the same rows, the invitations that are open; where there are none yet, PostgreSQL sees no difference.
ALSO = {"invitation": "invitation_one_open_an_address"}
OVER = {each.name: each.over for each in (*of_directory.EXPIRIES, *of_permissions.EXPIRIES)}


def plan(rows: Any) -> str:
    """Tell how the database finds the organizations that have something to end."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            # The tables of a test are short: it reads a short one as a whole, whatever indexes there are.
            cursor.execute("SET LOCAL enable_seqscan = off")
    return str(rows.order_by("organization_id").values_list("organization_id", flat=True).distinct().explain())


@pytest.mark.parametrize("name", OVER)
def test_what_is_over_is_found_by_the_index_of_what_is_due(name: str) -> None:
    rows = OVER[name](timezone.now())
    table = str(rows.model._meta.model_name)
    found = plan(rows)
    assert f"{table}_due" in found or ALSO.get(table, "no other") in found


@pytest.mark.parametrize("model", [Agent, Trust])
def test_agents_and_trusts_that_are_over_are_found_so_too(model: Any) -> None:
    over = {Agent: of_permissions._agents_over, Trust: of_permissions._trusts_over}[model]
    assert f"{model._meta.model_name}_due" in plan(over(timezone.now()))
