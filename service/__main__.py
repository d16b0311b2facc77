"""``python -m service send KIND --url URL``: one signed sample of any kind to any webhook."""

from __future__ import annotations

import json
import os
from typing import Annotated, Any
from urllib.parse import urlsplit

import httpx
import typer

from qsops import config
from qsops.cli.failures import Verbs
from qsops.clock import SystemClock, SystemIds
from qsops.errors import SettingsError, Unreachable
from service.instagram import updates
from service.samples import NAMES, encode, sample, signed_headers

_APP = typer.Typer(
    cls=Verbs, add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None
)
_TIMEOUT_S = 20.0


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


def _send(kind: str, url: str, mid: str | None) -> tuple[httpx.Response, dict[str, Any]]:
    if kind not in NAMES:
        raise SettingsError(f"KIND {kind!r} is none of {', '.join(NAMES)}")
    secret = config.environment(config.project_root(), os.environ).get("INSTAGRAM_APP_SECRET", "").strip()
    if not secret:
        raise SettingsError("INSTAGRAM_APP_SECRET is not set: the webhook takes nothing unsigned")
    clock = SystemClock()
    mid = mid or SystemIds(clock).make("mid_")
    value = sample(kind, mid=mid, at_ms=clock.now_ms())
    body = encode(value)
    try:
        is_near = config.is_loopback(urlsplit(url).hostname)
        headers = signed_headers(secret, body)
        answer = httpx.post(url, content=body, headers=headers, timeout=_TIMEOUT_S, trust_env=not is_near)
    except (httpx.UnsupportedProtocol, httpx.InvalidURL, ValueError) as error:
        raise SettingsError(f"--url {url!r} is no URL: {error}") from error
    except httpx.TransportError as error:
        raise Unreachable(f"{url} cannot be reached: {error}") from error
    return answer, {"mid": mid, "event_ids": [update.id for update in updates(value)]}


if __name__ == "__main__":
    _APP()
