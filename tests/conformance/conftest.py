"""The public scenarios run against one served copy of the product."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance import worlds
from tests.serving import Served, served

CASES = Path(__file__).resolve().parents[3] / "shared" / "conformance" / "authzen"


@pytest.fixture(scope="session")
def cases() -> Path:
    """Give the folder with the cases as their authors published them; they are not part of this repository."""
    if not CASES.is_dir():
        reason = f"the public cases are not at {CASES}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return CASES


@pytest.fixture(scope="session")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Serve the product with the three scenarios loaded, each into an organization of its own."""
    with served(tmp_path_factory.mktemp("conformance")) as copy:
        for manifest in (worlds.CERTIFICATION, worlds.TODO, worlds.GATEWAY):
            copy.apply(manifest)
        yield copy
