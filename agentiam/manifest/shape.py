"""Whether a manifest has the form that the JSON Schema asks for; the schema is made from the classes of the format."""

import json
import re
from collections.abc import Iterator
from functools import cache
from itertools import islice
from typing import Any, Final

import msgspec
from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import ValidationError

from agentiam.manifest.documents import Document, Instant
from agentiam.manifest.mistakes import Mistake, Path, Unusable, did_you_mean
from agentiam.manifest.reading import Source

_MOST_LOOKED_AT: Final = 500
_FREE: Final = ("attributes", "keys")
_WHERE: Final = re.compile(r" - at `(.*)`$")
_STEP: Final = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]")
_KINDS: Final = {
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
}

_formats = FormatChecker(formats=())


@_formats.checks("date-time", raises=msgspec.ValidationError)
def _is_instant(value: Any) -> bool:
    if isinstance(value, str):
        msgspec.convert(value, Instant)
    return True


def published_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of the format, for editors: what can be left out can be null as well."""
    schema = _generated()
    for definition in schema["$defs"].values():
        for name, described in definition["properties"].items():
            if name not in definition.get("required", ()):
                definition["properties"][name] = _or_null(described)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "agentiam organization",
        **schema,
    }


def schema_text() -> str:
    """The JSON Schema as a file."""
    return json.dumps(published_schema(), indent=2, ensure_ascii=False) + "\n"


def shaped(source: Source) -> Document:
    """Read a manifest into the classes of the format; raises Unusable with every mistake of form."""
    plain = without_nulls(source.plain)
    try:
        return msgspec.convert(plain, Document)
    except msgspec.ValidationError as error:
        raise Unusable(_mistakes(source, plain) or [_single(source, error)]) from error


def without_nulls(value: Any) -> Any:
    """Leave out the keys that are null, for null stands for the default; what people and resources have as attributes stays."""
    if isinstance(value, dict):
        return {key: each if key in _FREE else without_nulls(each) for key, each in value.items() if each is not None}
    if isinstance(value, list):
        return [without_nulls(each) for each in value]
    return value


def _generated() -> dict[str, Any]:
    return msgspec.json.schema(Document)


def _or_null(described: dict[str, Any]) -> dict[str, Any]:
    if {"type": "null"} in described.get("anyOf", ()):
        return described
    around: dict[str, Any] = {name: described[name] for name in ("description", "default") if name in described}
    within = {name: value for name, value in described.items() if name not in around}
    return {**around, "anyOf": [within, {"type": "null"}]}


def _without_null(described: Any) -> Any:
    """Turn 'this or null' into 'this', so that a mistake is told of the value and not of the alternative."""
    if isinstance(described, list):
        return [_without_null(each) for each in described]
    if not isinstance(described, dict):
        return described
    described = {name: _without_null(each) for name, each in described.items()}
    rest = [each for each in described.get("anyOf", ()) if each != {"type": "null"}]
    if len(rest) == 1:
        del described["anyOf"]
        described |= rest[0]
    return described


@cache
def _validator() -> Draft202012Validator:
    return Draft202012Validator(_without_null(_generated()), format_checker=_formats)


def _mistakes(source: Source, plain: Any) -> list[Mistake]:
    errors = islice(_validator().iter_errors(plain), _MOST_LOOKED_AT)
    # A missing key is told once for each error about its mapping, and each tells all of them.
    return list(dict.fromkeys(mistake for error in errors for mistake in _told(source, error)))


def _single(source: Source, error: msgspec.ValidationError) -> Mistake:
    message = str(error)
    found = _WHERE.search(message)
    path: Path = ()
    if found:
        path = tuple(key or int(index) for key, index in _STEP.findall(found[1]))
    return source.mistake(path, f"{_WHERE.sub('', message)}.")


def _told(source: Source, error: ValidationError) -> Iterator[Mistake]:
    path: Path = tuple(error.absolute_path)
    schema: Any = error.schema
    limit: Any = error.validator_value
    value: Any = error.instance
    match error.validator:
        case "additionalProperties":
            known = list(schema["properties"])
            for key in sorted(value.keys() - set(known), key=str):
                close = did_you_mean(str(key), known) or f" Known: {', '.join(known)}."
                message = f'"{key}" is not a key here.{close}'
                yield source.mistake((*path, key), message, key=True)
        case "required":
            for key in limit:
                if key not in value:
                    yield source.mistake(path, f'"{key}" is missing.')
        case "type":
            yield source.mistake(
                path, f"{_KINDS[limit].capitalize()} is expected here, not {_shown(value)}.{_hint(limit, value)}"
            )
        case "enum":
            close = did_you_mean(value, limit) if isinstance(value, str) else ""
            close = close or f" Known: {', '.join(limit)}."
            yield source.mistake(path, f"{_shown(value)} is not known here.{close}")
        case _:
            yield source.mistake(path, _limit_words(str(error.validator), limit, value))


def _limit_words(validator: str, limit: Any, value: Any) -> str:
    match validator:
        case "minLength" | "minItems":
            return "This is empty."
        case "maxLength":
            return f"This is longer than {limit} characters."
        case "minimum":
            return f"{value} is less than {limit}."
        case "maximum":
            return f"{value} is more than {limit}."
        case "format":
            return f"{_shown(value)} is not an instant with a zone, like 2028-01-01T00:00:00Z."
        case "pattern" if "agent" in limit:
            forms = "agent/ID" if "user" not in limit else "agent/ID, user/ID or team/ID"
            return f"{_shown(value)} is not of the form {forms}."
    return f"{_shown(value)} cannot stand here: it must match {limit}."


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _hint(kind: Any, value: Any) -> str:
    if kind == "string" and isinstance(value, bool | int | float):
        return " Put it in quotes."
    return ""
