"""Where everything is: authorization server metadata (RFC 8414), under OpenID's name as well."""

from typing import Any

from permissions.oauth import codes, dpop, exchange, jag, own
from permissions.oauth.clients import ALGORITHMS, METHODS
from permissions.oauth.issuers import Issuer
from permissions.oauth.scopes import DETAIL_TYPE


def server_metadata(issuer: Issuer) -> dict[str, Any]:
    """Describe an issuer (RFC 8414, section 2).

    It names no scopes: those of applications are for who may see them, and a client that is told of some, as the MCP SDK,
    asks for exactly those.
    """
    return {
        "issuer": issuer.url,
        "authorization_endpoint": issuer.endpoint("authorize"),
        "token_endpoint": issuer.endpoint("token"),
        "jwks_uri": issuer.endpoint("jwks"),
        "registration_endpoint": issuer.endpoint("register"),
        "introspection_endpoint": issuer.endpoint("introspect"),
        "revocation_endpoint": issuer.endpoint("revoke"),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": [
            own.GRANT,
            codes.CODE_GRANT,
            codes.REFRESH_GRANT,
            exchange.GRANT,
            jag.BEARER_GRANT,
        ],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "token_endpoint_auth_methods_supported": list(METHODS),
        "token_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS),
        "introspection_endpoint_auth_methods_supported": [each for each in METHODS if each != "none"],
        "introspection_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS),
        "revocation_endpoint_auth_methods_supported": list(METHODS),
        "revocation_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS),
        "code_challenge_methods_supported": ["S256"],
        "dpop_signing_alg_values_supported": list(dpop.ALGORITHMS),
        "authorization_details_types_supported": [DETAIL_TYPE],
        "authorization_response_iss_parameter_supported": True,
        "client_id_metadata_document_supported": True,
        "identity_chaining_requested_token_types_supported": [jag.ID_JAG_TYPE],
        "authorization_grant_profiles_supported": [jag.GRANT_PROFILE],
        "ui_locales_supported": ["en"],
    }
