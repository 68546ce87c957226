"""The cast of signing in: alice administers security, adam too, bob approves, carol audits, mallory administers elsewhere."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time
from django.test import Client

from directory.models import Agent, Organization, User
from tests.factories import make_agent, make_organization, make_person

PASSWORD = "correct horse battery staple"


@dataclass
class Cast:
    """Two organizations and their people."""

    acme: Organization
    elsewhere: Organization
    alice: User
    adam: User
    bob: User
    carol: User
    dave: User
    mallory: User
    agent: Agent


@pytest.fixture(autouse=True)
def _own_cache(settings: Any) -> None:
    settings.CACHES = {"default": settings.CACHES["default"] | {"KEY_PREFIX": uuid4().hex}}


@pytest.fixture
def cast(db: None) -> Cast:
    acme, elsewhere = make_organization("acme"), make_organization("elsewhere")

    def person(organization: Organization, name: str, *roles: str) -> User:
        address = f"{name}@{organization.slug}.example"
        return make_person(organization, name, password=PASSWORD, email=address, console_roles=roles)

    dave = person(acme, "dave")
    return Cast(
        acme=acme,
        elsewhere=elsewhere,
        alice=person(acme, "alice", "security_administrator"),
        adam=person(acme, "adam", "security_administrator"),
        bob=person(acme, "bob", "approver"),
        carol=person(acme, "carol", "auditor"),
        dave=dave,
        mallory=person(elsewhere, "mallory", "security_administrator"),
        agent=make_agent(acme, "runner", owner=dave),
    )


def sign_in(client: Client, user: User, password: str = PASSWORD, **extra: str) -> Any:
    """Send the sign-in form."""
    return client.post("/login/", {"username": user.username, "password": password, **extra})


def signed_in(client: Client) -> bool:
    """Tell whether the client has a session of somebody, as the server sees it."""
    return client.get("/account/").status_code == 200


def code_of(secret: str, *, later: int = 0) -> str:
    """Compute the code that an authenticator app shows now, or some steps later (or earlier, with time left to send it)."""
    if later < 0:
        _wait_out_the_end_of_a_step()
    now = list(yield_hotp_counters_from_time())[1]
    return format_hotp_value(hotp_value(secret, now + later))


def _wait_out_the_end_of_a_step() -> None:
    """Send no earlier code in the last seconds of a code's time: it would be too old when it arrives on a busy machine."""
    left = 30 - time.time() % 30
    if left < 8:
        time.sleep(left)


def add_app(client: Client) -> str:
    """Add an authenticator app to the account that is signed in; answers its secret."""
    client.get("/account/app/")
    secret: str = client.session["mfa.totp.secret"]
    answer = client.post("/account/app/", {"code": code_of(secret, later=-1)})
    assert answer.headers["Location"] == "/account/recovery-codes/"
    return secret


def grow_old(client: Client, *, seconds: int = 301) -> None:
    """Let what was proved in a session be some minutes ago."""
    session = client.session
    methods = session["account_authentication_methods"]
    session["account_authentication_methods"] = [record | {"at": record["at"] - seconds} for record in methods]
    session.save()


@pytest.fixture
def as_(cast: Cast) -> Callable[[User], Client]:
    """Sign somebody in, by the form."""

    def client_of(user: User) -> Client:
        client = Client()
        assert sign_in(client, user).status_code == 302
        return client

    return client_of
