"""The OpenAPI document says what the API does: without a warning, for every address, and well enough to make a client of it."""

import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import get_resolver
from django.utils import timezone

from agentiam.kit.tokens import Token
from directory.services.onboarding_tokens import MOST_USES
from directory.services.person_keys import issue_person_key
from tests.api.calling import application
from tests.api.generated import generate
from tests.factories import make_blueprint


@pytest.fixture(scope="session")
def document(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The document as a file; made once, and not at all if there is a warning."""
    path = tmp_path_factory.mktemp("openapi") / "openapi.yaml"
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", str(path))
    return path


@pytest.fixture
def key(people: dict[str, Any]) -> Token:
    scopes = ["read", "write", "credentials"]
    _, token = issue_person_key(
        user=people["alice"], label="t", scopes=scopes, by=people["alice"].as_actor(), now=timezone.now()
    )
    return token


def test_the_document_is_3_1_and_has_no_warning(document):
    assert document.read_text().startswith("openapi: 3.1")


def test_every_address_of_the_api_is_in_the_document(db):
    paths = Client().get("/api/v1/openapi.json").json()["paths"]
    api = next(each for each in get_resolver().url_patterns if getattr(each, "app_name", None) == "api")
    undescribed = {"openapi.json", "docs"}
    for pattern in api.url_patterns:
        route = str(pattern.pattern)
        if route not in undescribed:
            described = "/api/v1/" + re.sub(r"<\w+:(\w+)>", r"{\1}", route).replace("{pk}", "{id}")
            assert described in paths, route


def test_every_operation_says_its_problems_and_who_may_call(db):
    paths = Client().get("/api/v1/openapi.json").json()["paths"]
    for path, operations in paths.items():
        for method, operation in operations.items():
            assert {"400", "401", "403", "429"} <= set(operation["responses"]), f"{method} {path}"
            assert operation["security"], f"{method} {path}"
            assert operation.get("description") or operation.get("summary"), f"{method} {path}"


def test_every_operation_has_a_summary_of_one_line(db):
    paths = Client().get("/api/v1/openapi.json").json()["paths"]
    summaries = {
        f"{method} {path}": operation.get("summary", "") for path, each in paths.items() for method, operation in each.items()
    }
    assert [name for name, text in summaries.items() if not text or "\n" in text or text.endswith(".")] == []
    assert summaries["get /api/v1/agents"] == "List agents"
    assert summaries["post /api/v1/onboarding-tokens/{id}/revoke"] == "End a token at once"
    assert summaries["post /api/v1/onboarding-tokens"] == "Make a token for a pipeline"


def test_the_document_promises_as_many_uses_of_a_token_as_the_service_gives(db):
    schemas = Client().get("/api/v1/openapi.json").json()["components"]["schemas"]
    assert schemas["OnboardingTokenIssuedRequest"]["properties"]["most_uses"]["maximum"] == MOST_USES


def test_what_is_created_leads_on(db):
    paths = Client().get("/api/v1/openapi.json").json()["paths"]
    links = paths["/api/v1/agents"]["post"]["responses"]["201"]["links"]
    assert {"agents_retrieve", "agents_partial_update", "agents_suspend_create"} <= set(links)


def test_the_page_of_the_document_keeps_to_the_policy(as_, people):
    page = as_("alice").client.get("/api/v1/docs")
    assert page.status_code == 200
    assert b"<script>" not in page.content
    assert b"style=" not in page.content
    assert b"https://" not in page.content.replace(b"https://testserver", b"")
    assert "unsafe" not in page["Content-Security-Policy"]


@pytest.fixture
def made(document, key, tmp_path, monkeypatch):
    """Generate a client, and give its parts by name; it calls the API in this process."""
    monkeypatch.syspath_prepend(str(tmp_path / "made"))
    return generate(document, tmp_path)


@pytest.fixture
def client(made, key):
    calling = made("").AuthenticatedClient(base_url="http://testserver", token=key.text)
    inner = httpx.Client(
        base_url="http://testserver",
        transport=httpx.WSGITransport(app=application),
        headers={"Authorization": f"Bearer {key.text}"},
    )
    return calling.set_httpx_client(inner)


def test_a_client_made_from_the_document_onboards_stops_and_retires_an_agent(made, client, acme, people):
    agents, models = (lambda name: made(f".api.agents.agents_{name}")), made(".models")
    first = models.FirstCredentialGivenRequest(label="first")
    body = models.AgentOnboardedRequest(
        external_id="made",
        name="Made",
        purpose="Made by a generated client.",
        owner=people["olivia"].pk,
        sponsor=people["olivia"].pk,
        blueprint=make_blueprint(acme, "clerk").pk,
        credential=first,
    )
    onboarded = agents("onboard_create").sync(client=client, body=body)
    assert onboarded.secret.startswith("aia_")
    stopped = agents("suspend_create").sync(onboarded.id, client=client, body=models.ReasonRequest(reason="drill"))
    assert stopped.state == "suspended"
    listed = agents("list").sync(client=client, state=[models.AgentsListStateItem.SUSPENDED])
    assert [each.external_id for each in listed.items] == ["made"]
    version = agents("retrieve").sync_detailed(onboarded.id, client=client).headers["ETag"]
    change = models.PatchedAgentChangedRequest(name="Renamed")
    changed = agents("partial_update").sync(onboarded.id, client=client, body=change, if_match=version)
    assert changed.name == "Renamed"
    late = agents("partial_update").sync_detailed(onboarded.id, client=client, body=change, if_match=version)
    assert late.status_code == 412
    retired = agents("retire_create").sync(onboarded.id, client=client, body=models.RequiredReasonRequest(reason="over"))
    assert retired.state == "retired"
