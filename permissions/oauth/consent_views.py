"""The authorization endpoint, which is the consent page: GET shows what is asked, POST decides what was shown."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from agentiam.kit.errors import Refusal
from directory.models import Agent, Run, User
from permissions.models import Application, Consent, Delegation, OAuthClient
from permissions.oauth.answers import Answer, AnsweredAlready, allow, decline
from permissions.oauth.authorize import (
    ACCESS_DENIED,
    CONSENT_REQUIRED,
    INTERACTION_REQUIRED,
    MAX_QUERY,
    NoWayBack,
    Request,
    WayBack,
    read_request,
    way_back,
)
from permissions.oauth.documents import BadDocument, NotRegistered, client_of_document, is_document_url
from permissions.oauth.errors import OAuthError
from permissions.oauth.forms import Shown, StaleForm, query_of, read_form, sign_form
from permissions.oauth.issuers import Issuer, issuer_at
from permissions.oauth.offers import Offer, offer_of
from permissions.oauth.parameters import Asking, parameters_of
from permissions.oauth.periods import periods
from permissions.oauth.views import asking_of

ENDPOINT: Final = "authorize"
ALLOW: Final = "allow"
NOTHING_CHOSEN: Final = "Nothing was switched on, so nothing was allowed. Switch on what it may do, or choose Not now."
CHANGED: Final = "What it could do has changed since you looked. Look again before you answer."
STALE: Final = "This page was open too long, or was opened in another session. Go back to where you came from and begin again."


@dataclass(frozen=True, slots=True)
class Page:
    """One request in front of one person."""

    http: HttpRequest
    request: Request
    user: User
    run: Run | None
    offer: Offer
    query: str

    @property
    def way(self) -> WayBack:
        """Where the answer goes."""
        return self.request.way


@login_not_required
@require_http_methods(["GET", "POST"])
def authorize(request: HttpRequest, organization: str | None = None) -> HttpResponseBase:
    """Ask a person whether an agent may act for them."""
    issuer = issuer_at(organization)
    if issuer is None:
        return _said(request, NoWayBack("No such address", "There is no organization at this address.", status=404))
    try:
        return _decide(request, issuer) if request.method == "POST" else _show(request, issuer)
    except NoWayBack as error:
        return _said(request, error)
    except StaleForm:
        return _said(request, NoWayBack("Begin again", STALE))


def _show(request: HttpRequest, issuer: Issuer) -> HttpResponseBase:
    query = request.META.get("QUERY_STRING", "")
    found = _read(request, issuer, query)
    if not isinstance(found, Request):
        return found
    user = request.user
    if "none" in found.prompt:
        code = CONSENT_REQUIRED if isinstance(user, User) else INTERACTION_REQUIRED
        return _go(request, found.way, found.way.error(code, "A person must answer on a page."))
    if not isinstance(user, User):
        return redirect_to_login(f"{request.path}?{query}")
    page = _page(request, found, user, query)
    return _asked(page) if isinstance(page, Page) else page


def _decide(request: HttpRequest, issuer: Issuer) -> HttpResponseBase:
    text = request.POST.get("shown", "")
    if not isinstance(request.user, User):
        return redirect_to_login(f"{request.path}?{query_of(text)}")
    shown = read_form(request, text)
    found = _read(request, issuer, shown.query)
    if not isinstance(found, Request):
        return found
    if request.POST.get("answer") != ALLOW:
        return _declined(request, found, request.user)
    page = _page(request, found, request.user, shown.query)
    return _allowed(page, shown) if isinstance(page, Page) else page


def _read(request: HttpRequest, issuer: Issuer, query: str) -> Request | HttpResponse:
    """Read a request, or answer with what is wrong with it: to the client, once it is sure that it is the client."""
    if len(query) > MAX_QUERY:
        raise NoWayBack("Too long", f"The request has more than {MAX_QUERY} characters.")
    try:
        asking = asking_of(request, issuer, ENDPOINT, parameters_of(query))
    except OAuthError as error:
        raise NoWayBack("Malformed", error.description) from None
    if is_document_url(asking.parameters.get("client_id")):
        if not isinstance(request.user, User):
            # Nobody makes us fetch anything, or note anybody, before they are known.
            return redirect_to_login(f"{request.path}?{query}")
        _read_description(asking, request.user)
    way = way_back(asking)
    try:
        return read_request(asking, way)
    except OAuthError as error:
        return _go(request, way, way.error(error.code, error.description))


def _read_description(asking: Asking, user: User) -> None:
    """Read what a client says of itself, for a person of this organization; raises NoWayBack."""
    if user.organization_id != asking.issuer.organization.pk or not user.is_person or not user.is_active:
        raise NoWayBack(
            "Sign in as somebody else",
            f"This is about {asking.issuer.organization.name}, and you are signed in as {user.username}.",
            status=403,
        )
    by = asking.by(user.as_actor())
    try:
        client_of_document(
            organization=asking.issuer.organization, url=asking.parameters.get("client_id"), by=by, now=asking.now
        )
    except NotRegistered as error:
        raise NoWayBack("Not registered", f"{error.message} {error.remedy}".strip(), status=403) from None
    except BadDocument as error:
        raise NoWayBack("No such client", error.message) from None


def _page(http: HttpRequest, request: Request, user: User, query: str) -> Page | HttpResponse:
    """See that this person may be asked this now, and work out what they are asked; raises NoWayBack."""
    _require_own(http, request, user)
    now = request.asking.now
    active = Agent.objects.filter(pk=request.agent.pk, user__is_active=True, owner__is_active=True, ownerless=False)
    if not active.effectively_active(now).exists():
        raise NoWayBack(
            f"{request.agent.name} is not active",
            f"It can do nothing for anybody now. {request.agent.organization.name} decides when it works again.",
            status=403,
        )
    try:
        run = request.run(user)
        return Page(http, request, user, run, offer_of(request, user, run), query)
    except OAuthError as error:
        # Not sent on at once: right after signing in the browser would not be let go to another site.
        return _leave(http, request.way, request.way.error(error.code, error.description), error.description)


def _require_own(http: HttpRequest, request: Request, user: User) -> None:
    organization = request.asking.issuer.organization
    if user.organization_id != organization.pk or not user.is_person or not user.is_active:
        raise NoWayBack(
            "Sign in as somebody else",
            f"{request.agent.name} works for {organization.name}, and you are signed in as {user.username}.",
            status=403,
        )


def _asked(page: Page, *, notice: str = "", chosen: Sequence[str] | None = None, status: int = 200) -> HttpResponse:
    request, now = page.request, page.request.asking.now
    choices = list(periods(request.asking.issuer.organization, page.run, now=now))
    context = {
        "agent": request.agent,
        "organization": request.asking.issuer.organization,
        "applications": _names(request, page.offer),
        "offer": page.offer,
        "chosen": [each.key for each in page.offer.possible] if chosen is None else chosen,
        "choices": choices,
        "picked": page.http.POST.get("period", choices[0].name),
        "shown": sign_form(page.http, page.query, page.offer, choices),
        "run": page.run,
        "first": not Consent.objects.filter(user=page.user, agent=request.agent).exists(),
        "unchecked": page.way.client.source != OAuthClient.Source.ADMINISTRATOR,
        "handing_on": _handing_on(request, page.offer),
        "notice": notice,
        **_destination(page.way),
    }
    response = render(page.http, "permissions/consent_page.html", context, status=status)
    return _let_go(response, page.way)


def _names(request: Request, offer: Offer) -> list[str]:
    if request.target.application is not None:
        return [request.target.application.name]
    rows = Application.objects.filter(organization=request.asking.issuer.organization, slug__in=offer.applications)
    return list(rows.order_by("name").values_list("name", flat=True))


def _handing_on(request: Request, offer: Offer) -> list[dict[str, Any]]:
    """Count, for each agent to which this one may hand on, how much of what is possible it could hand on."""
    rows = Delegation.objects.filter(delegator=request.agent).live(request.asking.now)
    found: dict[str, set[str]] = {}
    for row in rows.select_related("delegate", "resource_type").order_by("delegate__name"):
        keys = found.setdefault(row.delegate.name, set())
        keys |= {
            each.key
            for each in offer.possible
            if each.type == row.resource_type.name and (each.action in row.actions or row.actions == ["*"])
        }
    return [{"name": name, "count": len(keys)} for name, keys in found.items() if keys]


def _destination(way: WayBack) -> dict[str, Any]:
    parts = way.parts
    if parts.scheme == "https":
        return {"destination": parts.netloc, "where": "site"}
    if parts.scheme == "http":
        return {"destination": parts.netloc, "where": "device"}
    return {"destination": parts.scheme, "where": "app"}


def _declined(request: HttpRequest, found: Request, user: User) -> HttpResponse:
    _require_own(request, found, user)
    decline(request=found, by=found.asking.by(user.as_actor()), now=found.asking.now)
    return _go(request, found.way, found.way.error(ACCESS_DENIED, "The person did not allow it."))


def _allowed(page: Page, shown: Shown) -> HttpResponse:
    names = set(page.http.POST.getlist("item"))
    if shown.digest != page.offer.digest:
        return _asked(page, notice=CHANGED, status=409)
    chosen = [each for each in page.offer.possible if each.key in names]
    if not chosen:
        return _asked(page, notice=NOTHING_CHOSEN, chosen=[], status=422)
    ends_at = shown.ends.get(page.http.POST.get("period", ""))
    now = page.request.asking.now
    if ends_at is None or ends_at <= now:
        return _asked(page, notice="Choose for how long.", chosen=[each.key for each in chosen], status=422)
    answer = Answer(id=shown.id, request=page.request, run=page.run, user=page.user, chosen=chosen, ends_at=ends_at)
    try:
        code = allow(answer=answer, by=page.request.asking.by(page.user.as_actor()), now=now)
    except AnsweredAlready as error:
        raise NoWayBack("Answered already", f"{error.message} See Connected agents.", status=409) from None
    except Refusal as error:
        raise NoWayBack("Not allowed", " ".join(filter(None, (error.message, error.remedy))), status=409) from None
    return _go(page.http, page.way, page.way.answer(code=code.text))


def _go(request: HttpRequest, way: WayBack, target: str) -> HttpResponse:
    """Send the browser to the client; where no policy can name the address, by a page."""
    if request.method == "POST" and not way.form_source:
        return _leave(request, way, target, "")
    return _let_go(HttpResponse(status=303, headers={"Location": target}), way)


def _leave(request: HttpRequest, way: WayBack, target: str, why: str) -> HttpResponse:
    context = {"agent": way.agent, "target": target, "why": why, **_destination(way)}
    return render(request, "permissions/consent_leave_page.html", context)


def _let_go(response: HttpResponse, way: WayBack) -> HttpResponse:
    """Let this page's form end at the client's address: browsers hold redirects after a form to the policy as well."""
    if way.form_source:
        response._csp_update = {"form-action": [way.form_source]}  # type: ignore[attr-defined]  # noqa: SLF001  (django-csp's documented name)
    return response


def _said(request: HttpRequest, error: NoWayBack) -> HttpResponse:
    another = error.title == "Sign in as somebody else"
    context = {
        "heading": error.title,
        "message": error.message,
        "again": request.get_full_path() if another and request.method == "GET" else "",
    }
    return render(request, "permissions/consent_refused_page.html", context, status=error.status)
