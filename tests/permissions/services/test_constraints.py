"""What has a sentence is held by the database, whoever writes past the services."""

from datetime import timedelta

import pytest
from django.apps import apps
from django.db import IntegrityError, models, transaction

from permissions.models import (
    AccessToken,
    Application,
    Authorization,
    BlueprintRole,
    Consent,
    Delegation,
    Entitlement,
    Grant,
    Guardrail,
    GuardrailVersion,
    OAuthClient,
    Replacement,
    Resource,
    ResourceType,
    Role,
    RoleAssignment,
    RoleInclusion,
    Signal,
    TokenKey,
    Trust,
    TrustedIssuer,
    UsedProof,
)
from permissions.services.application_keys import issue_application_key
from tests.factories import NOW, SYSTEM, make_blueprint
from tests.permissions.factories import (
    make_application,
    make_assignment,
    make_consent,
    make_delegation,
    make_grant,
    make_guardrail,
    make_replacement,
    make_resource,
    make_role,
    make_trust,
    make_trusted_issuer,
    spec,
)
from tests.permissions.services.conftest import make_cast
from tests.remembered import Remembered

PAST = NOW - timedelta(days=9)


def make_world():
    """One row of everything."""
    cast = make_cast()
    role = make_role(cast.acme, "role", spec())
    RoleInclusion.objects.create(role=role, included=make_role(cast.acme, "inner"))
    BlueprintRole.objects.create(role=role, blueprint=make_blueprint(cast.acme))
    make_assignment(role, cast.alice)
    make_grant(cast.acme, cast.alice)
    make_delegation(cast.planner, cast.agent)
    make_guardrail(cast.acme)
    make_consent(cast.bob, cast.agent, cast.record)
    make_trust(cast.acme, cast.elsewhere)
    make_trusted_issuer(cast.acme)
    make_replacement(cast.agent, cast.planner)
    make_resource(cast.record, "r1")
    issue_application_key(application=cast.crm, label="main", by=SYSTEM, now=NOW)
    _tokens(cast)
    return cast


_world = Remembered(make_world)


@pytest.fixture
def world(db):
    return _world()


def _tokens(cast):
    """What is issued to agents, one row of each kind."""
    organization, agent, later = cast.acme, cast.agent, NOW + timedelta(days=1)
    Signal.objects.create(organization=organization, agent=agent, sign="unknown_kid", weight=10, proven=False, at=NOW)
    TokenKey.objects.create(organization=organization, kid="k", algorithm="ES256", jwk={}, sealed="1:x", signs_from=NOW)
    OAuthClient.objects.create(organization=organization, agent=agent, redirect_uris=["https://a.example/"])
    UsedProof.objects.create(organization=organization, kind="dpop", digest="d", expires_at=later)
    Authorization.objects.create(organization=organization, user=cast.bob, agent=agent, created_at=NOW, ends_at=later)
    AccessToken.objects.create(
        organization=organization, agent=agent, subject="agent/a", kid="k", issued_at=NOW, expires_at=later
    )


def terms(model):
    name = model._meta.model_name
    return [
        (model, {"subtree_type": "folder"}, f"{name}_subtree_is_whole"),
        (model, {"subtree_id": "f1"}, f"{name}_subtree_is_whole"),
        (model, {"resource": "r1", "subtree_type": "folder", "subtree_id": "f1"}, f"{name}_one_selector"),
        (model, {"resource": "r1", "where": "true", "where_checked": b"x"}, f"{name}_one_selector"),
        (model, {"where": "true"}, f"{name}_conditions_checked"),
        (model, {"when_checked": b"x"}, f"{name}_conditions_checked"),
    ]


def held(model):
    name = model._meta.model_name
    return [
        (model, {"use": False}, f"{name}_is_for_something"),
        (model, {"source": "heaven"}, f"{name}_source_known"),
        (model, {"starts_at": NOW, "ends_at": NOW}, f"{name}_ends_after_start"),
        (model, {"user": None}, f"{name}_one_holder"),
    ]


CHECKS = [
    (Application, {"state": "gone"}, "application_state_known"),
    *terms(Entitlement),
    *terms(Grant),
    *terms(Delegation),
    *held(Grant),
    *held(RoleAssignment),
    (Resource, {"parent": models.F("id")}, "resource_not_its_own_parent"),
    (RoleInclusion, {"role": models.F("included")}, "roleinclusion_not_itself"),
    (Delegation, {"delegate": models.F("delegator")}, "delegation_to_another"),
    (Delegation, {"depth": 0}, "delegation_has_depth"),
    (Delegation, {"ends_at": PAST}, "delegation_ends_after_start"),
    (Consent, {"ends_at": PAST}, "consent_ends_after_start"),
    (Trust, {"ends_at": PAST}, "trust_ends_after_start"),
    (Trust, {"partner": models.F("organization")}, "trust_in_another"),
    (Trust, {"partner": None}, "trust_partner_here_or_elsewhere"),
    (Trust, {"issuer": "https://partner.example"}, "trust_partner_here_or_elsewhere"),
    (TrustedIssuer, {"issuer": ""}, "trustedissuer_is_named"),
    (TrustedIssuer, {"jwks_uri": "https://a.example/k", "jwks": {"keys": []}}, "trustedissuer_one_source_of_keys"),
    (GuardrailVersion, {"effect": "allow"}, "guardrailversion_effect_known"),
    (GuardrailVersion, {"when": "true"}, "guardrailversion_conditions_checked"),
    (GuardrailVersion, {"state": "draft"}, "guardrailversion_draft_or_published"),
    (GuardrailVersion, {"published_at": None}, "guardrailversion_draft_or_published"),
    (GuardrailVersion, {"state": "odd"}, "guardrailversion_draft_or_published"),
    (AccessToken, {"expires_at": PAST}, "accesstoken_ends_after_start"),
    (AccessToken, {"kid": ""}, "accesstoken_is_signed_or_looked_up"),
    (AccessToken, {"public_id": "x"}, "accesstoken_is_signed_or_looked_up"),
    (Application, {"token_format": "paper"}, "application_token_format_known"),
    (Application, {"token_seconds": 29}, "application_token_lasts_within_limits"),
    (Application, {"token_seconds": 3601}, "application_token_lasts_within_limits"),
    (Authorization, {"ends_at": PAST}, "authorization_ends_after_start"),
    (OAuthClient, {"source": "document"}, "oauthclient_document_has_a_url"),
    (OAuthClient, {"document_url": "https://a.example/c"}, "oauthclient_document_has_a_url"),
    (Signal, {"weight": 0}, "signal_weighs_something"),
    (TokenKey, {"algorithm": "HS256"}, "tokenkey_algorithm_known"),
    (TokenKey, {"signs_until": NOW}, "tokenkey_is_shown_after_it_signed"),
    (TokenKey, {"signs_until": NOW, "shown_until": PAST}, "tokenkey_is_shown_after_it_signed"),
    (Replacement, {"successor": models.F("predecessor")}, "replacement_by_another"),
    (Replacement, {"state": "side_by_side"}, "replacement_is_reviewed"),
    (Replacement, {"state": "completed"}, "replacement_is_reviewed"),
    (apps.get_model("permissions", "ApplicationKey"), {"digest": ""}, "applicationkey_proof_matches_kind"),
    (apps.get_model("permissions", "ApplicationKey"), {"expires_at": PAST}, "applicationkey_ends_after_start"),
]


@pytest.mark.parametrize(("model", "values", "name"), CHECKS, ids=lambda value: str(value) if isinstance(value, str) else "")
def test_the_database_refuses_what_breaks_a_rule(world, model, values, name):
    assert model.objects.exists()
    with pytest.raises(IntegrityError, match=name), transaction.atomic():
        model.objects.update(**values)


def test_every_check_of_the_database_is_tested():
    checks = {
        constraint.name
        for model in apps.get_app_config("permissions").get_models()
        for constraint in model._meta.constraints
        if isinstance(constraint, models.CheckConstraint)
    }
    assert checks == {name for _, _, name in CHECKS}


@pytest.mark.parametrize(
    "model",
    [
        Application,
        ResourceType,
        Resource,
        Role,
        RoleInclusion,
        BlueprintRole,
        Guardrail,
        GuardrailVersion,
        Trust,
        TrustedIssuer,
        Replacement,
    ],
)
def test_a_copy_of_a_row_is_refused(world, model):
    row = model.objects.first()
    row.pk = None if isinstance(model._meta.pk, models.AutoField) else model._meta.pk.get_default()
    row._state.adding = True
    with pytest.raises(IntegrityError, match=r"(?i)unique"), transaction.atomic():
        model.objects.bulk_create([row])


def test_one_wording_is_in_force_and_one_is_a_draft(world):
    published = GuardrailVersion.objects.get()
    for state, published_at in (("report_only", NOW), ("draft", None)):
        copies = [
            GuardrailVersion(
                guardrail=published.guardrail, number=number, effect="deny", state=state, published_at=published_at
            )
            for number in (2, 3)
        ]
        with pytest.raises(IntegrityError, match=r"(?i)unique"), transaction.atomic():
            GuardrailVersion.objects.bulk_create(copies)


@pytest.mark.parametrize("thing", ["acme", "record", "crm", "agent", "alice"])
def test_what_rules_stand_on_cannot_be_deleted(world, thing):
    with pytest.raises((models.ProtectedError, models.RestrictedError)):
        getattr(world, thing).delete()


def test_two_live_applications_of_an_organization_have_no_audience_in_common(world):
    audience = "https://crm.example"
    Application.objects.update(audience="")
    make_application(world.acme, "empty")
    Application.objects.filter(pk=world.crm.pk).update(audience=audience)
    waiting = make_application(world.acme, "waiting")
    with pytest.raises(IntegrityError, match="audience"), transaction.atomic():
        Application.objects.filter(pk=waiting.pk).update(audience=audience)
    Application.objects.filter(pk=waiting.pk).update(audience=audience, state="suspended")
    with pytest.raises(IntegrityError, match="audience"), transaction.atomic():
        Application.objects.filter(pk=waiting.pk).update(state="active")
