"""The checked expression as bytes: the part of ``cel.expr.CheckedExpr`` that we read, as a protobuf schema of our own.

Field numbers are those of the public CEL specification (proto/cel/expr/syntax.proto and checked.proto). Fields that are not
listed are kept by protobuf as unknown and never looked at.
"""

from typing import Any

from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

TYPE_URL = "type.googleapis.com/cel.expr.CheckedExpr"
_F = descriptor_pb2.FieldDescriptorProto
_SCALARS = {
    "bool": _F.TYPE_BOOL,
    "int32": _F.TYPE_INT32,
    "int64": _F.TYPE_INT64,
    "uint64": _F.TYPE_UINT64,
    "double": _F.TYPE_DOUBLE,
    "string": _F.TYPE_STRING,
    "bytes": _F.TYPE_BYTES,
}
# Message → field → (number, type); a leading * repeats, a leading | makes the field one of the message's alternatives.
_SCHEMA = {
    "Checked": {"types": (3, "*TypeEntry"), "source": (5, "SourceInfo"), "expr": (4, "Expr")},
    "TypeEntry": {"key": (1, "int64"), "value": (2, "Type")},
    "Type": {
        "primitive": (3, "|int32"),
        "well_known": (5, "|int32"),
        "list": (6, "|ListType"),
        "message": (9, "|string"),
        "other": (2, "|int32"),
    },
    "ListType": {"element": (1, "Type")},
    "SourceInfo": {"positions": (4, "*Position")},
    "Position": {"key": (1, "int64"), "value": (2, "int32")},
    "Expr": {
        "id": (2, "int64"),
        "const": (3, "|Constant"),
        "ident": (4, "|Ident"),
        "select": (5, "|Select"),
        "call": (6, "|Call"),
        "list": (7, "|CreateList"),
        "struct": (8, "|bytes"),
        "comprehension": (9, "|Comprehension"),
    },
    "Constant": {
        "null": (1, "|int32"),
        "bool": (2, "|bool"),
        "int": (3, "|int64"),
        "uint": (4, "|uint64"),
        "double": (5, "|double"),
        "string": (6, "|string"),
        "bytes": (7, "|bytes"),
    },
    "Ident": {"name": (1, "string")},
    "Select": {"operand": (1, "Expr"), "field": (2, "string"), "test_only": (3, "bool")},
    "Call": {"target": (1, "Expr"), "function": (2, "string"), "args": (3, "*Expr")},
    "CreateList": {"elements": (1, "*Expr"), "optional": (2, "*int32")},
    "Comprehension": {
        "iter_var": (1, "string"),
        "iter_range": (2, "Expr"),
        "accu_var": (3, "string"),
        "accu_init": (4, "Expr"),
        "loop_condition": (5, "Expr"),
        "loop_step": (6, "Expr"),
        "result": (7, "Expr"),
        "iter_var2": (8, "string"),
    },
}


def _message_class() -> Any:
    file = descriptor_pb2.FileDescriptorProto(name="condition.proto", package="agentiam.condition", syntax="proto3")
    for name, fields in _SCHEMA.items():
        message = file.message_type.add(name=name)
        for field, (number, kind) in fields.items():
            scalar = _SCALARS.get(kind.lstrip("*|"))
            added = message.field.add(
                name=field, number=number, label=_F.LABEL_REPEATED if kind[0] == "*" else _F.LABEL_OPTIONAL
            )
            added.type = scalar if scalar is not None else _F.TYPE_MESSAGE
            if scalar is None:
                added.type_name = f".agentiam.condition.{kind.lstrip('*|')}"
            if kind[0] == "|":
                added.oneof_index = 0
        if any(kind[0] == "|" for _, kind in fields.values()):
            message.oneof_decl.add(name="kind")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("agentiam.condition.Checked"))


_Checked = _message_class()


def decode(checked: bytes) -> Any:
    """Read the bytes of a checked expression; raises ``ValueError`` if they are none."""
    try:
        envelope = any_pb2.Any.FromString(checked)
        if envelope.type_url != TYPE_URL:
            raise ValueError("not a checked expression")
        return _Checked.FromString(envelope.value)
    except DecodeError:
        raise ValueError("not a checked expression") from None
