"""Rows of one organization, as far as a person sees them: lists, single rows, their history; nothing is changed here."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Final
from uuid import UUID

from django.contrib import admin
from django.contrib.admin.utils import display_for_field, unquote
from django.contrib.admin.widgets import RelatedFieldWidgetWrapper
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import models
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.views.decorators.http import require_safe

from agentiam.kit.administration.forms import AnyField, InstantField, ObjectField, RowSelect, RowsSelect
from agentiam.kit.administration.paging import BoundedPaginator
from agentiam.kit.administration.versions import shown_fields, versions_of

_ABBREVIATED: Final = {"id": "ID", "jwk": "JWK", "spiffe": "SPIFFE", "url": "URL"}


def pretty(value: Any) -> SafeString:
    """Show JSON as indented text; whatever is in it is text, not HTML."""
    return format_html("<pre>{}</pre>", json.dumps(value, ensure_ascii=False, indent=2, sort_keys=True))


class RecordAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # it shows rows of any model
    """Shows rows and changes none.

    Every list, choice, search and history starts from ``visible_to``, or, for a model without it, from the rows of ``through``:
    the relation to what the row is part of.
    """

    through: ClassVar[str] = ""
    view_right: ClassVar[str] = ""
    """The right that it takes to see the rows; Django's own if empty."""
    searched: ClassVar[Mapping[str, str]] = {"pk": "exact"}
    """Fields and how a search compares them: exactly, where an index finds the row, or by the beginning."""
    listed_with: ClassVar[Sequence[str]] = ()
    """Relations that a list names, read with it."""

    change_form_template = "admin/record_page.html"
    change_list_template = "admin/list_page.html"
    paginator = BoundedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    list_per_page = 50
    list_max_show_all = 0
    list_select_related = False
    ordering = ("-pk",)
    sortable_by = ()
    view_on_site = False
    actions_selection_counter = True
    formfield_overrides = {
        models.DateTimeField: {"form_class": InstantField, "widget": InstantField.widget},
        models.URLField: {"assume_scheme": "https"},
        models.JSONField: {"form_class": AnyField},
    }

    # --- what is seen -------------------------------------------------------------------------------------------------------

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        """Start from what the person sees."""
        return self.visible(request).order_by(*self.get_ordering(request))

    def visible(self, request: HttpRequest) -> models.QuerySet[Any]:
        """Answer the rows that the person sees."""
        manager: Any = self.model._default_manager  # noqa: SLF001  (Django's documented name)
        rows: models.QuerySet[Any]
        if self.through:
            # Asked row by row along the list, until a page is full: "in" would gather all that the person sees first.
            whole = self._whole(request).filter(pk=models.OuterRef(f"{self.through}_id"))
            rows = manager.filter(models.Exists(whole))
        else:
            rows = manager.visible_to(request.user)
        return rows

    def _whole(self, request: HttpRequest) -> models.QuerySet[Any]:
        """Answer the rows, as far as the person sees them, that rows of this model are part of."""
        relation: Any = self.opts.get_field(self.through)
        whole: Any = self.admin_site.get_model_admin(relation.related_model)
        visible: models.QuerySet[Any] = whole.visible(request)
        return visible

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Ask for the right that the model names, or Django's own."""
        if self.view_right:
            return bool(request.user.has_perm(self.view_right))
        return super().has_view_permission(request, obj)

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Show the model to those who may see its rows."""
        return self.has_view_permission(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nothing is added."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nothing is changed."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nothing is deleted here: services end, withdraw, retire and remove."""
        return False

    def to_field_allowed(self, request: HttpRequest, to_field: str) -> bool:
        """Answer choices by their primary key only: any other column could be read out by it."""
        return to_field == self.opts.pk.name

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        """Narrow lists by the filters that are offered only: any other lookup could guess at columns that are not shown."""
        filters: Sequence[Any] = self.get_list_filter(request)
        if lookup in {each.parameter_name for each in filters if not isinstance(each, str)}:
            return True
        name, _, how = lookup.partition("__")
        return name in filters and how in ("exact", "isnull")

    def get_search_fields(self, request: HttpRequest) -> tuple[str, ...]:
        """Name what is searched; Django shows the box, and answers choices, where there is anything."""
        return tuple(self.searched)

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """Look for the whole of what was typed: by id, exactly, or by the beginning."""
        term = search_term.strip().replace("\0", "")
        if not term:
            return queryset, False
        wanted = Q(pk__in=[])
        for name, how in self.searched.items():
            if name != "pk":
                wanted |= Q(**{f"{name}__{how}": term})
            elif (key := self._key(term)) is not None:
                wanted |= Q(pk=key)
        return queryset.filter(wanted), False

    def _key(self, term: str) -> Any:
        if not isinstance(self.opts.pk, models.UUIDField):
            return term if isinstance(self.opts.pk, (models.TextField, models.CharField)) else None
        try:
            return UUID(term)
        except ValueError:
            return None

    def get_list_select_related(self, request: HttpRequest) -> Any:
        """Read the relations that a list names with it, and no other."""
        return tuple(self.listed_with) or False

    # --- one row ------------------------------------------------------------------------------------------------------------

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Show every field but secrets and digests."""
        return [each.name for each in shown_fields(self.model)]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Change no field."""
        return list(self.get_fields(request, obj))

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:  # noqa: FBT001, FBT002  (Django's signature)
        """Write abbreviations in capitals."""
        named = {each.name: str(each.verbose_name).split() for each in shown_fields(self.model)}
        labels = {
            name: capfirst(" ".join(_ABBREVIATED.get(word, word) for word in words))
            for name, words in named.items()
            if not _ABBREVIATED.keys().isdisjoint(words)
        }
        return super().get_form(request, obj, change, **{"labels": labels} | kwargs)

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Look rows up while somebody types: a list of all would be long, and read anew for every page."""
        return super().formfield_for_foreignkey(db_field, request, **kwargs | {"widget": RowSelect(db_field, self.admin_site)})

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Look rows up while somebody types."""
        return super().formfield_for_manytomany(db_field, request, **kwargs | {"widget": RowsSelect(db_field, self.admin_site)})

    def get_field_queryset(self, db: str | None, db_field: Any, request: HttpRequest) -> Any:
        """Choose among what the person sees."""
        return self.admin_site.get_model_admin(db_field.remote_field.model).get_queryset(request)

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Read objects as objects, and leave out the links that would add, change or delete what a choice names."""
        if isinstance(db_field, models.JSONField) and db_field.default is dict:
            kwargs["form_class"] = ObjectField
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if field is None:
            return None
        if isinstance(field.widget, RelatedFieldWidgetWrapper):
            field.widget = field.widget.widget
        # What was there is read from the row, not from the browser.
        field.show_hidden_initial = False
        return field

    def _get_obj_does_not_exist_redirect(self, request: HttpRequest, opts: Any, object_id: str) -> Any:
        raise Http404

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """Lead to the history, where there is one."""
        context["has_history"] = context.get("original") is not None and self.has_history_permission(request)
        return super().render_change_form(request, context, *args, **kwargs)

    # --- its history --------------------------------------------------------------------------------------------------------

    def has_history_permission(self, request: HttpRequest) -> bool:
        """Tell whether the rows have versions that the person may read."""
        history = getattr(self.model, "history", None)
        if history is None or not self.has_view_permission(request):
            return False
        options = history.model._meta  # noqa: SLF001  (as above)
        return bool(request.user.has_perm(f"{options.app_label}.view_{options.model_name}"))

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """Show a row's versions; also those of a row that was removed, in the organization that it belonged to."""
        if not self.has_history_permission(request):
            raise PermissionDenied
        row = self.get_object(request, unquote(object_id))
        versions = self._versions(request, row, unquote(object_id))
        page = int(number) if (number := request.GET.get("p", "1")).isdecimal() and 0 < int(number) <= 1_000 else 1
        told, more = versions_of(versions, page=page, site=self.admin_site, request=request)
        if row is None and not told:
            raise Http404
        context = {
            **self.admin_site.each_context(request),
            "title": f"History: {row}" if row is not None else "History of what was removed",
            "opts": self.opts,
            "original": row,
            "versions": told,
            "newer": page - 1 if page > 1 else None,
            "older": page + 1 if more else None,
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "admin/history_page.html", context)

    def _versions(self, request: HttpRequest, row: Any, key: str) -> Any:
        history: Any = self.model.history
        try:
            versions = history.filter(**{self.opts.pk.attname: self.opts.pk.to_python(key)})
        except (ValueError, ValidationError):
            raise Http404 from None
        return versions if row is not None else versions.filter(self.removed_of(request))

    def removed_of(self, request: HttpRequest) -> Q:
        """Say which versions of rows that were removed the person sees: their organization's."""
        if self.through:
            return Q(**{f"{self.through}__in": self._whole(request)})
        return Q(organization_id=request.user.organization_id)  # type: ignore[union-attr]  # as above

    # --- a secret of it -----------------------------------------------------------------------------------------------------

    def facts_of(self, row: Any) -> list[tuple[str, str]]:
        """Say which row it is by what a list says of it, as far as there is anything to say."""
        fields: list[Any] = [self.opts.get_field(name) for name in self.list_display if isinstance(name, str)]
        told = [(each, getattr(row, each.name)) for each in fields]
        return [(str(each.verbose_name), str(display_for_field(value, each, ""))) for each, value in told if value is not None]

    # --- addresses ----------------------------------------------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        """Answer under these addresses and no other: none deletes, and none looks a row up by anything but its key."""
        pages: list[tuple[str, str, Callable[..., Any]]] = [
            ("", "changelist", self.changelist_view),
            ("<str:object_id>/change/", "change", self.change_view),
        ]
        if hasattr(self.model, "history"):
            pages.append(("<str:object_id>/history/", "history", require_safe(self.history_view)))
        return [self.address(*page) for page in pages]

    def address(self, route: str, name: str, view: Callable[..., Any]) -> URLPattern:
        """Put a page under an address of this model."""
        # Admitted or sent to sign in by the site, like all of its pages.
        return path(route, self.admin_site.guarded(view), name=f"{self.opts.app_label}_{self.opts.model_name}_{name}")  # type: ignore[attr-defined]

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """Keep no second record beside the event log."""

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """Keep no second record beside the event log."""
