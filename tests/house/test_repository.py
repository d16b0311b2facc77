import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
TRACKED = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())

# Spelled in parts, so that this file does not find itself.
INDEX_HOSTS = [
    "python" + "hosted",
    "py" + r"pi\.org",
    "npm" + r"js\.(org|com)",
    r"deb\." + "debian",
    "UV_DEFAULT" + "_INDEX=h",
]
MACHINE_PATHS = ["/ho" + r"me/\w+/", "/ro" + r"ot/(?!\.)", "/Users/" + r"\w+/"]


def text_of(name: str) -> str:
    try:
        return (ROOT / name).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


@pytest.mark.parametrize("pattern", INDEX_HOSTS + MACHINE_PATHS)
def test_no_tracked_file_names_an_index_or_a_machine(pattern: str):
    """The project can be set up from any index and on any machine, so it names none."""
    assert [name for name in TRACKED if re.search(pattern, text_of(name))] == []


def test_the_conda_environment_agrees_with_the_project():
    """environment.yml takes Python within requires-python, and everything else from pyproject.toml."""
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    conda = [entry for entry in environment["dependencies"] if isinstance(entry, str)]
    (pip,) = [entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict)]
    assert environment["name"] == "qsops"
    assert environment["channels"] == ["conda-forge"]
    assert f"python {PROJECT['project']['requires-python']}" in conda
    assert pip == [f"-e .[{','.join(extras_of_the_makefile())}]"]
    # Spark is what the archive is asked with where one machine is outgrown: nobody needs it to begin with.
    assert {*extras_of_the_makefile(), "spark"} == set(PROJECT["project"]["optional-dependencies"])


def extras_of_the_makefile() -> list[str]:
    match = re.search(r"^EXTRAS := (.+)$", (ROOT / "Makefile").read_text(), re.M)
    assert match
    return match[1].split(",")


def test_the_constraints_pin_everything_the_project_asks_for():
    """Each requirement has exactly one pinned version per platform in constraints.txt, and no line names a source."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    assert all(re.match(r"[a-z0-9-]+==\S+( ; .+)?$", line) for line in lines), lines
    pinned = {line.split("==")[0] for line in lines}
    extras = PROJECT["project"]["optional-dependencies"].values()
    wanted = PROJECT["project"]["dependencies"] + [requirement for extra in extras for requirement in extra]
    assert {re.match(r"[a-z0-9-]+", requirement)[0] for requirement in wanted} <= pinned


def test_each_target_of_the_makefile_is_listed():
    """`make help` names every target that a person may call."""
    makefile = (ROOT / "Makefile").read_text()
    (phony,) = re.findall(r"^\.PHONY: (.+)$", makefile, re.M)
    listed = subprocess.run(["make", "-s", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert {line.split()[0] for line in listed.splitlines()} == set(phony.split())


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE", ".env.example", ".ci/run"])
def test_what_a_repository_has(name: str):
    """The files that a stranger looks for first are there and say something."""
    assert name in TRACKED
    assert len(text_of(name).splitlines()) > 3


def test_the_example_settings_hold_no_secret():
    """.env.example names the settings and leaves every secret empty."""
    for line in text_of(".env.example").splitlines():
        name, _, value = line.partition("=")
        if re.search("TOKEN|KEY|SECRET", name) and not line.startswith("#"):
            assert value == "", name
