"""What a caller asks, taken apart and checked: the entities of AuthZEN's Authorization API 1.0, sections 5 to 8.

Whatever is malformed is a 400 that names the place as a JSON pointer. Unknown members are ignored, as the specification asks.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from agentiam.kit.problems import Problem
from permissions.engine.types import EMPTY
from permissions.questions import Asked, Entity

MAX_BODY_BYTES: Final = 1 << 20
MAX_ITEMS: Final = 1_000
MAX_LINKS: Final = 16
MAX_FIELDS: Final = 1_000
MAX_LEVELS: Final = 40
MAX_ID: Final = 1_000
SEMANTICS: Final = ("execute_all", "deny_on_first_deny", "permit_on_first_permit")

Json = dict[str, Any]
_decode: Final = msgspec.json.Decoder().decode
_TEXTS: Final = re.compile(rb'"(?:[^"\\]|\\.)*+"([ \t\n\r]*:)?')


def malformed(pointer: str, detail: str) -> Problem:
    """Say what is wrong at one place of the request."""
    return Problem(400, "malformed-request", f"{pointer or 'the request'}: {detail}", {"pointer": pointer})


def decode(body: bytes) -> Json:
    """Read a request's body; the top level must be an object (section 4)."""
    try:
        value = _decode(body)
        keys = _keys_in(value, MAX_LEVELS)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise malformed("", f"the body is not JSON: {error}") from None
    # In JSON a text is followed by a colon where it is a name, and only there. Of a name that is there twice another reader,
    # a gateway in front of us, may take the other value (RFC 8259, section 4).
    colons = _TEXTS.findall(body)
    if len(colons) - colons.count(b"") != keys:
        raise malformed("", "a member is there twice")
    return _object(value, "")


def _keys_in(value: Any, levels: int) -> int:
    """Count the members of all objects in a value; raises a 400 problem for one that is nested too deeply to be recorded."""
    if not isinstance(value, (dict, list)):
        return 0
    if not levels:
        raise malformed("", f"is nested more than {MAX_LEVELS} levels deep")
    own, items = (len(value), value.values()) if isinstance(value, dict) else (0, value)
    return own + sum(_keys_in(item, levels - 1) for item in items if isinstance(item, (dict, list)))


def _object(value: Any, pointer: str) -> Json:
    if not isinstance(value, dict):
        raise malformed(pointer, "must be an object")
    return value


def _text(value: Any, pointer: str) -> str:
    if not isinstance(value, str):
        raise malformed(pointer, "is required and must be a string" if value is None else "must be a string")
    if not value or len(value) > MAX_ID or "\x00" in value:
        raise malformed(pointer, f"must have 1 to {MAX_ID} characters, none of them NUL")
    return value


def _optional_object(parent: Json, name: str, pointer: str) -> Mapping[str, Any]:
    value = parent.get(name)
    return EMPTY if value is None else _object(value, f"{pointer}/{name}")


def entity(body: Json, name: str, *, with_id: bool = True, pointer: str = "") -> Entity:
    """Read a subject or a resource (sections 5.1 and 5.2); a search leaves out its id, and one that is sent is ignored."""
    here = f"{pointer}/{name}"
    if body.get(name) is None:
        raise malformed(here, "is required")
    value = _object(body[name], here)
    return Entity(
        _text(value.get("type"), f"{here}/type"),
        _text(value.get("id"), f"{here}/id") if with_id else "",
        _optional_object(value, "properties", here),
    )


def asked(body: Json, *, pointer: str = "", subject_id: bool = True, resource_id: bool = True, action: bool = True) -> Asked:
    """Read one question (section 6.1), or the part of it that a search sends."""
    subject = entity(body, "subject", with_id=subject_id, pointer=pointer)
    resource = entity(body, "resource", with_id=resource_id, pointer=pointer)
    name, properties = _action(body, pointer) if action else ("", EMPTY)
    context = _optional_object(body, "context", pointer)
    here = f"{pointer}/context"
    task_id, purpose = _task(context, here)
    user = None
    if context.get("on_behalf_of") is not None:
        user = entity(dict(context), "on_behalf_of", pointer=here)
    actor, chain = _act(subject.properties, f"{pointer}/subject/properties")
    delegation = _delegation(context, here)
    if chain and delegation and chain != delegation:
        raise malformed(f"{here}/delegation", "names another chain than subject.properties.act")
    if actor is not None and user is not None and (user.type, user.id) != (subject.type, subject.id):
        raise malformed(f"{here}/on_behalf_of", "names another user than the subject with subject.properties.act")
    return Asked(
        subject=subject,
        action=name,
        resource=resource,
        action_properties=properties,
        context=context,
        fields=_fields(properties, f"{pointer}/action/properties"),
        on_behalf_of=user,
        actor=actor,
        delegation=delegation or chain,
        task_id=task_id,
        task_purpose=purpose,
        explain=_explain(context, here),
    )


def _action(body: Json, pointer: str) -> tuple[str, Mapping[str, Any]]:
    here = f"{pointer}/action"
    if body.get("action") is None:
        raise malformed(here, "is required")
    action = _object(body["action"], here)
    return _text(action.get("name"), f"{here}/name"), _optional_object(action, "properties", here)


def _fields(properties: Mapping[str, Any], pointer: str) -> tuple[str, ...]:
    value = properties.get("fields")
    if value is None:
        return ()
    if (
        not isinstance(value, list)
        or len(value) > MAX_FIELDS
        or not all(isinstance(name, str) and "\x00" not in name for name in value)
    ):
        raise malformed(f"{pointer}/fields", f"must be a list of at most {MAX_FIELDS} names of fields")
    return tuple(dict.fromkeys(value))


def _task(context: Mapping[str, Any], pointer: str) -> tuple[str, str]:
    value = context.get("task")
    if value is None:
        return "", ""
    task = _object(value, f"{pointer}/task")
    purpose = task.get("purpose")
    if purpose is not None and not isinstance(purpose, str):
        raise malformed(f"{pointer}/task/purpose", "must be a string")
    return _text(task.get("id"), f"{pointer}/task/id"), purpose or ""


def _delegation(context: Mapping[str, Any], pointer: str) -> tuple[str, ...]:
    value = context.get("delegation")
    if value is None:
        return ()
    here = f"{pointer}/delegation"
    if not isinstance(value, list) or len(value) > MAX_LINKS:
        raise malformed(here, f"must be a list of at most {MAX_LINKS} delegators, the outermost first")
    found = []
    for position, item in enumerate(value):
        if isinstance(item, dict):
            item = f"{item.get('type')}/{item.get('id')}"  # noqa: PLW2901  (the other way to write the same)
        if not isinstance(item, str) or not item.startswith("agent/") or not 6 < len(item) <= MAX_ID or "\x00" in item:
            raise malformed(f"{here}/{position}", 'must be "agent/ID"')
        found.append(item)
    return tuple(found)


def _act(properties: Mapping[str, Any], pointer: str) -> tuple[str | None, tuple[str, ...]]:
    """Read who acts for the user (RFC 8693, section 4.1): the outermost ``act`` acts, the inner ones delegated."""
    actors: list[str] = []
    value, here = properties.get("act"), f"{pointer}/act"
    while value is not None:
        if len(actors) > MAX_LINKS:
            raise malformed(here, f"has more than {MAX_LINKS} delegators")
        act = _object(value, here)
        sub = _text(act.get("sub"), f"{here}/sub")
        actors.append(sub if sub.startswith("agent/") else f"agent/{sub}")
        value, here = act.get("act"), f"{here}/act"
    return (actors[0] if actors else None), tuple(reversed(actors[1:]))


def _explain(context: Mapping[str, Any], pointer: str) -> bool | None:
    value = context.get("explain")
    if value is not None and not isinstance(value, bool):
        raise malformed(f"{pointer}/explain", "must be true or false")
    return value


def semantic(body: Json) -> str:
    """Read how a batch is to be evaluated (section 7.1.2)."""
    options = _optional_object(body, "options", "")
    value = options.get("evaluations_semantic", SEMANTICS[0])
    if value not in SEMANTICS:
        raise malformed("/options/evaluations_semantic", f"must be one of {', '.join(SEMANTICS)}")
    return str(value)


def items(body: Json) -> list[Json]:
    """Read the items of a batch, each laid over the defaults at the top (section 7.1.1); none if there is one question."""
    value = body.get("evaluations")
    if value is None:
        return []
    if not isinstance(value, list):
        raise malformed("/evaluations", "must be a list")
    if len(value) > MAX_ITEMS:
        raise malformed("/evaluations", f"has {len(value)} items; at most {MAX_ITEMS} can be asked at once")
    defaults: Json = {name: body[name] for name in ("subject", "action", "resource", "context") if name in body}
    for name, default in defaults.items():
        _object(default, f"/{name}")
    return [{**defaults, **_object(item, f"/evaluations/{position}")} for position, item in enumerate(value)]
