"""A request's token and how it came: from its headers, and from nowhere else (RFC 6750, section 2.1; RFC 9449, section 7.1)."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from agentiam.client.errors import ProofInvalid, RequestMalformed, TokenMissing

_CREDENTIALS: Final = re.compile(r"[A-Za-z]+ +([A-Za-z0-9._~+/-]+=*)")


@dataclass(frozen=True, slots=True)
class Presented:
    """What a request brings: its token, whether it says that the token is bound, and the proof."""

    method: str
    url: str
    bound: bool
    token: str = field(repr=False)
    proof: str = field(repr=False)


def read_presented(method: str, url: str, headers: Iterable[tuple[str, str]]) -> Presented:
    """Take the token out of a request's headers. Raises TokenMissing, RequestMalformed, ProofInvalid."""
    authorizations: list[str] = []
    proofs: list[str] = []
    for name, value in headers:
        if name.lower() == "authorization":
            authorizations.append(value)
        elif name.lower() == "dpop":
            proofs.append(value)
    if not authorizations:
        raise TokenMissing("an access token is needed")
    if len(authorizations) > 1:
        raise RequestMalformed("there is more than one Authorization header")
    scheme = authorizations[0].partition(" ")[0].lower()
    if scheme not in {"bearer", "dpop"}:
        raise TokenMissing("an access token is needed")
    match = _CREDENTIALS.fullmatch(authorizations[0])
    if match is None:
        raise RequestMalformed("the Authorization header holds no token")
    if scheme == "bearer":
        return Presented(method, url, bound=False, token=match[1], proof="")
    if len(proofs) != 1:
        raise ProofInvalid("a request with a bound token has one DPoP header")
    return Presented(method, url, bound=True, token=match[1], proof=proofs[0])
