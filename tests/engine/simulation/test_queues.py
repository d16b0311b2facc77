"""Queues, over crash and restart."""

from hypothesis.stateful import run_state_machine_as_test

from tests.engine.simulation.machine import machine, profile


def test_queues_of_an_embedded_engine():
    """First come, first served, no more at a time than the parallelism, and a place is held to the very end."""
    run_state_machine_as_test(machine("queues", "manual"), settings=profile(8))


def test_queues_of_a_served_engine():
    """The same of the engine that others reach."""
    run_state_machine_as_test(machine("queues", "served"), settings=profile(8))
