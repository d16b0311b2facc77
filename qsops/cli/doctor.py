"""``qsops doctor``: what is wrong with the set-up, and what to do about it."""

from __future__ import annotations

from dataclasses import asdict

import typer

from qsops.cli.context import session_of
from qsops.cli.output import AsJson, print_json, print_table

__all__ = ["doctor"]


def doctor(ctx: typer.Context, json: AsJson = False) -> None:
    """Check the set-up, and say what to mend.

    Settings, token, region, signing keys, reachability, retry horizon and clock skew. Asks the service
    one free question. Exit status 1 when a fault is found.

    \b
    Examples:
      qsops doctor
      qsops --target env doctor --json
    """
    with session_of(ctx) as session:
        checks = session.doctor()
    if json:
        print_json([asdict(check) for check in checks])
    else:
        print_table(["", "check", "seen", "advice"], [[c.level, c.name, c.seen, c.advice] for c in checks])
    if any(check.level == "fault" for check in checks):
        raise typer.Exit(1)
