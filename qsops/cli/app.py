"""The tree of verbs."""

from __future__ import annotations

from typing import Annotated

import typer

from qsops.cli import (
    archive,
    backlog,
    compare,
    cost,
    demo,
    dlq,
    doctor,
    duplicates,
    engine,
    failure_groups,
    flow,
    groups,
    keys,
    latency,
    logs,
    notebooks,
    outages,
    outcomes,
    publish,
    queues,
    receive,
    retries,
    schedules,
    serve,
    trace,
    up,
    usage,
    whatif,
)
from qsops.cli.context import Chosen
from qsops.cli.failures import Verbs

__all__ = ["app"]

_CONTEXT = {"help_option_names": ["-h", "--help"]}

app = typer.Typer(
    cls=Verbs,
    name="qsops",
    # A bare `qsops` is misuse like any other; what it wants is the help.
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings=_CONTEXT,
)


def _version(wanted: bool) -> None:
    if wanted:
        from qsops import __version__

        typer.echo(f"qsops {__version__}")
        raise typer.Exit


@app.callback()
def root(
    ctx: typer.Context,
    target: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="local (default): this machine's engine; env: the QSTASH_* variables; or a profile of qsops.toml.",
        ),
    ] = None,
    write: Annotated[bool, typer.Option("--write", help="Let the verb change something on a hosted target.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version, and exit.")
    ] = False,
) -> None:
    """Operate event ingestion over Upstash QStash: publish, trace, explain, repair, rehearse.

    The target is named, never guessed: without --target it is the engine on this machine, whatever token is set.

    \b
    Examples:
      qsops demo
      qsops logs --since 1h
      qsops --target env logs --since 1h --state FAILED
      qsops --target production --write publish https://api.example.com/hook --json '{"hello": 1}'
    """
    ctx.obj = Chosen(target, write)


app.command("demo")(demo.demo)
app.command("up")(up.up)
app.command("engine")(engine.engine)
app.command("serve")(serve.serve)
app.command("doctor")(doctor.doctor)
app.command("publish")(publish.publish)
app.command("publish-many")(publish.publish_many)
app.command("logs")(logs.logs)
app.command("trace")(trace.trace)
app.command("outcomes")(outcomes.outcomes)
app.command("latency")(latency.latency)
app.command("retries")(retries.retries)
app.command("failures")(failure_groups.failures)
app.command("outages")(outages.outages)
app.command("backlog")(backlog.backlog)
app.command("duplicates")(duplicates.duplicates)
app.command("compare")(compare.compare)
app.command("cost")(cost.cost)
app.command("usage")(usage.usage)
app.command("whatif")(whatif.whatif)
app.add_typer(archive.app, name="archive")
app.add_typer(dlq.app, name="dlq")
app.add_typer(keys.app, name="keys")
app.add_typer(queues.app, name="queues")
app.add_typer(schedules.app, name="schedules")
app.add_typer(groups.app, name="groups")
app.add_typer(flow.app, name="flow")
app.command("receive")(receive.receive)
app.add_typer(notebooks.app, name="notebooks")
