"""The admin lets in people who are staff, by the product's own sign-in, and has no page that a service does not back."""

from collections.abc import Callable
from functools import update_wrapper
from typing import Any, Final

from django.apps import apps
from django.conf import settings
from django.contrib.admin import AdminSite
from django.contrib.admin.models import LogEntry
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import resolve_url
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, include, path, re_path
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.http import require_GET, require_safe

from agentiam.kit.administration.once import Once, forget_late, take
from agentiam.kit.administration.records import RecordAdmin
from audit.models import Event

_LATEST: Final = 10


class AdministrationSite(AdminSite):
    """Django's admin, scoped to the organization of the person who looks."""

    site_title = "agentiam"
    site_header = "agentiam"
    index_title = "Administration"
    index_template = "admin/index_page.html"
    site_url = "/"
    empty_value_display = "none"

    def register(self, model_or_iterable: Any, admin_class: Any = None, **options: Any) -> None:
        """Take pages that scope what they show; those that libraries bring along know no organizations."""
        if admin_class is not None and issubclass(admin_class, RecordAdmin):
            super().register(model_or_iterable, admin_class, **options)

    def has_permission(self, request: HttpRequest) -> bool:
        """Let in active people who are staff; an agent's account never is."""
        user: Any = request.user
        return bool(user.is_active and user.is_staff and user.is_person)

    def guarded(self, view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
        """Send strangers to sign in, and turn those away who are signed in and may not come here."""

        def inner(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not request.user.is_authenticated:
                return redirect_to_login(request.get_full_path(), resolve_url(settings.LOGIN_URL))
            if not self.has_permission(request):
                raise PermissionDenied
            forget_late(request, timezone.now())
            return view(request, *args, **kwargs)

        return update_wrapper(never_cache(csrf_protect(inner)), view)

    def get_urls(self) -> list[URLPattern | URLResolver]:
        """Answer under these addresses; signing in, out and changing passwords are the product's own pages."""
        labels = sorted({model._meta.app_label for model in self._registry})  # noqa: SLF001  (Django's documented name)
        models = [
            path(f"{model._meta.app_label}/{model._meta.model_name}/", include(model_admin.urls))  # noqa: SLF001  (as above)
            for model, model_admin in self._registry.items()
        ]
        return [
            path("", self.guarded(require_safe(self.index)), name="index"),
            path("login/", self.guarded(require_safe(self.to_index)), name="login"),
            path("autocomplete/", self.guarded(self.autocomplete_view), name="autocomplete"),
            path("secret/", self.guarded(require_GET(self.secret)), name="secret"),
            path("jsi18n/", self.guarded(self.i18n_javascript), name="jsi18n"),
            *models,
            re_path(rf"^(?P<app_label>{'|'.join(labels)})/$", self.guarded(require_safe(self.app_index)), name="app_list"),
        ]

    def to_index(self, request: HttpRequest) -> HttpResponse:
        """Lead on who is signed in already; the admin has no form for it."""
        return HttpResponseRedirect(resolve_url("admin:index"))

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        """List the models, and what the person did last."""
        user: Any = request.user
        own = Event.objects.visible_to(user).changes().by_actor(user.external_id).newest_first()
        return super().index(request, {**(extra_context or {}), "latest": own[:_LATEST]})

    def secret(self, request: HttpRequest) -> TemplateResponse:
        """Show the secret that was made a moment ago, once; afterwards say that it was shown."""
        kept = take(request, timezone.now())
        row, facts = self._row_of(request, kept) if kept is not None else (None, [])
        secret = kept.secret if kept is not None and row is not None else ""
        context = self.each_context(request) | {
            "title": "Keep this secret now" if secret else "A secret is shown once",
            "row": row,
            "opts": row._meta if row is not None else None,  # noqa: SLF001  (as above)
            "facts": facts,
            "secret": secret,
            "is_nav_sidebar_enabled": False,
        }
        return TemplateResponse(request, "admin/secret_page.html", context)

    def _row_of(self, request: HttpRequest, kept: Once) -> tuple[Any, list[tuple[str, str]]]:
        """Find the row of a secret, as far as the person sees it now, and what says which it is."""
        model_admin: Any = self.get_model_admin(apps.get_model(kept.model))
        row = model_admin.get_object(request, kept.key) if model_admin.has_view_permission(request) else None
        return row, ([] if row is None else model_admin.facts_of(row))

    def get_log_entries(self, request: HttpRequest) -> "QuerySet[LogEntry]":
        """Answer none: the event log is the record, and the only one."""
        return LogEntry.objects.none()
