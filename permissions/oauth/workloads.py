"""A workload that another issuer vouches for: which agent it is, by what was registered before (RFC 7523; SPIFFE JWT-SVID).

Its token is its issuer's: a cluster gives one to a workload for an hour, which shows it as often as it likes. So it is not good
once, as an assertion of an agent's own is, and whoever has it is the workload until it ends.
"""

from directory.models import Credential
from permissions.oauth.errors import not_the_client
from permissions.oauth.federation import NotVerified, workload_credentials
from permissions.oauth.parameters import Asking


def workload_credential(asking: Asking, text: str, named: str) -> Credential:
    """Find the one credential that a trusted issuer's word stands for, of the client that is named; raises OAuthError."""
    try:
        found, _ = workload_credentials(
            text, organization=asking.issuer.organization, audiences=asking.issuer.names, now=asking.now
        )
    except NotVerified as error:
        raise not_the_client(f"the workload's token: {error}") from None
    rows = [row for row in found if named in ("", row.agent.external_id)]
    if len(rows) != 1:
        raise not_the_client("the workload is several agents', or another's")
    return rows[0]
