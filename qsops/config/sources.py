"""Where settings come from: the environment over ``.env.local`` over ``.env``, and where the project lies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from dotenv import dotenv_values

from qsops.errors import SettingsError

__all__ = ["DOTENV_SWITCH", "Environment", "environment", "project_root", "state_dir"]

DOTENV_SWITCH: Final = "QSOPS_DOTENV"

# The later file wins.
_FILES: Final = (".env", ".env.local")
_MARKERS: Final = ("qsops.toml", "pyproject.toml", ".git")


class Environment(Mapping[str, str]):
    """Variables by name, read once and frozen. Its repr counts them: among their values are tokens."""

    __slots__ = ("_variables",)

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = dict(variables)

    def __getitem__(self, name: str) -> str:
        return self._variables[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._variables)

    def __len__(self) -> int:
        return len(self._variables)

    def __repr__(self) -> str:
        return f"Environment({len(self)} variables)"


def environment(root: Path | None, environ: Mapping[str, str]) -> Environment:
    """The settings of the project at ``root``: ``.env``, over it ``.env.local``, over both ``environ``.

    ``root`` None, or ``QSOPS_DOTENV=off`` in ``environ``, leaves the files out. A value is taken as it stands in its
    file: ``$`` and braces mean nothing, since tokens may hold them.

    :raises SettingsError: if a file cannot be read as UTF-8 text, or ``QSOPS_DOTENV`` is neither on nor off.
    """
    variables: dict[str, str] = {}
    if root is not None and _with_files(environ):
        for name in _FILES:
            variables |= _file(root / name)
    return Environment(variables | dict(environ))


def project_root(start: Path | None = None) -> Path:
    """The nearest folder from ``start`` (the working directory) up that holds qsops.toml, pyproject.toml or .git.

    Where there is none, ``start`` itself. So a notebook's kernel, which starts in the notebook's folder, finds the same
    project as the shell.
    """
    start = (start or Path.cwd()).resolve()
    for folder in (start, *start.parents):
        if any((folder / marker).exists() for marker in _MARKERS):
            return folder
    return start


def state_dir(root: Path) -> Path:
    """Where the toolkit keeps what it remembers of the project at ``root``; it need not exist yet."""
    return root / ".qsops"


def _with_files(environ: Mapping[str, str]) -> bool:
    switch = environ.get(DOTENV_SWITCH, "").strip().lower()
    if switch not in ("", "on", "off"):
        raise SettingsError(f"{DOTENV_SWITCH} is on or off, not {switch!r}")
    return switch != "off"


def _file(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    try:
        values = dotenv_values(path, interpolate=False, encoding="utf-8-sig")
    except (OSError, UnicodeError) as error:
        # The error's own text may quote the line, and with it a secret.
        raise SettingsError(f"{path} cannot be read as UTF-8 text ({type(error).__name__})") from None
    return {name: value for name, value in values.items() if value is not None}
