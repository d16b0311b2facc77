"""Faults that are set on purpose: at destinations, and at the engine itself as its clients meet it."""
