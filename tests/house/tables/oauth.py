"""What machines call at the authorization server: who a session belongs to is nothing to it, and a page's form is none."""

from typing import Final

from tests.house.tables.expected import Table

_PUBLIC: Final = ((200,) * 5, (405,) * 5)
_MACHINES: Final = ((405,) * 5, (400,) * 5)
_KNOWN: Final = ("oauth-authorization-server", "openid-configuration")

TABLE: Table = {
    **{f"oauth:{name}-bare": (f"/.well-known/{name}", *_PUBLIC) for name in _KNOWN},
    **{f"oauth:{name}": (f"/.well-known/{name}/o/acme", *_PUBLIC) for name in _KNOWN},
    "oauth:openid-configuration-appended": ("/o/acme/.well-known/openid-configuration", *_PUBLIC),
    "oauth:jwks-bare": ("/oauth/jwks", *_PUBLIC),
    "oauth:jwks": ("/o/acme/oauth/jwks", *_PUBLIC),
    **{f"oauth:{name}-bare": (f"/oauth/{name}", *_MACHINES) for name in ("token", "introspect", "revoke")},
    # Who registers a client shows an initial access token first.
    "oauth:register-bare": ("/oauth/register", (405,) * 5, (401,) * 5),
    "oauth:register": ("/o/acme/oauth/register", (405,) * 5, (401,) * 5),
    **{f"oauth:{name}": (f"/o/acme/oauth/{name}", *_MACHINES) for name in ("token", "introspect", "revoke")},
}
