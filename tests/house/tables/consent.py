"""Asking people for their consent, and what acts for them."""

from tests.house.tables.expected import LOGIN, Table

_PK = "00000000-0000-7000-8000-000000000000"

TABLE: Table = {
    # Nobody is asked anything without a client that is known; a form that was not shown begins anew.
    "oauth:authorize-bare": ("/oauth/authorize", (400,) * 5, (400,) * 5),
    "oauth:authorize": ("/o/acme/oauth/authorize", (400,) * 5, (400,) * 5),
    "permissions:connected-agents-page": ("/me/agents/", (200, 200, 200, 200, LOGIN), (405, 405, 405, 405, LOGIN)),
    "permissions:end-authorization": (
        f"/me/agents/authorizations/{_PK}/end/",
        (405, 405, 405, 405, LOGIN),
        (404, 404, 404, 404, LOGIN),
    ),
    "permissions:end-consent": (f"/me/agents/consents/{_PK}/end/", (405, 405, 405, 405, LOGIN), (404, 404, 404, 404, LOGIN)),
}
