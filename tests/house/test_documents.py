import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from service.settings import Settings

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
SETTING = re.compile(
    r'"((?:QSTASH|QSOPS|INSTAGRAM|INTERNAL|PUBLIC|DATABASE|VERCEL)_[A-Z_]+|QSTASH_DEV|VERCEL)"|^    (qsops_[a-z_]+):',
    re.M,
)
NOT_SETTINGS = {"DATABASE_FULL", "DATABASE_UNAVAILABLE", "INTERNAL_ERROR", "INTERNAL_TOKEN"}


def settings_of_the_code() -> set[str]:
    found = {
        (match[1] or match[2]).upper()
        for folder in ("qsops", "service")
        for path in (ROOT / folder).rglob("*.py")
        for match in SETTING.finditer(path.read_text())
    }
    return found - NOT_SETTINGS


def test_every_setting_is_documented():
    """docs/settings.md names each setting that the code reads."""
    documented = (ROOT / "docs" / "settings.md").read_text()
    assert len(settings_of_the_code()) > 15
    assert {name for name in settings_of_the_code() if f"`{name}`" not in documented} == set()


def test_every_setting_of_the_service_is_in_the_table():
    """docs/settings.md names each field of the service's settings, and .env.example no other."""
    documented = (ROOT / "docs" / "settings.md").read_text()
    fields = {name.upper() for name in Settings.model_fields}
    assert {name for name in fields if f"`{name}`" not in documented} == set()
    shown = set(re.findall(r"^(?:# )?([A-Z_0-9]+)=", (ROOT / ".env.example").read_text(), re.M))
    assert shown <= fields


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path):
    """A link to a file of the project leads to a file of the project."""
    for target in re.findall(r"\]\(([^)#:]+?)(?:#[^)]*)?\)", document.read_text()):
        assert (document.parent / target).exists(), f"{document.name}: {target}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_that_are_shown_exist(document: Path):
    """Each `qsops verb` of a document is a verb of the command line."""
    helped = subprocess.run(
        [sys.executable, "-m", "qsops", "--help"], capture_output=True, text=True, check=True
    ).stdout
    verbs = set(re.findall(r"^  ([a-z-]+)  ", helped.split("Commands:")[1], re.M))
    shown = re.findall(r"^(?:    )?qsops (?:--target \S+ )?(?:--write )?([a-z-]+)", document.read_text(), re.M)
    shown += re.findall(r"`qsops (?:--target \S+ )?(?:--write )?([a-z-]+)", document.read_text())
    assert set(shown) <= verbs


def test_each_bad_input_is_held_by_a_test():
    """Each row of the table in docs/service.md names a test that exists."""
    table = (ROOT / "docs" / "service.md").read_text().partition("## Bad input")[2]
    rows = [line for line in table.splitlines() if line.startswith("| ")][1:]
    named = [re.findall(r"`(tests/\S+?)::(\w+)`", row) for row in rows]
    assert len(rows) > 15
    assert all(named)
    missing = [name for found in named for path, name in found if f"def {name}(" not in (ROOT / path).read_text()]
    assert missing == []


def test_each_room_stands_on_the_plan():
    """docs/architecture.md says what each room of the import layers is for."""
    plan = (ROOT / "docs" / "architecture.md").read_text()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    for contract in project["tool"]["importlinter"]["contracts"][:2]:
        (package,) = contract["containers"]
        named = {name for layer in contract["layers"] for name in re.findall(r"(?<!\()\b\w+\b(?!\))", layer)}
        present = {name for name in named if any((ROOT / package).glob(f"{name}*")) and not name.startswith("_")}
        assert {name for name in present if f"`{name}`" not in plan} == set()
