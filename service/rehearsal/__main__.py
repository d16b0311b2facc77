"""``python -m service.rehearsal``: post a workload to a webhook, and say what was posted."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import httpx
import typer

from qsops import config
from qsops.errors import QsopsError, SettingsError
from service.rehearsal.posting import Posted, post_all
from service.rehearsal.workload import Workload, make_workload

_APP = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@_APP.command()
def main(
    url: Annotated[str, typer.Option(help="The webhook, e.g. http://127.0.0.1:8000/api/webhooks/instagram")],
    count: Annotated[int, typer.Option("--count", "--updates", min=1, max=100_000, help="How many updates.")] = 300,
    seed: Annotated[int, typer.Option(min=0, help="The same seed posts the same bytes.")] = 0,
    out: Annotated[Path | None, typer.Option(help="Also write all event ids to this file, as JSON.")] = None,
) -> None:
    """Post a signed workload of every kind and container: accents, emoji, duplicates, items out of order.

    INSTAGRAM_APP_SECRET signs it. A POST answered 5xx, or not at all, is posted again, as Meta does. Prints one line of
    JSON: updates posted, POSTs, repeats, distinct events, poison ids.

    Example: python -m service.rehearsal --url http://127.0.0.1:8000/api/webhooks/instagram --count 300 --seed 1
    """
    try:
        secret = config.environment(config.project_root(), os.environ).get("INSTAGRAM_APP_SECRET", "").strip()
        if not secret:
            raise SettingsError("INSTAGRAM_APP_SECRET is not set: the workload must be signed")
        workload = make_workload(count, seed)
        posted = asyncio.run(_post(workload, url, secret))
    except QsopsError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(error.exit_status) from error
    if out is not None:
        # Whoever waits for the file must never see half of it.
        partial = out.with_name(f"{out.name}.partial")
        partial.write_text(json.dumps(_report(workload, posted, all_ids=True)), encoding="utf-8")
        partial.replace(out)
    typer.echo(json.dumps(_report(workload, posted, all_ids=False)))


async def _post(workload: Workload, url: str, secret: str) -> Posted:
    async with httpx.AsyncClient(trust_env=not config.is_loopback(urlsplit(url).hostname)) as http:
        return await post_all(workload.bodies, url, secret, http)


def _report(workload: Workload, posted: Posted, *, all_ids: bool) -> dict[str, object]:
    events: dict[str, object] = {"event_ids": sorted(workload.event_ids)} if all_ids else {}
    return {
        "updates": workload.updates,
        "posts": posted.posts,
        "repeats": posted.repeats,
        "events": len(workload.event_ids),
        **events,
        "poison": sorted(workload.poison),
    }


if __name__ == "__main__":
    _APP()
