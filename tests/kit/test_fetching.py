"""A document that somebody else names: from the public network, by https, small, soon, and nothing else."""

import http.server
import ipaddress
import json
import ssl
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from agentiam.kit import fetching
from agentiam.kit.fetching import Document, DocumentCache, Limits, NotFetched, fetch_json, is_public, parse_object

HERE = Limits(loopback_allowed=True, seconds=3)
GOOD = {"keys": [{"kty": "EC"}]}


class Answering(http.server.BaseHTTPRequestHandler):
    """Answers as the test says, and notes what it was asked."""

    def do_GET(self):
        self.server.asked.append((self.path, dict(self.headers)))
        self.server.answer(self)

    def log_message(self, *args):
        """Say nothing."""


def answer(body=None, *, status=200, kind="application/json", **headers):
    def write(handler):
        content = json.dumps(GOOD).encode() if body is None else body
        handler.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(content))}.items():
            handler.send_header(name, value)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(content)

    return write


@contextmanager
def serving(write, *, context=None):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    server.answer, server.asked, server.daemon_threads = write, [], True
    server.handle_error = lambda *args: None  # who breaks off is the one under test
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def reason_of(url, limits=HERE, **more):
    with pytest.raises(NotFetched) as refused:
        fetch_json(url, limits=limits, **more)
    return refused.value.reason


def at(server, path="/keys"):
    return f"http://127.0.0.1:{server.server_address[1]}{path}"


# --- where to -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "ftp://issuer.example/keys",
        "file:///etc/passwd",
        "issuer.example/keys",
        "https://",
        "https://user@issuer.example/keys",
        "https://user:word@issuer.example/keys",
        "https://issuer.example/keys#part",
        "https://issuer.example\\@127.0.0.1/",
        "https://issuer.example/a b",
        "https://issuer.example/\r\nX: y",
        "https://issuer.example:port/",
        "https://issuer.example:99999/",
        "https://issuer.example:0/",
        "https://[::1%25lo]/",
        "https://bücher.example/",
        "https://issuer.example/" + "a" * 2000,
    ],
)
def test_what_is_no_plain_https_address_is_not_even_looked_up(url, monkeypatch):
    asked = []
    monkeypatch.setattr(fetching, "resolve", lambda host, port: asked.append(host) or ["192.0.2.1"])
    assert reason_of(url) in {"the address is not a plain https URL", "there is no such port"}
    assert asked == []


def test_http_is_for_this_machine_alone_and_in_development_alone(monkeypatch):
    monkeypatch.setattr(fetching, "resolve", lambda host, port: ["127.0.0.1"])
    assert reason_of("http://issuer.example/", Limits()) == "the address is not https"
    monkeypatch.setattr(fetching, "resolve", lambda host, port: ["93.184.215.14"])
    assert reason_of("http://issuer.example/") == "the address is not https"


PRIVATE = [
    "0.0.0.0", "10.1.2.3", "100.64.0.1", "127.0.0.1", "169.254.169.254", "172.16.0.1", "192.168.1.1", "192.0.2.1",  # noqa: S104  (not bound)
    "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255",
    "::", "::1", "fe80::1", "fc00::1", "ff02::1", "2001:db8::1", "fec0::1",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:7f00:1::1",
    "2002:a00:1::1", "::7f00:1", "2001:0:4136:e378:8000:63bf:3fff:fdd2",
]  # fmt: skip


@pytest.mark.parametrize("text", PRIVATE)
def test_an_address_of_ones_own_network_is_refused_in_every_form(text, monkeypatch):
    assert not is_public(ipaddress.ip_address(text))
    monkeypatch.setattr(fetching, "resolve", lambda host, port: ["93.184.215.14", text])
    assert reason_of("https://issuer.example/", Limits()) == "the host is not in the public network"


@pytest.mark.parametrize(
    "text", ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "::ffff:93.184.215.14", "64:ff9b::5db8:d70e"]
)
def test_a_public_address_is_not(text):
    assert is_public(ipaddress.ip_address(text))


@pytest.mark.parametrize("text", ["10.1.2.3", "::ffff:10.1.2.3", "64:ff9b::a01:203"])
def test_the_operator_lets_documents_come_from_a_private_network(text):
    allowed = [ipaddress.ip_network("10.1.0.0/16")]
    assert is_public(ipaddress.ip_address(text), allowed_networks=allowed)
    assert not is_public(ipaddress.ip_address("10.2.0.1"), allowed_networks=allowed)


@pytest.mark.parametrize(
    "url", ["https://0x7f000001/", "https://2130706433/", "https://127.1/", "https://[::ffff:7f00:1]/", "https://localhost/"]
)
def test_this_machine_is_not_reached_under_another_spelling(url):
    assert reason_of(url, Limits()) in {"the host is not in the public network", "the host has no address"}


def test_the_name_is_looked_up_once_and_the_connection_goes_where_the_check_looked(monkeypatch):
    asked = []
    monkeypatch.setattr(fetching, "resolve", lambda host, port: asked.append(host) or ["127.0.0.1"])
    with serving(answer()) as server:
        port = server.server_address[1]
        assert fetch_json(f"http://issuer.example:{port}/a?b=c", limits=HERE).content == GOOD
    assert asked == ["issuer.example"]
    [(path, headers)] = server.asked
    assert (path, headers["Host"]) == ("/a?b=c", f"issuer.example:{port}")
    assert headers["Accept-Encoding"] == "identity"
    assert not {"Cookie", "Authorization"} & set(headers)


def test_no_proxy_is_taken_from_the_environment(monkeypatch):
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with serving(answer()) as server:
        assert fetch_json(at(server), limits=HERE).content == GOOD


# --- whose --------------------------------------------------------------------------------------------------------------------


def certificate(name, *, issuer=None, authority=False):
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    signer, signed_by = (subject, key) if issuer is None else (issuer[0].subject, issuer[1])
    start = datetime.now(UTC) - timedelta(minutes=5)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(signer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    )
    return builder.sign(signed_by, hashes.SHA256()), key


@pytest.fixture(scope="module")
def secure(tmp_path_factory):
    """Serve ``issuer.example`` by a certificate of our own authority; answers both sides' contexts."""
    authority = certificate("authority.example", authority=True)
    leaf, key = certificate("issuer.example", issuer=authority)
    folder = tmp_path_factory.mktemp("certificates")
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "leaf.pem").write_bytes(leaf.public_bytes(pem) + private)
    serves = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serves.load_cert_chain(folder / "leaf.pem")
    believes = ssl.create_default_context(cadata=authority[0].public_bytes(pem).decode())
    return serves, believes


def test_the_certificate_must_be_the_hosts_though_the_connection_is_to_an_address(secure, monkeypatch):
    serves, believes = secure
    named = []
    serves.sni_callback = lambda socket, name, context: named.append(name)
    monkeypatch.setattr(fetching, "resolve", lambda host, port: ["127.0.0.1"])
    limits = Limits(allowed_networks=[ipaddress.ip_network("127.0.0.0/8")], seconds=3)
    with serving(answer(), context=serves) as server:
        port = server.server_address[1]
        assert fetch_json(f"https://issuer.example:{port}/", limits=limits, context=believes).content == GOOD
        wrong = reason_of(f"https://other.example:{port}/", limits, context=believes)
        unknown = reason_of(f"https://issuer.example:{port}/", limits)
    assert (wrong, unknown) == ("the host's certificate is not believed",) * 2
    assert named[:2] == ["issuer.example", "other.example"]
    assert len(server.asked) == 1


# --- what ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["application/json", "Application/JSON; charset=utf-8", "application/jwk-set+json"])
def test_json_of_every_kind_is_taken(kind):
    with serving(answer(kind=kind, Cache_Control="public, max-age=300")) as server:
        assert fetch_json(at(server), limits=HERE) == Document(GOOD, 300)


@pytest.mark.parametrize(
    ("write", "reason"),
    [
        (answer(status=302, Location="http://127.0.0.1/"), "the answer was 302"),
        (answer(status=404), "the answer was 404"),
        (answer(status=206), "the answer was 206"),
        (answer(kind="text/html"), "the document is not JSON"),
        (answer(kind=""), "the document is not JSON"),
        (answer(Content_Encoding="gzip"), "the document is compressed"),
        (answer(b" " * 70_000), "the document is too long"),
        (answer(b"[]"), "the document is not a JSON object"),
        (answer(b"{"), "the document is not valid JSON"),
        (answer(b"\xff{}"), "the document is not valid JSON"),
        (answer(b'{"secret": NaN}'), "the document is not valid JSON"),
        (answer(b'{"a": 1, "a": 2}'), "the document is not valid JSON"),
        (answer(b'{"a":' * 17 + b"{}" + b"}" * 17), "the document is nested too deeply"),
        (answer(b'{"a":' + b"[" * 30_000 + b"]" * 30_000 + b"}"), "the document is not valid JSON"),
    ],
)
def test_anything_else_is_refused_and_never_repeated(write, reason):
    with serving(write) as server:
        assert reason_of(at(server)) == reason
    assert len(server.asked) == 1, "no redirect is followed"


def test_a_document_without_a_length_is_cut_off_where_it_is_too_long():
    sent = []

    def endless(handler):
        handler.send_response(200)
        handler.send_header("Content-Type", "application/json")
        handler.end_headers()
        for _ in range(10_000):
            handler.wfile.write(b" " * 10_000)
            sent.append(1)

    with serving(endless) as server:
        assert reason_of(at(server)) == "the document is too long"
    assert len(sent) < 10_000


@pytest.mark.parametrize("headers", [b"X-Long: ", b"Content-Type: application/json\r\n\r\n"])
def test_time_is_limited_over_everything_however_slowly_it_drips(headers):
    over = threading.Event()

    def drip(handler):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n" + headers)
        while not over.wait(0.05):
            handler.wfile.write(b"x")

    with serving(drip) as server:
        start = time.monotonic()
        assert reason_of(at(server), Limits(loopback_allowed=True, seconds=0.5)) == "it took too long"
        assert time.monotonic() - start < 2
        over.set()


def test_a_slow_name_server_keeps_nobody_waiting(monkeypatch):
    over = threading.Event()
    monkeypatch.setattr(fetching, "resolve", lambda host, port: over.wait(5) and [])
    start = time.monotonic()
    assert reason_of("https://issuer.example/", Limits(seconds=0.2)) == "it took too long"
    assert time.monotonic() - start < 2
    over.set()


def test_the_next_address_is_tried_when_one_does_not_answer(monkeypatch):
    monkeypatch.setattr(fetching, "resolve", lambda host, port: ["127.0.0.9", "127.0.0.1"])
    with serving(answer()) as server:
        assert fetch_json(at(server).replace("127.0.0.1", "issuer.example"), limits=HERE).content == GOOD
    assert reason_of(at(server)) == "the host does not answer as it should"


def test_a_document_nested_as_deeply_as_may_be_is_read():
    assert parse_object(b'{"a":' * 15 + b"{}" + b"}" * 15)


# --- how often ----------------------------------------------------------------------------------------------------------------


class Source:
    """Counts what is fetched; fails while ``failing``."""

    def __init__(self, max_age=None):
        self.fetched, self.failing, self.max_age = [], False, max_age

    def __call__(self, url):
        self.fetched.append(url)
        if self.failing:
            raise NotFetched("down")
        return Document({"n": len(self.fetched)}, self.max_age)


@pytest.mark.parametrize(("max_age", "lifetime"), [(None, 60), (0, 60), (300, 300), (10**9, 24 * 3600)])
def test_a_document_is_kept_as_long_as_its_sender_says_within_limits(max_age, lifetime):
    source = Source(max_age)
    cache = DocumentCache(source)
    assert [cache.get("u", now=now)["n"] for now in (1000, 1000 + lifetime - 1, 1000 + lifetime)] == [1, 1, 2]


def test_a_failure_is_remembered_for_a_while_and_a_document_that_is_over_is_not_given():
    source = Source()
    cache = DocumentCache(source)
    assert cache.get("u", now=0)["n"] == 1
    source.failing = True
    for now in (60, 65, 69):
        with pytest.raises(NotFetched, match="down"):
            cache.get("u", now=now)
    assert len(source.fetched) == 2
    source.failing = False
    assert cache.get("u", now=70)["n"] == 3


def test_a_document_is_fetched_anew_when_asked_for_but_not_more_often_than_may_be():
    source = Source(3600)
    cache = DocumentCache(source)
    cache.get("u", now=0)
    assert cache.get("u", now=29, refresh=True)["n"] == 1
    assert cache.get("u", now=30, refresh=True)["n"] == 2
    source.failing = True
    assert cache.get("u", now=61, refresh=True)["n"] == 2, "what is there holds"
    assert cache.get("u", now=62, refresh=True)["n"] == 2
    assert len(source.fetched) == 3


def test_so_many_documents_are_kept_and_no_more():
    source = Source(3600)
    cache = DocumentCache(source, entries=2)
    for url in ("a", "b", "a", "c", "a", "b"):
        cache.get(url, now=0)
    assert source.fetched == ["a", "b", "c", "b"]
    cache.clear()
    cache.get("a", now=0)
    assert source.fetched[-1] == "a"


def test_many_who_ask_at_once_fetch_it_once():
    source = Source()

    def slowly(url):
        time.sleep(0.05)
        return source(url)

    cache = DocumentCache(slowly)
    found = []
    threads = [threading.Thread(target=lambda: found.append(cache.get("u", now=5)["n"])) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (found, source.fetched) == ([1] * 8, ["u"])


def test_slow_documents_of_strangers_keep_nobody_from_those_who_are_trusted():
    release = threading.Event()

    def slow(handler):
        release.wait(10)
        answer()(handler)

    theirs = Limits(loopback_allowed=True, seconds=10, strangers=True)
    with serving(slow) as server, serving(answer()) as trusted:
        waiting = [threading.Thread(target=fetch_json, args=(at(server),), kwargs={"limits": theirs}) for _ in range(8)]
        try:
            for each in waiting:
                each.start()
            for _ in range(500):
                if len(server.asked) == 8:
                    break
                time.sleep(0.01)
            assert reason_of(at(server), theirs) == "too many documents are being fetched"
            assert fetch_json(at(trusted), limits=HERE).content == GOOD
        finally:
            release.set()
            for each in waiting:
                each.join()
