"""Deliveries in a process of their own, so that accepting and delivering have a core each.

``courier`` is the engine's side of it, ``process`` the other, and ``frames`` what goes to and fro between the two.
"""
