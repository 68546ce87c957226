"""A planner that may ask people, and a person's browser in front of the consent page."""

import base64
import hashlib
import re
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from django.test import Client
from django.utils import timezone

from directory.models import User
from permissions.models import OAuthClient
from permissions.services.oauth_clients import set_oauth_client
from tests.factories import SYSTEM
from tests.oauth.worlds import CRM, World, ask

CALLBACK = "https://planner.example/callback"
VERIFIER = "v" * 50
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
PATH = "/o/acme/oauth/authorize"


def make_client(world: World, *redirect_uris: str, public: bool = False) -> OAuthClient:
    uris = redirect_uris or (CALLBACK,)
    return set_oauth_client(agent=world.planner, redirect_uris=uris, public=public, by=SYSTEM, now=timezone.now())


def asked(**values: Any) -> dict[str, Any]:
    """Name what a client asks for; None leaves a parameter out."""
    given = {
        "response_type": "code",
        "client_id": "planner",
        "redirect_uri": CALLBACK,
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
        "scope": "record:read",
        "resource": CRM,
        "state": "s-1",
    } | values
    return {name: value for name, value in given.items() if value is not None}


def address(path: str = PATH, **values: Any) -> str:
    return f"{path}?{urlencode(asked(**values), doseq=True)}"


def browser_of(user: User | None, **options: Any) -> Client:
    client = Client(**options)
    if user is not None:
        client.force_login(user)
    return client


def form_of(page: Any) -> dict[str, Any]:
    """Read the form as a browser would send it with what is preselected."""
    text = page.content.decode()
    shown = re.search(r'name="shown" value="([^"]+)"', text)
    assert shown is not None, text
    return {
        "shown": shown[1],
        "item": re.findall(r'name="item" value="([^"]+)" checked', text),
        "period": re.findall(r'name="period" value="([^"]+)" checked', text),
        "answer": "allow",
    }


def redirect_of(answer: Any) -> tuple[str, dict[str, str]]:
    """Split a redirect into where it goes and what it says."""
    assert answer.status_code == 303, (answer.status_code, answer.content.decode()[:3000])
    parts = urlsplit(answer.headers["Location"])
    return f"{parts.scheme}://{parts.netloc}{parts.path}", {name: value[0] for name, value in parse_qs(parts.query).items()}


def allowed(browser: Client, **values: Any) -> dict[str, str]:
    """Let the planner act, and answer what came back to it."""
    page = browser.get(address(**values))
    assert page.status_code == 200, page.content.decode()[:3000]
    return redirect_of(browser.post(PATH, form_of(page)))[1]


def redeemed(world: World, said: dict[str, str], **data: Any) -> Any:
    """Exchange a code for tokens, as the planner."""
    given = {"grant_type": "authorization_code", "code": said["code"], "redirect_uri": CALLBACK, "code_verifier": VERIFIER}
    return ask(world, "planner", given | data)


def texts(page: Any) -> str:
    """Read a page without its line breaks."""
    return " ".join(page.content.decode().split())
