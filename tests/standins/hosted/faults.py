"""What goes wrong, as a test has asked for it: each fault strikes the next requests that match, so many times."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tests.standins.loopback import Answer, Gate, Seen

__all__ = ["Fault", "Faults"]


@dataclass(slots=True)
class Fault:
    """Strikes ``times`` requests whose ``METHOD /path`` begins with ``on``.

    With ``instead`` the request has no effect and gets that answer; else it takes effect, and what is done to its
    answer is told by ``lost`` and ``gate``.
    """

    on: str
    times: int
    instead: Answer | None = None
    lost: bool = False
    gate: Gate | None = None

    def strike(self, answer: Answer) -> Answer:
        return replace(answer, lost=self.lost or answer.lost, gate=self.gate)


class Faults:
    """The faults that are still to come, in the order in which they were asked for."""

    def __init__(self) -> None:
        self._coming: list[Fault] = []

    def add(self, fault: Fault) -> None:
        self._coming.append(fault)

    def take(self, seen: Seen) -> Fault | None:
        """The fault for this request, if there is one; it is used up by one."""
        line = f"{seen.method} {seen.path}"
        fault = next((fault for fault in self._coming if line.startswith(fault.on)), None)
        if fault is None:
            return None
        fault.times -= 1
        if fault.times == 0:
            self._coming.remove(fault)
        return fault
