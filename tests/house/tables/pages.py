"""Pages of the frame: overview, health."""

from tests.house.tables.expected import LOGIN, Table

TABLE: Table = {
    "home": ("/", (200, 200, 200, 200, LOGIN), (405, 405, 405, 405, LOGIN)),
    "healthz": ("/healthz", (200,) * 5, (405,) * 5),
    "readyz": ("/readyz", (200,) * 5, (405,) * 5),
}
