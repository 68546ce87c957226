"""The management API; who gets what there, tests/api/test_permission_table.py asks, for nine kinds of callers."""

from typing import Final

from agentiam.api.urls import urlpatterns
from tests.house.tables import api_permissions
from tests.house.tables.expected import Table

TABLE: Table = {
    "api:openapi": ("/api/v1/openapi.json", (200,) * 5, (405,) * 5),
    "api:docs": ("/api/v1/docs", (200,) * 5, (405,) * 5),
}
_LISTED: Final = {*TABLE, *api_permissions.ELSEWHERE}
ELSEWHERE: Final = [f"api:{pattern.name}" for pattern in urlpatterns if f"api:{pattern.name}" not in _LISTED]
