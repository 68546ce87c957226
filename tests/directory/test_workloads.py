"""Which workload is the one that was registered: the whole table of subjects and conditions."""

import pytest

from directory.models import Credential
from directory.services.credentials import IdentityTaken, register_federated
from directory.services.proofs import BadConditions, BadTokenAudience, BadWorkloadIdentity
from directory.workloads import conditions_problem, matches, same_conditions, subject_matches, subject_problem
from tests.directory.recorded import data_of, last_event
from tests.factories import NOW, SYSTEM, make_agent

ISSUER = "https://ci.example"


@pytest.mark.parametrize(
    ("pattern", "subject", "expected"),
    [
        ("repo:acme/bot", "repo:acme/bot", True),
        ("repo:acme/bot", "repo:acme/bot2", False),
        ("repo:acme/bot", "REPO:acme/bot", False),
        ("repo:acme/bot", "", False),
        ("repo:acme/*", "repo:acme/bot", True),
        ("repo:acme/*", "repo:acme/", False),
        ("repo:acme/*", "repo:acme/bot:ref:main", False),
        ("repo:acme/*", "repo:acme/bot/more", False),
        ("repo:acme/*", "repo:acmes/bot", False),
        ("repo:acme/*", "xrepo:acme/bot", False),
        ("repo:acme/*:ref:refs/heads/main", "repo:acme/bot:ref:refs/heads/main", True),
        ("repo:acme/*:ref:refs/heads/main", "repo:acme/bot:ref:refs/heads/mains", False),
        ("repo:acme/*:ref:refs/heads/main", "repo:acme/bot:pull_request:ref:refs/heads/main", False),
        ("repo:acme/b*t", "repo:acme/boot", True),
        ("repo:acme/b*t", "repo:acme/bt", False),
        ("repo:acme/b.t*", "repo:acme/bot1", False),
        ("repo:acme/*\n", "repo:acme/bot", False),
        ("repo:acme/*", "repo:acme/bot\n", False),
        ("spiffe://acme.example/ns/*/sa/*", "spiffe://acme.example/ns/prod/sa/bot", True),
        ("spiffe://acme.example/ns/*/sa/*", "spiffe://acme.example/ns/prod/sa/bot/sa/x", False),
        ("system:serviceaccount:*:bot", "system:serviceaccount:prod:bot", True),
        ("system:serviceaccount:*:bot", "system:serviceaccount:prod:bot:bot", False),
    ],
)
def test_a_subject(pattern, subject, expected):
    assert subject_matches(pattern, subject) is expected


@pytest.mark.parametrize("good", ["a", "a:b", "repo:acme/*", "spiffe://acme.example/*", "a:b:*:*:*", "a/b/x*y"])
def test_a_subject_that_can_be_registered(good):
    assert subject_problem(good) == ""


@pytest.mark.parametrize(
    "bad",
    [
        "",
        " ",
        "a\nb",
        "*",
        "a*",
        "*:a:b",
        "a:*",
        ":*",
        "::*",
        "a::*",
        "repo:*/x",
        "spiffe://*",
        "/a/*",
        "a:b/**",
        "a:b/*:*:*:*",
    ],
)
def test_a_subject_that_would_stand_for_too_many_cannot(bad):
    assert subject_problem(bad) != ""


CLAIMS = {
    "sub": "repo:acme/bot",
    "environment": "prod",
    "attempt": 1,
    "ratio": 0.5,
    "protected": True,
    "groups": ["ops"],
    "kubernetes.io": {"namespace": "prod", "pod": {"name": "x"}},
    "a": {"b": {"c": "deep"}},
    "a.b": {"c": "dotted"},
    "nothing": None,
}


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({}, True),
        ({"environment": "prod"}, True),
        ({"environment": ["test", "prod"]}, True),
        ({"environment": ["test", "Prod"]}, False),
        ({"environment": "pro"}, False),
        ({"environment": "prod", "attempt": 2}, False),
        ({"attempt": 1}, True),
        ({"attempt": 1.0}, True),
        ({"attempt": "1"}, False),
        ({"attempt": True}, False),
        ({"ratio": 0.5}, True),
        ({"protected": True}, True),
        ({"protected": 1}, False),
        ({"protected": "true"}, False),
        ({"protected": False}, False),
        ({"groups": "ops"}, False),
        ({"nothing": "None"}, False),
        ({"nothing": False}, False),
        ({"missing": "x"}, False),
        ({"kubernetes.io.namespace": "prod"}, True),
        ({"kubernetes.io.pod.name": "x"}, True),
        ({"kubernetes.io.pod": "x"}, False),
        ({"kubernetes.io.namespace.x": "prod"}, False),
        ({"a.b.c": "dotted"}, True),
        ({"a.b.c": "deep"}, False),
        ({"environment.x": "prod"}, False),
    ],
)
def test_conditions(conditions, expected):
    assert matches("repo:acme/bot", conditions, CLAIMS) is expected
    assert not matches("repo:acme/other", conditions, CLAIMS)
    assert not matches("repo:acme/bot", conditions, {**CLAIMS, "sub": None})


@pytest.mark.parametrize(
    "bad",
    [
        [],
        "environment",
        {"": "x"},
        {"a..b": "x"},
        {".a": "x"},
        {"a": []},
        {"a": None},
        {"a": {}},
        {"a": [["x"]]},
        {"a": float("nan")},
        {"a": 2**60},
        {"a": "x" * 501},
        {"a\n": "x"},
        {"a": ["x"] * 21},
        {str(number): "x" for number in range(21)},
    ],
)
def test_conditions_that_cannot_be_registered(bad):
    assert conditions_problem(bad) != ""


def test_the_same_conditions_are_the_same_in_whatever_order():
    assert same_conditions({"a": ["x", "y"], "b": 1}, {"b": [1], "a": ["y", "x"]})
    assert not same_conditions({"a": 1}, {"a": True})
    assert not same_conditions({"a": "x"}, {"a": "x", "b": "y"})


def federated(agent, **values):
    given = {"label": "ci", "issuer": ISSUER, "subject": "repo:acme/*:ref:refs/heads/main", "by": SYSTEM, "now": NOW}
    return register_federated(agent=agent, **given | values)


def test_a_pattern_is_registered_with_its_conditions_and_told_in_the_log(cast):
    given = {"conditions": {"environment": ["prod", "test"]}, "audience": "api://acme"}
    stored = Credential.objects.get(pk=federated(cast.agent, **given).pk)
    assert (stored.conditions, stored.audience) == (given["conditions"], given["audience"])
    told = data_of(last_event(cast.acme, "credential.issued"))
    assert (told["subject"], told["conditions"], told["audience"]) == (stored.subject, stored.conditions, stored.audience)


def test_one_identity_with_other_conditions_stands_for_another_agent(cast):
    federated(cast.agent, conditions={"environment": ["prod", "test"]})
    other = make_agent(cast.acme)
    with pytest.raises(IdentityTaken):
        federated(other, conditions={"environment": ["test", "prod"]})
    assert federated(other, conditions={"environment": "stage"}).agent == other


@pytest.mark.parametrize(
    ("values", "refusal", "field"),
    [
        ({"subject": "*"}, BadWorkloadIdentity, ""),
        ({"conditions": {"a": {}}}, BadConditions, "conditions"),
        ({"conditions": []}, BadConditions, "conditions"),
        ({"conditions": [["a", "b"]]}, BadConditions, "conditions"),
        ({"audience": " x"}, BadTokenAudience, "audience"),
        ({"audience": "a\0"}, BadTokenAudience, "audience"),
    ],
)
def test_what_cannot_be_compared_is_not_registered(cast, values, refusal, field):
    with pytest.raises(refusal) as refused:
        federated(cast.agent, **values)
    assert refused.value.field == field
    assert not Credential.objects.exists()


@pytest.mark.parametrize("bad", ["system:serviceaccount:*:*", "system:serviceaccount:*:agent", "system:serviceaccount:pay*"])
def test_a_service_accounts_namespace_is_named(bad):
    assert "namespace" in subject_problem(bad)
    assert subject_problem("system:serviceaccount:payments:*") == ""
