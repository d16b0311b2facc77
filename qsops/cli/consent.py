"""A verb that has no way back is told twice."""

from __future__ import annotations

from typing import Annotated

import typer

from qsops.errors import SettingsError

__all__ = ["Yes", "sure"]

Yes = Annotated[bool, typer.Option("--yes", help="Do it: there is no way back.")]


def sure(verb: str, look: str, yes: bool) -> None:
    """See to it that ``verb`` is meant.

    :raises SettingsError: without ``yes``, naming the command by which to ``look`` at what would go.
    """
    if not yes:
        raise SettingsError(f"{verb} has no way back: look with `{look}`, then say --yes")
