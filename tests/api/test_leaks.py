"""Nothing of another organization gets out: not by a list, a filter, an order or a search, and not by a reference in a body."""

from collections.abc import Iterator
from typing import Any, Final

import django_filters
import pytest
from django.db import transaction

from agentiam.api.audit.routes import ROUTES as AUDIT
from agentiam.api.directory.routes import ROUTES as DIRECTORY
from agentiam.api.permissions.routes import ROUTES as PERMISSIONS
from agentiam.api.viewsets import ResourceViewSet
from agentiam.kit.ids import uuid7
from tests.api import bodies
from tests.api.bodies import Body, Rows, address_for, body_for, prepare_for, rows_for_the_table
from tests.api.world import Cast, make_everything, rows_of_every_kind
from tests.factories import make_agent, make_person
from tests.remembered import Remembered

WORD: Final = "zebra"
LISTS: Final = {path: view for path, view, _ in (*DIRECTORY, *PERMISSIONS, *AUDIT) if issubclass(view, ResourceViewSet)}
# What bodies.py leaves out because it need not be said: where it stands in the body, and the kind of row that it names.
MORE: Final = {
    "POST teams": {"parent": "teams"},
    "PATCH teams/<uuid:pk>": {"parent": "teams"},
    "POST teams/<uuid:pk>/members": {"members/0": "people"},
    "POST teams/<uuid:pk>/rights/give": {"person": "people"},
    "POST invitations": {"teams/0": "teams"},
    "POST agents": {"blueprint": "blueprints", "team": "teams", "sponsor_team": "teams"},
    "POST agents/discover": {"sponsor_team": "teams"},
    "POST agents/onboard": {"blueprint": "blueprints", "team": "teams", "sponsor_team": "teams"},
    "PATCH agents/<uuid:pk>": {"team": "teams"},
    "POST agents/<uuid:pk>/transfer": {"sponsor_team": "teams"},
    "POST onboarding-tokens": {"sponsor_team": "teams"},
    "POST runs": {"on_behalf_of": "people"},
    "POST grants": {"holder": "holder"},
    "POST role-assignments": {"holder": "holder"},
    "POST guardrails": {"type": "resource-types"},
    "POST guardrails/<uuid:pk>/draft": {"type": "resource-types"},
    "POST replacements": {"new_successor/team": "teams"},
}
NAMES: Final = {"crm.lead": "crm.lead" + WORD, "lead-1": "lead-1" + WORD, "runner": "runner" + WORD, "neighbour": "evil"}


def _make_both() -> tuple[Cast, Rows, Rows]:
    cast, rows = make_everything()
    ours = rows_for_the_table(cast, rows)
    people = {name: make_person(cast.evil, name + WORD) for name in ("alice", "olivia", "dave")}
    agent = make_agent(cast.evil, "runner" + WORD, owner=people["olivia"])
    theirs = rows_of_every_kind(cast.evil, people, agent, word=WORD)
    # Signing keys are the installation's.
    return cast, ours, {kind: row for kind, row in theirs.items() if kind != "signing-keys"}


make_both = Remembered(_make_both)


@pytest.fixture
def both(db: None) -> tuple[Cast, Rows, Rows]:
    """The cast, acme's rows and evil's; every name of evil's has the word in it."""
    return make_both()


@pytest.fixture
def cast(both: tuple[Cast, Rows, Rows]) -> Cast:
    """The cast that these rows are of."""
    return both[0]


def queries(path: str, theirs: Rows) -> Iterator[tuple[str, bool]]:
    """Ask a list for another organization's rows in every way, and say whether it must be empty."""
    view: Any = LISTS[path]
    yield from ((f"order={order}", False) for order in view.orders)
    if view.searched:
        yield f"q={WORD}", True
    filterset = getattr(view, "filterset_class", None)
    filters = filterset.base_filters if filterset else {}
    for name, each in filters.items():
        if (path, name) == ("events", "type"):
            continue  # the product's own words, and any other is a mistake
        if isinstance(each, django_filters.UUIDFilter):
            yield from ((f"{name}={row}", True) for row in theirs.values())
        elif isinstance(each, django_filters.CharFilter):
            words = (f"crm.lead{WORD}", f"runner{WORD}", f"partner{WORD}", theirs["agents"])
            yield from ((f"{name}={word}", True) for word in words)


@pytest.mark.parametrize("path", LISTS)
def test_no_list_tells_anything_of_another_organization(as_, both, path) -> None:
    _, _, theirs = both
    caller = as_("alice")
    for asked, empty in queries(path, theirs):
        answer = caller.get(f"{path}?limit=500&{asked}")
        assert answer.status_code == 200, (asked, answer.content)
        text = answer.content.decode()
        assert WORD not in text, asked
        assert not [kind for kind, row in theirs.items() if row in text], asked
        assert not empty or answer.json() == {"items": [], "next": None}, asked


def test_what_is_looked_for_is_there(as_, both) -> None:
    _, _, theirs = both
    mallory, found = as_("mallory"), set()
    for path in LISTS:
        text = mallory.get(f"{path}?limit=500").content.decode()
        assert path not in theirs or theirs[path] in text, path
        found |= {path} if WORD in text else set()
    assert found >= {*LISTS} - {"organizations", "jobs", "checkpoints", "chains", "signing-keys"}


def changed(body: Any, at: str, value: Any) -> Any:
    """Copy a body with another value at a place."""
    first, _, rest = at.partition("/")
    if isinstance(body, list) or first == "0":
        items = list(body or [])
        place = int(first)
        before = items[place] if place < len(items) else None
        items[place : place + 1] = [changed(before, rest, value) if rest else value]
        return items
    kept = dict(body or {})
    kept[first] = changed(kept.get(first), rest, value) if rest else value
    return kept


def leaves(value: Any, at: str = "") -> Iterator[tuple[str, str]]:
    """List the texts of a body and where they stand."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves(inner, f"{at}/{name}")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from leaves(inner, f"{at}/{index}")
    elif isinstance(value, str):
        yield at.removeprefix("/"), value


def references(operation: str, ours: Rows, theirs: Rows) -> Iterator[tuple[str, Body, Body]]:
    """Make the bodies that name another's row, and what nobody has, at every place where a row is named."""
    method, path = operation.split()
    body = body_for(method, path, ours) or {}
    kinds = {row: kind for kind, row in ours.items()}
    foreign = {"olivia": "people", "erin": "people", "spare": "agents", "child": "agents", "unused-role": "roles"}
    for at, text in leaves(body):
        if text in kinds:
            kind = kinds[text]
            yield at, changed(body, at, theirs[foreign.get(kind, kind)]), changed(body, at, str(uuid7()))
        elif text in NAMES and at.rpartition("/")[2] not in ("external_id", "slug"):
            yield at, changed(body, at, NAMES[text]), changed(body, at, "no" + NAMES[text])
    for at, kind in MORE.get(operation, {}).items():
        if kind == "holder":
            for holder in ("person", "team"):
                row = theirs["people" if holder == "person" else "teams"]
                yield f"{at}/{holder}", changed(body, at, {holder: row}), changed(body, at, {holder: str(uuid7())})
            continue
        bare = {name: value for name, value in body.items() if (at, name) != ("sponsor_team", "sponsor")}
        if operation.endswith("rights/give"):
            bare = {"right": body["right"]}
        yield at, changed(bare, at, theirs[kind]), changed(bare, at, str(uuid7()))


# These name no rows; and a question about what nobody has is one like any other (tests/api/permissions/test_reading.py).
_OTHERS: Final = {"POST onboarding", "POST cards/verify", "POST events/export", "POST explain", "POST plans"}
OPERATIONS: Final = sorted({*bodies.BODIES, *MORE} - _OTHERS)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_reference_to_anothers_row_is_answered_like_one_to_nothing(as_, both, operation) -> None:
    _, ours, theirs = both
    method, path = operation.split()
    alice = as_("alice")
    for at, named, nothing in references(operation, ours, theirs):
        told = []
        for body in (named, nothing):
            with transaction.atomic():
                prepare_for(path, ours)
                answer = alice(method, address_for(path, ours), body, **{"If-Match": "*"})
                transaction.set_rollback(True)
            told.append((answer.status_code, answer.content.decode()))
        (status, text), (expected, plain) = told
        assert status == expected, (at, text, plain)
        if path == "agents/bulk":
            assert '"status":404' in text.replace(" ", ""), (at, text)
        elif path == "agents/bulk-register":
            assert '"status":422' in text.replace(" ", ""), (at, text)
        else:
            assert status in {404, 422}, (at, text)
        for name in NAMES.values():
            plain = plain.replace("no" + name, name)
        assert text == plain, at
