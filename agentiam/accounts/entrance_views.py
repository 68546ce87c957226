"""Ways in for those who have no session yet: an identity provider, an invitation, a link in place of a forgotten password."""

from typing import Any, Final

from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.models import SocialApp
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST
from django.views.generic.edit import FormView

from agentiam.accounts import forms
from agentiam.accounts.invitations import BadLink, invitation_of
from agentiam.accounts.limits import LINK, TryRefused
from agentiam.accounts.providers import FAILED, all_providers
from agentiam.accounts.records import stranger
from agentiam.accounts.resets import COMPONENT, person_of, request_reset, reset_password
from agentiam.kit.errors import Refusal
from agentiam.requests import client_address, request_id
from directory.models import Invitation, User
from directory.services.invitations import accept_invitation

LINK_MAILED: Final = (
    "If that is an account with a password and an address, a link is on its way to it. It is good for 30 minutes."
)
LINK_OVER: Final = "This link is not good, or not any more: it was used, has ended, or you have signed in since."


@login_not_required
@require_POST
def to_provider(request: HttpRequest, provider_id: str) -> HttpResponse:
    """Send the browser to an identity provider, by a page of ours: a form may not lead to another site by itself here."""
    try:
        forms.tries(request, "provider", LINK).spend()
        provider = get_adapter().get_provider(request, provider_id)
        if provider.id not in {"openid_connect", "saml"}:
            raise Http404
        # Who is signed in proves it again, and so must be asked again there.
        again = {"auth_params": {"prompt": "login"}} if request.user.is_authenticated and provider.id != "saml" else {}
        answer = provider.redirect(request, "login", next_url=_next(request), **again)
    except SocialApp.DoesNotExist:
        raise Http404 from None
    except TryRefused as error:
        messages.error(request, error.message)
        return HttpResponseRedirect(reverse("login"))
    except OSError:  # requests' errors are: nobody answers there
        messages.error(request, FAILED.format(name=provider.name))
        return HttpResponseRedirect(reverse("login"))
    target = answer.headers.get("Location", "")
    if not target.startswith(("https://", "http://")):
        return HttpResponse(answer.content, status=answer.status_code)
    return render(request, "socialaccount/to_provider_page.html", {"name": provider.name, "target": target})


@login_not_required
@require_POST
def begin_anew(request: HttpRequest) -> HttpResponse:
    """Forget a sign-in that waits for its second factor, and with it everything that this browser has proved."""
    request.session.flush()
    return HttpResponseRedirect(reverse("login"))


def _next(request: HttpRequest) -> str | None:
    wanted = request.POST.get("next", "")
    return wanted if url_has_allowed_host_and_scheme(wanted, allowed_hosts=None) else None


@method_decorator([login_not_required, sensitive_post_parameters("password1", "password2")], name="dispatch")
class InvitationPage(FormView):  # type: ignore[type-arg]  # generic in the stubs alone
    """An invitation: GET shows it, POST accepts it; a link never decides."""

    template_name = "account/invitation_page.html"
    form_class = forms.AcceptForm
    invitation: Invitation

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Find the invitation, or say the same of every link that is not good."""
        try:
            forms.tries(request, "invitation", LINK).spend()
            self.invitation = invitation_of(kwargs["token"])
        except BadLink:
            return self._over(request)
        except TryRefused as error:
            return render(request, "account/invitation_over_page.html", {"words": error.message}, status=error.status)
        if not Invitation.objects.open(timezone.now()).filter(pk=self.invitation.pk).exists():
            return self._over(request)
        return super().dispatch(request, *args, **kwargs)

    def get_form_kwargs(self) -> dict[str, Any]:
        """Tell the form whose address it is."""
        return {**super().get_form_kwargs(), "email": self.invitation.email}

    def get_initial(self) -> dict[str, Any]:
        """Propose the name that the inviter knows."""
        return {"name": self.invitation.name}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Show who invites to what, and the providers of that organization."""
        slug = self.invitation.organization.slug
        providers = [provider for provider in all_providers() if provider.organization == slug]
        return {**super().get_context_data(**kwargs), "invitation": self.invitation, "providers": providers}

    def form_valid(self, form: Any) -> HttpResponse:
        """Make the account, and let its owner sign in."""
        try:
            person = accept_invitation(
                invitation=self.invitation,
                name=form.cleaned_data["name"],
                password=form.cleaned_data["password1"],
                by=stranger(self.request, component="invitation"),
                now=timezone.now(),
            )
        except Refusal as refusal:
            form.add_error(None, " ".join(filter(None, [refusal.message, refusal.remedy])))
            return self.form_invalid(form)
        messages.success(self.request, f"Your account is ready. Sign in as {person.username}.")
        return HttpResponseRedirect(reverse("login"))

    def _over(self, request: HttpRequest) -> HttpResponse:
        words = "This link is not good, or not any more: it was used, has ended, or was replaced by a newer one."
        return render(request, "account/invitation_over_page.html", {"words": words}, status=410)


@method_decorator(login_not_required, name="dispatch")
class ForgottenPage(FormView):  # type: ignore[type-arg]  # as above
    """A forgotten password: whoever asks gets the same answer for every name."""

    template_name = "account/forgotten_page.html"
    form_class = forms.ForgottenForm

    def get_form_kwargs(self) -> dict[str, Any]:
        """Tell the form where the request comes from."""
        return {**super().get_form_kwargs(), "request": self.request}

    def form_valid(self, form: Any) -> HttpResponse:
        """Leave the rest to a job, and say what may happen."""
        request_reset(
            name=form.cleaned_data["username"],
            address=client_address(self.request),
            request_id=request_id(self.request),
            now=timezone.now(),
        )
        messages.info(self.request, LINK_MAILED)
        return HttpResponseRedirect(reverse("login"))


@method_decorator([login_not_required, sensitive_post_parameters("password1", "password2")], name="dispatch")
class ResetPage(FormView):  # type: ignore[type-arg]  # as above
    """The link of a mail: GET shows a form, POST sets the password and signs nobody in."""

    template_name = "account/reset_page.html"
    form_class = forms.ResetForm
    person: User

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Find the person, or say the same of every link that is not good."""
        try:
            forms.tries(request, "password reset link", LINK).spend()
            self.person = person_of(kwargs["token"])
        except BadLink:
            return _reset_over(request, LINK_OVER, status=410)
        except TryRefused as error:
            return _reset_over(request, str(error.message), status=error.status)
        return super().dispatch(request, *args, **kwargs)

    def get_form_kwargs(self) -> dict[str, Any]:
        """Tell the form whose password it is."""
        return {**super().get_form_kwargs(), "user": self.person}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Say whose password it is."""
        return {**super().get_context_data(**kwargs), "person": self.person}

    def form_valid(self, form: Any) -> HttpResponse:
        """Set the password, and let the person sign in with everything that their account asks for."""
        by = stranger(self.request, component=COMPONENT)
        password = form.cleaned_data["password1"]
        try:
            reset_password(token=self.kwargs["token"], password=password, by=by, now=timezone.now())
        except BadLink:
            return _reset_over(self.request, LINK_OVER, status=410)
        messages.success(self.request, "The password is set. Sign in with it.")
        return HttpResponseRedirect(reverse("login"))


def _reset_over(request: HttpRequest, words: str, *, status: int) -> HttpResponse:
    return render(request, "account/reset_over_page.html", {"words": words}, status=status)
