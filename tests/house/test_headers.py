from collections.abc import Callable

import pytest
from django.test import Client

POLICY = {
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "font-src 'self'",
    "connect-src 'self'",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
}


@pytest.mark.parametrize("path", ["/", "/login/", "/nothing", "/healthz", "/static/css/base.css", "/static/nothing"])
@pytest.mark.parametrize("who", ["alice", "anonymous"])
def test_every_answer_has_the_strict_headers(as_: Callable[[str], Client], who: str, path: str) -> None:
    headers = as_(who).get(path).headers
    assert set(headers["Content-Security-Policy"].split("; ")) == POLICY
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "camera=()" in headers["Permissions-Policy"]
    assert headers["X-Request-Id"]


@pytest.mark.parametrize("path", ["/", "/login/", "/nothing"])
def test_no_page_is_kept_on_the_way(as_: Callable[[str], Client], path: str) -> None:
    assert "no-store" in as_("alice").get(path).headers["Cache-Control"]


def test_static_files_may_be_kept(client: Client, db: None) -> None:
    assert "no-store" not in client.get("/static/css/base.css").headers["Cache-Control"]


def test_a_request_id_from_outside_is_taken_over_if_it_is_well_formed(client: Client, db: None) -> None:
    good, bad = "order-4711:retry.2", "a\tb<script>"
    assert client.get("/healthz", headers={"X-Request-Id": good}).headers["X-Request-Id"] == good
    assert client.get("/healthz", headers={"X-Request-Id": bad}).headers["X-Request-Id"] != bad


def test_cookies_are_out_of_reach_for_scripts_and_other_sites(client: Client, db: None) -> None:
    cookie = client.get("/login/").cookies["agentiam-csrf"]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    assert not cookie["domain"]
