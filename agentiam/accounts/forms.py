"""Every form of signing in counts a try before it looks at the secret, and says no more than that it was not right."""

from collections.abc import Callable
from typing import Any

from allauth.account.adapter import get_adapter
from allauth.account.internal.flows.login import perform_password_login
from allauth.account.models import Login
from allauth.core import context
from allauth.mfa.base.forms import AuthenticateForm, ReauthenticateForm
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.forms import ActivateTOTPForm
from allauth.mfa.webauthn.forms import AddWebAuthnForm, AuthenticateWebAuthnForm, LoginWebAuthnForm, ReauthenticateWebAuthnForm
from django import forms
from django.contrib.auth import authenticate, password_validation
from django.contrib.auth.hashers import check_password
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse

from agentiam.accounts.adapters import USED_UP
from agentiam.accounts.backends import find_account, owes_password, work_in_vain
from agentiam.accounts.codes import use_up
from agentiam.accounts.limits import PASSKEY, PASSWORD, RESET, SECOND_FACTOR, Limits, TooManyTries, Tries
from agentiam.accounts.records import refuse
from agentiam.requests import client_address
from directory.models import User

WRONG_LOGIN = "The user name or the password is not right. Both are case-sensitive."
WRONG_CODE = "The code is not right, or was used before."
WRONG_PASSKEY = "This passkey was not accepted."
_SHAPES = (AttributeError, LookupError, TypeError, ValueError)


def styled(form: forms.Form, labels: dict[str, str]) -> None:
    """Give the fields of a form their words and the look of the product."""
    form.label_suffix = ""
    for name, field in form.fields.items():
        field.label = labels.get(name, field.label)
        field.widget.attrs.pop("placeholder", None)
        if not isinstance(field.widget, (forms.CheckboxInput, forms.HiddenInput)):
            field.widget.attrs["class"] = "field"


def tries(request: HttpRequest, way: str, limits: Limits, *, account: str = "") -> Tries:
    """Count the tries of this request's address."""
    return Tries(way=way, limits=limits, account=account, address=client_address(request))


def spend(counted: Tries, user: User | None) -> None:
    """Count a try; the first over the limit is an event."""
    try:
        counted.spend()
    except TooManyTries as error:
        if error.just_now:
            refuse(context.request, user, way=counted.way, cause="too many tries")
        raise


class LoginForm(forms.Form):
    """User name and password."""

    username = forms.CharField(
        max_length=320,
        widget=forms.TextInput(
            attrs={"autocomplete": "username webauthn", "autocapitalize": "none", "spellcheck": "false", "autofocus": True}
        ),
    )
    password = forms.CharField(
        strip=False, max_length=4096, widget=forms.PasswordInput(attrs={"autocomplete": "current-password"})
    )
    user: User | None = None

    def __init__(self, *args: Any, request: HttpRequest, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.request = request
        styled(self, {"username": "User name or e-mail", "password": "Password"})

    def clean(self) -> dict[str, Any] | None:
        """Check both at once: an unknown name and a wrong password look the same."""
        cleaned = super().clean()
        username, password = self.cleaned_data.get("username"), self.cleaned_data.get("password")
        if not username or not password:
            return cleaned
        account = find_account(username)
        counted = tries(self.request, "password", PASSWORD, account=username)
        # One account has one count, whatever it is called; whoever is nobody is counted as well, for the same work.
        of_account = tries(
            self.request, "password of account", PASSWORD, account=f"?{username}" if account is None else str(account.pk)
        )
        spend(counted, account)
        user = self._matching(of_account, account, username, password)
        if not isinstance(user, User):
            raise ValidationError(WRONG_LOGIN, code="invalid_login")
        counted.forget()
        of_account.forget()
        self.user = user
        return cleaned

    def _matching(self, of_account: Tries, account: User | None, username: str, password: str) -> Any:
        try:
            spend(of_account, account)
        except TooManyTries:
            # To say so would tell that this name and the one that was tried before are the same account's.
            work_in_vain(password)
            return None
        return authenticate(self.request, username=username, password=password)

    def login(self, request: HttpRequest, redirect_url: str | None = None) -> HttpResponse:
        """Go on to the second factor, or in."""
        answer: HttpResponse = perform_password_login(request, {}, Login(user=self.user, redirect_url=redirect_url))
        return answer


class ProvePasswordForm(forms.Form):
    """The password again."""

    password = forms.CharField(
        strip=False,
        max_length=4096,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password", "autofocus": True}),
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user
        styled(self, {"password": "Password"})

    def clean_password(self) -> str:
        """Compare it with the person's."""
        password: str = self.cleaned_data["password"]
        check_own_password(self.user, password)
        return password


def check_own_password(user: User, password: str) -> None:
    """Check the password of somebody who is signed in; raises ValidationError, and TooManyTries as at sign-in."""
    counted = tries(context.request, "own password", PASSWORD, account=str(user.pk))
    spend(counted, user)
    if not user.check_password(password):
        refuse(context.request, user, way="password", cause="wrong password, while signed in")
        raise ValidationError("The password is not right.", code="wrong_password")
    counted.forget()


class ChangePasswordForm(forms.Form):
    """The old password, and the new one twice; whoever used up a one-time password has no old one."""

    oldpassword = forms.CharField(
        strip=False, max_length=4096, widget=forms.PasswordInput(attrs={"autocomplete": "current-password"})
    )
    password1 = forms.CharField(
        strip=False, max_length=4096, widget=forms.PasswordInput(attrs={"autocomplete": "new-password"})
    )
    password2 = forms.CharField(
        strip=False, max_length=4096, widget=forms.PasswordInput(attrs={"autocomplete": "new-password"})
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user
        if owes_password(user):
            del self.fields["oldpassword"]
        labels = {"oldpassword": "Password now", "password1": "New password", "password2": "New password again"}
        styled(self, labels)
        self.fields["password1"].help_text = "12 characters or more."

    def clean_oldpassword(self) -> str:
        """Compare it with the person's."""
        password: str = self.cleaned_data["oldpassword"]
        check_own_password(self.user, password)
        return password

    def clean(self) -> dict[str, Any] | None:
        """Hold the new one against the rules, and against the old one."""
        cleaned = super().clean()
        check_new_password(self, self.user)
        chosen = self.cleaned_data.get("password1")
        if chosen and chosen == self.cleaned_data.get("oldpassword"):
            self.add_error("password1", "This is the password that you have now.")
        given = context.request.session.get(USED_UP)
        if chosen and given and check_password(chosen, given):
            self.add_error("password1", "This is the password that you were given.")
        return cleaned

    def save(self) -> None:
        """Set it."""
        get_adapter().set_password(self.user, self.cleaned_data["password1"])
        context.request.session.pop(USED_UP, None)


def check_new_password(form: forms.Form, user: User) -> None:
    """Hold two fields ``password1`` and ``password2`` against the rules and each other; errors stand beside the fields."""
    first, second = form.cleaned_data.get("password1"), form.cleaned_data.get("password2")
    if not first:
        return
    try:
        password_validation.validate_password(first, user)
    except ValidationError as error:
        form.add_error("password1", error)
    if second and first != second:
        form.add_error("password2", "The two are not the same.")


class ForgottenForm(forms.Form):
    """Whose password was forgotten."""

    username = forms.CharField(
        max_length=320,
        widget=forms.TextInput(
            attrs={"autocomplete": "username", "autocapitalize": "none", "spellcheck": "false", "autofocus": True}
        ),
    )

    def __init__(self, *args: Any, request: HttpRequest, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.request = request
        styled(self, {"username": "User name or e-mail"})

    def clean_username(self) -> str:
        """Count the request, by what was typed: whether somebody has that name makes no difference."""
        username: str = self.cleaned_data["username"]
        tries(self.request, "password reset", RESET, account=username).spend()
        return username


class ResetForm(forms.Form):
    """A new password, twice."""

    password1 = forms.CharField(
        strip=False, max_length=4096, widget=forms.PasswordInput(attrs={"autocomplete": "new-password", "autofocus": True})
    )
    password2 = forms.CharField(
        strip=False, max_length=4096, widget=forms.PasswordInput(attrs={"autocomplete": "new-password"})
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user
        styled(self, {"password1": "New password", "password2": "New password again"})
        self.fields["password1"].help_text = "12 characters or more."

    def clean(self) -> dict[str, Any] | None:
        """Hold it against the rules."""
        cleaned = super().clean()
        check_new_password(self, self.user)
        return cleaned


class AcceptForm(forms.Form):
    """Name and password of somebody who was invited."""

    name = forms.CharField(max_length=200, widget=forms.TextInput(attrs={"autocomplete": "name"}))
    password1 = forms.CharField(
        strip=False, max_length=4096, widget=forms.PasswordInput(attrs={"autocomplete": "new-password"})
    )
    password2 = forms.CharField(
        strip=False, max_length=4096, widget=forms.PasswordInput(attrs={"autocomplete": "new-password"})
    )

    def __init__(self, *args: Any, email: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.email = email
        styled(self, {"name": "Your name", "password1": "Password", "password2": "Password again"})
        self.fields["password1"].help_text = "12 characters or more."

    def clean(self) -> dict[str, Any] | None:
        """Hold the password against the rules."""
        cleaned = super().clean()
        check_new_password(self, User(username=self.email, email=self.email, name=self.cleaned_data.get("name", "")))
        return cleaned


class _Code:
    """A code of an authenticator app, or a recovery code: counted first, and good only once."""

    user: User
    cleaned_data: dict[str, Any]
    authenticator: Authenticator

    def clean_code(self) -> str:
        """Look for the second factor that the code belongs to."""
        counted = tries(context.request, "second factor", SECOND_FACTOR, account=str(self.user.pk))
        spend(counted, self.user)
        check: Callable[[], str] = super().clean_code  # type: ignore[misc]  # of the library's form beside this one
        try:
            code = check()
        except ValidationError:
            refuse(context.request, self.user, way="second factor", cause="wrong code")
            raise
        if self.authenticator.type == Authenticator.Type.TOTP and not use_up(self.authenticator, code):
            refuse(context.request, self.user, way="second factor", cause="code used before")
            raise ValidationError(WRONG_CODE, code="incorrect_code")
        counted.forget()
        return code


def _styled_code(form: forms.Form, label: str) -> None:
    styled(form, {"code": label})
    form.fields["code"].max_length = 40  # type: ignore[attr-defined]  # a CharField
    form.fields["code"].widget.attrs |= {"autocomplete": "one-time-code", "autocapitalize": "none", "spellcheck": "false"}


class SecondFactorForm(_Code, AuthenticateForm):
    """The code at sign-in."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _styled_code(self, "Code of your authenticator app, or a recovery code")


class ProveCodeForm(_Code, ReauthenticateForm):
    """The code again, before a risky act."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _styled_code(self, "Code of your authenticator app, or a recovery code")


class AddAppForm(ActivateTOTPForm):
    """The first code of a new authenticator app."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _styled_code(self, "Code that the app shows")

    def clean_code(self) -> str:
        """Compare it with the app's secret."""
        counted = tries(context.request, "new second factor", SECOND_FACTOR, account=str(self.user.pk))
        spend(counted, self.user)
        code: str = super().clean_code()
        counted.forget()
        return code


class AddPasskeyForm(AddWebAuthnForm):
    """A new passkey with a name."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields.pop("passwordless", None)
        self.fields["name"].max_length = 100  # type: ignore[attr-defined]  # a CharField
        styled(self, {"name": "Name"})

    def clean(self) -> dict[str, Any]:
        """Check what the authenticator made; the library takes its shape for granted."""
        try:
            cleaned: dict[str, Any] = super().clean()
        except _SHAPES:
            raise ValidationError(WRONG_PASSKEY, code="incorrect_code") from None
        return cleaned


class _Passkey:
    """A passkey's answer: counted first; whose it is, the answer says itself when nobody has signed in yet."""

    user: User | None
    cleaned_data: dict[str, Any]

    def clean_credential(self) -> Authenticator:
        """Check the answer to the challenge."""
        account = "" if self.user is None else str(self.user.pk)
        counted = tries(context.request, "passkey", PASSKEY, account=account)
        spend(counted, self.user)
        check: Callable[[], Authenticator] = super().clean_credential  # type: ignore[misc]  # as above
        try:
            authenticator = check()
        except ValidationError:
            refuse(context.request, self.user, way="passkey", cause="wrong answer")
            raise
        except _SHAPES:
            # The library takes the answer's shape for granted where nobody has signed in yet.
            raise ValidationError(WRONG_PASSKEY, code="incorrect_code") from None
        counted.forget()
        return authenticator


class LoginPasskeyForm(_Passkey, LoginWebAuthnForm):
    """Signing in with a passkey alone."""


class SecondPasskeyForm(_Passkey, AuthenticateWebAuthnForm):
    """A passkey as the second factor."""


class ProvePasskeyForm(_Passkey, ReauthenticateWebAuthnForm):
    """A passkey again, before a risky act."""
