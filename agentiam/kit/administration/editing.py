"""What is added, changed and done through the admin: one service for each, with a reason; a refusal is said in the form."""

from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar

from django import forms
from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, reverse
from django.utils import timezone

from agentiam.kit.administration.acting import Act, Outcome, act_of, in_words, outcome_of
from agentiam.kit.administration.forms import ServiceForm, add_refusal
from agentiam.kit.administration.once import keep
from agentiam.kit.administration.operations import MOST_AT_ONCE, Operation, operations_on
from agentiam.kit.administration.records import RecordAdmin
from agentiam.kit.administration.versions import NEVER_SHOWN
from agentiam.kit.errors import Refusal

_NOTHING_CHANGED = "Nothing was changed: it says the same as before."


class OperableAdmin(RecordAdmin):
    """Shows rows, and offers the operations that there are on them."""

    def permitted(self, request: HttpRequest, operation: Operation, keys: Sequence[Any]) -> models.QuerySet[Any]:
        """Answer, of the visible rows with some keys, those on which the person has the right that an operation takes."""
        visible = self.get_queryset(request).filter(pk__in=keys)
        model = self._held_to(operation)
        manager: Any = model._default_manager  # noqa: SLF001  (Django's documented name)
        if operation.on:
            holding = manager.permitting(request.user, operation.right)
            return visible.filter(**{f"{operation.on}__in": holding.order_by().values("pk")})
        if hasattr(manager, "permitting"):
            # Narrowed within, too: the embedded database reads what stands there first, and it would be a whole organization.
            holding = manager.permitting(request.user, operation.right).filter(pk__in=keys)
            return visible.filter(pk__in=holding.order_by().values("pk"))
        allowed = request.user.has_perm(f"{self.opts.app_label}.{operation.right}")
        return visible if allowed else visible.none()

    def get_urls(self) -> list[URLPattern]:
        """Add the page that asks for the reason of an operation."""
        if not operations_on(self.model):
            return super().get_urls()
        return [*super().get_urls(), self.address("<str:object_id>/do/<slug:name>/", "do", self.operation_view)]

    # --- on one row ---------------------------------------------------------------------------------------------------------

    def operation_view(self, request: HttpRequest, object_id: str, name: str) -> HttpResponseBase:
        """Ask for what an operation needs, and carry it out."""
        operation = next((each for each in operations_on(self.model) if each.name == name), None)
        if not self.has_view_permission(request):
            raise PermissionDenied
        row = self.get_object(request, unquote(object_id))
        if row is None or operation is None:
            raise Http404
        if not self.permitted(request, operation, [row.pk]).exists():
            raise PermissionDenied
        asked = request.method == "POST"
        begin = operation.initial(row)
        form = operation.form(request.POST if asked else None, initial=begin, site=self.admin_site, request=request)
        if asked and form.is_valid():
            try:
                outcome = outcome_of(operation.perform(row, form.values(), act_of(request, form.cleaned_data["reason"])))
            except Refusal as refusal:
                add_refusal(form, refusal)
            else:
                return self._done(request, operation, row, outcome)
        return self._ask(request, operation, form, [row], row=row)

    def _done(self, request: HttpRequest, operation: Operation, row: Any, outcome: Outcome) -> HttpResponseBase:
        if outcome.secret:
            return self.show_once(request, outcome)
        messages.success(request, f"{operation.label}: done for {row}.")
        if self.get_queryset(request).filter(pk=row.pk).exists():
            return HttpResponseRedirect(self._to("change", row.pk))
        return HttpResponseRedirect(self._to("changelist"))

    def _to(self, page: str, *args: Any) -> str:
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_{page}", args=args)

    def show_once(self, request: HttpRequest, outcome: Outcome) -> HttpResponse:
        """Lead to the page that shows a secret once: an answer to a form could be loaded again, and make another."""
        keep(request, outcome, timezone.now())
        return HttpResponseRedirect(reverse("admin:secret"))

    def _ask(
        self, request: HttpRequest, operation: Operation, form: Any, rows: Sequence[Any], *, row: Any = None
    ) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": f"{operation.label}: {row}" if row is not None else operation.label,
            "opts": self.opts,
            "original": row,
            "operation": operation,
            "form": form,
            "rows": rows,
            "media": self.media + form.media,
            "checkbox_name": ACTION_CHECKBOX_NAME,
        }
        return TemplateResponse(request, "admin/operation_page.html", context)

    # --- on several ---------------------------------------------------------------------------------------------------------

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Offer the operations that can be done with several rows at once."""
        if "_popup" in request.GET:
            return {}
        offered = [each for each in operations_on(self.model) if each.many and self._ever_permitted(request, each)]
        return {each.name: (partial(_on_several, each), each.name, each.label) for each in offered}

    def _held_to(self, operation: Operation) -> type[models.Model]:
        """Find the model on whose rows the right of an operation is asked for."""
        related: Any = self.opts.get_field(operation.on).related_model if operation.on else self.model
        return related  # type: ignore[no-any-return]  # a model, as relations of this product all lead to one

    def _ever_permitted(self, request: HttpRequest, operation: Operation) -> bool:
        model = self._held_to(operation)
        if request.user.has_perm(f"{model._meta.app_label}.{operation.right}"):  # noqa: SLF001  (Django's documented name)
            return True
        # Asked once for each right: Django asks for the operations three times a page, and many go by the same right.
        known: dict[Any, bool] = request.__dict__.setdefault("ever_permitted", {})
        asked = (model, operation.right)
        if asked not in known:
            manager: Any = model._default_manager  # noqa: SLF001  (as above)
            # It offers a choice, and nothing more: on which rows it can be carried out is asked when it is.
            known[asked] = hasattr(manager, "permitting") and manager.permitting(request.user, operation.right).exists()
        return known[asked]

    def on_several(self, request: HttpRequest, operation: Operation, queryset: models.QuerySet[Any]) -> HttpResponseBase | None:
        """Ask for the reason once, then carry an operation out row by row, and say of each what came of it."""
        rows = list(queryset[: MOST_AT_ONCE + 1])
        if len(rows) > MOST_AT_ONCE:
            messages.error(request, f"At most {MOST_AT_ONCE} at once. Nothing was done.")
            return None
        permitted = set(self.permitted(request, operation, [row.pk for row in rows]).values_list("pk", flat=True))
        if not permitted:
            raise PermissionDenied
        confirmed = "confirmed" in request.POST
        form = operation.form(request.POST if confirmed else None, site=self.admin_site, request=request)
        if not (confirmed and form.is_valid()):
            return self._ask(request, operation, form, rows)
        done = 0
        for row in rows:
            if row.pk not in permitted:
                messages.error(request, f"{row}: you may not do this.")
                continue
            try:
                operation.perform(row, form.values(), act_of(request, form.cleaned_data["reason"]))
            except Refusal as refusal:
                messages.error(request, f"{row}: {in_words(refusal)}")
            else:
                done += 1
        if done:
            messages.success(request, f"{operation.label}: done for {done}.")
        return None

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """Put the operations that are possible now on a row's page."""
        row = context.get("original")
        if row is not None:
            context["operations"] = [
                each
                for each in operations_on(self.model)
                if each.possible(row) and self.permitted(request, each, [row.pk]).exists()
            ]
        return super().render_change_form(request, context, *args, **kwargs)


def _on_several(operation: Operation, model_admin: OperableAdmin, request: HttpRequest, queryset: Any) -> Any:
    return model_admin.on_several(request, operation, queryset)


class ServiceAdmin(OperableAdmin):
    """Adds and changes rows by services; what it does not name is only shown.

    ``adding`` and ``changing`` are the fields of the two forms; a subclass says by ``create`` and ``update`` which service
    takes them. Without one of them, nothing is added or changed.
    """

    adding: ClassVar[Sequence[str]] = ()
    changing: ClassVar[Sequence[str]] = ()
    add_form: ClassVar[type[ServiceForm]] = ServiceForm
    form: Any = ServiceForm

    def create(self, request: HttpRequest, values: dict[str, Any], act: Act) -> Any:
        """Add a row by a service."""
        raise NotImplementedError

    def update(self, request: HttpRequest, row: Any, form: ServiceForm, act: Act) -> Any:
        """Change a row by a service."""
        raise NotImplementedError

    def changeable(self, row: Any) -> bool:
        """Tell whether a row can be changed at all."""
        return True

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Let those add who may, where there is a service."""
        return bool(self.adding) and bool(request.user.has_perm(f"{self.opts.app_label}.add_{self.opts.model_name}"))

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Let those change who may, where there is a service."""
        if not self.changing or not request.user.has_perm(f"{self.opts.app_label}.change_{self.opts.model_name}"):
            return False
        return obj is None or self.changeable(obj)

    def get_urls(self) -> list[URLPattern]:
        """Add the page that adds, where there is a service."""
        return [*super().get_urls(), *([self.address("add/", "add", self.add_view)] if self.adding else [])]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Show what can be filled in, the reason, and then the rest."""
        if obj is None:
            return [*self.adding, "reason"]
        shown = [name for name in super().get_fields(request, obj) if name not in self.changing]
        if not self.has_change_permission(request, obj):
            return [*(name for name in self.changing if name not in NEVER_SHOWN), *shown]
        return [*self.changing, "reason", "seen", *shown]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Show what cannot be filled in."""
        if obj is None:
            return ()
        if not self.has_change_permission(request, obj):
            return list(self.get_fields(request, obj))
        return [name for name in super().get_fields(request, obj) if name not in (*self.changing, "reason", "seen")]

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:  # noqa: FBT001, FBT002  (Django's signature)
        """Bind the form to the site, the person and the service."""
        editable = obj is None or self.has_change_permission(request, obj)
        # The form of a row that is only shown has no field: what it shows is read from the row.
        chosen = (self.add_form if obj is None else self.form) if editable else forms.ModelForm
        form: Any = super().get_form(request, obj, change, **kwargs | {"form": chosen})
        if editable:
            form.site, form.request, form.perform = self.admin_site, request, partial(_perform, self)
        return form

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, str | list[str]]:
        """Fill in nothing from the address: a link could put words into somebody's mouth."""
        return {}

    def save_form(self, request: HttpRequest, form: Any, change: Any) -> Any:
        """Answer what the service has made of it already."""
        request.outcome = form.outcome  # type: ignore[attr-defined]  # for the answer, a few lines later
        return form.outcome.row

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: Any) -> None:
        """Do nothing: the service has saved it."""

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: Any) -> None:
        """Do nothing: the service has saved it."""

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> Any:  # noqa: FBT001, FBT002  (Django's signature)
        """Say nothing: the event says it."""
        return []

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        """Show the secret that was made, if one was, and else the row."""
        outcome: Outcome = request.outcome  # type: ignore[attr-defined]  # set by save_form
        if outcome.secret:
            return self.show_once(request, outcome)
        return super().response_add(request, obj, post_url_continue)

    def response_change(self, request: HttpRequest, obj: Any) -> HttpResponse:
        """Say so when nothing was changed."""
        if getattr(obj, "_unchanged", False):
            messages.info(request, _NOTHING_CHANGED)
            return HttpResponseRedirect(request.path)
        return super().response_change(request, obj)


def _perform(model_admin: ServiceAdmin, form: ServiceForm) -> Outcome:
    """Call the service of a form."""
    act = act_of(form.request, form.cleaned_data["reason"])
    row: Any = form.instance
    if row._state.adding:  # noqa: SLF001  (Django's documented name)
        return outcome_of(model_admin.create(form.request, form.values(), act))
    if not form.changed():
        row._unchanged = True  # noqa: SLF001  (a note on our own instance, for the answer)
        return Outcome(row)
    return outcome_of(model_admin.update(form.request, row, form, act))
