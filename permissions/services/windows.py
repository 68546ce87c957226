"""When something begins and ends: instants with a zone, an end that lies ahead, and after the beginning."""

from datetime import datetime

from agentiam.kit.errors import Invalid


class BadWindow(Invalid):
    """The end lies in the past or before the beginning, or an instant has no time zone."""

    field = "ends_at"


def check_window(*, starts_at: datetime | None = None, ends_at: datetime | None, now: datetime) -> None:
    """Accept a window that is not over yet; None leaves a side open. Raises BadWindow."""
    for name, instant in (("beginning", starts_at), ("end", ends_at)):
        if instant is not None and instant.tzinfo is None:
            raise BadWindow(f"The {name} needs a time zone.", remedy="For example 2030-01-01T00:00:00Z.")
    if ends_at is None:
        return
    if ends_at <= now:
        raise BadWindow(f"The end, {ends_at.isoformat()}, lies in the past.", remedy="Name a later one.")
    if starts_at is not None and ends_at <= starts_at:
        raise BadWindow("The end must come after the beginning.")
