"""Commands as a person or a script calls them, in this process: another one costs a second to start."""

from __future__ import annotations

from dataclasses import dataclass

import typer
from typer.testing import CliRunner

__all__ = ["Done", "invoked"]


@dataclass(frozen=True, slots=True)
class Done:
    """How it ended, and what it printed."""

    returncode: int
    stdout: str
    stderr: str


def invoked(app: typer.Typer, *arguments: str, given: str = "", **env: str) -> Done:
    """``app`` with ``arguments`` and the settings ``env``, reading ``given``."""
    told = {"QSOPS_DOTENV": "off", "NO_PROXY": "*", **env}
    result = CliRunner().invoke(app, arguments, input=given, env=told)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Done(result.exit_code, result.stdout, result.stderr)
