import hashlib
import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from agentiam.kit.ids import uuid7
from audit import chain, encoding
from audit.encoding import Draft, Head, Unencodable, append, encode

EXACT = 2**53 - 1
text = st.text(st.characters(exclude_categories=["Cs"]))
numbers = st.integers(-EXACT, EXACT) | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | numbers | text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
    max_leaves=20,
)
objects = st.dictionaries(text, values, max_size=6)


@given(objects)
@settings(max_examples=300, deadline=None)
def test_the_fast_path_writes_what_rfc_8785_says(value):
    assert encode(value) == rfc8785.dumps(value)


@given(objects)
@settings(max_examples=300, deadline=None)
def test_the_reader_takes_canonical_bytes(value):
    stored = rfc8785.dumps(value)
    for parse in (chain.parse_canonical, encoding.parse):
        assert rfc8785.dumps(_exact(parse(stored))) == stored


def _exact(value):
    if isinstance(value, dict):
        return {key: _exact(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_exact(item) for item in value]
    return value


@given(objects)
@settings(max_examples=200, deadline=None)
def test_the_reader_refuses_every_other_spelling(value):
    for stored in (
        json.dumps(value).encode(),
        json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False).encode(),
    ):
        for parse in (chain.parse_canonical, encoding.parse):
            if stored == rfc8785.dumps(value):
                parse(stored)
            else:
                with pytest.raises(chain.NotCanonical):
                    parse(stored)


@pytest.mark.parametrize(
    "number", [0.0, -0.0, 1.0, 1e-7, 1e-6, 9.9e-5, 1e-4, 1e15, 1e16, 1e20, 1e21, 1e22, 5e-324, 1.5, 0.1, -2.5e-5, 2.0**53]
)
def test_floats_at_the_borders_are_written_as_rfc_8785_says(number):
    stored = encode({"x": number})
    assert stored == rfc8785.dumps({"x": number})
    chain.parse_canonical(stored)


@pytest.mark.parametrize("number", [EXACT + 1, -EXACT - 1, 2**64, 10**40])
def test_an_integer_beyond_a_double_becomes_text(number):
    assert encode({"x": number}) == f'{{"x":"{number}"}}'.encode()


def test_keys_beyond_the_basic_plane_are_sorted_by_utf_16():
    value = {"\ufb33": 1, "\U0001f600": 2}
    assert encode(value) == rfc8785.dumps(value)
    assert chain.parse_canonical(encode(value)) == value


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        float("inf"),
        UUID(int=1),
        datetime.now(UTC),
        Decimal(1),
        b"x",
        {1, 2},
        object(),
        {1: "a"},
        "\ud800",
        msgspec.Raw(b'{"b":1,"a":2}'),
        msgspec.Struct,
    ],
)
def test_what_is_not_json_is_refused(value):
    for data in ({"x": value}, {"x": [{"y": value}]}):
        with pytest.raises(Unencodable):
            encode(data)


def test_deep_nesting_is_refused_before_a_reader_fails_on_it():
    for leaf in (1, 1.0, UUID(int=1)):
        value: Any = leaf
        for _ in range(200):
            value = [value]
        with pytest.raises(Unencodable):
            encode({"x": value})


def test_a_cycle_is_refused():
    data: dict[str, Any] = {}
    data["self"] = data
    with pytest.raises(Unencodable):
        encode(data)


@pytest.mark.parametrize(
    "stored",
    [b"", b"{", b"[]", b"null", b'{"a":1,"a":2}', b'{"a":NaN}', b'{"a":Infinity}', b'{"a":-0}', b'{"a":1e2}',
     b'{"a":9007199254740993}',
     b'{"a": 1}', b'{"b":1,"a":2}', b'{"a":"\\u0041"}', b'{"a":"\xff"}', b'{"a":"\\ud800"}',
     b"[" * 100_000, b'{"a":' * 100_000],
)  # fmt: skip
def test_bytes_that_are_not_a_canonical_object_are_refused(stored):
    for parse in (chain.parse_canonical, encoding.parse):
        with pytest.raises(chain.NotCanonical):
            parse(stored)


def _head():
    chain_id, organization = uuid7(), uuid7()
    return Head(
        chain_id=chain_id,
        organization_id=organization,
        chain=str(chain_id),
        organization=str(organization),
        sequence=0,
        hash=chain.GENESIS,
    )


def _draft(**changes):
    members = {
        "organization_id": uuid7(),
        "id": uuid7(),
        "type": "access.decided",
        "at": datetime(2026, 11, 23, 9, 0, tzinfo=UTC),
        "actor": {"kind": "agent", "id": "a", "label": "A", "address": ""},
    }
    return Draft(**{**members, **changes})


def test_a_record_is_canonical_and_names_the_hash_before_it():
    head = _head()
    first, second = append(head, _draft(data={"x": 1})), append(head, _draft(data={"x": 1.0, "😀": 2}))
    for row in (first, second):
        assert rfc8785.dumps(json.loads(row[15])) == row[15].encode()
        assert hashlib.sha256(row[15].encode()).hexdigest() == row[16]
    assert json.loads(first[15])["previous"] == chain.GENESIS
    assert json.loads(second[15])["previous"] == first[16]
    assert (head.sequence, head.hash) == (2, second[16])


def test_a_record_has_exactly_its_members():
    body = json.loads(append(_head(), _draft())[15])
    assert set(body) == {
        "v", "id", "at", "organization", "chain", "sequence", "previous", "type", "actor", "target",
        "reason", "request_id", "effect", "data"
    }  # fmt: skip
    assert body["at"] == "2026-11-23T09:00:00.000000Z"


@pytest.mark.parametrize(
    "changes",
    [
        {"data": {"x": UUID(int=1)}},
        {"reason": "nul \0 byte"},
        {"actor": {"kind": "agent"}},
        {"at": datetime(2026, 1, 1)},  # noqa: DTZ001
        {"reason": 7},
    ],
)
def test_a_record_that_cannot_be_stored_leaves_the_head_where_it_was(changes):
    head = _head()
    with pytest.raises((Unencodable, KeyError, ValueError, TypeError)):
        append(head, _draft(**changes))
    assert (head.sequence, head.hash) == (0, chain.GENESIS)


def test_a_nul_in_the_data_or_an_escaped_backslash_is_no_problem():
    append(_head(), _draft(data={"x": "\0"}, reason="a backslash: \\u0000"))


def test_instants_are_in_utc_with_microseconds():
    moment = datetime(2026, 11, 23, 12, 0, 0, 5, tzinfo=timezone(timedelta(hours=3)))
    assert chain.instant(moment) == "2026-11-23T09:00:00.000005Z"


def test_the_key_id_is_the_thumbprint_of_rfc_8037():
    key = chain.PublicKey.from_jwk({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})
    assert key.id == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def test_a_signer_does_not_show_its_seed():
    signer = chain.Signer(b"s" * 32)
    assert "ssss" not in repr(signer)
    assert encoding.encode({"k": signer.public.id}).decode() in f'{{"k":"{signer.public.id}"}}'
