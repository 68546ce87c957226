"""Pages of accounts: signing in, proving it again, second factors, sessions, invitations."""

from tests.house.tables.expected import ACCOUNT, HOME, LOGIN, PROOF, Table

_SIGNED_IN_ALREADY = (HOME, HOME, HOME, HOME)

TABLE: Table = {
    "login": ("/login/", (*_SIGNED_IN_ALREADY, 200), (*_SIGNED_IN_ALREADY, 200)),
    "account_login": ("/login/", (*_SIGNED_IN_ALREADY, 200), (*_SIGNED_IN_ALREADY, 200)),
    "mfa_authenticate": ("/login/second-factor/", (*_SIGNED_IN_ALREADY, LOGIN), (*_SIGNED_IN_ALREADY, LOGIN)),
    "mfa_login_webauthn": ("/login/passkey/", (*_SIGNED_IN_ALREADY, LOGIN), (*_SIGNED_IN_ALREADY, LOGIN)),
    "forgotten_password": ("/login/forgotten/", (200,) * 5, (200,) * 5),
    "reset_password": ("/login/forgotten/nothing/", (410,) * 5, (410,) * 5),
    "begin_anew": ("/login/begin-anew/", (405,) * 5, (LOGIN,) * 5),
    "socialaccount_login_cancelled": ("/login/cancelled/", (LOGIN,) * 5, (LOGIN,) * 5),
    "openid_connect_login": ("/login/provider/nobody/", (405,) * 5, (404,) * 5),
    "openid_connect_callback": ("/login/provider/nobody/callback/", (404,) * 5, (404,) * 5),
    "logout": ("/logout/", (405, 405, 405, 405, LOGIN), (LOGIN,) * 5),
    "account_logout": ("/logout/", (405, 405, 405, 405, LOGIN), (LOGIN,) * 5),
    "invitation_page": ("/invitations/nothing/", (410,) * 5, (410,) * 5),
    "account_page": ("/account/", (200, 200, 200, 200, LOGIN), (405, 405, 405, 405, LOGIN)),
    "mfa_index": ("/account/", (200, 200, 200, 200, LOGIN), (405, 405, 405, 405, LOGIN)),
    "mfa_list_webauthn": ("/account/", (200, 200, 200, 200, LOGIN), (405, 405, 405, 405, LOGIN)),
    "usersessions_list": ("/account/", (200, 200, 200, 200, LOGIN), (405, 405, 405, 405, LOGIN)),
    "account_change_password": ("/account/password/", (200, 200, 200, 200, LOGIN), (200, 200, 200, 200, LOGIN)),
    "account_reauthenticate": ("/account/proof/", (200, 200, 200, 200, LOGIN), (200, 200, 200, 200, LOGIN)),
    "mfa_reauthenticate": ("/account/proof/code/", (PROOF,) * 4 + (LOGIN,), (PROOF,) * 4 + (LOGIN,)),
    "mfa_reauthenticate_webauthn": ("/account/proof/passkey/", (PROOF,) * 4 + (LOGIN,), (PROOF,) * 4 + (LOGIN,)),
    "mfa_activate_totp": ("/account/app/", (PROOF,) * 4 + (LOGIN,), (PROOF,) * 4 + (LOGIN,)),
    "mfa_deactivate_totp": ("/account/app/remove/", (PROOF,) * 4 + (LOGIN,), (PROOF,) * 4 + (LOGIN,)),
    "mfa_add_webauthn": ("/account/passkeys/new/", (PROOF,) * 4 + (LOGIN,), (PROOF,) * 4 + (LOGIN,)),
    "mfa_remove_webauthn": ("/account/passkeys/7/remove/", (PROOF,) * 4 + (LOGIN,), (PROOF,) * 4 + (LOGIN,)),
    "mfa_view_recovery_codes": ("/account/recovery-codes/", (PROOF,) * 4 + (LOGIN,), (PROOF,) * 4 + (LOGIN,)),
    "mfa_generate_recovery_codes": ("/account/recovery-codes/new/", (PROOF,) * 4 + (LOGIN,), (PROOF,) * 4 + (LOGIN,)),
    "end_other_sessions": ("/account/sessions/end-others/", (405, 405, 405, 405, LOGIN), (ACCOUNT,) * 4 + (LOGIN,)),
    "end_session": ("/account/sessions/7/end/", (405, 405, 405, 405, LOGIN), (404, 404, 404, 404, LOGIN)),
}
