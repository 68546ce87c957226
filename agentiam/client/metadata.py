"""Where things are: the authorization server's metadata (RFC 8414) and the protected resource's (RFC 9728)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from agentiam.client.errors import Unavailable
from agentiam.client.jose import ALGORITHMS
from agentiam.client.wire import Flow, safe_url

AUTHORIZATION_SERVER: Final = "/.well-known/oauth-authorization-server"
PROTECTED_RESOURCE: Final = "/.well-known/oauth-protected-resource"


@dataclass(frozen=True, slots=True)
class ServerMetadata:
    """An authorization server's endpoints; empty where it has none."""

    issuer: str
    token_endpoint: str = ""
    introspection_endpoint: str = ""
    revocation_endpoint: str = ""
    jwks_uri: str = ""
    authorization_endpoint: str = ""

    def endpoint(self, name: str) -> str:
        """Give an endpoint that is needed. Raises Unavailable."""
        found: str = getattr(self, name)
        if not found:
            raise Unavailable(f"the authorization server has no {name}")
        return found


_ENDPOINTS: Final = ("token_endpoint", "introspection_endpoint", "revocation_endpoint", "jwks_uri", "authorization_endpoint")


def well_known(url: str, path: str) -> str:
    """Put a well-known path between the host and the path of an identifier (RFC 8414, section 3.1; RFC 9728, section 3.1)."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}{path}{parts.path.rstrip('/')}"


def read_server_metadata(document: Mapping[str, Any], *, issuer: str, allow_http: bool = False) -> ServerMetadata:
    """Read the metadata of an issuer; it must name that issuer, as the same string (section 3.3). Raises Unavailable."""
    if document.get("issuer") != issuer:
        raise Unavailable("the authorization server's metadata is of another issuer")
    found: dict[str, str] = {}
    for name in _ENDPOINTS:
        if name in document:
            try:
                found[name] = safe_url(document[name], allow_http=allow_http)
            except ValueError:
                raise Unavailable(f"the authorization server's {name} is not a URL that may be used") from None
    return ServerMetadata(issuer=issuer, **found)


def fetch_server_metadata(issuer: str, *, allow_http: bool = False) -> Flow[ServerMetadata]:
    """Ask an issuer for its metadata."""
    answer = yield httpx.Request("GET", well_known(issuer, AUTHORIZATION_SERVER), headers={"Accept": "application/json"})
    if answer.status != 200:
        raise Unavailable(f"the authorization server's metadata was answered with {answer.status}")
    return read_server_metadata(answer.json_object(), issuer=issuer, allow_http=allow_http)


def protected_resource_metadata_url(resource: str) -> str:
    """Give the address of a resource's metadata: for ``https://host/mcp`` ``https://host/.well-known/…-resource/mcp``."""
    return well_known(resource, PROTECTED_RESOURCE)


def protected_resource_metadata(
    resource: str,
    *,
    authorization_servers: Sequence[str],
    scopes: Sequence[str] = (),
    algorithms: Sequence[str] = ALGORITHMS,
    dpop_required: bool = False,
    name: str = "",
    documentation: str = "",
) -> dict[str, Any]:
    """Write a protected resource's metadata (RFC 9728, section 2); what has no value is left out."""
    if not authorization_servers:
        raise ValueError("a protected resource names at least one authorization server")
    found: dict[str, Any] = {
        "resource": resource,
        "authorization_servers": list(authorization_servers),
        "bearer_methods_supported": ["header"],
        "dpop_signing_alg_values_supported": list(algorithms),
    }
    if dpop_required:
        found["dpop_bound_access_tokens_required"] = True
    optional = {"scopes_supported": list(scopes), "resource_name": name, "resource_documentation": documentation}
    return found | {key: value for key, value in optional.items() if value}
