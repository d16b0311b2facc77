"""The engine's rows: durable delivery, acceptance, a large backlog, a long log, and doing nothing.

What peers run in an environment of their own is standard library from here down, until they import themselves.
"""
