"""Flow-control keys: list them, hold one, let it go on, pin its limits; and the limit of the whole account."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from qsops.catalog.frames import Column, frame_of
from qsops.client import Client
from qsops.errors import SettingsError
from qsops.models import FlowKey, FlowPin, FlowUnpin, GlobalParallelism
from qsops.publish import Span, checks
from qsops.wire import flow as wire
from qsops.wire.names import ID_LIMIT
from qsops.wire.options.values import LONGEST_PERIOD_S

if TYPE_CHECKING:  # pandas takes a third of a second to load, which all but a listing does without.
    import pandas as pd

__all__ = ["account", "frame", "pause", "pin", "read", "read_all", "reset_rate", "resume", "unpin"]

_COLUMNS: Final[tuple[Column[FlowKey], ...]] = (
    ("flow_control_key", "str", lambda key: key.key),
    ("paused", "bool", lambda key: key.paused),
    ("waiting", "Int64", lambda key: key.wait_list),
    ("parallelism", "Int64", lambda key: key.parallelism_max),
    ("under_way", "Int64", lambda key: key.parallelism_count),
    ("rate", "Int64", lambda key: key.rate_max),
    ("period_s", "Int64", lambda key: key.period_s if key.rate_max else None),
    ("calls", "Int64", lambda key: key.rate_count),
    ("period_started_at", "time", lambda key: key.period_start_s * 1000 or None),
    ("pinned", "str", lambda key: _pinned(key)),
)


async def read_all(client: Client, search: str | None = None) -> tuple[FlowKey, ...]:
    """All flow-control keys of the account, or those that hold ``search``.

    :raises SettingsError: ``search`` is empty, which on the wire means every key.
    """
    if search is not None and not search.strip():
        raise SettingsError("search: an empty text would find every key; leave it out to mean that")
    return wire.parse_flow_keys(await client.ask(wire.flow_keys_request(search), repeatable=True))


async def read(client: Client, key: str) -> FlowKey:
    """One key: its limits, and how far they are used up.

    :raises Rejected: 404, no message names it.
    """
    return wire.parse_flow_key_response(await client.ask(wire.flow_key_request(_checked(key)), repeatable=True))


async def pause(client: Client, key: str) -> None:
    """Let none of its messages pass from now on; new ones are taken and wait. The period of its rate goes on."""
    await client.ask(wire.flow_pause_request(_checked(key)), repeatable=True)


async def resume(client: Client, key: str) -> None:
    """Let its messages pass again."""
    await client.ask(wire.flow_resume_request(_checked(key)), repeatable=True)


async def pin(
    client: Client, key: str, *, parallelism: int | None = None, rate: int | None = None, period: Span | None = None
) -> None:
    """Set limits that messages cannot change: a parallelism, a rate for each period (1 s unless given), or both.

    The period of the rate begins anew.

    :raises SettingsError: neither, a limit under 1, a period without a rate, or one of more than a week.
    """
    limits = FlowPin(
        parallelism=checks.at_least(1, "parallelism", checks.count("parallelism", parallelism)),
        rate=checks.at_least(1, "rate", checks.count("rate", rate)),
        period_s=checks.at_least(1, "period", checks.seconds("period", period)),
    )
    if limits.parallelism is None and limits.rate is None:
        raise SettingsError(f"pin {key!r}: give parallelism, rate, or both")
    if limits.period_s is not None and limits.rate is None:
        raise SettingsError(f"pin {key!r}: a period says how long a rate holds for; give rate, too")
    if limits.period_s is not None and limits.period_s > LONGEST_PERIOD_S:
        raise SettingsError(f"period: {period!r} is more than a week")
    await client.ask(wire.flow_pin_request(_checked(key), limits), repeatable=True)


async def unpin(client: Client, key: str, *, parallelism: bool = True, rate: bool = True) -> None:
    """Let messages change limits again; what was pinned holds until one does.

    :raises SettingsError: neither limit is named.
    """
    if not parallelism and not rate:
        raise SettingsError(f"unpin {key!r}: name parallelism, rate, or both")
    await client.ask(wire.flow_unpin_request(_checked(key), FlowUnpin(parallelism, rate)), repeatable=True)


async def reset_rate(client: Client, key: str) -> None:
    """Begin a new period of its rate now, with no call in it."""
    await client.ask(wire.flow_reset_rate_request(_checked(key)), repeatable=True)


async def account(client: Client) -> GlobalParallelism:
    """How many calls the account may have under way, all messages together, and how many there are."""
    return wire.parse_global_parallelism(await client.ask(wire.global_parallelism_request(), repeatable=True))


def frame(keys: Sequence[FlowKey]) -> pd.DataFrame:
    """Flow-control keys as a frame, a row each.

    ``waiting`` messages wait for ``parallelism`` (of which ``under_way`` are used) or for ``rate`` calls a period (of
    which there were ``calls``); a missing limit is none, and without a rate there is no period. ``pinned`` names the
    limits that messages cannot change.
    """
    return frame_of(keys, _COLUMNS)


def _checked(key: str) -> str:
    """``key``, which may be any text, slashes included."""
    if not isinstance(key, str) or not key.strip() or len(key) > ID_LIMIT:
        raise SettingsError(f"key: {key!r} is no flow-control key: a text of at most {ID_LIMIT}")
    return key


def _pinned(key: FlowKey) -> str | None:
    flags = {"parallelism": key.pinned_parallelism, "rate": key.pinned_rate}
    return ", ".join(name for name, pinned in flags.items() if pinned) or None
