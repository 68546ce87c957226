"""The addresses of accounts; the names are those that django-allauth looks for."""

from allauth.socialaccount.providers.openid_connect import views as openid_connect
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import LogoutView
from django.urls import URLPattern, URLResolver, include, path
from django.views.generic import RedirectView

from agentiam.accounts import account_views, entrance_views, views
from agentiam.accounts.account_views import fresh_proof

_login = views.LoginPage.as_view()
_logout = LogoutView.as_view()
_to_login = login_not_required(RedirectView.as_view(pattern_name="login"))

urlpatterns: list[URLPattern | URLResolver] = [
    path("login/", _login, name="login"),
    path("login/", _login, name="account_login"),
    path("login/second-factor/", views.SecondFactorPage.as_view(), name="mfa_authenticate"),
    path("login/passkey/", login_not_required(views.PasskeyLogin.as_view()), name="mfa_login_webauthn"),
    path("login/forgotten/", entrance_views.ForgottenPage.as_view(), name="forgotten_password"),
    path("login/forgotten/<str:token>/", entrance_views.ResetPage.as_view(), name="reset_password"),
    path("login/begin-anew/", entrance_views.begin_anew, name="begin_anew"),
    path("login/cancelled/", _to_login, name="socialaccount_login_cancelled"),
    path("login/provider/<slug:provider_id>/", entrance_views.to_provider, name="openid_connect_login"),
    path("login/provider/<slug:provider_id>/callback/", openid_connect.callback, name="openid_connect_callback"),
    path("logout/", _logout, name="logout"),
    path("logout/", _logout, name="account_logout"),
    path("invitations/<str:token>/", entrance_views.InvitationPage.as_view(), name="invitation_page"),
    path("account/", account_views.account_page, name="account_page"),
    path("account/", account_views.account_page, name="mfa_index"),
    path("account/", account_views.account_page, name="mfa_list_webauthn"),
    path("account/", account_views.account_page, name="usersessions_list"),
    path("account/password/", views.PasswordPage.as_view(), name="account_change_password"),
    path("account/proof/", views.ProvePage.as_view(), name="account_reauthenticate"),
    path("account/proof/code/", views.ProveCodePage.as_view(), name="mfa_reauthenticate"),
    path("account/proof/passkey/", views.ProvePasskeyPage.as_view(), name="mfa_reauthenticate_webauthn"),
    path("account/app/", fresh_proof(account_views.AddAppPage.as_view()), name="mfa_activate_totp"),
    path("account/app/remove/", fresh_proof(account_views.RemoveAppPage.as_view()), name="mfa_deactivate_totp"),
    path("account/passkeys/new/", fresh_proof(account_views.AddPasskeyPage.as_view()), name="mfa_add_webauthn"),
    path(
        "account/passkeys/<int:pk>/remove/", fresh_proof(account_views.RemovePasskeyPage.as_view()), name="mfa_remove_webauthn"
    ),
    path("account/recovery-codes/", fresh_proof(account_views.CodesPage.as_view()), name="mfa_view_recovery_codes"),
    path("account/recovery-codes/new/", fresh_proof(account_views.MakeCodesPage.as_view()), name="mfa_generate_recovery_codes"),
    path("account/sessions/end-others/", account_views.end_other_sessions, name="end_other_sessions"),
    path("account/sessions/<int:number>/end/", account_views.end_session, name="end_session"),
]
if settings.SAML_PROVIDERS:
    urlpatterns.append(path("login/", include("agentiam.accounts.saml_urls")))
