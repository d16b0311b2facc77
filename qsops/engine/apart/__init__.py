"""Deliveries in a process of their own, so that accepting and delivering have a core each.

``courier`` is the engine's side of it, ``keeper`` starts the other, ``process``, and ``line`` leads there; ``frames``
are what goes to and fro on it.
"""
