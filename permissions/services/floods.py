"""What strangers can cause fills counters, and not the log: so many a minute get through, to whichever process they come."""

from django.core.cache import cache


def within_a_minute(key: str, *, most: int) -> bool:
    """Count one more under a key, and tell whether it is among the first so many of its minute."""
    cache.add(key, 0, 60)
    try:
        return cache.incr(key) <= most
    except ValueError:  # the minute ended between the two
        return True
