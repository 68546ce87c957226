"""Every address of what is allowed, for each of the cast: nobody unknown, nothing of strangers, nothing for want of a right."""

import pytest

from agentiam.kit.ids import uuid7
from permissions.models import (
    AccessToken,
    Application,
    ApplicationKey,
    Authorization,
    BlueprintRole,
    Consent,
    Delegation,
    Grant,
    Guardrail,
    Replacement,
    Resource,
    ResourceType,
    Role,
    RoleAssignment,
    Signal,
    TokenKey,
    Trust,
    TrustedIssuer,
)
from permissions.services.application_keys import issue_application_key
from permissions.services.offboarding import offboard_agent
from permissions.services.replacement import propose_replacement
from permissions.services.roles import set_blueprint_roles
from tests.factories import NOW, SYSTEM, make_agent, make_blueprint, make_organization
from tests.house.tables.api_permissions import AT_ONCE, CHANGES, LISTS, READS
from tests.permissions.factories import (
    make_access_token,
    make_assignment,
    make_authorization,
    make_consent,
    make_delegation,
    make_grant,
    make_guardrail,
    make_signal,
    make_token_key,
    make_trust,
    make_trusted_issuer,
)

# What carol, who audits, may do of what is tried here: to see everything, and nothing else.
READ_BY_EVERYBODY = {"blueprint-roles"}
# To these lists nobody adds.
READ_ONLY = ("blueprint-role", "attestation", "signal", "authorization", "access-token", "token-key")


@pytest.fixture
def one_of_each(world):
    """One row behind each list, all of acme."""
    key, _ = issue_application_key(application=world.crm, label="k", by=SYSTEM, now=NOW)
    blueprint = make_blueprint(world.acme, "clerk")
    set_blueprint_roles(blueprint=blueprint, roles=[world.reader], by=SYSTEM, now=NOW)
    retired = make_agent(world.acme, "retired")
    _, proof = offboard_agent(agent=retired, by=SYSTEM, reason="done", now=NOW)
    successor = make_agent(world.acme, "successor")
    return {
        "application": world.crm,
        "application-key": key,
        "resource-type": world.record,
        "resource": Resource.objects.first(),
        "role": world.reader,
        "blueprint-role": blueprint,
        "role-assignment": make_assignment(world.reader, world.runner.user),
        "grant": make_grant(world.acme, world.runner.user),
        "guardrail": make_guardrail(world.acme, "no-delete", actions=["delete"]),
        "consent": make_consent(world.people["alice"], world.helper, world.record),
        "delegation": make_delegation(world.helper, world.runner),
        "trust": make_trust(world.acme, make_organization("partner")),
        "trusted-issuer": make_trusted_issuer(world.acme),
        "replacement": propose_replacement(predecessor=world.helper, successor=successor, by=SYSTEM, now=NOW),
        "signal": make_signal(world.runner),
        "authorization": make_authorization(world.people["alice"], world.helper),
        "access-token": make_access_token(world.helper),
        "token-key": make_token_key(world.acme, "kid"),
        "attestation": proof,
    }


def snapshot():
    models = (Application, ApplicationKey, ResourceType, Resource, Role, BlueprintRole, RoleAssignment, Grant, Guardrail)
    models += (Consent, Delegation, Trust, TrustedIssuer, Replacement, Signal, Authorization, AccessToken, TokenKey)
    found = {model.__name__: list(model._default_manager.order_by("pk").values()) for model in models}
    for row in found["ApplicationKey"]:
        del row["last_used_at"]
    return found


def every(one_of_each):
    for name, prefix in LISTS.items():
        yield "GET", prefix, "list"
        yield "GET", f"{prefix}/{one_of_each[name].pk}", "row"
    for name, (prefix, verb) in READS.items():
        yield "GET", f"{prefix}/{one_of_each[name.removesuffix(f'-{verb}')].pk}/{verb}", "row"
    for name, (prefix, verb) in CHANGES.items():
        yield "POST", f"{prefix}/{one_of_each[name.removesuffix(f'-{verb}')].pk}/{verb}", "change"
    for prefix in AT_ONCE.values():
        # Needs no body, and makes keys of the caller's own organization: tests/api/permissions/test_tokens.py.
        if prefix != "token-keys/rotate":
            yield "POST", prefix, "give"
    for name, prefix in LISTS.items():
        if name not in READ_ONLY:
            yield "POST", prefix, "give"
        if name in ("application", "resource-type", "resource", "role", "blueprint-role", "trusted-issuer"):
            yield "PATCH", f"{prefix}/{one_of_each[name].pk}", "change"


def test_an_unknown_caller_gets_nothing(as_, one_of_each):
    caller = as_("anonymous")
    others = [("POST", "explain", ""), ("POST", "plans", ""), ("GET", f"decisions/{uuid7()}", "")]
    others.append(("GET", f"agents/{uuid7()}/effective-access", ""))
    for method, path, _ in [*every(one_of_each), *others]:
        assert caller(method, path, None if method == "GET" else {}).status_code == 401, path


def test_a_stranger_finds_none_of_it_and_changes_nothing(as_, one_of_each):
    caller, before = as_("mallory"), snapshot()
    for method, path, kind in every(one_of_each):
        answer = caller(method, path, None if method == "GET" else {}, **{"If-Match": "*"})
        expected = {"list": {200}, "row": {404}, "change": {404}, "give": {200, 422}}[kind]
        assert answer.status_code in expected, (method, path, answer.content)
        if kind == "list":
            assert answer.json()["items"] == [], path
        assert str(one_of_each["grant"].pk) not in answer.content.decode()
    assert snapshot() == before


def test_an_auditor_sees_everything_and_changes_nothing(as_, one_of_each):
    caller, before = as_("carol"), snapshot()
    for method, path, kind in every(one_of_each):
        answer = caller(method, path, None if method == "GET" else {}, **{"If-Match": "*"})
        expected = {"list": {200}, "row": {200}, "change": {403}, "give": {200, 403, 422}}[kind]
        assert answer.status_code in expected, (method, path, answer.content)
        if kind == "list":
            assert answer.json()["items"], path
    assert snapshot() == before


@pytest.mark.parametrize("name", ["bob", "dave", "olivia", "agent", "application"])
def test_whoever_has_no_right_changes_nothing(as_, one_of_each, world, name):
    caller = as_(name)
    before = snapshot()
    for method, path, kind in every(one_of_each):
        if name == "dave" and ("application" in path or path.startswith("resource")):
            continue
        if method == "POST" and path.startswith("consents"):
            continue
        if name == "bob" and path.endswith("/review"):
            # An approver may agree to a replacement, and gets through to what the body lacks.
            assert caller(method, path, {}).status_code == 422
            continue
        answer = caller(method, path, None if method == "GET" else {}, **{"If-Match": "*"})
        if kind == "change":
            assert answer.status_code in {403, 404}, (method, path, answer.content)
        else:
            assert answer.status_code in {200, 403, 404, 422}, (method, path, answer.content)
    assert snapshot() == before


def test_an_administrator_gets_through_to_what_the_body_lacks(as_, one_of_each):
    caller = as_("alice")
    for method, path, kind in every(one_of_each):
        if kind in ("list", "row"):
            assert caller(method, path).status_code == 200, path
        elif kind == "give" and not path.endswith("sync"):
            assert caller(method, path, {}).status_code == 422, path


def test_a_bad_id_is_not_found(as_, one_of_each):
    caller = as_("alice")
    for name, prefix in LISTS.items():
        assert caller.get(f"{prefix}/{uuid7()}").status_code == 404, name
        assert caller.get(f"{prefix}/7").status_code == 404, name
    for method in ("PUT", "DELETE"):
        assert caller(method, f"grants/{one_of_each['grant'].pk}", {}).status_code == 405


def test_no_list_and_no_row_shows_a_secret(as_, one_of_each):
    key = ApplicationKey.objects.get()
    reference = make_access_token(one_of_each["access-token"].agent, kid="", public_id="ref", digest="f" * 64)
    secrets = (key.digest, reference.digest, one_of_each["token-key"].sealed)
    for method, path, kind in every(one_of_each):
        if kind in ("list", "row"):
            text = as_("alice")(method, path).content.decode()
            assert not [each for each in secrets if each in text], path
