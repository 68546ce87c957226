"""One served copy, in two processes, for the tests of the decision endpoints."""

from collections.abc import Iterator

import pytest

from tests.access import worlds
from tests.access.asking import Asking
from tests.serving import Served, served


@pytest.fixture(scope="session")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Serve two organizations from two processes; tests that change something make a third organization of their own."""
    with served(tmp_path_factory.mktemp("access"), workers=2) as copy:
        copy.apply(worlds.ACME)
        copy.apply(worlds.OTHER)
        yield copy


@pytest.fixture
def ask(product: Served) -> Asking:
    """Ask as acme's CRM."""
    return Asking(product, product.keys["acme:application/crm"])


_fresh = iter(range(1_000))


@pytest.fixture
def fresh(product: Served) -> Asking:
    """Ask in an organization that no other test sees, like acme."""
    slug = f"fresh{next(_fresh)}"
    product.apply(worlds.ACME.replace("slug: acme", f"slug: {slug}").replace("trust_domain: acme", f"trust_domain: {slug}"))
    return Asking(product, product.keys[f"{slug}:application/crm"], slug=slug)
