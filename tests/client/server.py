"""An authorization server and decision point that keeps to the standards, written without any of the client's own code."""

import base64
import hashlib
import json
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, unquote_plus, urlsplit

import httpx
from joserfc import jwk, jwt
from joserfc.jws import JWSRegistry

RESOURCE = "https://cases.example/mcp"
ISSUER = "https://agentiam.example/o/acme"
SECRET = "s3cr:t/with+signs"
APPLICATION, APPLICATION_KEY = "cases", "aip_0123456789abcdef_key"
AGENT = "refund-runner"
ALLOW = {"decision": True, "context": {"effect": "allow"}}
ALGORITHMS = ["ES256", "Ed25519", "EdDSA", "RS256", "HS256", "none"]


class Clock:
    """A clock that stands still until it is told otherwise."""

    def __init__(self, now: float = 1_900_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def registry() -> JWSRegistry:
    found = JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False)
    found.max_header_length = 20_000
    return found


def signed(header: dict[str, Any], claims: dict[str, Any], key: Any) -> str:
    return jwt.encode(header, claims, key, registry=registry(), default_type=None)


def part(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def refused(error: str, status: int = 400, **headers: str) -> httpx.Response:
    return httpx.Response(status, json={"error": error}, headers=headers)


class FakeServer:
    """Answers requests; counts them, and fails on demand."""

    def __init__(self, *, issuer: str = ISSUER, resource: str = RESOURCE, clock: Callable[[], float] | None = None) -> None:
        self.issuer, self.resource = issuer, resource
        self.base = issuer.partition("/o/")[0]
        self.clock = clock or Clock()
        self.keys: dict[str, Any] = {"k1": jwk.generate_key("EC", "P-256")}
        self.agent_key = jwk.generate_key("EC", "P-256")
        self.counts: Counter[str] = Counter()
        self.forms: list[dict[str, str]] = []
        self.questions: list[dict[str, Any]] = []
        self.references: dict[str, dict[str, Any]] = {}
        self.refreshes: dict[str, dict[str, Any]] = {}
        self.revoked: list[str] = []
        self.assertions: set[str] = set()
        self.answer: Any = ALLOW
        self.overrides: dict[str, Callable[[httpx.Request], httpx.Response]] = {}
        self.nonce = ""
        self.with_refresh = False
        self.lifetime = 600
        self.delay = 0.0
        self.down = False
        self._lock = threading.Lock()

    def claims(self, **changes: Any) -> dict[str, Any]:
        """Give the claims of a good token; a change to None leaves one out."""
        now = int(self.clock())
        found: dict[str, Any] = {
            "iss": self.issuer,
            "sub": f"agent/{AGENT}",
            "aud": self.resource,
            "exp": now + self.lifetime,
            "iat": now,
            "jti": secrets.token_hex(8),
            "client_id": AGENT,
            "scope": "case:read case:refund",
        } | changes
        return {name: value for name, value in found.items() if value is not None}

    def token(self, *, kid: str = "k1", header: dict[str, Any] | None = None, **changes: Any) -> str:
        head = {"typ": "at+jwt", "alg": "ES256", "kid": kid} | (header or {})
        return signed(head, self.claims(**changes), self.keys[kid])

    def reference(self, **changes: Any) -> str:
        text = "aat_" + secrets.token_urlsafe(32)
        self.references[text] = self.claims(**changes) | {"active": True}
        return text

    def client(self) -> httpx.Client:
        return httpx.Client(transport=httpx.MockTransport(self))

    def async_client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.MockTransport(self))

    def __call__(self, request: httpx.Request) -> httpx.Response:
        name = {
            "/.well-known/oauth-authorization-server" + urlsplit(self.issuer).path: "metadata",
            "/jwks": "keys",
            "/token": "token",
            "/introspect": "introspection",
            "/revoke": "revocation",
            "/access/v1/evaluation": "evaluation",
        }.get(request.url.path, "nothing")
        with self._lock:
            self.counts[name] += 1
        if self.delay:
            time.sleep(self.delay)
        if self.down:
            raise httpx.ConnectError("down")
        if name in self.overrides:
            return self.overrides[name](request)
        if name == "nothing":
            return httpx.Response(404)
        answer: httpx.Response = getattr(self, f"_{name}")(request)
        return answer

    def _metadata(self, request: httpx.Request) -> httpx.Response:
        endpoints = {
            "token_endpoint": "token",
            "introspection_endpoint": "introspect",
            "revocation_endpoint": "revoke",
            "jwks_uri": "jwks",
            "authorization_endpoint": "authorize",
        }
        urls = {name: f"{self.base}/{path}" for name, path in endpoints.items()}
        return httpx.Response(200, json={"issuer": self.issuer, "response_types_supported": ["code"]} | urls)

    def _keys(self, request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"keys": [key.as_dict(private=False) | {"kid": kid} for kid, key in self.keys.items()]})

    def _form(self, request: httpx.Request) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(request.content.decode()).items()}

    def _basic(self, request: httpx.Request) -> tuple[str, str]:
        scheme, _, value = request.headers.get("authorization", "").partition(" ")
        if scheme != "Basic":
            return "", ""
        name, _, secret = base64.b64decode(value).decode().partition(":")
        return unquote_plus(name), unquote_plus(secret)

    def _token(self, request: httpx.Request) -> httpx.Response:
        form = self._form(request)
        self.forms.append(form)
        if not self._is_client(request, form):
            return refused("invalid_client", 401)
        thumbprint = ""
        if "dpop" in request.headers:
            proof = self._proof(request)
            if proof is None:
                return refused("invalid_dpop_proof")
            if self.nonce and proof.claims.get("nonce") != self.nonce:
                return refused("use_dpop_nonce", **{"DPoP-Nonce": self.nonce})
            thumbprint = jwk.import_key(proof.header["jwk"]).thumbprint()
        changes: dict[str, Any] = {"scope": form.get("scope"), "aud": form.get("resource", self.resource)}
        if form["grant_type"] == "refresh_token":
            before = self.refreshes.pop(form["refresh_token"], None)
            if before is None:
                return refused("invalid_grant")
            changes |= before
        elif form["grant_type"].endswith(":token-exchange"):
            subject = json.loads(base64.urlsafe_b64decode(form["subject_token"].split(".")[1] + "=="))
            changes |= {"sub": subject["sub"], "act": {"sub": f"agent/{AGENT}", "iss": self.issuer, "sub_profile": "ai_agent"}}
        elif form["grant_type"].endswith(":jwt-bearer"):
            changes |= {"sub": "user/alice"}
        elif form["grant_type"] != "client_credentials":
            return refused("unsupported_grant_type")
        return self._issue(changes, thumbprint)

    def _issue(self, changes: dict[str, Any], thumbprint: str) -> httpx.Response:
        if thumbprint:
            changes["cnf"] = {"jkt": thumbprint}
        body: dict[str, Any] = {
            "access_token": self.token(**changes),
            "token_type": "DPoP" if thumbprint else "Bearer",
            "expires_in": self.lifetime,
        }
        if self.with_refresh:
            body["refresh_token"] = secrets.token_urlsafe(16)
            self.refreshes[body["refresh_token"]] = {"scope": changes.get("scope"), "aud": changes.get("aud")}
        return httpx.Response(200, json=body)

    def _is_client(self, request: httpx.Request, form: dict[str, str]) -> bool:
        if "client_assertion" in form:
            assertion = jwt.decode(form["client_assertion"], self.agent_key, registry=registry())
            claims, now = assertion.claims, self.clock()
            fits = claims["iss"] == claims["sub"] == form["client_id"] == AGENT and claims["aud"] == self.issuer
            fresh = now < claims["exp"] <= now + 60 and claims["jti"] not in self.assertions
            self.assertions.add(claims["jti"])
            kind = form["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
            return fits and fresh and kind
        posted = (form.get("client_id"), form.get("client_secret"))
        return (AGENT, SECRET) in (posted, self._basic(request))

    def _proof(self, request: httpx.Request) -> jwt.Token | None:
        text = request.headers["dpop"]
        header = json.loads(base64.urlsafe_b64decode(text.split(".")[0] + "=="))
        proof = jwt.decode(text, jwk.import_key(header["jwk"]), registry=registry())
        claims = proof.claims
        fits = (claims["htm"], claims["htu"]) == (request.method, str(request.url.copy_with(query=None)))
        private = {"d", "p", "q"} & set(header["jwk"])
        return proof if fits and not private and header["typ"] == "dpop+jwt" and claims["jti"] else None

    def _introspection(self, request: httpx.Request) -> httpx.Response:
        if self._basic(request) != (APPLICATION, APPLICATION_KEY):
            return refused("invalid_client", 401)
        text = self._form(request)["token"]
        found = self.references.get(text, {"active": False})
        if text.count(".") == 2 and text not in self.revoked:
            found = json.loads(base64.urlsafe_b64decode(text.split(".")[1] + "==")) | {"active": True}
        return httpx.Response(200, json=found)

    def _revocation(self, request: httpx.Request) -> httpx.Response:
        form = self._form(request)
        if not self._is_client(request, form):
            return refused("invalid_client", 401)
        self.revoked.append(form["token"])
        return httpx.Response(200)

    def _evaluation(self, request: httpx.Request) -> httpx.Response:
        if request.headers["authorization"] != f"Bearer {APPLICATION_KEY}":
            return httpx.Response(401, json={"title": "unauthorized"})
        self.questions.append(json.loads(request.content) | {"_token": request.headers["subject-token"]})
        return httpx.Response(200, json=self.answer)


def proof_for(
    key: Any, method: str, url: str, token: str, *, now: float, header: dict[str, Any] | None = None, **changes: Any
) -> str:
    """Make a proof, with whatever is to be wrong with it."""
    ath = base64.urlsafe_b64encode(hashlib.sha256(token.encode()).digest()).rstrip(b"=").decode()
    claims = {"jti": secrets.token_hex(8), "htm": method, "htu": url, "iat": int(now), "ath": ath} | changes
    head = {"typ": "dpop+jwt", "alg": "ES256", "jwk": key.as_dict(private=False)} | (header or {})
    return signed(_without_none(head), _without_none(claims), key)


def _without_none(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}
