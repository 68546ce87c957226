"""Nothing in the repository names a place outside it: no registry, no machine's folders."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TEXT = {".py", ".md", ".txt", ".in", ".toml", ".yaml", ".yml", ".html", ".css", ".js", ".svg", ".json", ".cfg", ".sh", ""}
REGISTRY = re.compile(
    r"(?:files\.)?python" + r"hosted\.org|py" + r"pi\.org/simple|registry\." + r"npm|--(?:extra-)?index-url (?!#)"
)
MACHINE = re.compile(r"(?<![\w.])/(?:home|root|Users|work)/[\w.-]+")


def files() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    paths = [ROOT / line for line in listed.stdout.splitlines()]
    return [path for path in paths if path.is_file() and path.suffix in TEXT]


def lines_with(pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
        for path in files()
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1)
        if pattern.search(line)
    ]


def test_no_file_names_a_registry() -> None:
    assert lines_with(REGISTRY) == []


def test_no_file_names_a_folder_of_a_machine() -> None:
    assert lines_with(MACHINE) == []


def test_locks_have_hashes_and_no_address() -> None:
    for path in (ROOT / "requirements").glob("*.txt"):
        text = path.read_text(encoding="utf-8")
        assert "://" not in text, path.name
        pins = re.findall(r"^[a-z0-9][^\s=]*==.*?(?=^[a-z0-9]|\Z)", text, flags=re.MULTILINE | re.DOTALL | re.IGNORECASE)
        assert pins
        assert all("--hash=sha256:" in pin for pin in pins), path.name


def test_locks_hold_what_is_asked_for() -> None:
    for name in ("base", "dev"):
        asked = re.findall(r"^([A-Za-z0-9._-]+)", (ROOT / "requirements" / f"{name}.in").read_text("utf-8"), flags=re.MULTILINE)
        locked = (ROOT / "requirements" / f"{name}.txt").read_text("utf-8").lower()
        missing = [
            package for package in asked if not re.search(rf"^{re.escape(normal(package))}==", locked, flags=re.MULTILINE)
        ]
        assert [package for package in missing if not package.startswith("-")] == [], name


def normal(package: str) -> str:
    return re.sub(r"[-_.]+", "-", package).lower()
