"""``qsops engine``: the local QStash."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from qsops.cli.context import refuse_hosted

__all__ = ["engine"]


Host = Annotated[str, typer.Option(help="Where it listens. Beyond loopback it needs --token.")]
Port = Annotated[
    int, typer.Option(help="Where it listens; 0 takes a free one.", envvar="QSTASH_DEV_PORT", min=0, max=65535)
]
Db = Annotated[
    str | None, typer.Option(metavar="FILE", help="Its database; :memory: forgets. Default: .qsops/engine.db")
]
Quota = Annotated[str, typer.Option(help="The plan whose limits hold: payg, free or pro.", envvar="QSTASH_DEV_QUOTA")]
Token = Annotated[
    str | None, typer.Option(help="An account of your own.", envvar="QSOPS_ENGINE_TOKEN", show_default=False)
]
ReadOnlyToken = Annotated[
    str | None,
    typer.Option(help="A token for looking only.", envvar="QSOPS_ENGINE_READ_ONLY_TOKEN", show_default=False),
]
AllowedHost = Annotated[
    list[str] | None, typer.Option(metavar="NAME", help="A name it answers to beside its address; repeatable.")
]
AllowPrivate = Annotated[
    list[str] | None, typer.Option(metavar="CIDR", help="A private network it may deliver to, or all; repeatable.")
]
Region = Annotated[str | None, typer.Option(help="Told to consumers: EU_CENTRAL_1 or US_EAST_1.")]
RateLimits = Annotated[
    bool, typer.Option("--rate-limits", help="Answer 429 over the plan's requests a second and messages a day.")
]
BurstLimit = Annotated[int | None, typer.Option(help="Requests a second that an account may make.", min=0)]
DailyLimit = Annotated[int | None, typer.Option(help="Messages a day that an account may send.", min=0)]
Fault = Annotated[
    list[str] | None,
    typer.Option(metavar="TEXT", help="What goes wrong on purpose, e.g. '503 30% host=…'; repeatable."),
]
Seed = Annotated[int, typer.Option(help="Decides which attempts the faults meet.")]
Processes = Annotated[
    int, typer.Option(help="2: accept and deliver on a core each; 1: both in one process.", min=1, max=2)
]
PortFile = Annotated[Path | None, typer.Option(metavar="FILE", help="Write the port there once requests are answered.")]


def engine(
    ctx: typer.Context,
    host: Host = "127.0.0.1",
    port: Port = 8080,
    db: Db = None,
    quota: Quota = "payg",
    token: Token = None,
    read_only_token: ReadOnlyToken = None,
    allowed_host: AllowedHost = None,
    allow_private: AllowPrivate = None,
    region: Region = None,
    rate_limits: RateLimits = False,
    burst_limit: BurstLimit = None,
    daily_limit: DailyLimit = None,
    fault: Fault = None,
    seed: Seed = 0,
    processes: Processes = 2,
    port_file: PortFile = None,
) -> None:
    """Run the local QStash until Ctrl-C.

    QSTASH_DEV=true clients find it on its default port.

    \b
    Examples:
      qsops engine
      qsops engine --port 0 --db :memory:
      qsops engine --fault '503 30% for=5m' --fault 'engine 429 20%'
      QSOPS_ENGINE_TOKEN=… qsops engine --host 0.0.0.0 --allowed-host qstash.example.com
    """
    refuse_hosted(ctx, "engine")
    from qsops import config
    from qsops.engine.access import Access
    from qsops.engine.plans import REQUESTS_PER_S, plan_named
    from qsops.engine.server import serve, serving

    if rate_limits:
        burst_limit = REQUESTS_PER_S if burst_limit is None else burst_limit
        daily_limit = plan_named(quota).messages_per_day if daily_limit is None else daily_limit
    state = config.state_dir(config.project_root())
    if db is None:
        state.mkdir(exist_ok=True)
    served = serving(
        host,
        port,
        db or state / "engine.db",
        quota=quota,
        access=Access(token, read_only_token, tuple(allowed_host or ()), tuple(allow_private or ())),
        region=region,
        burst_limit=burst_limit,
        daily_limit=daily_limit,
        faults=fault or (),
        seed=seed,
        processes=processes,
    )
    serve(served, port_file=port_file, on_ready=lambda url: typer.echo(f"engine: {url} (Ctrl-C stops it)"))
