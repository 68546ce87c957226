"""What goes wrong, in three kinds: the caller is refused, a server is not there, a token is not issued."""

from collections.abc import Iterable


class ClientFailure(Exception):
    """Everything that this library raises of its own, besides errors of the program that uses it."""


class Unavailable(ClientFailure):
    """A server did not answer in time, or not with what its standard says; nothing may be allowed because of it."""


class Refused(ClientFailure):
    """A request is refused: the status and the error code of RFC 6750, RFC 9449 for whoever sent it."""

    status = 401
    code = "invalid_token"

    def __init__(self, description: str = "", *, nonce: str = "", scopes: Iterable[str] = ()) -> None:
        super().__init__(description or self.code)
        self.description = description
        self.nonce = nonce
        self.scopes = tuple(scopes)


class TokenMissing(Refused):
    """The request carries no access token; such an answer names no error (RFC 6750, section 3.1)."""

    code = ""


class RequestMalformed(Refused):
    """The request carries its token in a way that is not a way."""

    status = 400
    code = "invalid_request"


class TokenInvalid(Refused):
    """The access token is forged, expired, revoked, or for somebody else."""


class ProofInvalid(Refused):
    """The proof of possession does not fit the token, the request or the time (RFC 9449, section 4.3)."""

    code = "invalid_dpop_proof"


class NonceNeeded(Refused):
    """The proof must hold a nonce of this server, which comes with the refusal (RFC 9449, section 9)."""

    code = "use_dpop_nonce"


class ScopeInsufficient(Refused):
    """The token is good, and does not reach that far."""

    status = 403
    code = "insufficient_scope"


class DecisionDenied(Refused):
    """The decision was no, or could not be had."""

    status = 403
    code = "access_denied"


class TokenRefused(ClientFailure):
    """The authorization server does not issue a token: its error code (RFC 6749, section 5.2)."""

    def __init__(self, error: str, description: str = "", *, status: int = 400) -> None:
        super().__init__(f"{error}: {description}" if description else error)
        self.error = error
        self.description = description
        self.status = status


class WrongResource(ClientFailure):
    """A token was about to be sent to somebody other than its resource."""
