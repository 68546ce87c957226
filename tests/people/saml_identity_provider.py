"""A SAML identity provider for tests: it reads the product's requests and signs answers with a key of its own."""

import base64
import zlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit
from uuid import uuid4

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from django.test import Client
from onelogin.saml2.utils import OneLogin_Saml2_Utils
from onelogin.saml2.xml_utils import OneLogin_Saml2_XML

ENTITY = "https://idp.example/saml"
SIGN_ON = "https://idp.example/sso"
HERE = "http://127.0.0.1:8000/login/saml/acme"
_NAMES = (
    'xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" '
    'xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
)
_EMAIL = "urn:oid:0.9.2342.19200300.100.1.3"


@dataclass(frozen=True, kw_only=True)
class Said:
    """What an assertion says."""

    request: str
    email: str = "dave@acme.example"
    subject: str = "d-1"
    audience: str = f"{HERE}/metadata/"
    recipient: str = f"{HERE}/acs/"
    issuer: str = ENTITY
    starts: timedelta = timedelta(minutes=-1)
    ends: timedelta = timedelta(minutes=5)
    names_request: bool = True
    has_end: bool = True
    number: str = ""

    def assertion(self) -> str:
        """Write it, unsigned."""
        now = datetime.now(UTC)
        starts, ends = _instant(now + self.starts), _instant(now + self.ends)
        request = f'InResponseTo="{self.request}"' if self.names_request else ""
        end = f'NotOnOrAfter="{ends}"' if self.has_end else ""
        return (
            f'<saml:Assertion {_NAMES} ID="{self.number or _id()}" Version="2.0" IssueInstant="{_instant(now)}">'
            f"<saml:Issuer>{self.issuer}</saml:Issuer>"
            '<saml:Subject><saml:NameID Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent">'
            f"{self.subject}</saml:NameID>"
            '<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer">'
            f'<saml:SubjectConfirmationData {request} Recipient="{self.recipient}" {end}/>'
            "</saml:SubjectConfirmation></saml:Subject>"
            f'<saml:Conditions NotBefore="{starts}" NotOnOrAfter="{ends}"><saml:AudienceRestriction>'
            f"<saml:Audience>{self.audience}</saml:Audience></saml:AudienceRestriction></saml:Conditions>"
            f'<saml:AuthnStatement AuthnInstant="{_instant(now)}" SessionIndex="{_id()}"><saml:AuthnContext>'
            "<saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:Password</saml:AuthnContextClassRef>"
            "</saml:AuthnContext></saml:AuthnStatement>"
            f'<saml:AttributeStatement><saml:Attribute Name="{_EMAIL}">'
            f'<saml:AttributeValue xsi:type="xs:string">{self.email}</saml:AttributeValue>'
            "</saml:Attribute></saml:AttributeStatement></saml:Assertion>"
        )


class SamlProvider:
    """A provider with a key pair; ``settings`` is what the product is told of it."""

    def __init__(self) -> None:
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "idp.example")])
        now = datetime.now(UTC)
        made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(self._key.public_key())
        made = made.serial_number(1).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        self.certificate = made.sign(self._key, SHA256()).public_bytes(Encoding.PEM).decode()
        self._pem = self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()

    @property
    def settings(self) -> dict[str, Any]:
        """Say what the operator writes into AGENTIAM_SAML_PROVIDERS."""
        urls = {"entity_id": ENTITY, "sso_url": SIGN_ON, "slo_url": "https://idp.example/slo"}
        return {"idp": {**urls, "x509cert": self.certificate}}

    def sign(self, xml: str) -> str:
        """Sign an element by its id (XML Signature)."""
        signed = OneLogin_Saml2_Utils.add_sign(xml, self._pem, self.certificate)
        return signed.decode() if isinstance(signed, bytes) else str(signed)

    def answer(self, said: Said, *, request: str | None = None, sign: str = "assertion") -> str:
        """Answer a request: with the assertion signed, or the whole response, or nothing."""
        assertion = self.sign(said.assertion()) if sign == "assertion" else said.assertion()
        whole = response_around(assertion, request=said.request if request is None else request, recipient=said.recipient)
        return self.sign(whole) if sign == "response" else whole

    def sign_out(self, *, signed: bool) -> str:
        """Write the link by which the provider ends a session (HTTP redirect binding)."""
        xml = (
            '<samlp:LogoutRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" '
            f'xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="{_id()}" Version="2.0" '
            f'IssueInstant="{_instant(datetime.now(UTC))}" Destination="{HERE}/sls/">'
            f"<saml:Issuer>{ENTITY}</saml:Issuer><saml:NameID>d-1</saml:NameID></samlp:LogoutRequest>"
        )
        deflated = zlib.compress(xml.encode())[2:-4]
        query = urlencode({"SAMLRequest": base64.b64encode(deflated).decode()})
        if signed:
            query += "&SigAlg=" + quote("http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", safe="")
            query += "&Signature=" + quote(
                base64.b64encode(self._key.sign(query.encode(), padding.PKCS1v15(), SHA256())), safe=""
            )
        return f"/login/saml/acme/sls/?{query}"


def response_around(assertion: str, *, request: str, recipient: str = f"{HERE}/acs/") -> str:
    """Write a response around an assertion: anybody can."""
    answers = f'InResponseTo="{request}"' if request else ""
    return (
        f'<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" {_NAMES} ID="{_id()}" Version="2.0" '
        f'IssueInstant="{_instant(datetime.now(UTC))}" Destination="{recipient}" {answers}>'
        f"<saml:Issuer>{ENTITY}</saml:Issuer>"
        '<samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></samlp:Status>'
        f"{assertion}</samlp:Response>"
    )


def begin(client: Client, provider: str = "acme-saml", **form: str) -> Said:
    """Go to the provider as a browser does; answers a good assertion's content for the request that was made."""
    page = client.post(f"/login/provider/{provider}/", form)
    assert page.status_code == 200, page.headers
    target = page.context["target"]
    assert target.startswith(SIGN_ON)
    packed = parse_qs(urlsplit(target).query)["SAMLRequest"][0]
    asked = OneLogin_Saml2_XML.to_etree(zlib.decompress(base64.b64decode(packed), -15))
    here = asked.attrib["AssertionConsumerServiceURL"]
    return Said(request=asked.attrib["ID"], recipient=here, audience=here.replace("/acs/", "/metadata/"))


def send(client: Client, response: str, *, to: str = "acme") -> Any:
    """Bring a response back, as the browser posts it from the provider's page, and follow to where it is looked at."""
    answer = client.post(f"/login/saml/{to}/acs/", {"SAMLResponse": base64.b64encode(response.encode()).decode()})
    assert answer.status_code == 302, answer.status_code
    return client.get(answer.headers["Location"])


def changed(said: Said, **values: Any) -> Said:
    """Say something else."""
    return replace(said, **values)


def _id() -> str:
    return f"_{uuid4().hex}"


def _instant(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
