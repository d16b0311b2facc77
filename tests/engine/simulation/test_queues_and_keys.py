"""Queues of messages that flow control admits, over crash and restart."""

from hypothesis.stateful import run_state_machine_as_test

from tests.engine.simulation.machine import machine, profile


def test_queues_and_keys_of_an_embedded_engine():
    """Both gates keep their rules when a message passes one after the other."""
    run_state_machine_as_test(machine("queues and keys", "manual"), settings=profile(8))


def test_queues_and_keys_of_a_served_engine():
    """The same of the engine that others reach."""
    run_state_machine_as_test(machine("queues and keys", "served"), settings=profile(8))
