"""Timestamps and durations as text, as numbers, and by the parts of the calendar; and the other conversions between types.

Timestamps are RFC 3339 and nothing looser. A time zone is an IANA name or an offset like ``+01:00``.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any
from zoneinfo import ZoneInfo

from permissions.engine.conditions.errors import EvaluationError
from permissions.engine.conditions.values import in_range, kind, no_overload, strings

_RFC3339 = re.compile(r"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:[Zz]|([+-])(\d\d):(\d\d))", re.ASCII)
_DURATION = re.compile(r"([+-]?)(0|(?:(?:\d+\.?\d*|\.\d+)(?:h|ms|us|ns|m|s))+)", re.ASCII)
_DURATION_PART = re.compile(r"(\d*)(?:\.(\d*))?(h|ms|us|ns|m|s)", re.ASCII)
_NANOSECONDS = {"h": 3_600_000_000_000, "m": 60_000_000_000, "s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}
_LONGEST_LITERAL = 315_576_000_000_999_999_999
_OFFSET = re.compile(r"([+-]?)(\d\d):([0-5]\d)", re.ASCII)
_ZONE = re.compile(r"[A-Z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+)*", re.ASCII)
_INT = re.compile(r"[ \t\n\v\f\r]*([+-]?[0-9]{1,20})[ \t\n\v\f\r]*")
_DOUBLE = re.compile(
    r"[ \t\n\v\f\r]*([+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|inf|infinity|nan))[ \t\n\v\f\r]*", re.IGNORECASE
)
_BOOLS = {
    **dict.fromkeys(("true", "True", "TRUE", "t", "1"), True),
    **dict.fromkeys(("false", "False", "FALSE", "f", "0"), False),
}


@lru_cache(maxsize=1024)
def parse_timestamp(text: str) -> datetime:
    """Read an RFC 3339 timestamp, as UTC."""
    found = _RFC3339.fullmatch(text)
    if found is None:
        raise EvaluationError(f"{text!r} is not an RFC 3339 timestamp")
    *calendar, fraction, sign, hours, minutes = found.groups()
    try:
        moment = datetime(*map(int, calendar), int((fraction or "0").ljust(6, "0")[:6]), tzinfo=UTC)  # type: ignore[arg-type,misc]
        if sign:
            shift = _shift(sign, int(hours), int(minutes))
            moment -= shift
    except (ValueError, OverflowError):
        raise EvaluationError(f"{text!r} is not an RFC 3339 timestamp") from None
    return moment


def _shift(sign: str, hours: int, minutes: int) -> timedelta:
    if hours > 23 or minutes > 59:
        raise ValueError
    shift = timedelta(hours=hours, minutes=minutes)
    return -shift if sign == "-" else shift


@lru_cache(maxsize=1024)
def parse_duration(text: str) -> timedelta:
    """Read a duration such as ``1h30m`` or ``-1.5s``."""
    found = _DURATION.fullmatch(text)
    if found is None or len(text) > 64:
        raise EvaluationError(f"{text!r} is not a duration like 1h30m")
    sign, parts = found.groups()
    nanoseconds = 0
    for whole, fraction, unit in _DURATION_PART.findall(parts):
        scale = _NANOSECONDS[unit]
        nanoseconds += int(whole or 0) * scale + int(fraction or 0) * scale // 10 ** len(fraction)
    if nanoseconds > _LONGEST_LITERAL:
        raise EvaluationError(f"{text!r} is longer than 10,000 years")
    span = timedelta(microseconds=nanoseconds // 1000)
    return -span if sign == "-" else span


@lru_cache(maxsize=256)
def time_zone(name: str) -> tzinfo:
    """Find a time zone by IANA name or offset; the empty name is UTC."""
    if name in {"", "UTC"}:
        return UTC
    offset = _OFFSET.fullmatch(name)
    try:
        if offset is not None:
            return timezone(_shift(offset[1], int(offset[2]), int(offset[3])))
        if _ZONE.fullmatch(name) and name != "Factory":
            return ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        pass
    raise EvaluationError(f"{name!r} is not a time zone")


def to_timestamp(value: Any) -> datetime:
    """Convert text or seconds since 1970 to a timestamp."""
    match kind(value):
        case "timestamp":
            return value  # type: ignore[no-any-return]
        case "string":
            return parse_timestamp(value)
        case "int":
            try:
                return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=value)
            except OverflowError:
                raise EvaluationError("timestamp overflow") from None
    raise no_overload("timestamp", value)


def to_duration(value: Any) -> timedelta:
    """Convert text to a duration."""
    match kind(value):
        case "duration":
            return value  # type: ignore[no-any-return]
        case "string":
            return parse_duration(value)
    raise no_overload("duration", value)


def to_int(value: Any) -> int:
    """Convert a number (towards zero), decimal text, or a timestamp (seconds since 1970) to an integer."""
    match kind(value):
        case "int":
            return value  # type: ignore[no-any-return]
        case "double":
            if -(2.0**63) < value < 2.0**63:
                return int(value)
            raise EvaluationError("the double does not fit an integer")
        case "string":
            found = _INT.fullmatch(value)
            if found is None:
                raise EvaluationError(f"{value!r} is not an integer")
            return in_range(int(found[1]))
        case "timestamp":
            return (value - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1)  # type: ignore[no-any-return]
    raise no_overload("int", value)


def to_double(value: Any) -> float:
    """Convert a number or decimal text to a double."""
    match kind(value):
        case "double" | "int":
            return float(in_range(value) if isinstance(value, int) else value)
        case "string":
            found = _DOUBLE.fullmatch(value)
            if found is None:
                raise EvaluationError(f"{value!r} is not a number")
            return float(found[1])
    raise no_overload("double", value)


def to_bool(value: Any) -> bool:
    """Convert the usual texts for true and false to a truth value."""
    match kind(value):
        case "bool":
            return bool(value)
        case "string":
            if value in _BOOLS:
                return _BOOLS[value]
            raise EvaluationError(f"{value!r} is neither true nor false")
    raise no_overload("bool", value)


def to_string(value: Any) -> str:
    """Convert an integer, a truth value, a timestamp (RFC 3339, UTC) or a duration (seconds) to text."""
    match kind(value):
        case "string":
            return value  # type: ignore[no-any-return]
        case "int":
            return str(in_range(value))
        case "bool":
            return "true" if value else "false"
        case "timestamp":
            moment = value.astimezone(UTC)
            return f"{moment.replace(tzinfo=None, microsecond=0).isoformat()}{_fraction(moment.microsecond)}Z"
        case "duration":
            microseconds = abs(value) // timedelta(microseconds=1)
            sign = "-" if value < timedelta(0) else ""
            return f"{sign}{microseconds // 1_000_000}{_fraction(microseconds % 1_000_000)}s"
    raise no_overload("string", value)


def _fraction(microseconds: int) -> str:
    if not microseconds:
        return ""
    return f".{microseconds // 1000:03}" if microseconds % 1000 == 0 else f".{microseconds:06}"


CALENDAR: dict[str, Callable[[datetime], int]] = {
    "getFullYear": lambda moment: moment.year,
    "getMonth": lambda moment: moment.month - 1,
    "getDate": lambda moment: moment.day,
    "getDayOfMonth": lambda moment: moment.day - 1,
    "getDayOfYear": lambda moment: moment.timetuple().tm_yday - 1,
    "getDayOfWeek": lambda moment: moment.isoweekday() % 7,
    "getHours": lambda moment: moment.hour,
    "getMinutes": lambda moment: moment.minute,
    "getSeconds": lambda moment: moment.second,
    "getMilliseconds": lambda moment: moment.microsecond // 1000,
}
_SPANS = {"getHours": 3_600_000_000, "getMinutes": 60_000_000, "getSeconds": 1_000_000, "getMilliseconds": 1_000}


def calendar(name: str) -> Callable[..., int]:
    """Make the function that reads one part of a timestamp (in a zone, else UTC), or of a duration."""
    part, unit = CALENDAR[name], _SPANS.get(name)

    def read(value: Any, *zone: Any) -> int:
        what = kind(value)
        if what == "duration" and unit is not None and not zone:
            microseconds = abs(value) // timedelta(microseconds=1)
            count = microseconds % 1_000_000 // unit if name == "getMilliseconds" else microseconds // unit
            return int(-count if value < timedelta(0) else count)
        if what != "timestamp":
            raise no_overload(name, value, *zone)
        strings(name, *zone)
        try:
            return part(value.astimezone(time_zone(zone[0]) if zone else UTC))
        except OverflowError:
            raise EvaluationError("timestamp overflow") from None

    return read


@lru_cache(maxsize=1024)
def parse_network(text: str) -> IPv4Network | IPv6Network:
    """Read a network such as ``10.0.0.0/8``."""
    try:
        return ip_network(text, strict=False)
    except ValueError:
        raise EvaluationError(f"{text!r} is not a network like 10.0.0.0/8") from None


@lru_cache(maxsize=4096)
def _address(text: str) -> IPv4Address | IPv6Address:
    """Read an IP address; an IPv4 address in the clothes of IPv6 counts as what it is."""
    try:
        found = ip_address(text)
    except ValueError:
        raise EvaluationError(f"{text!r} is not an IP address") from None
    return (found.ipv4_mapped or found) if isinstance(found, IPv6Address) else found


def ip_in_range(address: Any, network: Any) -> bool:
    """Tell whether an IP address lies in a network (CIDR); addresses of the other version do not."""
    strings("ipInRange", address, network)
    return _address(address) in parse_network(network)
