"""An agent as an OAuth client, in the admin: on the agent's page, where people's browsers are sent back to."""

from typing import Any

from django import forms

from agentiam.kit.administration.forms import LinesField, OperationForm
from agentiam.kit.administration.operations import Operation, offer
from directory.lifecycle import State
from directory.models import Agent
from permissions.models import OAuthClient
from permissions.services.oauth_clients import NotAClient, remove_oauth_client, set_oauth_client


class OAuthClientForm(OperationForm):
    """Where browsers are sent back to, and whether the client has a secret."""

    redirect_uris = LinesField(
        required=True,
        label="Redirect URIs",
        help_text="One a line: https, http on 127.0.0.1 or [::1] at any port, or an app's scheme: com.example.app:/callback.",
    )
    public = forms.BooleanField(required=False, help_text="Has no secret; gets tokens only by a code, with PKCE.")


def _client(agent: Agent) -> OAuthClient | None:
    return OAuthClient.objects.filter(agent=agent).first()


def _present(agent: Agent) -> dict[str, Any]:
    row = _client(agent)
    return {} if row is None else {"redirect_uris": row.redirect_uris, "public": row.public}


def _remove(agent: Agent, act: Any) -> None:
    row = _client(agent)
    if row is None:
        raise NotAClient(f"{agent} is no OAuth client.")
    remove_oauth_client(client=row, **act)


offer(
    Agent,
    Operation(
        name="redirect-uris",
        label="Redirect URIs",
        effect="The agent may ask people for their consent, and their browsers are sent back to these addresses only.",
        right="manage_agent",
        form=OAuthClientForm,
        initial=_present,
        perform=lambda row, values, act: set_oauth_client(agent=row, **values, **act),
        possible=lambda row: row.state != State.RETIRED,
        many=False,
    ),
    Operation(
        name="no-client",
        label="Ask people no more",
        effect="The agent is no OAuth client any more, and what people agreed to ends.",
        right="manage_agent",
        perform=lambda row, _, act: _remove(row, act),
        possible=lambda row: _client(row) is not None,
        many=False,
        drastic=True,
    ),
)
