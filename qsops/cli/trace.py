"""``qsops trace``: what happened to one message."""

from __future__ import annotations

from typing import Annotated

import typer

from qsops.cli.context import session_of
from qsops.cli.output import AsJson, Format, print_frame

__all__ = ["trace"]


def trace(
    ctx: typer.Context,
    ref: Annotated[str, typer.Argument(metavar="MESSAGE_ID", help="A message's id, event:ID, or ig:MID.")],
    json: AsJson = False,
) -> None:
    """Tell the story of one message.

    Received, published, each attempt, processed.

    \b
    Examples:
      qsops trace msg_01hqk3v5c8000004
      qsops trace ig:aWdfZAG1faXRlbToxOk --json
    """
    with session_of(ctx) as session:
        timeline = session.trace(ref)
    print_frame(timeline.frame, Format.json if json else Format.table)
    if timeline.note:
        typer.echo(timeline.note, err=True)
