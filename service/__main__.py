"""``python -m service``: the service's own commands. Those that change something are dry runs until ``--apply``."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import httpx
import typer

from qsops import config
from qsops.cli.failures import Verbs
from qsops.clock import SystemClock, SystemIds, utc
from qsops.errors import QsopsError, SettingsError, Unreachable
from service.batches import batches, kinds_of, read_events
from service.instagram import updates
from service.internal import REPROCESS_PATH
from service.samples import NAMES, encode, sample, signed_headers
from service.settings import database_url
from service.store import open_store

_APP = typer.Typer(
    cls=Verbs, add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None
)
_TIMEOUT_S = 20.0
_SENDER = re.compile(r"[0-9]{1,32}")


@_APP.callback()
def main() -> None:
    """The consumer service's own commands; ``qsops serve`` runs it."""


@_APP.command(epilog=f"KIND is one of: {', '.join(NAMES)}.")
def send(
    kind: Annotated[str, typer.Argument(help="What to send.")],
    url: Annotated[str, typer.Option(help="The webhook, e.g. http://127.0.0.1:8000/api/webhooks/instagram")],
    mid: Annotated[str | None, typer.Option(help="The message it is, or is about; a fresh one if not given.")] = None,
) -> None:
    """Send one signed sample event, as Instagram would. INSTAGRAM_APP_SECRET signs it.

    Prints one line of JSON: the answer's status, the mid, and the event ids, for `qsops trace`.

    \b
    Example: python -m service send message --url http://127.0.0.1:8000/api/webhooks/instagram
    """
    answer, sent = _send(kind, url, mid)
    typer.echo(json.dumps({"status": answer.status_code, "answer": answer.text, **sent}))
    raise typer.Exit(0 if answer.is_success else 1)


@_APP.command()
def erase(
    sender: Annotated[str, typer.Option(help="Whom Instagram calls by this id (the IGSID).")],
    apply: Annotated[bool, typer.Option("--apply", help="Remove it; without this nothing is changed.")] = False,
) -> None:
    """Remove a person from the service's database (DATABASE_URL): what they wrote, and what leads to them.

    Prints one line of JSON: how many rows of each table, and whether they were removed. Copies that QStash holds go by
    themselves, with its log and dead letters.

    \b
    Example: python -m service erase --sender 9000000000000001 --apply
    """
    if not _SENDER.fullmatch(sender):
        raise SettingsError(f"--sender {sender[:64]!r} is no id of Instagram's: digits, as in an event's sender.id")
    rows = asyncio.run(_erase(_database(), sender, dry_run=not apply))
    typer.echo(json.dumps({"sender": sender, "applied": apply, "total": sum(rows.values()), "rows": rows}))
    _hint(apply, "removed")


@_APP.command()
def reprocess(
    file: Annotated[str, typer.Argument(help="Envelopes: JSON with `events`, a list, or one a line; - is stdin.")],
    url: Annotated[str, typer.Option(help="The service, e.g. https://service.example; PUBLIC_BASE_URL.")] = "",
    apply: Annotated[bool, typer.Option("--apply", help="Do it; without this nothing is sent.")] = False,
) -> None:
    """Process events once more that were processed already. INTERNAL_API_TOKEN opens the route.

    Effects that are keyed by the event's identity merge with what is there; others, and messages of a handler's own,
    happen again. Prints one line of JSON: how many events of each kind, how many were queued, how many had a claim.

    \b
    Example: python -m service reprocess events.jsonl --url http://127.0.0.1:8000 --apply
    """
    clock = SystemClock()
    events = read_events(_read(file))
    told: dict[str, Any] = {"events": len(events), "kinds": kinds_of(events, utc(clock.now_ms())), "applied": apply}
    if apply:
        told |= _reprocess(url, list(batches(events)))
    typer.echo(json.dumps(told))
    _hint(apply, "sent")


def _hint(applied: bool, verb: str) -> None:
    if not applied:
        typer.echo(f"a dry run: nothing was {verb}; --apply does it", err=True)


def _environment() -> Mapping[str, str]:
    return config.environment(config.project_root(), os.environ)


def _database() -> str:
    url = database_url(_environment())
    path = url.removeprefix("sqlite:///")
    if path != url and not Path(path).exists():
        # Opening it would make one.
        raise SettingsError(f"DATABASE_URL: there is no database {path}")
    return url


async def _erase(url: str, sender: str, *, dry_run: bool) -> Mapping[str, int]:
    store = open_store(url)
    try:
        await store.open()
        return await store.erase(sender, dry_run=dry_run)
    finally:
        await store.aclose()


def _read(file: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise SettingsError(f"FILE {file} cannot be read: {error.strerror}") from error


def _reprocess(url: str, bodies: Sequence[bytes]) -> dict[str, int]:
    env = _environment()
    base, token = url or env.get("PUBLIC_BASE_URL", "").strip(), env.get("INTERNAL_API_TOKEN", "").strip()
    if not base:
        raise SettingsError("--url is missing, and PUBLIC_BASE_URL is not set: where does the service run?")
    if not token:
        raise SettingsError("INTERNAL_API_TOKEN is not set: it opens the service's internal routes")
    done = {"queued": 0, "released": 0}
    for body in bodies:
        answer = _post(base.rstrip("/") + REPROCESS_PATH, body, {"Authorization": f"Bearer {token}"})
        if not answer.is_success:
            raise QsopsError(
                f"{base} answered {answer.status_code} after {done['queued']} events were queued: {answer.text[:200]}"
            )
        for name in done:
            done[name] += answer.json()[name]
    return done


def _post(url: str, body: bytes, headers: Mapping[str, str]) -> httpx.Response:
    try:
        is_near = config.is_loopback(urlsplit(url).hostname)
        return httpx.post(url, content=body, headers=dict(headers), timeout=_TIMEOUT_S, trust_env=not is_near)
    except (httpx.UnsupportedProtocol, httpx.InvalidURL, ValueError) as error:
        raise SettingsError(f"--url {url!r} is no URL: {error}") from error
    except httpx.TransportError as error:
        raise Unreachable(f"{url} cannot be reached: {error}") from error


def _send(kind: str, url: str, mid: str | None) -> tuple[httpx.Response, dict[str, Any]]:
    if kind not in NAMES:
        raise SettingsError(f"KIND {kind!r} is none of {', '.join(NAMES)}")
    secret = _environment().get("INSTAGRAM_APP_SECRET", "").strip()
    if not secret:
        raise SettingsError("INSTAGRAM_APP_SECRET is not set: the webhook takes nothing unsigned")
    clock = SystemClock()
    mid = mid or SystemIds(clock).make("mid_")
    value = sample(kind, mid=mid, at_ms=clock.now_ms())
    body = encode(value)
    answer = _post(url, body, signed_headers(secret, body))
    return answer, {"mid": mid, "event_ids": [update.id for update in updates(value)]}


if __name__ == "__main__":
    _APP()
