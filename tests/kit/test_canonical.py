"""One byte string for one value (RFC 8785)."""

import pytest

from agentiam.kit.canonical import MAX_EXACT_INTEGER, canonical_bytes, fingerprint


def test_the_example_of_the_standard():
    value = {"numbers": [333333333.33333329, 1e30, 4.50, 2e-3, 0.000000000000000000000000001], "literals": [None, True, False]}
    expected = b'{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27]}'
    assert canonical_bytes(value) == expected


def test_order_of_members_makes_no_difference():
    assert fingerprint({"a": 1, "b": [{"c": 2, "d": 3}]}) == fingerprint({"b": [{"d": 3, "c": 2}], "a": 1})


def test_integers_that_a_double_cannot_hold_become_text():
    assert canonical_bytes([MAX_EXACT_INTEGER, MAX_EXACT_INTEGER + 1]) == b'[9007199254740991,"9007199254740992"]'


def test_what_is_no_json_is_refused():
    for value in (object(), {1, 2}, b"x"):
        with pytest.raises(TypeError):
            canonical_bytes(value)
