"""Who gets what under which address: every address of the product is here, or this test fails."""

import importlib
import pkgutil
from collections.abc import Callable, Iterator

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from tests.house import tables
from tests.house.tables.expected import WAYS, WHO, Table

MODULES = [
    importlib.import_module(f"{tables.__name__}.{module.name}")
    for module in pkgutil.iter_modules(tables.__path__)
    if module.name != "expected"
]
TABLE: Table = {name: row for module in MODULES for name, row in module.TABLE.items()}
# Addresses of which there are hundreds alike: a part may list them, and ask for them in a test of its own.
ELSEWHERE = [name for module in MODULES for name in getattr(module, "ELSEWHERE", ())]


def names(patterns: list[URLPattern | URLResolver], prefix: str = "") -> Iterator[str]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from names(pattern.url_patterns, f"{prefix}{pattern.namespace}:" if pattern.namespace else prefix)
        else:
            yield f"{prefix}{pattern.name}"


def test_every_address_is_in_the_table() -> None:
    assert sorted(names(get_resolver().url_patterns)) == sorted([*TABLE, *ELSEWHERE])


@pytest.fixture(autouse=True)
def _writer_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The writer has a connection of its own, which does not see what a test has not committed."""
    monkeypatch.setattr("agentiam.health._audit_writer", lambda: None)


@pytest.mark.parametrize("who", WHO)
@pytest.mark.parametrize("name", TABLE)
def test_everybody_gets_what_the_table_says(as_: Callable[[str], Client], name: str, who: str) -> None:
    path, get, post = TABLE[name]
    for method, row in (("get", get), ("post", post)):
        # Each by a session of its own: what one way did is no part of the other.
        answer = getattr(as_(who), method)(path)
        expected = row[WHO.index(who)]
        if isinstance(expected, int):
            assert answer.status_code == expected, method
        else:
            assert answer.status_code == 302, method
            assert answer.headers["Location"].partition("?")[0] == WAYS[expected], method
