"""All at once, under the narrowest plan."""

from hypothesis.stateful import run_state_machine_as_test

from tests.engine.simulation.machine import machine, profile


def test_everything_of_an_embedded_engine():
    """No feature breaks another's rules, nor do they together exceed what the plan allows to be under way."""
    run_state_machine_as_test(machine("everything", "manual"), settings=profile(8))


def test_everything_of_a_served_engine():
    """The same of the engine that others reach."""
    run_state_machine_as_test(machine("everything", "served"), settings=profile(8))
