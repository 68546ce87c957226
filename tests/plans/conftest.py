import pytest

from tests.plans.rows import create_table, fill, stored_rows


@pytest.fixture
def leads(db):
    """The rows of the table, as dictionaries."""
    create_table()
    fill()
    return stored_rows()
