from pathlib import Path

import pytest

from qsops import config
from qsops.errors import SettingsError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / ".env").write_text("ONE=dotenv\nTWO=dotenv\nTHREE=dotenv\n")
    (tmp_path / ".env.local").write_text("TWO=local\nTHREE=local\n")
    return tmp_path


def test_the_environment_wins_over_both_files(root: Path):
    """.env < .env.local < the environment."""
    found = config.environment(root, {"THREE": "environment", "FOUR": "environment"})
    assert dict(found) == {"ONE": "dotenv", "TWO": "local", "THREE": "environment", "FOUR": "environment"}


def test_an_empty_variable_wins_too(root: Path):
    """Setting a variable to nothing in the environment unsets what a file says."""
    assert config.environment(root, {"ONE": ""})["ONE"] == ""


@pytest.mark.parametrize("switch", ["off", "OFF", " off "])
def test_the_files_can_be_switched_off(root: Path, switch: str):
    """With QSOPS_DOTENV=off in the environment no file is read: tests and child processes depend on it."""
    assert dict(config.environment(root, {"QSOPS_DOTENV": switch})) == {"QSOPS_DOTENV": switch}


def test_a_file_cannot_switch_the_files_off(root: Path):
    """The switch counts in the environment alone, or the order of reading would matter."""
    (root / ".env.local").write_text("QSOPS_DOTENV=off\n")
    assert config.environment(root, {})["ONE"] == "dotenv"


@pytest.mark.parametrize("switch", ["of", "0", "false"])
def test_a_mistyped_switch_is_refused(root: Path, switch: str):
    """Whoever wants the files off must not get them by a typing error."""
    with pytest.raises(SettingsError, match=f"QSOPS_DOTENV is on or off, not '{switch}'"):
        config.environment(root, {"QSOPS_DOTENV": switch})


def test_without_a_project_there_are_no_files():
    """Root None leaves the environment alone."""
    assert dict(config.environment(None, {"ONE": "1"})) == {"ONE": "1"}


def test_a_project_without_files_has_no_more_than_the_environment(tmp_path: Path):
    """Neither file is needed."""
    assert dict(config.environment(tmp_path, {"ONE": "1"})) == {"ONE": "1"}


def test_values_are_taken_as_they_stand(tmp_path: Path):
    """Quotes, comments, export and a byte order mark are understood; a dollar sign in a token is no variable."""
    text = '\ufeffexport TOKEN="eyJ=="\nKEY=sig_${HOME}$x # the current one\nBARE\nEMPTY=\nNAME="Grüße"\n'
    (tmp_path / ".env").write_text(text, encoding="utf-8")
    found = config.environment(tmp_path, {})
    assert dict(found) == {"TOKEN": "eyJ==", "KEY": "sig_${HOME}$x", "EMPTY": "", "NAME": "Grüße"}


def test_a_file_that_is_no_text_is_named_without_its_content(tmp_path: Path):
    """A broken file is one line that names it, and shows nothing of what stands in it."""
    (tmp_path / ".env").write_bytes(b"TOKEN=hush\xff\n")
    with pytest.raises(SettingsError, match=r"\.env cannot be read as UTF-8 text \(UnicodeDecodeError\)$") as caught:
        config.environment(tmp_path, {})
    assert "hush" not in str(caught.value)


def test_an_environment_prints_no_value():
    """Among the values are tokens, so the repr counts."""
    assert repr(config.environment(None, {"QSTASH_TOKEN": "hush"})) == "Environment(1 variables)"


def test_an_environment_is_read_once():
    """What changes afterwards, in the process or in a file, changes no settings."""
    environ = {"ONE": "1"}
    found = config.environment(None, environ)
    environ["ONE"] = "2"
    assert found["ONE"] == "1"


@pytest.mark.parametrize("marker", ["qsops.toml", "pyproject.toml", ".git"])
def test_the_project_is_found_from_a_subfolder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, marker: str):
    """A notebook's kernel starts in the notebook's folder, and finds the project that holds it."""
    notebooks = tmp_path / "notebooks" / "runbooks"
    notebooks.mkdir(parents=True)
    (tmp_path / marker).mkdir() if marker == ".git" else (tmp_path / marker).touch()
    monkeypatch.chdir(notebooks)
    assert config.project_root() == tmp_path.resolve()
    assert config.state_dir(config.project_root()) == tmp_path.resolve() / ".qsops"
    assert not config.state_dir(tmp_path).exists()


def test_the_nearest_project_is_taken(tmp_path: Path):
    """A project inside another is its own."""
    inner = tmp_path / "inner"
    inner.mkdir()
    (tmp_path / ".git").mkdir()
    (inner / "pyproject.toml").touch()
    assert config.project_root(inner) == inner.resolve()


def test_without_a_project_the_folder_itself_is_the_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Where nothing marks a project, state lies where the command was started."""
    monkeypatch.setattr("qsops.config.sources._MARKERS", ("no-such-marker",))
    monkeypatch.chdir(tmp_path)
    assert config.project_root() == tmp_path.resolve()
