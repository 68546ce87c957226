"""A form of the admin is valid when the service has done what it asks for; a refusal is an error of the form."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, cast

from django import forms
from django.contrib.admin.widgets import AutocompleteSelect, AutocompleteSelectMultiple
from django.core.exceptions import ValidationError
from django.db import models
from django.http import HttpRequest

from agentiam.kit.administration.acting import Outcome, in_words
from agentiam.kit.errors import Invalid, Refusal

NOT_VALUES: Final = frozenset({"reason", "seen"})
"""Fields of every form that say nothing about the row."""


class InstantField(forms.DateTimeField):
    """A date and a time of day, in UTC, by the browser's own means."""

    widget = forms.DateTimeInput(attrs={"type": "datetime-local", "step": "1"}, format="%Y-%m-%dT%H:%M:%S")

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"help_text": "In UTC."} | options)


class LinesField(forms.CharField):
    """A list of texts, one a line; without any it is ``empty``."""

    def __init__(self, *, empty: Callable[[], Any] = list, **options: Any) -> None:
        usual: dict[str, Any] = {"widget": forms.Textarea(attrs={"rows": 3, "class": "vLargeTextField"}), "required": False}
        super().__init__(**usual | options)
        self.empty = empty

    def prepare_value(self, value: Any) -> Any:
        """Show a list as lines."""
        return "\n".join(map(str, value)) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        """Read lines as a list."""
        lines = [line.strip() for line in (super().to_python(value) or "").splitlines()]
        return [line for line in lines if line] or self.empty()

    def validate(self, value: Any) -> None:
        """Ask for at least one line of a field that is required."""
        if self.required and not value:
            raise ValidationError(self.error_messages["required"], code="required")

    def run_validators(self, value: Any) -> None:
        """Check each line as a text."""
        for line in value or ():
            super().run_validators(line)

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Compare lists, not their writing."""
        return bool((initial or []) != (self.to_python(data) or []))


class AnyField(forms.JSONField):
    """JSON, or nothing."""

    def prepare_value(self, value: Any) -> Any:
        """Show nothing as nothing."""
        return "" if value is None else super().prepare_value(value)


class ObjectField(AnyField):
    """A JSON object, empty if nothing is written."""

    def to_python(self, value: Any) -> Any:
        """Read an object and nothing else."""
        read = super().to_python(value)
        if read in self.empty_values:
            return {}
        if not isinstance(read, dict):
            raise ValidationError('Write an object: {"name": "value"}.', code="no_object")
        return read


def optional_lines(**options: Any) -> LinesField:
    """Make a field for a list whose absence has a meaning of its own: no limit."""
    return LinesField(empty=lambda: None, **options)


class RowSelect(AutocompleteSelect):
    """Looks rows up while somebody types; what is no key at all is shown as no choice, and not looked for."""

    class Media:
        js = ("js/admin.js",)

    def optgroups(self, name: str, value: Sequence[str], attrs: Any = None) -> Any:
        """Show what is chosen."""
        return super().optgroups(name, _keys(self.field, value), attrs)


class RowsSelect(AutocompleteSelectMultiple):
    """As RowSelect, for any number of rows."""

    class Media:
        js = ("js/admin.js",)

    def build_attrs(self, base_attrs: dict[str, Any], extra_attrs: dict[str, Any] | None = None) -> dict[str, Any]:
        """Leave out the button that clears all: it stands among the items of a list without being one."""
        return super().build_attrs(base_attrs, extra_attrs) | {"data-allow-clear": "false"}

    def optgroups(self, name: str, value: Sequence[str], attrs: Any = None) -> Any:
        """Show what is chosen."""
        return super().optgroups(name, _keys(self.field, value), attrs)


def _keys(relation: Any, values: Iterable[str]) -> list[str]:
    """Keep what could be a key."""
    key = relation.remote_field.model._meta.pk  # noqa: SLF001  (Django's documented name)

    def could_be(value: str) -> bool:
        try:
            key.to_python(value)
        except ValidationError:
            return False
        return True

    return [value for value in values if could_be(value)]


class RowField(forms.ModelChoiceField):  # type: ignore[type-arg]  # one class for choices of any model
    """A choice among the rows that the person sees; ``like`` names a relation to such rows."""

    def __init__(self, like: tuple[type[models.Model], str], **options: Any) -> None:
        self.like = cast("Any", like[0]._meta.get_field(like[1]))  # noqa: SLF001  (as above)
        super().__init__(queryset=self.like.remote_field.model._default_manager.none(), **options)  # noqa: SLF001  (as above)

    def bind(self, site: Any, request: HttpRequest) -> None:
        """Choose among what this person sees."""
        self.queryset = site.get_model_admin(self.like.remote_field.model).get_queryset(request)
        self.widget = RowSelect(self.like, site)
        self.widget.is_required = self.required
        self.widget.choices = self.choices


class BoundForm(forms.BaseForm):
    """A form that knows the site and the person before it."""

    site: Any
    request: HttpRequest

    def bind_rows(self) -> None:
        """Let its choices of rows be those that the person sees."""
        for field in self.fields.values():
            if isinstance(field, RowField):
                field.bind(self.site, self.request)

    def values(self) -> dict[str, Any]:
        """Answer what was filled in, without the reason."""
        return {name: value for name, value in self.cleaned_data.items() if name not in NOT_VALUES}


def reason_field() -> forms.CharField:
    """Ask why; the answer stands in the event and in the version."""
    widget = forms.Textarea(attrs={"rows": 2, "class": "vLargeTextField"})
    return forms.CharField(widget=widget, max_length=2_000, help_text="Why. It stands in the event log and in the history.")


def add_refusal(form: forms.BaseForm, refusal: Refusal) -> None:
    """Show what a service refused: at the field that holds the wrong value, where the form has it."""
    named = refusal.field if isinstance(refusal, Invalid) else ""
    form.add_error(named if named in form.fields else None, in_words(refusal))


class ServiceForm(BoundForm, forms.ModelForm):  # type: ignore[type-arg]  # one form class for rows of any model
    """Adds or changes a row by a service.

    ``perform`` is set for each request; it is called once everything that was filled in can be read.
    """

    reason = reason_field()
    seen = forms.CharField(widget=forms.HiddenInput, required=False)

    perform: Callable[["ServiceForm"], Outcome]
    outcome: Outcome | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["seen"] = self.latest()
        self.bind_rows()
        self._keep_choices()

    def _keep_choices(self) -> None:
        """Let what the row names now stay chosen, also where the person does not see the rows that could be chosen."""
        for name, field in self.fields.items():
            present = self.initial.get(name)
            if isinstance(field, forms.ModelChoiceField) and present:
                named = [getattr(each, "pk", each) for each in (present if isinstance(present, list) else [present])]
                rows: Any = field.queryset
                # Asked of each row that is looked for by its key: "in" would read the keys of all visible rows first.
                visible = models.Exists(rows.order_by().filter(pk=models.OuterRef("pk")))
                field.queryset = rows.model._default_manager.filter(visible | models.Q(pk__in=named))  # noqa: SLF001  (as above)

    def latest(self) -> str:
        """Name the latest version of the row, so that nobody overwrites what they have not seen."""
        history = getattr(type(self.instance), "history", None)
        if history is None or self.instance._state.adding:  # noqa: SLF001  (Django's documented name)
            return ""
        key = self.instance._meta.pk  # noqa: SLF001  (as above)
        versions = history.filter(**{key.attname: self.instance.pk})
        return str(versions.values_list("pk", flat=True).first() or "")

    def changed(self) -> list[str]:
        """Name the fields that say something else than the row does."""
        return [name for name in self.changed_data if name not in NOT_VALUES]

    def _post_clean(self) -> None:
        """Let the service check the values, in place of the model: it does, and says what is wrong in its own words."""
        if self.errors:
            return
        if self.cleaned_data.get("seen", "") != self.latest():
            self.add_error(None, "Somebody has changed it meanwhile. Open the page again, and look at what is there now.")
            return
        try:
            self.outcome = self.perform(self)
        except Refusal as refusal:
            add_refusal(self, refusal)


class OperationForm(BoundForm, forms.Form):
    """Asks for the reason of an operation, and in subclasses for what else it needs."""

    reason = reason_field()

    def __init__(self, *args: Any, site: Any, request: HttpRequest, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.site, self.request = site, request
        self.bind_rows()
        self.order_fields([name for name in self.fields if name != "reason"])
