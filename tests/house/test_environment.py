from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agentiam.environment import Environment, Unreadable, bytes_from, peppers_from, signing_key_from

SECRET = "hunter2-hunter2"


def reading(**values: str) -> Environment:
    return Environment(values)


@pytest.mark.parametrize(
    ("value", "expected"), [("true", True), ("1", True), ("YES", True), ("off", False), ("0", False), ("", False)]
)
def test_a_flag_is_read(value: str, expected: bool) -> None:
    assert reading(X=value).flag("X") is expected


@pytest.mark.parametrize(
    ("read", "value", "form"),
    [
        (lambda e: e.flag("X"), SECRET, "true nor false"),
        (lambda e: e.choice("X", ["a", "b"], default="a"), SECRET, "a, b"),
        (lambda e: e.origin("X", default=""), SECRET, "https://iam.example.com"),
        (lambda e: e.origin("X", default=""), f"https://me:{SECRET}@host", "https://iam.example.com"),
        (lambda e: e.origin("X", default=""), f"https://host/{SECRET}", "https://iam.example.com"),
        (lambda e: e.origin("X", default=""), f"ftp://{SECRET}", "https://iam.example.com"),
        (lambda e: e.origin("X", default=""), f"http://host:{SECRET}", "https://iam.example.com"),
        (lambda e: e.hosts("X"), f"a b,{SECRET}", "host names"),
        (lambda e: e.hosts("X"), "*", "host names"),
        (lambda e: e.hosts("X"), f"https://{SECRET}", "host names"),
        (lambda e: e.database("X", default=""), SECRET, "postgres://"),
        (lambda e: e.database("X", default=""), f"mysql://me:{SECRET}@host/db", "postgres://"),
        (lambda e: e.database("X", default=""), f"postgres://me:{SECRET}@host:port/db", "postgres://"),
        (lambda e: e.redis("X"), f"http://:{SECRET}@host", "redis://"),
        (lambda e: e.number("X", default=1, least=1), SECRET, "from 1 to"),
        (lambda e: e.number("X", default=1, least=7), "6", "from 7 to"),
        (lambda e: e.number("X", default=1, least=1, most=8), "9", "from 1 to 8"),
        (lambda e: e.number("X", default=1, least=1), "9" * 30, "from 1 to"),
        (lambda e: e.mail("X", default=""), SECRET, "smtp+tls://"),
        (lambda e: e.mail("X", default=""), f"http://me:{SECRET}@host", "smtp+tls://"),
        (lambda e: e.mail("X", default=""), f"smtp://me:{SECRET}@", "smtp+tls://"),
        (lambda e: e.mail("X", default=""), f"smtp://me:{SECRET}@host:port", "smtp+tls://"),
        (lambda e: e.mail("X", default=""), f"smtp://host/{SECRET}", "smtp+tls://"),
        (lambda e: e.mail("X", default=""), "file://host/path", "smtp+tls://"),
        (lambda e: e.mail("X", default=""), "file:?path", "smtp+tls://"),
        (lambda e: bytes_from("X", e.secret("X")), f"{SECRET}!", "base64"),
        (lambda e: peppers_from("X", e.secret("X")), SECRET, "1:BASE64"),
        (lambda e: peppers_from("X", e.secret("X")), "1:aGk=,1:aGk=", "differently numbered"),
        (lambda e: signing_key_from("X", e.secret("X")), "aHVudGVyMg==", "32 bytes"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_form_and_never_repeated(
    read: Callable[[Environment], Any], value: str, form: str
) -> None:
    with pytest.raises(Unreadable) as caught:
        read(reading(X=value))
    text = str(caught.value)
    assert text.startswith("X ")
    assert form in text
    assert SECRET not in text
    assert value not in text.removeprefix("X ")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("smtp+tls://me%40acme:p%2Fw@mail.example.com", ("smtp", "mail.example.com", 587, "me@acme", "p/w", True, False, None)),
        ("smtp+ssl://mail.example.com", ("smtp", "mail.example.com", 465, "", "", False, True, None)),
        ("smtp://127.0.0.1:1025", ("smtp", "127.0.0.1", 1025, "", "", False, False, None)),
        ("file:///var/mail%20out", ("filebased", "", 0, "", "", False, False, "/var/mail out")),
        ("console:", ("console", "", 0, "", "", False, False, None)),
    ],
)
def test_where_mail_goes_is_read(value: str, expected: tuple[Any, ...]) -> None:
    backend, *rest = reading(X=value).mail("X", default="").values()
    assert (backend.split(".")[-2], *rest) == expected


@pytest.mark.parametrize("value", ["https://iam.example.com", "http://127.0.0.1:8000", "https://[2001:db8::1]:8443"])
def test_an_origin_is_read_without_a_trailing_slash(value: str) -> None:
    assert reading(X=value + "/").origin("X", default="") == value


def test_a_secret_comes_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text(f"{SECRET}\n")
    environment = reading(X_FILE=str(path))
    assert environment.secret("X") == SECRET
    assert environment.files == [path]


def test_a_secret_from_two_places_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="X and X_FILE are both set"):
        reading(X=SECRET, X_FILE=str(tmp_path)).secret("X")


@pytest.mark.parametrize("name", ["missing", "."])
def test_a_secret_file_that_cannot_be_read_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(Unreadable, match="X_FILE names a file that cannot be read"):
        reading(X_FILE=str(tmp_path / name)).secret("X")


def test_an_empty_secret_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    with pytest.raises(Unreadable, match="X_FILE names an empty file"):
        reading(X_FILE=str(tmp_path / "empty")).secret("X")


def test_an_empty_variable_counts_as_unset() -> None:
    assert reading(X=" ").text("X", default="default") == "default"


def test_databases_are_read() -> None:
    environment = reading(A="postgres://me:word@host:5432/name?sslmode=require", B="sqlite:////data/file.sqlite3")
    postgres, sqlite = environment.database("A", default=""), environment.database("B", default="")
    assert (postgres["ENGINE"], postgres["NAME"]) == ("django.db.backends.postgresql", "name")
    assert postgres["OPTIONS"] == {"sslmode": "require"}
    assert (sqlite["ENGINE"], sqlite["NAME"]) == ("django.db.backends.sqlite3", "/data/file.sqlite3")


def test_peppers_are_read_in_both_alphabets() -> None:
    assert peppers_from("X", "1:__8=, 12:+/8") == {1: b"\xff\xff", 12: b"\xfb\xff"}


def test_misspelt_names_are_found() -> None:
    environment = reading(AGENTIAM_DEBUG="1", AGENTIAM_BASEURL="x", OTHER="y")
    environment.flag("AGENTIAM_DEBUG")
    assert environment.unknown("AGENTIAM_") == ["AGENTIAM_BASEURL"]
