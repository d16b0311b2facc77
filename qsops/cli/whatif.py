"""``qsops whatif``: what another policy would have made of the past, and which one to take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from qsops.cli.charts import Chart, checked, draw
from qsops.cli.context import session_of
from qsops.cli.output import AsJson, Format, print_frame, print_json
from qsops.cli.past import Archive, Labels, Past, Since, Until, Urls, past
from qsops.errors import QsopsError, SettingsError

if TYPE_CHECKING:
    from qsops.whatif import Policy, Result, Suggestion

__all__ = ["whatif"]

#: What only a search takes, and what it settles by itself.
_OF_SEARCH: Final = ("most_retries", "within", "delivered")
_SEARCHED: Final = ("retries", "delay", "plan")

Retries = Annotated[int, typer.Option("--retries", metavar="N", help="Retries beside the first attempt.")]
Delay = Annotated[
    str | None,
    typer.Option("--delay", metavar="EXPR", help="Upstash-Retry-Delay, in ms over `retried`; default: QStash's curve."),
]
Ignoring = Annotated[bool, typer.Option("--ignore-retry-after", help="As if destinations asked for no wait.")]
Timeout = Annotated[str | None, typer.Option("--timeout", metavar="SPAN", help="Cut attempts off, e.g. 10s.")]
Rate = Annotated[int | None, typer.Option("--rate", metavar="N", help="Flow control: calls in a period.")]
Period = Annotated[str, typer.Option("--period", metavar="SPAN", help="How long the period of --rate is.")]
Parallelism = Annotated[int | None, typer.Option("--parallelism", metavar="N", help="Flow control: calls at a time.")]
PlanName = Annotated[str, typer.Option("--plan", metavar="PLAN", help="Whose prices hold.")]
Suggest = Annotated[bool, typer.Option("--suggest", help="Look for the policy that delivers as much at least load.")]
Most = Annotated[int | None, typer.Option("--most-retries", metavar="N", help="With --suggest: none with more.")]
Within = Annotated[str | None, typer.Option("--within", metavar="SPAN", help="With --suggest: p95 time to deliver.")]
Delivered = Annotated[
    float | None,
    typer.Option("--delivered", metavar="PCT", help="With --suggest: the share to deliver; default: the recorded one."),
]
Draws = Annotated[int | None, typer.Option("--draws", metavar="N", help="Histories that are drawn.")]
Seed = Annotated[int, typer.Option("--seed", metavar="N", help="The same seed gives the same figures.")]


def whatif(
    ctx: typer.Context,
    retries: Retries = 3,
    delay: Delay = None,
    ignore_retry_after: Ignoring = False,
    timeout: Timeout = None,
    rate: Rate = None,
    period: Period = "1s",
    parallelism: Parallelism = None,
    suggest: Suggest = False,
    most_retries: Most = None,
    within: Within = None,
    delivered: Delivered = None,
    plan: PlanName = "payg",
    draws: Draws = None,
    seed: Seed = 0,
    since: Since = None,
    until: Until = None,
    url: Urls = None,
    label: Labels = None,
    archive: Archive = None,
    chart: Chart = None,
    json: AsJson = False,
) -> None:
    """Replay another policy over the recorded past.

    Each figure stands beside what really happened, with its 90 % interval from low to high.

    \b
    Examples:
      qsops whatif --archive archive --since 7d --retries 5 --delay "60000 * pow(2, retried)"
      qsops --target env whatif --since 24h --rate 50 --period 1m
      qsops whatif --archive archive --suggest --most-retries 5
    """
    checked(chart)
    _heard(ctx, suggest)
    from qsops import whatif as room

    policy = room.Policy(
        retries,
        delay,
        honour_retry_after=not ignore_retry_after,
        timeout_s=None if timeout is None else _seconds("--timeout", timeout),
        rate=rate,
        period_s=round(_seconds("--period", period)),
        parallelism=parallelism,
    )
    options: dict[str, Any] = {"seed": seed} | ({} if draws is None else {"draws": draws})
    with past(ctx, since, until, archive, url=url, label=label) as seen:
        options["published"], notes = _published(ctx, seen, since, until, archive, url, label)
        if suggest:
            within_s = None if within is None else _seconds("--within", within)
            bounds: dict[str, Any] = {"most_retries": most_retries, "within_s": within_s, "delivered_pct": delivered}
            found = room.suggest(seen.attempts, seen.messages, like=policy, **bounds, **options)
        else:
            result = room.whatif(seen.attempts, seen.messages, policy, plan=plan, **options)
    if suggest:
        draw("suggestion", found.frame, chart)
        _print_suggestion(found, (*found.notes, *notes), json, within)
    else:
        draw("whatif", result.summary, chart)
        _print_result(result, (*result.notes, *notes), json)


def _heard(ctx: typer.Context, suggest: bool) -> None:
    """Refuse what would be passed over in silence.

    :raises SettingsError: naming the options.
    """
    sources = {name: ctx.get_parameter_source(name) for name in ctx.params}
    given = {name for name, source in sources.items() if source is not None and source.name == "COMMANDLINE"}
    useless = [name for name in (_SEARCHED if suggest else _OF_SEARCH) if name in given]
    named = ", ".join("--" + name.replace("_", "-") for name in useless)
    if useless and suggest:
        raise SettingsError(f"{named}: --suggest tries retries and delays of its own and tells no cost; leave it out")
    if useless:
        raise SettingsError(f"{named}: this bounds a search; add --suggest")
    if "period" in given and "rate" not in given:
        raise SettingsError("--period: it is that of --rate; add --rate")


def _published(
    ctx: typer.Context,
    seen: Past,
    since: str | None,
    until: str | None,
    archive: str | None,
    url: list[str] | None,
    label: list[str] | None,
) -> tuple[Policy | None, tuple[str, ...]]:
    """The policy that the messages were published with, from their first log entries; and what is to be known of it."""
    from qsops.whatif import published_otherwise, published_policy

    if archive is not None:
        from qsops.archive import open_archive

        # Of those that are replayed: others may have been published with another one.
        logs = open_archive(archive).logs().semi_join(seen.messages, "message_id")
    else:
        with session_of(ctx) as session:
            logs = session.logs(since, until, state="CREATED", url=url or None, label=label or None)
    policy = published_policy(logs)
    others = 0 if policy is None else published_otherwise(logs, policy)
    if not others:
        return policy, ()
    return policy, (
        f"{others} messages were published with another policy than most ({policy}), as callbacks are: their waits are "
        "taken for waits that were asked for; leave them out by --url or --label",
    )


def _seconds(option: str, text: str) -> float:
    from qsops.session.windows import span_ms

    return span_ms(option, text) / 1_000


def _print_result(result: Result, notes: tuple[str, ...], json: bool) -> None:
    if json:
        frames = {name: getattr(result, name) for name in ("summary", "destinations", "outages")}
        rows = {name: _records(frame) for name, frame in frames.items()}
        print_json({"policy": str(result.policy), "messages": result.messages, **rows, "notes": notes})
        return
    print_frame(result.summary, Format.table)
    for note in (str(result), *notes):
        typer.echo(note, err=True)


def _print_suggestion(found: Suggestion, notes: tuple[str, ...], json: bool, within: str | None) -> None:
    """Print what was tried; a table has the Pareto front alone.

    :raises QsopsError: nothing that was tried delivers as much.
    """
    if json:
        suggested = None if found.policy is None else str(found.policy)
        told = {"suggested": suggested, "at_least_pct": found.at_least_pct}
        print_json({**told, "policies": _records(found.frame), "notes": notes})
    else:
        print_frame(found.frame[found.frame["pareto"] | found.frame["suggested"]], Format.table)
        for note in notes:
            typer.echo(note, err=True)
    if found.policy is None:
        share = f"none of {len(found.frame)} policies surely delivers {found.at_least_pct:g} %"
        raise QsopsError(share if within is None else f"{share} with a p95 time to deliver of at most {within}")
    if not json:
        typer.echo(f"suggested: {found.policy}", err=True)


def _records(frame: Any) -> Any:
    from json import loads

    from qsops.cli.output import json_of

    return loads(json_of(frame))
