"""More messages than the plan lets be under way, and destinations that take their time."""

from hypothesis.stateful import run_state_machine_as_test

from tests.engine.simulation.machine import machine, profile


def test_a_crowd_before_an_embedded_engine():
    """No account has more under way than its plan allows, whoever has no room is late, and its limits hold then."""
    run_state_machine_as_test(machine("crowd", "manual"), settings=profile(6))


def test_a_crowd_before_a_served_engine():
    """The same of the engine that others reach."""
    run_state_machine_as_test(machine("crowd", "served"), settings=profile(6))
