"""QStash on loopback: durable, and under any clock.

``embedded`` runs it inside the caller's process under a manual clock, ``server`` behind a port under the machine's.
Both drive the same rooms: ``core`` decides and remembers (plain functions over a connection), ``face`` answers
requests, ``deliveries`` carries attempts to their destinations.
"""
