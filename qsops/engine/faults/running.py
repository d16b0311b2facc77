"""The faults that are set, and what each delivery and each call of a client meets of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import Final, Literal

from qsops.clock import Clock
from qsops.engine.deliveries.port import Delivery
from qsops.engine.faults.fault import Fault, concerns_call, concerns_delivery, is_active
from qsops.engine.faults.grammar import format_fault, parse_fault
from qsops.errors import SettingsError
from qsops.wire.delivery import parse_delivery_headers
from qsops.wire.http import Request

__all__ = ["FAULTS_LIMIT", "OWN_PATHS", "Disturbance", "Faults", "SetFault"]

#: How many faults may be set at a time: each is looked at for each delivery.
FAULTS_LIMIT: Final = 100
#: The engine's own paths beside QStash's: faults are set and taken back there, so they meet none.
OWN_PATHS: Final = "/qsops/"


@dataclass(slots=True)
class SetFault:
    """``fault`` as it was set. ``met`` counts how often it has happened."""

    fault_id: str
    fault: Fault
    set_at_ms: int
    met: int = 0
    #: How many calls it was about; each is drawn by its number.
    calls: int = field(default=0, repr=False)

    def state(self, now_ms: int) -> Literal["waiting", "active", "over"]:
        """Where ``now_ms`` stands to its time."""
        if is_active(self.fault, self.set_at_ms, now_ms):
            return "active"
        return "waiting" if now_ms < self.set_at_ms + self.fault.from_ms else "over"

    def __str__(self) -> str:
        return f"{self.fault_id}: {format_fault(self.fault)}"


@dataclass(frozen=True, slots=True)
class Disturbance:
    """What one delivery or call meets: waits before and after it, and the fault that stands in place of its answer."""

    before_ms: int = 0
    after_ms: int = 0
    end: SetFault | None = None


class Faults:
    """A running set of faults, empty at first.

    What is met is a function of ``seed``, the number of the fault, and the attempt (by message id and retry) or the
    number of the call: neither the order of deliveries nor faults that were set beside it change it.
    """

    def __init__(self, clock: Clock, seed: int = 0) -> None:
        self._clock = clock
        self._seed = seed
        self._set: dict[str, SetFault] = {}
        self._count = 0

    def add(self, fault: Fault | str) -> SetFault:
        """Set ``fault``; its time is measured from now on the engine's clock.

        :raises SettingsError: when the text cannot be read, or FAULTS_LIMIT are set already.
        """
        wanted = parse_fault(fault) if isinstance(fault, str) else fault
        if len(self._set) >= FAULTS_LIMIT:
            raise SettingsError(f"fault: {FAULTS_LIMIT} are set, which is the limit; remove one, or clear them")
        self._count += 1
        found = SetFault(f"fault_{self._count}", wanted, self._clock.now_ms())
        self._set[found.fault_id] = found
        return found

    def all(self) -> tuple[SetFault, ...]:
        """In the order they were set, those that are over among them."""
        return tuple(self._set.values())

    def get(self, fault_id: str) -> SetFault | None:
        """The one of that id, if it is set."""
        return self._set.get(fault_id)

    def remove(self, fault_id: str) -> bool:
        """Take one back; whether it was set."""
        return self._set.pop(fault_id, None) is not None

    def clear(self) -> int:
        """Take all back; returns how many there were."""
        count = len(self._set)
        self._set.clear()
        return count

    def meet_deliveries(self) -> bool:
        """Whether a delivery may meet one, now or later: not by a fault of the engine, nor by one that is over."""
        if not self._set:
            return False
        now_ms = self._clock.now_ms()
        return any(not found.fault.of_engine and found.state(now_ms) != "over" for found in self._set.values())

    def of_delivery(self, delivery: Delivery) -> Disturbance | None:
        """What ``delivery`` meets; None is nothing."""
        if not self._set:
            return None
        facts = parse_delivery_headers(delivery.headers)
        key = f"{facts.message_id}/{facts.retried}"
        return self._drawn(
            (found, key) for found in self._active() if concerns_delivery(found.fault, delivery.method, delivery.url)
        )

    def of_call(self, request: Request) -> Disturbance | None:
        """What ``request`` of a client meets; None is nothing, and what its own paths meet."""
        if not self._set or request.path.startswith(OWN_PATHS):
            return None
        found = [one for one in self._active() if concerns_call(one.fault, request.method, request.path)]
        for one in found:
            one.calls += 1
        return self._drawn((one, str(one.calls)) for one in found)

    def slow_calls(self) -> bool:
        """Whether an answer to a client may have to wait."""
        return any(found.fault.of_engine and found.fault.kind == "latency" for found in self._set.values())

    def _active(self) -> list[SetFault]:
        now_ms = self._clock.now_ms()
        return [found for found in self._set.values() if is_active(found.fault, found.set_at_ms, now_ms)]

    def _drawn(self, concerned: Iterable[tuple[SetFault, str]]) -> Disturbance | None:
        """Latencies add up; of the others the one that was set first is met."""
        drawn = Disturbance()
        for found, key in concerned:
            fault = found.fault
            is_met = (fault.kind == "latency" or drawn.end is None) and self._draw(found, key) < fault.percent / 100
            if not is_met:
                continue
            found.met += 1
            if fault.kind != "latency":
                drawn = replace(drawn, end=found)
            elif fault.after:
                drawn = replace(drawn, after_ms=drawn.after_ms + fault.latency_ms)
            else:
                drawn = replace(drawn, before_ms=drawn.before_ms + fault.latency_ms)
        return None if drawn == Disturbance() else drawn

    def _draw(self, found: SetFault, key: str) -> float:
        """From [0, 1), and the same for the same key, in whatever order it is asked."""
        digest = blake2b(f"{self._seed}/{found.fault_id}/{key}".encode(), digest_size=8).digest()
        return int.from_bytes(digest) / 2**64
