"""Roles: sets of entitlements, included in one another without a circle, inherited from blueprints."""

from itertools import pairwise

import pytest

from directory.services.revisions import ForeignOrganization
from directory.services.versions import InvalidRecord
from permissions.models import BlueprintRole, Entitlement, Role, RoleAssignment, RoleInclusion
from permissions.services.grants import end_assignment
from permissions.services.roles import (
    RoleCycle,
    RoleInUse,
    remove_role,
    set_blueprint_roles,
    set_role_entitlements,
    set_role_inclusions,
)
from permissions.services.terms import UnknownAction, UnknownResourceType
from tests.directory.recorded import data_of, last_event
from tests.factories import NOW, SYSTEM, make_blueprint
from tests.permissions.factories import make_assignment, make_resource_type, make_role, spec


def entitle(role, *entitlements):
    return set_role_entitlements(role=role, entitlements=entitlements, by=SYSTEM, now=NOW)


def include(role, *included):
    return set_role_inclusions(role=role, included=included, by=SYSTEM, now=NOW)


def remove(role):
    remove_role(role=role, by=SYSTEM, now=NOW)


def test_an_id_is_given_once_in_an_organization(cast):
    make_role(cast.acme, "reader")
    with pytest.raises(InvalidRecord, match="already exists"):
        make_role(cast.acme, "reader")
    assert make_role(cast.elsewhere, "reader").pk


def test_entitlements_that_stay_the_same_keep_their_rows(cast):
    stays = spec(actions=["read", "write"], where='resource.region == "EU"', fields=["title", "email"])
    role = make_role(cast.acme, "reader", stays, spec(actions=["delete"]))
    before = {row.pk: row for row in Entitlement.objects.all()}
    versions = Entitlement.history.count()
    turned = spec(actions=("write", "read"), where=' resource.region == "EU" ', fields=("email", "title"))
    entitle(role, spec(actions=["delete"], resource="r1"), turned)
    after = {row.pk for row in Entitlement.objects.all()}
    assert {before[pk].actions[0] for pk in before.keys() & after} == {"read"}
    assert len(after) == 2
    assert Entitlement.history.count() == versions + 2
    data = data_of(last_event(cast.acme, "role.entitlements_changed"))
    assert [each["resource"] for each in data["added"]] == ["r1"]
    assert [each["resource"] for each in data["removed"]] == [""]


def test_the_same_entitlements_change_no_row(cast):
    role = make_role(cast.acme, "reader", spec(), spec())
    versions = Entitlement.history.count()
    entitle(role, spec(), spec())
    assert Entitlement.history.count() == versions == 2
    entitle(role, spec())
    assert role.entitlements.count() == 1


def test_one_bad_entitlement_leaves_all_as_they_were(cast):
    role = make_role(cast.acme, "reader", spec())
    with pytest.raises(UnknownAction, match="'fly'"):
        entitle(role, spec(actions=["write"]), spec(actions=["fly"]))
    assert [row.actions for row in role.entitlements.all()] == [["read"]]


def test_types_of_another_organization_are_unknown(cast):
    make_resource_type(cast.elsewhere, "secret")
    with pytest.raises(UnknownResourceType, match="'secret'"):
        make_role(cast.acme, "reader", spec(type="secret"))


def test_setting_many_entitlements_reads_the_types_once(cast, django_assert_max_num_queries):
    role = make_role(cast.acme)
    with django_assert_max_num_queries(120) as context:
        entitle(role, *[spec(resource=f"r{number}") for number in range(20)])
    assert sum('FROM "permissions_resourcetype"' in query["sql"] for query in context.captured_queries) == 1


def test_a_role_never_includes_itself(cast):
    chain = [make_role(cast.acme, f"role-{number}") for number in range(5)]
    for role, included in pairwise(chain):
        include(role, included)
    for role in chain:
        with pytest.raises(RoleCycle):
            include(chain[-1], role)
    include(chain[0], chain[1], chain[2], chain[4])
    assert RoleInclusion.objects.filter(role=chain[0]).count() == 3


def test_inclusions_are_replaced_with_the_fewest_changes(cast):
    role, a, b, c = (make_role(cast.acme, name) for name in "rabc")
    include(role, a, b)
    kept = RoleInclusion.objects.get(included=b).pk
    include(role, b, c)
    assert {row.included.external_id: row.pk for row in role.inclusions.all()}["b"] == kept
    assert data_of(last_event(cast.acme, "role.inclusions_changed")) == {"added": ["c"], "removed": ["a"]}


def test_roles_and_blueprints_of_another_organization_are_refused(cast):
    role, foreign = make_role(cast.acme), make_role(cast.elsewhere)
    with pytest.raises(ForeignOrganization):
        include(role, foreign)
    with pytest.raises(ForeignOrganization):
        set_blueprint_roles(blueprint=make_blueprint(cast.acme), roles=[foreign], by=SYSTEM, now=NOW)


def test_a_role_that_is_held_or_included_is_not_removed(cast):
    role, outer = make_role(cast.acme, "role"), make_role(cast.acme, "outer")
    blueprint = make_blueprint(cast.acme, "bot")
    assignment = make_assignment(role, cast.agent.user)
    include(outer, role)
    set_blueprint_roles(blueprint=blueprint, roles=[role], by=SYSTEM, now=NOW)
    with pytest.raises(RoleInUse, match="agent/crm-bot, role outer, blueprint bot"):
        remove(role)
    end_assignment(assignment=assignment, by=SYSTEM, now=NOW)
    include(outer)
    set_blueprint_roles(blueprint=blueprint, roles=[], by=SYSTEM, now=NOW)
    assert not BlueprintRole.objects.exists()
    remove(role)
    assert not Role.objects.filter(external_id="role").exists()
    assert not RoleAssignment.objects.exists()
    assert RoleAssignment.history.filter(id=assignment.pk).count() == 3


def test_what_a_removed_role_was_made_of_leaves_versions_that_name_who(cast):
    role = make_role(cast.acme, "role", spec())
    include(role, make_role(cast.acme, "inner"))
    remove_role(role=role, by=cast.by, reason="obsolete", now=NOW)
    for model in (Role, Entitlement, RoleInclusion):
        (last,) = model.history.filter(history_type="-")
        assert (last.history_user, last.history_change_reason, last.history_date) == (cast.alice, "obsolete", NOW)
