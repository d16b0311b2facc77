"""A seeded workload: conversations with accents and emoji, posted in pieces, out of order and partly twice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from qsops.clock import EPOCH_MS, ManualClock, SeededIds
from service.instagram import updates
from service.rehearsal.faults import POISON_ID, POISON_MID
from service.samples import ACCOUNT, NAMES, encode, entry, item, post, sample

__all__ = ["Workload", "make_workload"]

T = TypeVar("T")

_PEOPLE: Final = 12
_STEP_MS: Final = 1_000
_DUPLICATES: Final = 0.06
_DISPLACEMENT: Final = 6
_LARGEST_POST: Final = 40
_WORDS: Final = (
    "Grüße",
    "naïve",
    "Ωμέγα",
    "привет",
    "こんにちは",
    "مرحبا",
    "👋",
    "🏳️‍🌈",
    "👩‍👩‍👧",
    "1/2",
    '"quoted"',
    "a\\b",
)
# What follows a message, and how often.
_SEQUELS: Final = (("edit", 0.15), ("reaction", 0.3), ("unreact", 0.1), ("read", 0.3), ("unsend", 0.1), ("echo", 0.3))


@dataclass(frozen=True, slots=True)
class Workload:
    """The bodies to post, in order, and what a receiver has to make of them."""

    bodies: tuple[bytes, ...]
    updates: int
    event_ids: frozenset[str]
    poison: frozenset[str]


def make_workload(count: int, seed: int = 0, *, start_ms: int = EPOCH_MS) -> Workload:
    """``count`` updates, a few more if one of every kind and container does not fit; the same for the same seed."""
    dice = _Dice(seed)
    entries = [sample(name, mid=f"mid-{seed}-{name}", at_ms=start_ms)["entry"][0] for name in NAMES]
    entries.append(_poison(start_ms))
    conversation = _conversation(dice, seed, start_ms)
    while len(entries) + round(len(entries) * _DUPLICATES) < count:
        entries.append(next(conversation))
    entries += [dice.choose(entries) for _ in range(max(0, count - len(entries)))]
    posts = [post(*_merged(part)) for part in dice.parts(dice.displaced(entries))]
    # As they are posted: what has no time of its own takes that of the entry which it was merged into.
    found = frozenset(update.id for one in posts for update in updates(one))
    return Workload(tuple(encode(one) for one in posts), len(entries), found, frozenset({POISON_ID}))


def _poison(at_ms: int) -> dict[str, Any]:
    return entry(ACCOUNT, at_ms, messaging=[item("message", POISON_MID, at_ms)])


def _conversation(dice: _Dice, seed: int, at_ms: int) -> Iterator[dict[str, Any]]:
    """Messages, each with what follows it, as entries of one item."""
    number = 0
    while True:
        number, at_ms = number + 1, at_ms + _STEP_MS
        mid, person = f"mid-{seed}-{number}", f"90000000000{dice.below(_PEOPLE):04}"
        message = item("message", mid, at_ms, ACCOUNT, person)
        message["message"]["text"] = " ".join(dice.choose(_WORDS) for _ in range(1 + dice.below(8)))
        yield entry(ACCOUNT, at_ms, messaging=[message])
        for name, share in _SEQUELS:
            if dice.uniform() < share:
                at_ms += _STEP_MS
                about = f"{mid}-echo" if name == "echo" else mid
                yield entry(ACCOUNT, at_ms, messaging=[item(name, about, at_ms, ACCOUNT, person)])


def _merged(entries: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Neighbours with nothing but ``messaging`` as one entry, as Meta batches them."""
    merged: list[dict[str, Any]] = []
    for one in entries:
        plain = one.keys() == {"id", "time", "messaging"}
        if plain and merged and merged[-1].keys() == one.keys():
            merged[-1] = {**merged[-1], "messaging": merged[-1]["messaging"] + one["messaging"]}
        else:
            merged.append(one)
    return merged


class _Dice:
    """Draws from one seed."""

    def __init__(self, seed: int) -> None:
        self._ids = SeededIds(ManualClock(), seed)

    def uniform(self) -> float:
        return self._ids.uniform()

    def below(self, limit: int) -> int:
        return int(self.uniform() * limit)

    def choose(self, items: Sequence[T]) -> T:
        return items[self.below(len(items))]

    def displaced(self, items: Sequence[T]) -> list[T]:
        """Each a few places from where it belongs: no order is promised, but neighbours stay near."""
        places = sorted((number + self.below(2 * _DISPLACEMENT), number) for number in range(len(items)))
        return [items[number] for _, number in places]

    def parts(self, items: Sequence[T]) -> Iterator[Sequence[T]]:
        """Pieces of 1 to 40."""
        start = 0
        while start < len(items):
            size = 1 + self.below(_LARGEST_POST)
            yield items[start : start + size]
            start += size
