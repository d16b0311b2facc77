"""Messages, batches, cancels, dead letters and keys, over crash and restart."""

from hypothesis.stateful import run_state_machine_as_test

from tests.engine.simulation.machine import machine, profile


def test_messages_of_an_embedded_engine():
    """Nothing is lost, each try comes when it is due, and there is one end, which log and destination agree on."""
    run_state_machine_as_test(machine("messages", "manual"), settings=profile(12))


def test_messages_of_a_served_engine():
    """The same of the engine that others reach: it writes down what happened in groups, a moment later."""
    run_state_machine_as_test(machine("messages", "served"), settings=profile(12))
