"""One run of the demo, from the first process to the verdict."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from qsops import analysis, fold
from qsops.clock import Clock, Ids, utc
from qsops.demo.books import Sent, Witness, balance, pending
from qsops.demo.looking import Watch, open_session
from qsops.demo.printing import tables
from qsops.demo.scenery import SENDER, Scenery, prepare
from qsops.demo.sending import read_sent
from qsops.errors import QsopsError, SettingsError
from qsops.models import LedgerEntry
from qsops.session import Session
from qsops.stack import Stack, interruptible

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["run_demo"]

Tell = Callable[[str], None]

#: How long everything may take before it is called a failure; a warm run needs less than half of it.
PATIENCE_S: Final = 120.0
#: How long is waited for the last event once all are posted: then the verdict names what is missing.
SETTLE_WITHIN_S: Final = 75.0
#: What the extras bring that the demo runs on: the service, and the charts of its report.
_NEEDED: Final = ("fastapi", "pydantic_settings", "altair", "vl_convert")
_LOOK_EVERY_S: Final = 0.5
_TELL_EVERY_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class _Found:
    """What a run left behind."""

    sent: Sent
    ledger: list[LedgerEntry]
    logs: pd.DataFrame
    dead_letters: pd.DataFrame


def run_demo(root: Path, folder: Path | None, *, clock: Clock, ids: Ids, updates: int, seed: int, tell: Tell) -> bool:
    """Run the main job once in ``folder`` (default: a new one under ``.qsops/demo``); whether the counts add up.

    :raises SettingsError: an extra is not installed.
    :raises QsopsError: a process ended by itself, or the run takes longer than two minutes.
    """
    _require_installed()
    started_s = clock.monotonic_s()
    scenery = prepare(root, folder, ids)
    with interruptible(), Stack(scenery.folder, clock=clock) as stack:
        stack.start(scenery.engine(), scenery.service())
        tell(f"engine {scenery.local.engine_url}, service {scenery.local.service_url}, files in {scenery.folder}")
        with open_session(scenery) as session:
            found = _observe(scenery, stack, session, clock, tell, updates, seed)
    adds_up = _conclude(scenery, found, clock, tell)
    tell(f"took {clock.monotonic_s() - started_s:.0f} s")
    return adds_up


def _require_installed() -> None:
    missing = [package for package in _NEEDED if importlib.util.find_spec(package) is None]
    if missing:
        raise SettingsError(f"the demo needs {', '.join(missing)}: pip install 'qsops[toolkit,service,notebooks]'")


def _observe(
    scenery: Scenery, stack: Stack, session: Session, clock: Clock, tell: Tell, updates: int, seed: int
) -> _Found:
    watch = Watch(scenery, stack, session, clock, tell, PATIENCE_S)
    sent = _send(scenery, stack, watch, updates, seed)
    tell(f"posted {sent.updates} updates in {sent.posts} requests: {len(sent.event_ids)} distinct events")
    _await_the_end(sent, watch, clock, tell)
    # The last answer of the consumer reaches the engine's log a moment after it reaches the ledger.
    watch.ask(lambda: session.settle(SETTLE_WITHIN_S))
    return _Found(sent, watch.ledger(), watch.logs(), watch.dead_letters())


def _send(scenery: Scenery, stack: Stack, watch: Watch, updates: int, seed: int) -> Sent:
    stack.start(scenery.sender(updates, seed))
    sender = stack.children[SENDER]
    while sender.exit_status is None:
        watch.keep_alive(_LOOK_EVERY_S)
    if sender.exit_status != 0:
        raise QsopsError(sender.epitaph())
    stack.forget(SENDER)
    return read_sent(scenery.sent)


def _await_the_end(sent: Sent, watch: Watch, clock: Clock, tell: Tell) -> None:
    """Wait until every event came to an end; what did not in time is named by the verdict."""
    deadline_s = clock.monotonic_s() + SETTLE_WITHIN_S
    told_s = clock.monotonic_s()
    while (waiting := pending(sent, watch.ledger())) and clock.monotonic_s() < deadline_s:
        if clock.monotonic_s() - told_s >= _TELL_EVERY_S:
            tell(f"… {len(waiting)} of {len(sent.event_ids)} events are still being retried")
            told_s = clock.monotonic_s()
        watch.keep_alive(_LOOK_EVERY_S)


def _conclude(scenery: Scenery, found: _Found, clock: Clock, tell: Tell) -> bool:
    from qsops import report

    # Callbacks are messages too, but nobody posted them.
    of_events = {entry.message_id for entry in found.ledger if entry.message_id is not None}
    logs = found.logs[found.logs["message_id"].isin(of_events)]
    attempts, messages = fold.attempts(logs), fold.messages(logs)
    delivered = messages.loc[messages["state"] == "DELIVERED", "message_id"]
    witness = Witness(frozenset(delivered), frozenset(found.dead_letters["message_id"]))
    verdict = balance(found.sent, found.ledger, witness)
    for line in tables(verdict, analysis.retry_ladder(attempts), analysis.failures(attempts)):
        tell(line)
    page = report.render(
        attempts,
        messages,
        title="qsops demo",
        made_at=utc(clock.now_ms()),
        source="the engine's log",
        counts=verdict.counts,
        every="1s",
    )
    scenery.report.write_text(page, encoding="utf-8")
    tell("")
    tell(f"report: {scenery.report.as_uri()}")
    for difference in verdict.differences:
        tell(f"does not add up: {difference}")
    if verdict.adds_up:
        tell("adds up: what was posted is what was received, and all but the poison was processed")
    return verdict.adds_up
