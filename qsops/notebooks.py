"""Copies of the notebooks for work on a real account: cleared, in ``runs/``, with the target in their parameters."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any, Final

from qsops.errors import Corrupt, SettingsError

__all__ = ["RUNS", "copy", "live_notebooks"]

#: Ignored by git: nothing that came from a real account is ever committed.
RUNS: Final = "runs"
_FOLDER: Final = "notebooks"
_BANNER_ID: Final = "qsops-copy"
_TARGET: Final = "TARGET"
_LIVE: Final = ("yes", "read-only")

Notebook = dict[str, Any]


def copy(root: Path, target: str, name: str | None = None) -> list[Path]:
    """Copy the notebook ``name`` (its path below ``notebooks/``, ``.ipynb`` optional), or all that may run live.

    The copies have no outputs, name ``target`` in their parameters cell, and say so at the top.

    :raises SettingsError: there is no such notebook, it cannot run live, or a copy is there already: it may hold work.
    """
    sources = live_notebooks(root) if name is None else [_named(root, name)]
    copies = [root / RUNS / target / source.relative_to(root / _FOLDER) for source in sources]
    for path in copies:
        if path.exists():
            raise SettingsError(f"{path} is there already and may hold your work: rename or remove it, then copy again")
    texts = [_text(_copied(_read(source), source.relative_to(root), target)) for source in sources]
    for path, text in zip(copies, texts, strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return copies


def live_notebooks(root: Path) -> list[Path]:
    """The notebooks that say of themselves that they can run on a real account.

    :raises SettingsError: there is no folder of notebooks.
    """
    folder = root / _FOLDER
    if not folder.is_dir():
        raise SettingsError(f"{folder} is not there: run this in a checkout of the project")
    paths = [path for path in sorted(folder.rglob("*.ipynb")) if ".ipynb_checkpoints" not in path.parts]
    return [path for path in paths if _live(_read(path)) in _LIVE]


def _named(root: Path, name: str) -> Path:
    folder = (root / _FOLDER).resolve()
    path = (folder / name.removesuffix(".ipynb")).with_suffix(".ipynb")
    if not path.is_file() or not path.resolve().is_relative_to(folder):
        known = ", ".join(str(one.relative_to(root / _FOLDER).with_suffix("")) for one in live_notebooks(root))
        raise SettingsError(f"{name!r} is no notebook below {_FOLDER}/; there are: {known}")
    if _live(_read(path)) not in _LIVE:
        raise SettingsError(f"{name} runs on the embedded engine alone: it moves the clock, or scripts its receiver")
    return path


def _copied(notebook: Notebook, source: Path, target: str) -> Notebook:
    cells = [_cleared(cell, source, target) for cell in notebook["cells"]]
    if not any(_is_parameters(cell) for cell in cells):
        raise Corrupt(f"{source} has no cell tagged 'parameters' to set the target in")
    return {**notebook, "cells": [_banner(notebook, source, target), *cells]}


def _cleared(cell: dict[str, Any], source: Path, target: str) -> dict[str, Any]:
    if cell["cell_type"] != "code":
        return cell
    cleared = {**cell, "outputs": [], "execution_count": None}
    if _is_parameters(cell):
        cleared["source"] = _with_target("".join(cell["source"]), source, target)
    return cleared


def _with_target(source_text: str, source: Path, target: str) -> str:
    """The cell with ``TARGET = …`` replaced, and nothing else: its comments explain the other parameters."""
    for statement in ast.parse(source_text).body:
        if isinstance(statement, ast.Assign) and [ast.unparse(name) for name in statement.targets] == [_TARGET]:
            value, lines = statement.value, source_text.splitlines(keepends=True)
            line = lines[value.lineno - 1].encode()
            lines[value.lineno - 1] = (
                line[: value.col_offset].decode()
                + json.dumps(target, ensure_ascii=False)
                + line[value.end_col_offset :].decode()
            )
            return "".join(lines)
    raise Corrupt(f"{source}: its parameters cell sets no {_TARGET}")


def _banner(notebook: Notebook, source: Path, target: str) -> dict[str, Any]:
    access = "it only reads" if _live(notebook) == "read-only" else "it only reads until a cell opens it for writing"
    text = (
        f"> **Target: `{target}`** · a copy of `{source.as_posix()}` for work on a real account; {access}.\n"
        f"> What it prints may come from that account: `{RUNS}/` is ignored by git, leave it so."
    )
    return {"cell_type": "markdown", "id": _BANNER_ID, "metadata": {}, "source": text}


def _is_parameters(cell: dict[str, Any]) -> bool:
    return cell["cell_type"] == "code" and "parameters" in cell.get("metadata", {}).get("tags", [])


def _live(notebook: Notebook) -> str:
    return str(notebook.get("metadata", {}).get("qsops", {}).get("live", "no"))


def _read(path: Path) -> Notebook:
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise Corrupt(f"{path} is no notebook: {error}") from error
    if not isinstance(notebook, dict) or not isinstance(notebook.get("cells"), list):
        raise Corrupt(f"{path} is no notebook: it has no list of cells")
    return notebook


def _text(notebook: Notebook) -> str:
    return json.dumps(notebook, ensure_ascii=False, indent=1) + "\n"
