"""``qsops receive``: a consumer with a script."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from qsops.cli.context import chosen

if TYPE_CHECKING:
    from qsops.stack.receiver import Arrival

__all__ = ["receive"]

_BODY_SHOWN = 200


def receive(
    ctx: typer.Context,
    answer: Annotated[
        str,
        typer.Option(
            metavar="SCRIPT",
            help="Answers in turn, the last one for ever: a status, drop or hang, with after=2s, body=…, header=value.",
        ),
    ] = "200",
    host: Annotated[str, typer.Option(help="The address it listens on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port it listens on; 0 takes a free one.")] = 3000,
    url: Annotated[
        str | None, typer.Option(metavar="URL", help="The public base URL, behind a tunnel or proxy.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object a request.")] = False,
) -> None:
    """Receive deliveries, and answer them by a script.

    Prints what arrives and the verdict on its signature, until Ctrl-C. Signatures are checked with the keys
    of the target, by default the local engine's.

    \b
    Examples:
      qsops receive --answer "500,500,200"
      qsops receive --port 3001 --answer "429 retry-after=5, drop, 200 after=2s"
    """
    from qsops import config
    from qsops.clock import SystemClock
    from qsops.engine.deliveries.scripted import parse_answers
    from qsops.stack.receiver import Receiver, run_receiver

    root = config.project_root()
    target = config.resolve(chosen(ctx).target, config.environment(root, os.environ), root)
    receiver = Receiver(
        parse_answers(answer),
        keys=target.keys,
        clock=SystemClock(),
        tell=_print_json if json else _print_line,
        public_url=url,
    )
    run_receiver(receiver, host=host, port=port, on_ready=_print_ready)


def _print_ready(url: str) -> None:
    typer.echo(f"receiver: {url} (Ctrl-C stops it)", err=True)


def _print_line(arrival: Arrival) -> None:
    from qsops.clock import utc

    facts = arrival.facts
    text = arrival.body[:_BODY_SHOWN].decode(errors="replace")
    shown = "".join(c if c.isprintable() else "�" for c in text)
    typer.echo(
        f"{utc(arrival.at_ms):%H:%M:%S} {arrival.method} {arrival.url} {facts.message_id or 'no message id'} "
        f"retried={facts.retried} {len(arrival.body)} bytes -> {arrival.answer} | {arrival.verdict} | {shown}"
    )


def _print_json(arrival: Arrival) -> None:
    import json

    from qsops.clock import utc

    facts = arrival.facts
    told = {
        "time": utc(arrival.at_ms).isoformat(),
        "method": arrival.method,
        "url": arrival.url,
        "message_id": facts.message_id,
        "retried": facts.retried,
        "verdict": arrival.verdict,
        "answer": arrival.answer,
        "body": arrival.body.decode(errors="replace"),
    }
    typer.echo(json.dumps(told, ensure_ascii=False))
