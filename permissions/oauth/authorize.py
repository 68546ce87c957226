"""A request for a person's consent (RFC 6749, section 4.1.1): read once, and again when the person has answered.

A browser is sent back only to an address that is the client's: exactly, or on the loopback interface at any port
(RFC 8252, section 7.3). Before that is sure, what is wrong is said on a page here.
"""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, urlencode, urlsplit

from directory.models import Agent, Run, User
from permissions.models import OAuthClient
from permissions.oauth.clients import ProvenClient, find_agent
from permissions.oauth.errors import INVALID_DETAILS, INVALID_REQUEST, INVALID_SCOPE, OAuthError
from permissions.oauth.issuers import Issuer
from permissions.oauth.own import run_of, wanted_of
from permissions.oauth.parameters import Asking
from permissions.oauth.scopes import Target, Wanted, target_of
from permissions.services.oauth_clients import BadRedirectUri, check_redirect_uri, is_loopback

MAX_QUERY: Final = 8_000
MAX_STATE: Final = 500
UNSUPPORTED_RESPONSE: Final = "unsupported_response_type"
ACCESS_DENIED: Final = "access_denied"
INTERACTION_REQUIRED: Final = "interaction_required"
CONSENT_REQUIRED: Final = "consent_required"
_THUMBPRINT: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_DESCRIBABLE: Final = re.compile(r"[^\x20-\x21\x23-\x5B\x5D-\x7E]")


class NoWayBack(Exception):
    """What is wrong is said here: who asked is unknown, or where the answer should go is not theirs."""

    def __init__(self, title: str, message: str, *, status: int = 400) -> None:
        super().__init__(message)
        self.title, self.message, self.status = title, message, status


@dataclass(frozen=True, slots=True)
class WayBack:
    """A client that is known, and an address of its to which a browser may be sent."""

    issuer: Issuer
    agent: Agent
    client: OAuthClient
    client_id: str
    redirect_uri: str
    state: str

    @property
    def parts(self) -> SplitResult:
        """The parts of the address."""
        return urlsplit(self.redirect_uri)

    @property
    def form_source(self) -> str:
        """The address as a source of ``form-action``; empty for one that a policy cannot name (an IPv6 address)."""
        parts = self.parts
        if parts.scheme not in ("http", "https"):
            return f"{parts.scheme}:"
        return "" if "[" in parts.netloc else f"{parts.scheme}://{parts.netloc}"

    def answer(self, **parameters: str) -> str:
        """The address with an answer, the state and the issuer (RFC 9207) in its query."""
        found = {**parameters, **({"state": self.state} if self.state else {}), "iss": self.issuer.url}
        joint = "&" if self.parts.query else ("" if self.redirect_uri.endswith("?") else "?")
        return f"{self.redirect_uri}{joint}{urlencode(found)}"

    def error(self, code: str, description: str) -> str:
        """The address with an error (RFC 6749, section 4.1.2.1)."""
        return self.answer(error=code, error_description=_DESCRIBABLE.sub("'", description))


@dataclass(frozen=True, slots=True)
class Request:
    """A request that is as it must be; what of it is possible is another question."""

    asking: Asking
    way: WayBack
    challenge: str
    jkt: str
    target: Target
    wanted: Wanted
    prompt: frozenset[str]

    @property
    def agent(self) -> Agent:
        """Who wants to act."""
        return self.way.agent

    def run(self, user: User) -> Run | None:
        """Find the run that ``run`` or ``task`` names, for this user; raises OAuthError."""
        return run_of(self.asking, ProvenClient(self.agent, self.way.client_id), user=user)


def way_back(asking: Asking) -> WayBack:
    """Find out who asks and where the answer goes; raises NoWayBack."""
    parameters = asking.parameters
    client_id, uri, state = (parameters.get(name) for name in ("client_id", "redirect_uri", "state"))
    found = find_agent(asking, client_id) if client_id else None
    if found is None or found[1] is None:
        raise NoWayBack("No such client", "Whoever sent you here named no client that may ask for your consent (client_id).")
    agent, client = found[0], found[1]
    if not any(_same(uri, each) for each in client.redirect_uris):
        raise NoWayBack(
            "Another address", "Whoever sent you here wants the answer at an address that is not the client's (redirect_uri)."
        )
    if len(state) > MAX_STATE:
        raise NoWayBack("Too much state", f"The client sent more state than {MAX_STATE} characters.")
    return WayBack(asking.issuer, agent, client, client_id, uri, state)


def _same(uri: str, registered: str) -> bool:
    """Compare by characters (RFC 9700, section 2.1); on the loopback interface the port may be any."""
    if uri == registered:
        return True
    if not is_loopback(registered):
        return False
    try:
        given, known = check_redirect_uri(uri), urlsplit(registered)
    except BadRedirectUri:
        return False
    same = (given.hostname, given.path, given.query) == (known.hostname, known.path, known.query)
    return given.scheme == "http" and same and uri == given.geturl()


def read_request(asking: Asking, way: WayBack) -> Request:
    """Read what is asked for; raises OAuthError, which goes back to the client."""
    parameters = asking.parameters
    for name in ("request", "request_uri"):
        if parameters.get(name):
            raise OAuthError(f"{name}_not_supported", f"{name} is not supported here.", cause=f"{name} was sent")
    if parameters.need("response_type") != "code":
        raise OAuthError(UNSUPPORTED_RESPONSE, "response_type is code.", cause="another response type")
    if parameters.get("response_mode") not in ("", "query"):
        raise OAuthError(INVALID_REQUEST, "response_mode is query.", cause="another response mode")
    if parameters.get("code_challenge_method") != "S256":
        raise OAuthError(INVALID_REQUEST, "code_challenge_method is S256 (RFC 7636).", cause="another challenge method")
    challenge, jkt = parameters.need("code_challenge"), parameters.get("dpop_jkt")
    if not _THUMBPRINT.fullmatch(challenge) or (jkt and not _THUMBPRINT.fullmatch(jkt)):
        raise OAuthError(INVALID_REQUEST, "code_challenge and dpop_jkt are SHA-256 in base64url.", cause="no such digest")
    prompt = frozenset(parameters.get("prompt").split())
    if "none" in prompt and len(prompt) > 1:
        raise OAuthError(INVALID_REQUEST, "prompt=none stands alone.", cause="none beside another prompt")
    wanted = wanted_of(asking)
    if any("identifier" in each for each in wanted.details or ()):
        # A consent is to a type: one that was shown as of one object would be good for all of them elsewhere.
        raise OAuthError(
            INVALID_DETAILS,
            "A person consents to a type of object, not to one object: leave identifier out here, and name it for the token.",
            cause="consent to one object was asked for",
        )
    target = target_of(asking.issuer, parameters.all("resource"), wanted)
    if target.own and wanted.scopes is None and wanted.details is None:
        raise OAuthError(INVALID_SCOPE, "Name what it is for: scope, or authorization_details.", cause="nothing was asked for")
    return Request(asking, way, challenge, jkt, target, wanted, prompt)
