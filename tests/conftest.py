"""What every test may rely on."""

from collections.abc import Iterator

import pytest
from django.db import connections
from django.db.backends.base.operations import BaseDatabaseOperations

from tests.unguarded import unguarded


@pytest.fixture(autouse=True, scope="session")
def _flush_append_only_tables() -> Iterator[None]:
    """Let transactional tests empty the tables that refuse to be emptied."""

    def execute_sql_flush(operations: BaseDatabaseOperations, sql_list: list[str]) -> None:
        with unguarded(connections[operations.connection.alias]) as cursor:
            for statement in sql_list:
                cursor.execute(statement)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BaseDatabaseOperations, "execute_sql_flush", execute_sql_flush)
        yield
