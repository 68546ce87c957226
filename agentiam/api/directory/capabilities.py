"""Declared limits in bodies: lists of objects whose form the services check, and say in words what is wrong with."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

_SCHEMA = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["type"],
        "properties": {
            "type": {"type": "string"},
            "actions": {"type": "array", "items": {"type": "string"}},
            "fields": {"type": "array", "items": {"type": "string"}},
            "risk": {"type": "string"},
            "reversibility": {"type": "string"},
        },
    },
}


@extend_schema_field(_SCHEMA)
class CapabilityField(serializers.JSONField):
    """A list of limits: type, actions and fields; of capabilities, also risk and reversibility."""

    def to_internal_value(self, data: Any) -> Any:
        """Accept a list of objects; what they say, the services check."""
        value = super().to_internal_value(data)
        if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
            raise serializers.ValidationError("A list of objects.")
        return value
