"""A list counts no further than anybody will turn its pages: no table is ever counted as a whole."""

from functools import cached_property
from typing import Any, Final

from django.core.paginator import Paginator

MOST_LISTED: Final = 10_000
"""Who looks for a row beyond these searches or filters."""


class BoundedPaginator(Paginator):  # type: ignore[type-arg]  # it pages rows of any model
    """Pages through the first rows of a list; one query for the count, which ends with the last of them."""

    object_list: Any

    @cached_property
    def _counted(self) -> int:
        return int(self.object_list.order_by().values("pk")[: MOST_LISTED + 1].count())

    @cached_property
    def count(self) -> int:
        """Count the rows that can be reached."""
        return min(self._counted, MOST_LISTED)

    @property
    def cut(self) -> bool:
        """Whether there are more."""
        return self._counted > MOST_LISTED
