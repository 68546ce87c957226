"""Check an OCSF event against the schema's rules: what is required, what there is, which numbers and captions."""

from typing import Any

from audit.export.ocsf.classes import Schema
from tests.audit.export.ocsf_rules import RULES


def mistakes(event: dict[str, Any], schema: Schema) -> list[str]:
    """Name everything that the schema does not allow in an event."""
    rules = RULES[schema]
    every, ours = rules["every"], rules["classes"].get(event.get("class_uid"))
    if ours is None:
        return [f"there is no class {event.get('class_uid')}"]
    whole = {
        "required": f"{every['required']} {ours['required']}",
        "attributes": f"{every['attributes']} {ours['attributes']}",
        "constraints": ours["constraints"],
        "numbers": every["numbers"] | ours["numbers"],
    }
    return [*_arithmetic(event, ours), *_profiles(event, rules["profiles"]), *_object("", event, whole, rules)]


def _arithmetic(event: dict[str, Any], ours: dict[str, Any]) -> list[str]:
    expected = {
        "class_name": ours["name"],
        "category_uid": event["class_uid"] // 1000,
        "type_uid": event["class_uid"] * 100 + event["activity_id"],
        "type_name": f"{ours['name']}: {event['activity_name']}",
    }
    found = [f"{name} is {event[name]!r}, not {value!r}" for name, value in expected.items() if event[name] != value]
    if not isinstance(event["time"], int) or event["time"] < 10**12:
        found.append("time is not in milliseconds")
    return found


def _profiles(event: dict[str, Any], profiles: dict[str, str]) -> list[str]:
    named = set(event["metadata"].get("profiles", []))
    used = {profiles[name] for name in event if name in profiles}
    return [f"the profiles are {sorted(named)}, and what is used is of {sorted(used)}"] if named != used else []


def _object(path: str, value: Any, rule: dict[str, Any], rules: dict[str, Any]) -> list[str]:
    if not isinstance(value, dict):
        return [f"{path} is no object"]
    known = {name: kind for name, _, kind in (each.partition("=") for each in rule["attributes"].split())}
    found = [f"{path}/{name} is missing" for name in rule["required"].split() if name not in value]
    found += [f"{path}/{name} does not exist" for name in value if name not in known]
    found += [f"{path}/{name} is empty" for name, item in value.items() if item in ("", None, []) and name != "profiles"]
    for how, names in rule["constraints"].items():
        number = sum(name in value for name in names)
        if (how == "at_least_one" and number < 1) or (how == "just_one" and number != 1):
            found.append(f"{path or '/'} has {number} of {names}")
    for name, captions in rule["numbers"].items():
        found += _number(f"{path}/{name}", value, name, captions)
    for name, item in value.items():
        found += _value(f"{path}/{name}", item, known.get(name, ""), rules)
    return found


def _value(path: str, item: Any, kind: str, rules: dict[str, Any]) -> list[str]:
    if kind.endswith("[]"):
        if not isinstance(item, list):
            return [f"{path} is no list"]
        each = rules["objects"].get(kind[:-2])
        return [] if each is None else [m for at, one in enumerate(item) for m in _object(f"{path}/{at}", one, each, rules)]
    if kind:
        return _object(path, item, rules["objects"][kind], rules)
    return []


def _number(path: str, value: dict[str, Any], name: str, captions: str) -> list[str]:
    if name not in value:
        return []
    numbers = {int(number): caption for number, _, caption in (each.partition(" ") for each in captions.split("|"))}
    if value[name] not in numbers:
        return [f"{path} is {value[name]!r}, which there is not"]
    sibling = "activity_name" if name == "activity_id" else name.removesuffix("_id")
    said = value.get(sibling)
    if value[name] == 99:
        return [] if said else [f"{path} is other, and {sibling} does not say what"]
    return [] if said in (None, numbers[value[name]]) else [f"{sibling} is {said!r}, not {numbers[value[name]]!r}"]
