"""From frames to drawn histories, and from these to what a policy would have made of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final, Self

import numpy as np

from qsops.errors import SettingsError
from qsops.whatif.answers import Answers
from qsops.whatif.columns import Array
from qsops.whatif.evidence import evidence_of
from qsops.whatif.gate import replay_gated
from qsops.whatif.health import draw_health
from qsops.whatif.measures import measured, recorded
from qsops.whatif.policy import Policy
from qsops.whatif.record import Past, past_of
from qsops.whatif.recoveries import Recoveries, recoveries_of
from qsops.whatif.replay import Destination, Replayed, replay

__all__ = ["DRAWS", "DRAWS_LIMIT", "Histories"]

DRAWS: Final = 200
DRAWS_LIMIT: Final = 1_000


@dataclass(frozen=True, slots=True, eq=False)
class Histories:
    """``draws`` possible histories of all destinations of a record; policies that are replayed over the same ones
    differ by themselves alone."""

    past: Past
    destinations: tuple[Destination, ...]
    recoveries: tuple[Recoveries, ...]
    draws: int
    seed: int

    @classmethod
    def of(
        cls, attempts: Any, messages: Any, *, published: Policy | None = None, draws: int = DRAWS, seed: int = 0
    ) -> Self:
        """The histories behind frames or Ibis tables of attempts and messages.

        ``published`` is the policy of the record, by which waits are told that the destination asked for; else the
        most frequent waits are taken for it.

        :raises SettingsError: too few or too many draws, a negative seed, no attempts, or no message that
            can be replayed.
        """
        if not 1 <= draws <= DRAWS_LIMIT:
            raise SettingsError(f"draws: {draws} is not from 1 to {DRAWS_LIMIT}")
        if seed < 0:
            raise SettingsError(f"seed: {seed} is below 0")
        past = past_of(attempts, messages, published.waits_ms if published else None)
        return cls._drawn(past, draws, seed)

    @classmethod
    def _drawn(cls, past: Past, draws: int, seed: int) -> Self:
        destinations, recoveries = [], []
        for number, record in enumerate(past.records):
            evidence = evidence_of(record)
            health = draw_health(evidence, draws, np.random.default_rng([seed, number, 0]))
            destinations.append(Destination(record, health, Answers.of(record)))
            recoveries.append(recoveries_of(evidence, health))
        return cls(past, tuple(destinations), tuple(recoveries), draws, seed)

    def cut_off(self, timeout_s: float | None) -> Self:
        """The histories as they look to whoever waits no longer than that: the same, where no attempt took longer."""
        records = tuple(one.cut_off(timeout_s) for one in self.past.records)
        if all(one is other for one, other in zip(records, self.past.records, strict=True)):
            return self
        return self._drawn(replace(self.past, records=records), self.draws, self.seed)

    def under(self, policy: Policy) -> dict[str, Array]:
        """What ``policy`` comes to in each draw over all destinations, by :data:`qsops.whatif.measures.QUANTITIES`."""
        seen = self.cut_off(policy.timeout_s)
        return measured(seen.replayed(policy), seen.recoveries, self.draws)

    def replayed(self, policy: Policy) -> tuple[Replayed, ...]:
        """Each destination under ``policy``, whose timeout the histories are cut off at already."""
        run = replay_gated if policy.gated else replay
        return tuple(
            run(here, policy, self.draws, np.random.default_rng([self.seed, number, 1]))
            for number, here in enumerate(self.destinations)
        )

    def recorded(self) -> tuple[Replayed, ...]:
        """Each destination as it really was; there is no chance in it but in when outages ended."""
        return tuple(map(recorded, self.past.records))

    def as_recorded(self) -> dict[str, Array]:
        """What really happened over all destinations, measured like what policies come to."""
        return measured(self.recorded(), self.recoveries, self.draws)
