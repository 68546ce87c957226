"""Calls the guarded MCP server as an agent: the official MCP client finds the authorization server by itself."""

import asyncio
import json
import os
import sys

import httpx2
from mcp.client.auth import OAuthFlowError
from mcp.client.auth.extensions.client_credentials import ClientCredentialsOAuthProvider
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientInformationFull, OAuthToken

SERVER = os.environ.get("RESOURCE", "http://127.0.0.1:9000/mcp")
ISSUER = os.environ.get("AGENTIAM_ISSUER", "http://127.0.0.1:8000/o/acme")


class Memory:
    """Keeps tokens as long as the program runs."""

    def __init__(self) -> None:
        self.tokens: OAuthToken | None = None
        self.client: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        """Give the tokens."""
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        """Keep the tokens."""
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        """Give the client's registration."""
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        """Keep the client's registration."""
        self.client = client_info


async def main(case_id: str) -> bool:
    """Read one case, and tell whether that worked."""
    auth = ClientCredentialsOAuthProvider(
        server_url=SERVER,
        storage=Memory(),
        client_id=os.environ["AGENTIAM_CLIENT_ID"],
        client_secret=os.environ["AGENTIAM_CLIENT_SECRET"],
        issuer=ISSUER,
    )
    async with (
        httpx2.AsyncClient(auth=auth) as http,
        Client(streamable_http_client(SERVER, http_client=http)) as client,
    ):
        result = await client.call_tool("read_case", {"case_id": case_id})
    if result.is_error:
        print("refused:", " ".join(getattr(each, "text", "") for each in result.content))
    else:
        print(json.dumps(result.structured_content, indent=2))
    return not result.is_error


if __name__ == "__main__":
    worked, problem = False, ""
    try:
        worked = asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "case-1"))
    except* (OAuthFlowError, httpx2.HTTPError) as failed:
        # Tasks within tasks wrap what went wrong; the cause is the innermost.
        cause: BaseException = failed
        while isinstance(cause, BaseExceptionGroup):
            cause = cause.exceptions[0]
        problem = f"no token, or no answer: {cause}"
    sys.exit(problem or (0 if worked else 1))
