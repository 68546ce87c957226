"""What has a sentence is held by the database, whoever writes past the services."""

from datetime import timedelta

import pytest
from django.apps import apps
from django.db import IntegrityError, models, transaction

from permissions.models import (
    Application,
    BlueprintRole,
    Consent,
    Delegation,
    Entitlement,
    Grant,
    Guardrail,
    GuardrailVersion,
    Resource,
    ResourceType,
    Role,
    RoleAssignment,
    RoleInclusion,
    Trust,
)
from permissions.services.application_keys import issue_application_key
from tests.factories import NOW, SYSTEM, make_blueprint
from tests.permissions.factories import (
    make_assignment,
    make_consent,
    make_delegation,
    make_grant,
    make_guardrail,
    make_resource,
    make_role,
    make_trust,
    spec,
)

PAST = NOW - timedelta(days=9)


@pytest.fixture
def world(cast):
    """One row of everything."""
    role = make_role(cast.acme, "role", spec())
    RoleInclusion.objects.create(role=role, included=make_role(cast.acme, "inner"))
    BlueprintRole.objects.create(role=role, blueprint=make_blueprint(cast.acme))
    make_assignment(role, cast.alice)
    make_grant(cast.acme, cast.alice)
    make_delegation(cast.planner, cast.agent)
    make_guardrail(cast.acme)
    make_consent(cast.bob, cast.agent, cast.record)
    make_trust(cast.acme, cast.elsewhere)
    make_resource(cast.record, "r1")
    issue_application_key(application=cast.crm, label="main", by=SYSTEM, now=NOW)
    return cast


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
    (GuardrailVersion, {"effect": "allow"}, "guardrailversion_effect_known"),
    (GuardrailVersion, {"when": "true"}, "guardrailversion_conditions_checked"),
    (GuardrailVersion, {"state": "draft"}, "guardrailversion_draft_or_published"),
    (GuardrailVersion, {"published_at": None}, "guardrailversion_draft_or_published"),
    (GuardrailVersion, {"state": "odd"}, "guardrailversion_draft_or_published"),
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
    "model", [Application, ResourceType, Resource, Role, RoleInclusion, BlueprintRole, Guardrail, GuardrailVersion, Trust]
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
