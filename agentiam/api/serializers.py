"""What the resources have in common: bodies are strict, and every change may say why."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from rest_framework import serializers

from agentiam.kit.problems import Problem

# Where the id is found that a member of a body names.
_FOUND_IN: Final = MappingProxyType(
    {
        **dict.fromkeys(("owner", "sponsor", "person", "members", "on_behalf_of"), "people?external_id"),
        **dict.fromkeys(("team", "teams", "sponsor_team"), "teams?external_id"),
        **dict.fromkeys(("agent", "child", "predecessor", "successor", "delegator", "delegate"), "agents?external_id"),
        **dict.fromkeys(("role", "roles", "includes"), "roles?external_id"),
        "blueprint": "blueprints?external_id",
        "application": "applications?slug",
    }
)


class Given(serializers.Serializer[Any]):
    """A body that a client sends; a member that nobody reads is a mistake, and refused."""

    def to_internal_value(self, data: Any) -> Any:
        """Refuse unknown members before the others are looked at."""
        if isinstance(data, Mapping):
            unknown = [str(name) for name in data if name not in self.fields]
            if unknown:
                known = ", ".join(sorted(str(name) for name, field in self.fields.items() if not field.read_only))
                words = f"Nothing of this name can be given here; what can: {known}." if known else "Nothing can be given here."
                raise serializers.ValidationError({name: [words] for name in unknown})
        return super().to_internal_value(data)

    def get_fields(self) -> dict[str, Any]:
        """Let every choice say, when it refuses a value, what it takes, and every reference where ids are found."""
        fields: dict[str, Any] = super().get_fields()
        for name, field in fields.items():
            choice = getattr(field, "child", field)
            if isinstance(choice, serializers.UUIDField) and (found := _FOUND_IN.get(str(name))):
                choice.error_messages["invalid"] = f'"{{value}}" is no id (a UUID). Find it: GET /api/v1/{found}={{value}}.'
            if isinstance(choice, serializers.ChoiceField):
                known = ", ".join(str(each) for each in choice.choices).replace("{", "{{").replace("}", "}}")
                choice.error_messages["invalid_choice"] = f'"{{input}}" is none of: {known}.'
        return fields


class Reason(Given):
    """Why something is done; it goes into the event and the version."""

    reason = serializers.CharField(required=False, allow_blank=True, max_length=2_000, default="")


class RequiredReason(Given):
    """Why something is done that others will ask about."""

    reason = serializers.CharField(max_length=2_000)


class Told(serializers.Serializer[Any]):
    """A body that the API answers with."""


class Named(Told):
    """Another object, by all the names that it has."""

    id = serializers.UUIDField(source="pk")
    external_id = serializers.CharField()
    name = serializers.CharField()


class StringList(serializers.ListField):
    """A list of texts."""

    child = serializers.CharField(max_length=500)

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", 1_000)
        super().__init__(**kwargs)


def one_of(rows: Any, value: Any, name: str) -> Any:
    """Find a row that a body names by its id, out of what the caller sees; raises a 422 problem, which says no more."""
    found = rows.filter(pk=value).first()
    if found is None:
        raise _unseen(f"/{name}")
    return found


def all_of(rows: Any, values: Sequence[Any], name: str) -> list[Any]:
    """Find all rows that a body names by their ids; as ``one_of``, with one query."""
    found = {row.pk: row for row in rows.filter(pk__in=values)}
    for index, value in enumerate(values):
        if value not in found:
            raise _unseen(f"/{name}/{index}")
    return [found[value] for value in values]


def _unseen(pointer: str) -> Problem:
    errors = [{"pointer": pointer, "detail": "There is nothing of this id that you can see."}]
    return Problem(422, "invalid", "Some values are not as they must be.", {"errors": errors})
