"""What those who operate it read; the tests' clients come from the loopback, which may."""

from tests.house.tables.expected import Table

TABLE: Table = {
    "metrics": ("/metrics", (200,) * 5, (405,) * 5),
}
