"""An identity provider for tests: it answers the requests that the product makes of one, without a network."""

import json
import time
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import jwt
import requests
from django.test import Client

ISSUER = "https://idp.example"


class FakeProvider:
    """Discovery, token and userinfo of one provider; ``person`` is who has signed in there."""

    def __init__(self) -> None:
        self.person: dict[str, Any] = {}
        self.info: dict[str, Any] | None = None
        self.asked: list[str] = []
        self.down = False

    def session(self, _adapter: Any = None) -> "FakeProvider":
        """Stand in for ``requests.Session``."""
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def get(self, url: str, **_: Any) -> requests.Response:
        """Answer discovery and userinfo."""
        if self.down:
            raise requests.ConnectionError("nobody answers")
        if url.endswith("openid-configuration"):
            return _answer(
                {
                    "issuer": ISSUER,
                    "authorization_endpoint": f"{ISSUER}/authorize",
                    "token_endpoint": f"{ISSUER}/token",
                    "userinfo_endpoint": f"{ISSUER}/userinfo",
                    "jwks_uri": f"{ISSUER}/keys",
                }
            )
        return _answer(self.info or self.person)

    def request(self, _method: str, _url: str, **_: Any) -> requests.Response:
        """Answer with tokens."""
        claims = {**self.person, "iss": ISSUER, "aud": "agentiam", "exp": time.time() + 60, "iat": time.time()}
        return _answer({"access_token": "opaque", "token_type": "Bearer", "id_token": jwt.encode(claims, "k" * 32)})

    def sign_in(self, client: Client, provider: str = "acme-sso", **form: str) -> Any:
        """Go there and come back, as the browser of ``person``."""
        page = client.post(f"/login/provider/{provider}/", form)
        assert page.status_code == 200, page.headers
        target = page.context["target"]
        self.asked.append(target)
        state = parse_qs(urlsplit(target).query)["state"][0]
        return client.get(f"/login/provider/{provider}/callback/", {"code": "code", "state": state})


def _answer(body: dict[str, Any]) -> requests.Response:
    response = requests.Response()
    response.status_code = 200
    response._content = json.dumps(body).encode()
    response.headers["Content-Type"] = "application/json"
    return response
