"""What is issued to agents, in the admin: seen without a text, a digest or a private key, and ended; nobody adds any here."""

from django import forms
from django.contrib import admin
from django.utils import timezone

from agentiam.kit.administration.editing import OperableAdmin
from agentiam.kit.administration.forms import OperationForm
from agentiam.kit.administration.operations import Operation, offer
from agentiam.kit.administration.records import RecordAdmin
from directory.models import Agent
from permissions.models import AccessToken, Authorization, AuthorizationCode, OAuthClient, RefreshToken, TokenKey, UsedProof
from permissions.oauth.authorizations import revoke_token, revoke_tokens_of
from permissions.oauth.keys import rotate_keys, withdraw_key
from permissions.services.connections import withdraw_authorization


@admin.register(TokenKey)
class TokenKeyAdmin(OperableAdmin):
    """Keys that tokens are signed with: their public halves."""

    list_display = ("kid", "algorithm", "signs_from", "signs_until", "shown_until")
    list_filter = ("algorithm",)
    searched = {"pk": "exact", "kid": "exact"}
    search_help_text = "The id or the key id, whole."


@admin.register(OAuthClient)
class OAuthClientAdmin(RecordAdmin):
    """Agents that ask people for their consent; they are changed on the agent's page."""

    list_display = ("agent", "public", "source", "document_url", "created_at")
    listed_with = ("agent",)
    list_filter = ("source", "public")
    searched = {"pk": "exact", "agent__external_id": "exact", "document_url": "exact"}
    search_help_text = "The id, the external id of the agent or the URL of its document, whole."


@admin.register(Authorization)
class AuthorizationAdmin(OperableAdmin):
    """What people agreed to on the consent page."""

    list_display = ("user", "agent", "audience", "created_at", "ends_at", "ended_at")
    listed_with = ("user", "agent")
    searched = {"pk": "exact", "agent__external_id": "exact", "user__external_id": "exact", "audience": "exact"}
    search_help_text = "The id, the external id of the agent or the person, or the audience, whole."


@admin.register(AuthorizationCode)
class AuthorizationCodeAdmin(RecordAdmin):
    """Codes that browsers carry to clients; good once, and for a minute."""

    through = "authorization"
    list_display = ("public_id", "authorization", "redirect_uri", "expires_at", "used_at")
    listed_with = ("authorization__user", "authorization__agent")


@admin.register(RefreshToken)
class RefreshTokenAdmin(RecordAdmin):
    """Refresh tokens; they end with their authorization."""

    through = "authorization"
    list_display = ("public_id", "authorization", "issued_at", "expires_at", "used_at")
    listed_with = ("authorization__user", "authorization__agent")


@admin.register(AccessToken)
class AccessTokenAdmin(OperableAdmin):
    """Access tokens: who acts, for whom, where, for what."""

    list_display = ("id", "agent", "user", "subject", "audience", "issued_at", "expires_at", "revoked_at")
    listed_with = ("agent", "user")
    searched = {"pk": "exact", "agent__external_id": "exact", "subject": "exact", "audience": "exact"}
    search_help_text = "The id (the claim jti), the external id of the agent, the subject or the audience, whole."


@admin.register(UsedProof)
class UsedProofAdmin(RecordAdmin):
    """Proofs that were accepted, and are good no second time."""

    through = "organization"
    list_display = ("kind", "expires_at")
    list_filter = ("kind",)


class KeyRotationForm(OperationForm):
    """When the next keys sign."""

    at_once = forms.BooleanField(
        required=False, help_text="They sign from now on, not after two days in which they are shown: for a key that was lost."
    )


offer(
    TokenKey,
    Operation(
        name="rotate",
        label="Rotate",
        effect="The next key of each algorithm is made. What the present ones signed stays valid until it ends.",
        right="add_tokenkey",
        form=KeyRotationForm,
        perform=lambda row, values, act: rotate_keys(organization=row.organization, **values, **act),
        many=False,
    ),
    Operation(
        name="withdraw",
        label="Withdraw",
        effect="The key is shown no more: every token that it signed is worth nothing from now on, and another key signs.",
        right="change_tokenkey",
        perform=lambda row, _, act: withdraw_key(key=row, **act),
        possible=lambda row: row.shown_until is None or row.shown_until > timezone.now(),
        many=False,
        drastic=True,
    ),
)
offer(
    Authorization,
    Operation(
        name="end",
        label="End",
        effect="The agent acts for the person no more by this: all tokens that came of it end. The person's consents stay.",
        right="change_authorization",
        perform=lambda row, _, act: withdraw_authorization(authorization=row, **act),
        possible=lambda row: row.ended_at is None,
        drastic=True,
    ),
)
offer(
    AccessToken,
    Operation(
        name="revoke",
        label="Revoke",
        effect="The token, and all that were exchanged for it, end now.",
        right="operate_agent",
        perform=lambda row, _, act: revoke_token(token=row, **act),
        possible=lambda row: row.revoked_at is None,
        drastic=True,
    ),
)
offer(
    Agent,
    Operation(
        name="revoke-tokens",
        label="Revoke tokens",
        effect="Every access token of the agent, and all that were exchanged for one, end now. It may get others at once.",
        right="operate_agent",
        perform=lambda row, _, act: revoke_tokens_of(agent=row, **act),
    ),
)
