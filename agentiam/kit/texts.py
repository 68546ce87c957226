"""Texts that every database can store: a NUL and half of a surrogate pair get through JSON, and no further."""

from typing import Any


def is_storable(value: Any) -> bool:
    """Tell whether all texts of a JSON value, its names too, can be stored and looked up; raises RecursionError."""
    if isinstance(value, str):
        return (value.isascii() and "\0" not in value) or _is_whole(value)
    if isinstance(value, dict):
        return all(is_storable(name) and is_storable(each) for name, each in value.items())
    return not isinstance(value, (list, tuple)) or all(is_storable(each) for each in value)


def _is_whole(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return "\0" not in text
