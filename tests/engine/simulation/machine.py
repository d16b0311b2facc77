"""The state machine: Hypothesis chooses what happens next, and makes what broke a rule small."""

from __future__ import annotations

import os
from typing import Any, Final

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from tests.engine.simulation.drawing import draw_scripts
from tests.engine.simulation.ending import Finish
from tests.engine.simulation.families import FAMILIES, Make
from tests.engine.simulation.world import Step, World

__all__ = ["TIMES", "machine", "profile"]

#: How many times as much is tried as in ``make test``.
TIMES: Final = int(os.environ.get("QSOPS_TESTS_SIMULATION", "1"))
_STEPS: Final = 30


class _Drawn:
    """Chance that Hypothesis makes simple."""

    def __init__(self, draw: st.DrawFn) -> None:
        self._draw = draw

    def choice(self, values: Any) -> Any:
        return self._draw(st.sampled_from(values))


class _Machine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self._world: World | None = None

    def open(self, scripts: dict[str, str], kind: str, quota: str) -> None:
        self._world = World(scripts, kind=kind, quota=quota)

    def take(self, step: Step) -> None:
        assert self._world is not None
        self._world.do(step)

    def teardown(self) -> None:
        """Whatever happened before, everything comes to an end; unless a rule was broken already."""
        if self._world is None:
            return
        try:
            if not self._world.broken:
                self._world.do(Finish())
        finally:
            self._world.close()


def machine(family: str, kind: str) -> type[RuleBasedStateMachine]:
    """A rule for each kind of step in ``family``, for an engine of ``kind``."""
    chosen = FAMILIES[family]
    rules = {f"take_{number}": _rule(make) for number, make in enumerate(chosen.steps)}
    scripts = st.composite(lambda draw: draw_scripts(_Drawn(draw), chosen.answers))()

    def open_world(self: _Machine, scripts: dict[str, str]) -> None:
        self.open(scripts, kind, chosen.quota)

    return type(
        f"Machine of {family}, {kind}", (_Machine,), {"begin": initialize(scripts=scripts)(open_world), **rules}
    )


def profile(examples: int) -> settings:
    """``examples`` runs in ``make test``; what fails is printed with what reproduces it.

    There the same ones each time, so that a change is judged by what it changed; the soak goes on to others.
    """
    return settings(
        derandomize=TIMES == 1,
        max_examples=examples * TIMES,
        stateful_step_count=_STEPS,
        deadline=None,
        print_blob=True,
        # Explaining a failure takes far longer than finding it.
        phases=(Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink),
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


def _rule(make: Make) -> Any:
    """Each rule is a function of its own, or Hypothesis would take them for one."""

    def take(self: _Machine, step: Step) -> None:
        self.take(step)

    return rule(step=st.composite(lambda draw: make(_Drawn(draw)))())(take)
