"""Schedules and URL groups, over crash and restart."""

from hypothesis.stateful import run_state_machine_as_test

from tests.engine.simulation.machine import machine, profile


def test_schedules_of_an_embedded_engine():
    """Each time fires once and reaches each endpoint once; what is paused is skipped, what was missed is one."""
    run_state_machine_as_test(machine("schedules", "manual"), settings=profile(6))


def test_schedules_of_a_served_engine():
    """The same of the engine that others reach."""
    run_state_machine_as_test(machine("schedules", "served"), settings=profile(6))
