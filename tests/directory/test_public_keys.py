"""What may stand beside the numbers of a public key."""

from typing import Any

import pytest
from joserfc.jwk import ECKey

from directory.services.proofs import BadPublicKey, check_public_jwk

KEY: dict[str, Any] = dict(ECKey.generate_key("P-256").as_dict(private=False))
KEY = {name: KEY[name] for name in ("kty", "crv", "x", "y")}


@pytest.mark.parametrize("more", [{}, {"kid": "k-1", "alg": "ES256"}, {"key_ops": ["verify"]}, {"use": "sig"}])
def test_names_and_uses_that_can_be_meant(more: dict[str, Any]) -> None:
    assert check_public_jwk(KEY | more) == KEY | more


NAMES: tuple[Any, ...] = ([], {}, 5, 10**100, None, "x" * 201)
USES: tuple[Any, ...] = (7, "verify", [], ["encrypt"], ["verify", {}])
ODD = [(name, value) for name, values in (("alg", NAMES), ("kid", NAMES), ("key_ops", USES)) for value in values]


@pytest.mark.parametrize(("name", "value"), ODD)
def test_names_and_uses_that_cannot(name: str, value: Any) -> None:
    with pytest.raises(BadPublicKey):
        check_public_jwk(KEY | {name: value})
