"""Keys: found by scanners, told from typing errors without a look into the database, stored as digests."""

import pytest

from agentiam.kit.tokens import PREFIXES, MalformedToken, Peppers, Token, make_token, split_token


def test_a_key_comes_apart_as_it_was_made():
    for prefix in PREFIXES.values():
        token = make_token(prefix)
        assert split_token(token.text) == token
        assert len(token.text) == len(prefix) + 1 + 16 + 1 + 43 + 6


def test_the_secret_is_in_no_repr():
    token = make_token("aia")
    assert token.secret not in repr(token)
    assert b"pepper".hex() not in repr(Peppers({1: b"pepper"}))
    assert "pepper'" not in repr(Peppers({1: b"pepper"}))


@pytest.mark.parametrize("text", ["", "x", "aia_x_y", "sk_" + "0" * 16 + "_" + "0" * 49, "aia_" + "ä" * 16 + "_" + "0" * 49])
def test_what_is_no_key_is_refused_without_repeating_it(text):
    with pytest.raises(MalformedToken) as refused:
        split_token(text)
    assert not text or text not in str(refused.value)


def test_every_single_typing_error_is_noticed():
    text = make_token("aip").text
    for position in range(4, len(text)):
        if text[position] == "_":
            continue
        wrong = text[:position] + ("0" if text[position] != "0" else "1") + text[position + 1 :]
        with pytest.raises(MalformedToken):
            split_token(wrong)


def test_a_digest_matches_its_secret_and_pepper_only():
    peppers = Peppers({1: b"old" * 16, 2: b"new" * 16})
    assert peppers.current == 2
    digest = peppers.digest("secret", 1)
    assert peppers.matches("secret", digest, 1)
    assert not peppers.matches("secret", digest, 2)
    assert not peppers.matches("Secret", digest, 1)
    assert not peppers.matches("secret", digest, 3)


def test_a_right_checksum_makes_no_key_of_other_characters():
    public_id, secret = "0" * 15 + "\0", "0" * 43
    with pytest.raises(MalformedToken):
        split_token(Token("aia", public_id, secret).text)
