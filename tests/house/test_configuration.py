import json
import re
from pathlib import Path

from django.conf import settings

from agentiam.checks import KNOWN_ELSEWHERE
from agentiam.management.commands.quickstart import REQUESTS

ROOT = Path(__file__).resolve().parents[2]


def test_every_variable_is_documented_and_every_documented_variable_is_read() -> None:
    text = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"^\| `([A-Z_]+)`", text, flags=re.MULTILINE))
    read = {
        name
        for name in settings.READ.known
        if not (name.endswith("_FILE") and name.removesuffix("_FILE") in settings.READ.known)
    }
    assert documented == read | KNOWN_ELSEWHERE


def test_every_variable_that_has_a_file_form_says_so() -> None:
    text = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `([A-Z_]+)` *(†?)", text, flags=re.MULTILINE))
    with_file = {name.removesuffix("_FILE") for name in settings.READ.known if name.endswith("_FILE")}
    assert {name for name, mark in rows.items() if mark} == with_file


def test_every_check_is_documented() -> None:
    text = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    source = (ROOT / "agentiam" / "checks.py").read_text(encoding="utf-8")
    assert set(re.findall(r"agentiam\.[EW]\d{3}", source)) == set(re.findall(r"agentiam\.[EW]\d{3}", text))


def test_the_readme_asks_what_quickstart_prints() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for sentence, request in REQUESTS:
        assert f"# {sentence}" in text
        assert json.dumps({"subject": {"type": "agent", "id": "refund-runner"}} | request) in text
