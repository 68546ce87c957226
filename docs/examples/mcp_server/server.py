"""An MCP server whose tools are guarded by agentiam: tokens by the middleware, decisions and masking by the tool."""

import os
from typing import Any
from urllib.parse import urlsplit

import uvicorn
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.transport_security import TransportSecuritySettings

from agentiam.client import AccessToken, ResourceServer
from agentiam.client.asgi import KEY, ResourceServerMiddleware

CASES = {
    "case-1": {
        "title": "Ferry cancelled",
        "status": "open",
        "email": "dora@customers.example",
        "iban": "DE02 1203 0000",
    },
    "case-2": {"title": "Bag lost", "status": "open", "email": "eli@customers.example", "iban": "US64 SVBK 0000"},
}

resource = ResourceServer(
    os.environ.get("RESOURCE", "http://127.0.0.1:9000/mcp"),
    os.environ.get("AGENTIAM_ISSUER", "http://127.0.0.1:8000/o/acme"),
    application=os.environ.get("AGENTIAM_APPLICATION", "crm"),
    key=os.environ["AGENTIAM_KEY"],
    scopes=("case:read",),
    name="Customer service",
)
mcp = MCPServer("Customer service")


def token_of(context: Context) -> AccessToken:
    """Give the token that the middleware verified for the request of this call."""
    request = context.request_context.request
    token = request.scope.get(KEY) if request is not None else None
    if not isinstance(token, AccessToken):
        raise ToolError("This call did not come through the middleware.")
    return token


@mcp.tool()
async def read_case(case_id: str, context: Context) -> dict[str, Any]:
    """Read a customer's case."""
    decision = await resource.aask(token_of(context), "read", ("case", case_id), masks=True)
    if not decision:
        # A case that does not exist and one that may not be read are answered alike.
        raise ToolError("Access cannot be checked now." if decision.unavailable else decision.reason_user)
    if case_id not in CASES:
        raise ToolError("There is no such case.")
    return decision.mask(CASES[case_id])


def application() -> ResourceServerMiddleware:
    """Put the middleware around everything that the MCP server answers."""
    host = urlsplit(resource.resource).netloc
    security = TransportSecuritySettings(allowed_hosts=[host], allowed_origins=[resource.origin])
    # Without sessions, each request stands on its own token.
    inner = mcp.streamable_http_app(json_response=True, stateless_http=True, transport_security=security)
    return ResourceServerMiddleware(inner, resource, scopes=resource.scopes)


if __name__ == "__main__":
    uvicorn.run(application(), host="127.0.0.1", port=urlsplit(resource.resource).port or 9000)
