"""Flow control, over crash and restart."""

from hypothesis.stateful import run_state_machine_as_test

from tests.engine.simulation.machine import machine, profile


def test_keys_of_an_embedded_engine():
    """Never more calls in a window, or at a time, than the key allows; and nobody waits where there is room."""
    run_state_machine_as_test(machine("keys", "manual"), settings=profile(8))


def test_keys_of_a_served_engine():
    """The same of the engine that others reach."""
    run_state_machine_as_test(machine("keys", "served"), settings=profile(8))
