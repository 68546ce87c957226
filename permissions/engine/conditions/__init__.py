"""Conditions: CEL, checked when they are saved, then asked as a Python function, as a plan over rows, and as an explanation."""

from permissions.engine.conditions.clauses import Change, Clause
from permissions.engine.conditions.condition import Condition, check, load
from permissions.engine.conditions.declared import ATTRIBUTE_TYPES, ResourceAttributes
from permissions.engine.conditions.errors import ConditionError, EvaluationError
from permissions.engine.conditions.exact import matches
from permissions.engine.conditions.portable import from_json, to_json
from permissions.engine.conditions.situation import Situation
from permissions.engine.conditions.tree import (
    FALSE,
    TRUE,
    Field,
    Node,
    Op,
    Quantifier,
    Reference,
    Value,
    Variable,
    all_of,
    any_of,
    equals,
    error,
    is_false,
    is_true,
    negation,
    two_valued,
    within,
)

__all__ = [
    "ATTRIBUTE_TYPES",
    "FALSE",
    "TRUE",
    "Change",
    "Clause",
    "Condition",
    "ConditionError",
    "EvaluationError",
    "Field",
    "Node",
    "Op",
    "Quantifier",
    "Reference",
    "ResourceAttributes",
    "Situation",
    "Value",
    "Variable",
    "all_of",
    "any_of",
    "check",
    "equals",
    "error",
    "from_json",
    "is_false",
    "is_true",
    "load",
    "matches",
    "negation",
    "to_json",
    "two_valued",
    "within",
]
