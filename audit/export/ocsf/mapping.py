"""Which class and activity an event becomes: decided by its noun, its verb and, for what is given, by who holds it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from audit.export.ocsf.classes import (
    ACCOUNT_CHANGE,
    API_ACTIVITY,
    APPLICATION_LIFECYCLE,
    AUTHENTICATION,
    DETECTION_FINDING,
    ENTITY_MANAGEMENT,
    GROUP_MANAGEMENT,
    OTHER,
    ROLE_MANAGEMENT,
    USER_ACCESS,
    USER_MANAGEMENT,
    Class,
    Schema,
)

Record = Mapping[str, Any]
Activities = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Place:
    """A class, and what was done in it."""

    ocsf: Class
    activity_id: int
    verb: str

    @property
    def activity_name(self) -> str:
        """The caption of the activity, or our own word where the schema has none."""
        return self.ocsf.activities.get(self.activity_id) or self.verb.replace("_", " ").capitalize()

    @property
    def type_uid(self) -> int:
        """The number of class and activity together."""
        return self.ocsf.type_uid(self.activity_id)


# Nouns whose events are about one thing that is managed, and what that is called.
ENTITIES: Final[Mapping[str, str]] = {
    "agent": "AI Agent",
    "agent_card": "Agent Card",
    "application": "Application",
    "attestation": "Attestation",
    "authorization": "Authorization",
    "blueprint": "Blueprint",
    "guardrail": "Policy",
    "invitation": "Invitation",
    "job": "Job",
    "oauth_client": "OAuth Client",
    "organization": "Organization",
    "proof": "Attestation",
    "replacement": "Replacement",
    "resource": "Resource",
    "resource_type": "Resource Type",
    "token_key": "Signing Key",
    "trust": "Organization",
    "trusted_issuer": "Issuer",
}
CREDENTIALS: Final = ("credential", "application_key", "person_key", "onboarding_token")
PRIVILEGES: Final = ("grant", "delegation", "consent")

_GIVEN: Final = {"given": 14, "ended": 15, "withdrawn": 15, "expired": 15}
_ASSIGNED: Final = {"assigned": 16, "ended": 17, "expired": 17}
_KEYS: Final = {"issued": 18, "rotated": 2, "revoked": 19, "expired": 19}
_PEOPLE: Final = {
    "created": 1,
    "updated": 2,
    "roles_changed": 2,
    "deactivated": 5,
    "offboarded": 5,
    "reactivated": 4,
    "locked": 6,
    "unlocked": 7,
    "password_changed": 8,
    "password_reset": 9,
}
# How a person signs in: the noun is not the person, whom the event is about all the same.
_FACTORS: Final[Mapping[str, Activities]] = {
    "identity": {"linked": 2},
    "passkey": {"added": 12, "removed": 13},
    "recovery_codes": {"made": 2},
    "second_factor": {"added": 12, "removed": 13},
}
# What User Management (1.9) does, in the classes that 1.8 has for it.
_PEOPLE_STABLE: Final = {1: 1, 4: 2, 5: 5, 6: 9, 7: 12, 8: 3, 9: 4, 12: 10, 13: 11}
_SIGN_IN: Final = {"signed_in": 1, "refused": 1, "signed_out": 2, "reauthenticated": OTHER}
_TOKENS: Final = {"issued": 1, "refused": 1, "revoked": 2}
_TEAMS: Final = {"created": 6, "updated": 9, "members_changed": 9, "removed": 5}
_ROLES: Final = {"created": 1, "updated": 2, "entitlements_changed": 2, "inclusions_changed": 2, "removed": 3}
_RUNS: Final = {"started": 3, "ended": 4}
_ENTITY: Final = {
    "created": 1,
    "declared": 1,
    "made": 1,
    "discovered": 1,
    "drafted": 1,
    "proposed": 1,
    "registered": 1,
    "sent": 1,
    "signed": 1,
    "spawned": 1,
    "changed": 3,
    "fingerprinted": 3,
    "owner_left": 3,
    "reviewed": 3,
    "roles_changed": 3,
    "sponsor_left": 3,
    "transferred": 3,
    "added": 1,
    "updated": 3,
    "abandoned": 4,
    "cancelled": 4,
    "ended": 4,
    "expired": 4,
    "removed": 4,
    "offboarded": 4,
    "retired": 4,
    "activated": 8,
    "agreed": 8,
    "published": 8,
    "resumed": 13,
    "suspended": 12,
}
_ENTITY_OF: Final[Mapping[str, Activities]] = {
    "authorization": {"given": 1},
    "guardrail": {"withdrawn": 9},
    "agent_card": {"withdrawn": 9, "unpublished": 9},
}
# By whole name, before the noun is looked at.
_FINDINGS: Final = ("agent.changed_unreviewed", "log.found_broken", "sign.noted")


def known_noun(noun: str) -> bool:
    """Tell whether this module has thought about a noun; of others the events become those of some managed entity."""
    known = noun in ENTITIES or noun in CREDENTIALS or noun in PRIVILEGES or noun in _CHOICES
    return known or any(name.startswith(f"{noun}.") for name in _FINDINGS)


def place_of(record: Record, schema: Schema) -> Place:
    """Give the class and the activity of an event."""
    name = str(record.get("type", ""))
    noun, _, verb = name.partition(".")
    if name in _FINDINGS:
        return Place(DETECTION_FINDING, 1, verb)
    if noun in CREDENTIALS:
        return _of_person(_KEYS.get(verb, OTHER), verb, schema)
    if noun in PRIVILEGES:
        return _of_holder(_GIVEN.get(verb, OTHER), verb, record, schema)
    return _CHOICES.get(noun, _of_entity)(noun, verb, record, schema)


def _of_entity(noun: str, verb: str, _record: Record, _schema: Schema) -> Place:
    activity = _ENTITY_OF.get(noun, {}).get(verb) or _ENTITY.get(verb, 4 if verb == "withdrawn" else OTHER)
    return Place(ENTITY_MANAGEMENT, activity, verb)


def _of_access(_noun: str, verb: str, record: Record, schema: Schema) -> Place:
    """A decision about an agent, or a right of a person over the console."""
    if verb in _GIVEN:
        return _of_holder(_GIVEN[verb], verb, record, schema)
    action = _asked(record) if verb == "decided" else "search"
    return Place(API_ACTIVITY, _ACTIONS.get(action.lower(), OTHER), action or verb)


def _asked(record: Record) -> str:
    question = (record.get("data") or {}).get("question")
    return str(question.get("action", "")) if isinstance(question, dict) else ""


_ACTIONS: Final = {
    "create": 1,
    "add": 1,
    "insert": 1,
    "read": 2,
    "get": 2,
    "list": 2,
    "query": 2,
    "search": 2,
    "view": 2,
    "update": 3,
    "write": 3,
    "edit": 3,
    "delete": 4,
    "remove": 4,
}


def _of_log(_noun: str, verb: str, _record: Record, _schema: Schema) -> Place:
    return Place(API_ACTIVITY, 2, verb)


def _of_people(_noun: str, verb: str, _record: Record, schema: Schema) -> Place:
    if verb in _SIGN_IN:
        return Place(AUTHENTICATION, _SIGN_IN[verb], verb)
    return _of_person(_PEOPLE.get(verb, OTHER), verb, schema)


def _of_factor(noun: str, verb: str, _record: Record, schema: Schema) -> Place:
    return _of_person(_FACTORS[noun].get(verb, OTHER), verb, schema)


def _of_sessions(_noun: str, verb: str, _record: Record, _schema: Schema) -> Place:
    return Place(AUTHENTICATION, 2, verb)


def _of_token(_noun: str, verb: str, _record: Record, _schema: Schema) -> Place:
    return Place(AUTHENTICATION, _TOKENS.get(verb, OTHER), verb)


def _of_role(noun: str, verb: str, record: Record, schema: Schema) -> Place:
    if verb in _ASSIGNED:
        return _of_holder(_ASSIGNED[verb], verb, record, schema)
    if schema is Schema.STABLE:
        return Place(ENTITY_MANAGEMENT, {1: 1, 2: 3, 3: 4}.get(_ROLES.get(verb, OTHER), OTHER), verb)
    return Place(ROLE_MANAGEMENT, _ROLES.get(verb, OTHER), verb)


def _of_team(_noun: str, verb: str, _record: Record, schema: Schema) -> Place:
    activity = _TEAMS.get(verb, OTHER)
    return Place(GROUP_MANAGEMENT, OTHER if schema is Schema.STABLE and activity == 9 else activity, verb)


def _of_run(_noun: str, verb: str, _record: Record, _schema: Schema) -> Place:
    return Place(APPLICATION_LIFECYCLE, _RUNS.get(verb, OTHER), verb)


def _of_person(activity: int, verb: str, schema: Schema) -> Place:
    if schema is Schema.STABLE:
        return Place(ACCOUNT_CHANGE, _PEOPLE_STABLE.get(activity, OTHER), verb)
    return Place(USER_MANAGEMENT, activity, verb)


def _of_holder(activity: int, verb: str, record: Record, schema: Schema) -> Place:
    """Something that was given to an account or to a team, or taken back."""
    gives, is_role = activity in (14, 16), activity in (16, 17)
    if is_team(record):
        if is_role and schema is Schema.NEXT:
            return Place(GROUP_MANAGEMENT, 12 if gives else 13, verb)
        return Place(GROUP_MANAGEMENT, OTHER if activity == OTHER else 1 if gives else 2, verb)
    if schema is Schema.STABLE:
        return Place(USER_ACCESS, OTHER if activity == OTHER else 1 if gives else 2, verb)
    return Place(USER_MANAGEMENT, activity, verb)


def is_about_person(record: Record) -> bool:
    """Tell whether the target of an event is a person's account."""
    noun = str(record.get("type", "")).partition(".")[0]
    return noun == "person" or noun in _FACTORS


def is_team(record: Record) -> bool:
    """Tell whether what was given is held by a team."""
    data = record.get("data") or {}
    to = data.get("to")
    return str(data.get("holder", "")).startswith("team/") or (isinstance(to, dict) and to.get("type") == "team")


_CHOICES: Final[Mapping[str, Callable[[str, str, Record, Schema], Place]]] = {
    "access": _of_access,
    "assignment": _of_role,
    "log": _of_log,
    "person": _of_people,
    "role": _of_role,
    "run": _of_run,
    "sessions": _of_sessions,
    "team": _of_team,
    "token": _of_token,
    **dict.fromkeys(_FACTORS, _of_factor),
}
