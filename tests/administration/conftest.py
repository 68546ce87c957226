"""Alice administers Acme, carol audits it, bob is no staff; Zebra is another organization, with mallory, who administers it."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.contrib import admin
from django.db import models
from django.forms import CheckboxInput, Select
from django.test import Client
from django.urls import reverse

from directory.models import Organization, User
from tests.administration.worlds import PASSWORD, World, make_world
from tests.factories import make_person
from tests.remembered import Remembered


@pytest.fixture(autouse=True)
def _own_cache(settings: Any) -> None:
    settings.CACHES = {"default": settings.CACHES["default"] | {"KEY_PREFIX": uuid4().hex}}


def person(organization: Organization, name: str, *roles: str, **values: Any) -> User:
    return make_person(organization, name, name=name.capitalize(), password=PASSWORD, console_roles=roles, **values)


def _make_both() -> tuple[World, World, dict[str, User]]:
    acme, zebra = make_world("acme", "Acme"), make_world("zebra", "Zebra")
    people = {
        "alice": person(acme[Organization], "alice", "security_administrator"),
        "bob": person(acme[Organization], "bob", "approver"),
        "carol": person(acme[Organization], "carol", "auditor"),
        "mallory": person(zebra[Organization], "mallory", "security_administrator"),
    }
    return acme, zebra, people


_both = Remembered(_make_both)


@pytest.fixture
def both(db: None) -> tuple[World, World, dict[str, User]]:
    return _both()


@pytest.fixture
def acme(both: tuple[World, World, dict[str, User]]) -> World:
    return both[0]


@pytest.fixture
def zebra(both: tuple[World, World, dict[str, User]]) -> World:
    """Another organization; the word must not be seen by anybody of Acme."""
    return both[1]


@pytest.fixture
def people(both: tuple[World, World, dict[str, User]]) -> dict[str, User]:
    return both[2]


@pytest.fixture
def as_(people: dict[str, User]) -> Callable[[str], Client]:
    """Give a client that is signed in as one of the cast, or as nobody."""

    def client_of(name: str) -> Client:
        client = Client()
        if name != "anonymous":
            client.force_login(people[name])
        return client

    return client_of


def to(page: str, row: Any, *more: str) -> str:
    """Make the address of a page; ``row`` is a model or one of its rows."""
    options = row._meta
    args = () if isinstance(row, type) else (row.pk,)
    return reverse(f"admin:{options.app_label}_{options.model_name}_{page}", args=(*args, *more))


def registered() -> list[type[models.Model]]:
    return sorted(admin.site._registry, key=lambda model: model._meta.label)


def filled_in(form: Any, **changes: Any) -> dict[str, Any]:
    """Answer what a browser would send of a form as it is shown, with some fields filled in otherwise."""
    sent: dict[str, Any] = {}
    for bound in form:
        value, widget = bound.value(), bound.field.widget
        if isinstance(widget, CheckboxInput):
            shown: Any = "on" if value else None
        else:
            shown = widget.format_value(value)
            if isinstance(widget, Select) and not widget.allow_multiple_selected:
                shown = shown[0] if shown else None
        if shown is not None:
            sent[bound.html_name] = shown
    return sent | changes


def submit(client: Client, address: str, **changes: Any) -> Any:
    """Open a form and send it with some fields filled in; the reason is given."""
    page = client.get(address)
    assert page.status_code == 200, address
    form = page.context["adminform"].form if "adminform" in page.context else page.context["form"]
    return client.post(address, filled_in(form, **{"reason": "Because of it."} | changes))


def problems(answer: Any) -> str:
    """Say what is wrong with a form that came back."""
    form = answer.context["adminform"].form if "adminform" in answer.context else answer.context["form"]
    return str(form.errors)
