"""Errors of the OAuth endpoints: the codes of the specifications, a sentence for the developer, and nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

INVALID_REQUEST: Final = "invalid_request"
INVALID_CLIENT: Final = "invalid_client"
INVALID_GRANT: Final = "invalid_grant"
INVALID_SCOPE: Final = "invalid_scope"
INVALID_TARGET: Final = "invalid_target"
INVALID_DETAILS: Final = "invalid_authorization_details"
INVALID_PROOF: Final = "invalid_dpop_proof"
USE_NONCE: Final = "use_dpop_nonce"
UNAUTHORIZED_CLIENT: Final = "unauthorized_client"
UNSUPPORTED_GRANT: Final = "unsupported_grant_type"
UNAVAILABLE: Final = "temporarily_unavailable"


@dataclass(eq=False)
class OAuthError(Exception):
    """A refusal as a client sees it (RFC 6749, section 5.2); ``cause`` is for the event log alone."""

    code: str
    description: str
    status: int = 400
    headers: Mapping[str, str] = field(default_factory=dict)
    cause: str = ""

    def body(self) -> dict[str, Any]:
        """The members of the answer."""
        return {"error": self.code, "error_description": self.description}


def not_the_client(cause: str) -> OAuthError:
    """Refuse a client that did not prove itself, in the same words whatever was wrong."""
    return OAuthError(
        INVALID_CLIENT,
        "The client did not prove who it is.",
        401,
        {"WWW-Authenticate": 'Basic realm="agentiam"'},
        cause=cause,
    )


def bad_grant(cause: str, description: str = "The grant is not valid for this client, here and now.") -> OAuthError:
    """Refuse a code, a refresh token, a subject token or an assertion."""
    return OAuthError(INVALID_GRANT, description, cause=cause)
