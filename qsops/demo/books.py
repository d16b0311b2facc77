"""The demo's books: what the sender posted against what the service received; the engine is only a witness."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from qsops.models import LedgerEntry

__all__ = ["Balance", "Sent", "Witness", "balance", "pending"]

PROCESSED: Final = "processed"
DEAD: Final = "dead"
PARKED: Final = "parked"
#: What the service still works on is in none of these.
SETTLED: Final = frozenset({PROCESSED, DEAD, PARKED})
_IDS_SHOWN: Final = 3


@dataclass(frozen=True, slots=True)
class Sent:
    """What the sender posted: distinct events, of which ``poison`` can never be processed, in so many updates."""

    event_ids: frozenset[str]
    poison: frozenset[str]
    updates: int = 0
    posts: int = 0


@dataclass(frozen=True, slots=True)
class Witness:
    """What the engine's logs and dead letters say: the ids of messages that were delivered, and that are dead."""

    delivered: frozenset[str]
    dead: frozenset[str]


@dataclass(frozen=True, slots=True)
class Balance:
    """The counts of the run, and what does not add up, each difference with ids."""

    counts: Mapping[str, int]
    differences: tuple[str, ...]

    @property
    def adds_up(self) -> bool:
        return not self.differences


def pending(sent: Sent, ledger: Iterable[LedgerEntry]) -> frozenset[str]:
    """The events that were posted and have not come to an end yet, those that never arrived among them."""
    return sent.event_ids - {entry.event_id for entry in ledger if entry.state in SETTLED}


def balance(sent: Sent, ledger: Collection[LedgerEntry], witness: Witness) -> Balance:
    """Everything posted must be received, published and processed, and nothing but the poison be dead."""
    received = {entry.event_id for entry in ledger}
    published = {entry.event_id for entry in ledger if entry.message_id is not None}
    processed = {entry.event_id for entry in ledger if entry.state == PROCESSED}
    dead = {entry.event_id for entry in ledger if entry.state == DEAD}
    messages = {entry.message_id: entry.event_id for entry in ledger if entry.message_id is not None}
    delivered = {messages[message_id] for message_id in witness.delivered if message_id in messages}
    buried = {messages[message_id] for message_id in witness.dead if message_id in messages}
    counts = {
        "posted": len(sent.event_ids),
        "received": len(received),
        "published": len(published),
        "delivered": len(delivered),
        "processed": len(processed),
        "dead": len(dead),
    }
    alive = sent.event_ids - sent.poison
    checks = (
        ("posted, never received", sent.event_ids - received),
        ("received, never posted", received - sent.event_ids),
        ("received, never published", received - published),
        ("posted, never processed", alive - processed),
        ("poison, and yet processed", sent.poison & processed),
        ("poison, and not dead", sent.poison - dead),
        ("dead, and no poison", dead - sent.poison),
        ("processed, and not delivered by the engine's log", processed - delivered),
        ("dead, and not among the engine's dead letters", dead - buried),
        ("among the engine's dead letters, and not dead", buried - dead),
    )
    return Balance(counts, tuple(_difference(what, ids) for what, ids in checks if ids))


def _difference(what: str, ids: Collection[str], show: Callable[[str], str] = str) -> str:
    shown = ", ".join(map(show, sorted(ids)[:_IDS_SHOWN]))
    return f"{len(ids)} {what}: {shown}{', …' if len(ids) > _IDS_SHOWN else ''}"
