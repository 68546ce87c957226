import re
from pathlib import Path

import pytest
from django.template.loader import get_template

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
FORBIDDEN = {
    "a style attribute": r"\sstyle\s*=",
    "an inline style": r"<style",
    "an inline script": r"<script(?![^>]*\ssrc=)",
    "an inline handler": r"\son[a-z]+\s*=",
    "a javascript address": r"javascript:",
    "an unescaped value": r"\|\s*safe\b|autoescape\s+off|\|\s*safeseq",
    "another host": r"(?:https?:)?//(?!www\.w3\.org/)[a-z0-9-]+\.[a-z]",
    "an htmx script": r"\shx-on|js:",
}


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
@pytest.mark.parametrize("what", FORBIDDEN)
def test_a_template_holds_nothing_that_the_policy_forbids(path: Path, what: str) -> None:
    assert not re.search(FORBIDDEN[what], path.read_text(encoding="utf-8"), flags=re.IGNORECASE), f"{path.name} has {what}"


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_template_can_be_read(path: Path) -> None:
    get_template(str(path.relative_to(ROOT / "templates")))


@pytest.mark.parametrize("path", sorted((ROOT / "static").rglob("*.css")), ids=lambda path: path.name)
def test_a_style_sheet_loads_nothing_from_elsewhere(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert "@import" not in text
    assert "url(" not in text


def test_every_icon_that_is_used_is_in_the_sprite() -> None:
    sprite = (ROOT / "templates" / "components" / "sprite.html").read_text(encoding="utf-8")
    known = set(re.findall(r'id="icon-([a-z-]+)"', sprite))
    used = {name for path in TEMPLATES for name in re.findall(r'{% icon "([a-z-]+)"', path.read_text(encoding="utf-8"))}
    from agentiam.dashboard import NAVIGATION

    assert used | {item.icon for _, items in NAVIGATION for item in items} == known


def test_every_token_that_is_used_is_defined() -> None:
    sheets = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "static" / "css").glob("*.css")}
    defined = set(re.findall(r"(--[a-z0-9-]+)\s*:", sheets["tokens.css"]))
    used = {name for text in sheets.values() for name in re.findall(r"var\((--[a-z0-9-]+)", text)}
    assert used <= defined


def test_colours_are_tokens() -> None:
    for name in ("base", "layout", "components"):
        text = (ROOT / "static" / "css" / f"{name}.css").read_text(encoding="utf-8")
        assert not re.search(r"#[0-9a-f]{3,8}\b|rgba?\(|hsla?\(|oklch\(", text), name
