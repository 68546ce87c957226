"""Components of pages as template tags: one shape for one kind of thing, everywhere, with a word beside every colour."""

from typing import Any, Final

from django import template
from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()

EFFECTS: Final = {"allow": "Allowed", "deny": "Denied", "escalate": "Escalated", "mask": "Masked", "idle": "Pending"}
KINDS: Final = {"idle", "accent", "allow", "deny", "hold"}


@register.simple_tag
def icon(name: str) -> SafeString:
    """Draw an icon of the sprite; it is decoration, the words stand beside it."""
    return format_html('<svg class="icon" viewBox="0 0 16 16" aria-hidden="true"><use href="#icon-{}"/></svg>', name)


@register.inclusion_tag("components/glyph.html")
def glyph(effect: str) -> dict[str, Any]:
    """Draw the shape of a decision: disc with tick, octagon with bar, diamond with arrow, half disc, dashed ring."""
    return {"effect": _known(effect, EFFECTS)}


@register.inclusion_tag("components/effect.html")
def effect(name: str) -> dict[str, Any]:
    """Say what a decision was: shape, word and colour."""
    return {"effect": _known(name, EFFECTS), "word": EFFECTS[name]}


@register.inclusion_tag("components/person.html")
def person(name: str, *, size: str = "", bare: bool = False) -> dict[str, Any]:
    """Show a person: a circle with initials, and the name unless ``bare``."""
    words = name.split()
    initials = "".join(word[0] for word in (words[:1] + words[-1:] if len(words) > 1 else words)).upper()
    return {"name": name, "initials": initials or "?", "size": size, "bare": bare}


@register.inclusion_tag("components/agent.html")
def agent(name: str, *, state: str = "active", size: str = "") -> dict[str, Any]:
    """Show an agent: a hexagon whose inside tells the state, and the name."""
    return {"name": name, "state": state, "size": size}


@register.inclusion_tag("components/resource.html")
def resource(name: str, *, size: str = "") -> dict[str, Any]:
    """Show a resource: a square, and the name."""
    return {"name": name, "size": size}


@register.simple_block_tag
def panel(content: str, title: str, *, meta: str = "") -> str:
    """Frame content under a heading; ``meta`` is a short note beside it."""
    return render_to_string("components/panel.html", {"content": content, "title": title, "meta": meta})


@register.simple_block_tag
def figure(content: str, label: str, *, note: str = "") -> str:
    """Show one number of a strip, with its label and its unit or whole."""
    return render_to_string("components/figure.html", {"content": content, "label": label, "note": note})


@register.simple_block_tag
def notice(content: str, *, kind: str = "idle") -> str:
    """Say something that matters for the whole page or form."""
    return render_to_string("components/notice.html", {"content": content, "kind": _known(kind, KINDS)})


@register.simple_block_tag
def empty(content: str, title: str) -> str:
    """Say why there is nothing here, and what to do about it."""
    return render_to_string("components/empty.html", {"content": content, "title": title})


def _known(name: str, names: Any) -> str:
    if name not in names:
        raise template.TemplateSyntaxError(f"{name!r} is none of: {', '.join(sorted(names))}")
    return name
