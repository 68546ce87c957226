"""The OpenAPI 3.1 document, made from the views; what every operation has is said here once."""

import re
from typing import Any, Final

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter

from agentiam.api.rights import WithinScopes, scopes_of
from permissions.oauth.scopes import OWN

_PROBLEM: Final[dict[str, Any]] = {
    "type": "object",
    "description": "A problem document (RFC 9457).",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "examples": ["urn:agentiam:problem:not-found"]},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "fact": {"type": "string", "description": "The name of a service's refusal."},
        "remedy": {"type": "string"},
        "right": {"type": "string", "description": "The right that is missing."},
        "clause": {"type": "string", "enum": ["where", "when"], "description": "The condition that cannot be read."},
        "line": {"type": "integer", "description": "Where in it, from 1."},
        "column": {"type": "integer", "description": "Where in the line, from 1."},
        "caret": {"type": "string", "description": "The line with a caret under it."},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "detail"],
                "properties": {"pointer": {"type": "string"}, "detail": {"type": "string"}},
            },
        },
    },
}
_ERRORS: Final = {
    "400": "The request cannot be read.",
    "401": "The caller did not prove who it is.",
    "403": "The caller may not do this.",
    "404": "There is nothing here that the caller can see.",
    "406": "The answer is JSON.",
    "409": "It contradicts what is already there.",
    "412": "Somebody changed it meanwhile.",
    "413": "The body is too long.",
    "415": "The body must be JSON.",
    "422": "Some values are not as they must be.",
    "428": "If-Match is missing.",
    "429": "Too many requests.",
    "503": "It cannot be answered now.",
}
_SCOPED: Final = ("key", "token", "boundToken")
_USUAL_SUMMARIES: Final = {"list": "List {many}", "retrieve": "Read one {one}"}
_ALWAYS: Final = ("400", "401", "403", "406", "429", "503")


class ApiSchema(AutoSchema):
    """Describe an operation with the headers that it takes, and the problems that it may answer with."""

    def get_override_parameters(self) -> list[Any]:
        """Add Idempotency-Key to every POST that can be repeated, If-Match to every change, If-None-Match to single rows."""
        parameters = [*super().get_override_parameters()]
        if self.method == "POST" and getattr(self.view, "action", "") not in getattr(self.view, "never_repeated", ()):
            text = "A unique text, like a UUID; the same request under it is answered again and does nothing twice."
            parameters.append(_header("Idempotency-Key", text, pattern="^[!-~]{8,200}$"))
        if (demanded := self._demands_version()) is not None:
            parameters.append(_header("If-Match", "The ETag that was read, or *.", required=demanded))
        return parameters

    def get_summary(self) -> str:
        """Say in one line what an operation does, where its view does not: what is listed and read, or the first sentence."""
        summary: str = super().get_summary() or ""
        model, usual = getattr(self.view, "model", None), _USUAL_SUMMARIES.get(getattr(self.view, "action", None) or "")
        if not summary and model is not None and usual is not None:
            names = model._meta  # noqa: SLF001  (Django's documented name)
            summary = usual.format(one=names.verbose_name, many=names.verbose_name_plural)
        return summary or _first_sentence(self.get_description())

    def _demands_version(self) -> bool | None:
        """Say whether a change must name the version that it is of, or may; None for what takes no If-Match."""
        if self.method in {"PUT", "PATCH"}:
            return True
        demanded: bool | None = getattr(getattr(self.view, getattr(self.view, "action", None) or "", None), "replaces", None)
        return demanded

    def get_operation(self, *args: Any, **kwargs: Any) -> Any:
        """Add the problems."""
        operation = super().get_operation(*args, **kwargs)
        if operation is None:
            return None
        has_body, demanded = self.method in {"POST", "PUT", "PATCH"}, self._demands_version()
        codes = [*_ALWAYS]
        codes += ["404"] if "{" in self.path or has_body else []
        codes += ["422"]
        codes += ["409", "413", "415"] if has_body else []
        codes += ["409"] if self.method == "DELETE" else []
        codes += ["412"] if demanded is not None else []
        codes += ["428"] if demanded else []
        operation["security"] = _with_scopes(operation.get("security", []), self.view, self.method)
        for code in sorted(set(codes)):
            operation["responses"].setdefault(code, {"$ref": f"#/components/responses/Problem{code}"})
        return operation


class KeyScheme(OpenApiAuthenticationExtension):
    """A key, as a bearer token."""

    target_class = "agentiam.api.authentication.KeyOfCaller"
    name = "key"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        """Describe it."""
        return {"type": "http", "scheme": "bearer", "description": "The key of a person, an agent or an application."}


class TokenScheme(OpenApiAuthenticationExtension):
    """An agent's token for agentiam itself, as a bearer token or bound to a key."""

    target_class = "agentiam.api.agent_tokens.TokenOfAgent"
    name = ["token", "boundToken"]

    def get_security_requirement(self, auto_schema: Any) -> list[dict[str, list[Any]]]:
        """Either is enough."""
        return [{name: []} for name in self.name]

    def get_security_definition(self, auto_schema: Any) -> list[dict[str, Any]]:
        """Describe both."""
        about = "An access token that an agent got for agentiam itself (docs/tokens.md)"
        return [
            {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": f"{about}."},
            {"type": "http", "scheme": "DPoP", "description": f"{about}, bound to a key, with a proof in DPoP (RFC 9449)."},
        ]


class SessionScheme(OpenApiAuthenticationExtension):
    """The session of the pages."""

    target_class = "agentiam.api.authentication.SessionOfPerson"
    name = "session"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        """Describe it."""
        from django.conf import settings  # noqa: PLC0415  (the settings name this module)

        return {"type": "apiKey", "in": "cookie", "name": settings.SESSION_COOKIE_NAME}


def _with_scopes(security: list[Any], view: Any, method: str) -> list[Any]:
    """Name the scopes that a key or a token needs, each of them as a way of its own (OpenAPI 3.1, security requirement)."""
    if WithinScopes not in view.permission_classes:
        return security
    scopes = scopes_of(view, method)
    return [
        {name: [scope]} if name in _SCOPED else {name: needed}
        for given in security
        for name, needed in given.items()
        for scope in (scopes if name in _SCOPED else scopes[:1])
        # No token has the scope for letting somebody in.
        if name == "key" or scope in OWN or name not in _SCOPED
    ]


def only_the_api(endpoints: list[Any], **_: Any) -> list[Any]:
    """Describe what is below /api/v1/ and nothing else."""
    return [each for each in endpoints if each[0].startswith("/api/v1/")]


def finish(result: dict[str, Any], generator: Any, **_: Any) -> dict[str, Any]:
    """Add what the operations refer to, and say that bodies have no other members than those described."""
    components = result.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    schemas["Problem"] = _PROBLEM
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    components["responses"] = {f"Problem{code}": {"description": text, "content": content} for code, text in _ERRORS.items()}
    _link(result["paths"])
    for path in result["paths"].values():
        for operation in path.values():
            body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
            name = body.get("$ref", "").removeprefix("#/components/schemas/")
            if name:
                _close(schemas, name)
    return result


def _first_sentence(text: str) -> str:
    """Take what a description begins with, up to its first full stop or semicolon."""
    line = " ".join(text.partition("\n\n")[0].split())
    return re.split(r"(?<=\w)[.;:](?:\s|$)", line, maxsplit=1)[0]


def _link(paths: dict[str, Any]) -> None:
    """Say of what was created where to go on with it (OpenAPI 3.1, link objects)."""
    for path, operations in paths.items():
        created = operations.get("post", {}).get("responses", {}).get("201")
        if created is None or "{" in path:
            continue
        collection = path if f"{path}/{{id}}" in paths else path.rpartition("/")[0]
        created["links"] = {
            operation["operationId"]: {"operationId": operation["operationId"], "parameters": {"id": "$response.body#/id"}}
            for further, others in paths.items()
            if further.startswith(f"{collection}/{{id}}") and further.count("{") == 1
            for operation in others.values()
        }


def _close(schemas: dict[str, Any], name: str) -> None:
    """Let no other members into a body, nor into the bodies within it."""
    schema = schemas.get(name)
    if schema is None or schema.get("type") != "object" or "additionalProperties" in schema:
        return
    schema["additionalProperties"] = False
    for member in schema.get("properties", {}).values():
        for place in (member, member.get("items", {}), *member.get("allOf", ()), *member.get("oneOf", ())):
            reference = place.get("$ref", "") if isinstance(place, dict) else ""
            if reference:
                _close(schemas, reference.removeprefix("#/components/schemas/"))


def _header(name: str, description: str, *, required: bool = False, pattern: str | None = None) -> OpenApiParameter:
    schema = {"type": "string", **({"pattern": pattern} if pattern else {})}
    return OpenApiParameter(name, schema, OpenApiParameter.HEADER, required=required, description=description)
