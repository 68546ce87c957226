"""The objects of OCSF that events refer to: who acted, from where, and what it was done to."""

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any, Final

from audit.export.ocsf.classes import Schema
from audit.export.ocsf.mapping import ENTITIES, Place, Record, is_about_person
from audit.export.product import NAME, version

Json = dict[str, Any]

_AI_AGENT: Final = "AI Agent"
_USER: Final = {"type_id": 1, "type": "User"}
_SERVICE: Final = {"type_id": 4, "type": "Service"}
_ENTITY_TYPES: Final = {"Organization": 4, "Policy": 5}
_OTHER: Final = 99


def product() -> Json:
    """Name the product that reports."""
    return {"name": NAME, "vendor_name": NAME, "uid": NAME, "version": version()}


def endpoint(record: Record) -> Json:
    """Say where it came from; of what the system did by itself, which part of it."""
    actor = record.get("actor") or {}
    address = str(actor.get("address", ""))
    try:
        ipaddress.ip_address(address)
    except ValueError:
        return {"name": address} if address else {"svc_name": str(actor.get("label") or actor.get("id") or NAME)}
    return {"ip": address}


def initiator(record: Record, schema: Schema) -> tuple[Json | None, Json | None]:
    """Give the actor and the AI agent of an event: from 1.9 on an agent stands in ``ai_agent``, not in ``actor``."""
    by, data = record.get("actor") or {}, record.get("data") or {}
    kind, uid, name = (str(by.get(part, "")) for part in ("kind", "id", "label"))
    question = _part(data, "question")
    actor = _caller(data)
    if kind == "agent" and schema is Schema.NEXT:
        if user := _named_user(str(question.get("on_behalf_of") or "")):
            actor["user"] = user
        agent: Json = {"uid": uid, "name": name or uid, "type_id": 0, "type": "Unknown"}
        if instance := _instance(record, question):
            agent["instance_uid"] = instance
        return actor or None, agent
    if kind in {"agent", "person", "user"}:
        described = {"type_id": _OTHER, "type": _AI_AGENT} if kind == "agent" else _USER
        actor["user"] = {"uid": uid, "name": name or uid, **described}
    else:
        actor |= {"app_uid": uid or NAME, "app_name": name or uid or NAME}
    return actor, None


def _part(data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Give an object within the data, empty if it is not there or something else."""
    found = data.get(name)
    return found if isinstance(found, dict) else {}


def _caller(data: Mapping[str, Any]) -> Json:
    """Say who asked for a decision, and with which key, by its public id."""
    caller = data.get("caller")
    if not isinstance(caller, dict):
        return {}
    key = str(caller.get("key") or "")
    found: Json = {"session": {"credential_uid": key, "issuer": NAME}} if key else {}
    if caller.get("kind") == "application":
        found |= {"app_uid": str(caller.get("id", "")), "app_name": str(caller.get("id", ""))}
    return found


def _instance(record: Record, question: Mapping[str, Any]) -> str:
    """Name the run: of a decision by its task, of the run's own events by its id."""
    if str(record.get("type", "")).startswith("run."):
        return str((record.get("target") or {}).get("id", ""))
    return str(question.get("task") or "")


def _named_user(reference: str) -> Json:
    kind, _, uid = reference.partition("/")
    return {"uid": uid, "name": uid, **_USER} if kind == "user" and uid else {}


def authorizations(record: Record) -> list[Json]:
    """List the rules that decided, and those that were only watched."""
    data, effect = record.get("data") or {}, str(record.get("effect", ""))
    decided = [{"decision": effect, "policy": _policy(rule, applied=True)} for rule in _rules(data, "rules")]
    watched = [{"decision": "report_only", "policy": _policy(rule, applied=False)} for rule in _rules(data, "report_only")]
    return [*(decided or [{"decision": effect}]), *watched]


def _rules(data: Mapping[str, Any], name: str) -> Sequence[Mapping[str, Any]]:
    rules = data.get(name)
    return [rule for rule in rules if isinstance(rule, dict)] if isinstance(rules, list) else []


def _policy(rule: Mapping[str, Any], *, applied: bool) -> Json:
    kind, uid = str(rule.get("kind", "")), str(rule.get("id", ""))
    return {
        "uid": uid,
        "name": f"{kind}/{uid}",
        "type": kind,
        "version": str(rule.get("version", "")),
        "is_applied": applied,
    }


def subject(place: Place, record: Record) -> Json:
    """Give the objects that the class requires, or that say what was done to what."""
    match place.ocsf.subject:
        case "api":
            return _api(record)
        case "user":
            return _user(place, record)
        case "group":
            return _group(place, record)
        case "iam_role":
            return {"iam_role": _named(record)}
        case "authentication":
            return {"user": {**_named(record), **_USER}, "service": {"name": NAME}} | _factors(record)
        case "app":
            return {"app": _app(record)}
        case "finding":
            return {"finding_info": {"uid": str(record.get("id", "")), "title": str(record.get("type", ""))}} | _resources(
                record
            )
        case _:
            return {"entity": _entity(record)} | ({"comment": reason} if (reason := str(record.get("reason", ""))) else {})


def _factors(record: Record) -> Json:
    methods = (record.get("data") or {}).get("methods")
    return {"is_mfa": len(set(map(str, methods))) > 1} if isinstance(methods, list) and methods else {}


def _named(record: Record) -> Json:
    target = record.get("target") or {}
    uid = str(target.get("id") or record.get("id", ""))
    return {"uid": uid, "name": str(target.get("label") or uid)}


def _entity(record: Record) -> Json:
    noun = str(record.get("type", "")).partition(".")[0]
    kind = ENTITIES.get(noun) or noun.replace("_", " ").title()
    named = _named(record)
    found = {**named, "type": kind, "type_id": _ENTITY_TYPES.get(kind, _OTHER)}
    if kind in _ENTITY_TYPES:
        found["org" if kind == "Organization" else "policy"] = named
    return found


def _resources(record: Record) -> Json:
    target = record.get("target")
    if not isinstance(target, dict):
        return {}
    question = (record.get("data") or {}).get("question")
    kind = str(target.get("type", ""))
    name = kind if isinstance(question, dict) else str(target.get("label", ""))
    found = {"type": kind, "name": name or str(target.get("id") or kind)}
    if target.get("id"):
        found["uid"] = str(target["id"])
    return {"resources": [found]}


def _api(record: Record) -> Json:
    data = record.get("data") or {}
    question, caller = data.get("question"), data.get("caller")
    operation = question.get("action") if isinstance(question, dict) else None
    api: Json = {
        "operation": str(operation or record.get("type", "")),
        "request": {"uid": str(record.get("request_id") or record.get("id", ""))},
    }
    if isinstance(caller, dict) and caller.get("kind") == "application":
        api["service"] = {"name": str(caller.get("id", "")), "uid": str(caller.get("id", ""))}
    return {"api": api} | _resources(record)


def _user(place: Place, record: Record) -> Json:
    noun = str(record.get("type", "")).partition(".")[0]
    data = record.get("data") or {}
    if is_about_person(record):
        return {"user": {**_named(record), **_USER}}
    match noun:
        case "grant" | "assignment" | "role":
            return {"user": _account(str(data.get("holder", "")), record)} | _given(place, record)
        case "access":
            to = _part(data, "to")
            user = _account(f"user/{to.get('id', '')}", record)
            return {"user": user | {"name": str(to.get("label") or user["name"])}} | _given(place, record)
        case "consent" | "delegation":
            holder = data.get("delegate") or data.get("agent") or ""
            return {"user": _account(f"agent/{holder}" if holder else "", record)} | _given(place, record)
    # What is left is about a key: of an agent, an application or a person, with nothing of its secret.
    key = {"uid": str(data.get("public_id") or _named(record)["uid"]), "type": str(data.get("kind") or noun)}
    return {"user": {**_holder_of_key(data, record), "programmatic_credentials": [key]}}


def _holder_of_key(data: Mapping[str, Any], record: Record) -> Json:
    for name, described in (("agent", {"type_id": _OTHER, "type": _AI_AGENT}), ("application", _SERVICE)):
        if data.get(name):
            return {"uid": str(data[name]), "name": str(data[name]), **described}
    if person := data.get("person") or data.get("user"):
        return {"uid": str(person), "name": str(person), **_USER}
    return {**_named(record), **_SERVICE}


def _account(reference: str, record: Record) -> Json:
    """Describe who holds something, by a reference like ``agent/7``."""
    kind, _, uid = reference.partition("/")
    if not uid:
        return {**_named(record), "type_id": 0, "type": "Unknown"}
    described = {"type_id": _OTHER, "type": _AI_AGENT} if kind == "agent" else _USER
    return {"uid": uid, "name": uid, **described}


def _group(place: Place, record: Record) -> Json:
    if str(record.get("type", "")).startswith("team."):
        return {"group": _named(record)}
    data = record.get("data") or {}
    to = _part(data, "to")
    uid = str(to.get("id") or str(data.get("holder", "")).partition("/")[2])
    return {"group": {"uid": uid, "name": str(to.get("label") or uid)}} | _given(place, record)


def _given(place: Place, record: Record) -> Json:
    """Say what was given or taken: privileges as ``type:action``, roles where the class knows them."""
    data = record.get("data") or {}
    if role := data.get("role"):
        if place.activity_name in {"Assign Roles", "Remove Roles"}:
            return {"iam_roles": [{"uid": str(role), "name": str(role)}]}
        return {"privileges": [f"role:{role}"]}
    if right := data.get("right"):
        return {"privileges": [str(right)]} | _resources(record)
    words = _part(data, "entitlement") or data
    kind, actions = words.get("type"), words.get("actions")
    if kind and isinstance(actions, list):
        return {"privileges": [f"{kind}:{action}" for action in actions]}
    return {"privileges": [f"{str(record.get('type', '')).partition('.')[0]}:{_named(record)['uid']}"]}


def _app(record: Record) -> Json:
    agent = (record.get("data") or {}).get("agent")
    named = _named(record)
    return {"uid": str(agent or named["uid"]), "name": str(agent or named["name"]), "vendor_name": _AI_AGENT}
