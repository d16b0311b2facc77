"""What the engine knows and decides, sans-IO: functions of a connection, the time and ids, and nothing else.

The way of a message is one line through these files: ``admission`` (is it well formed?), ``intake`` (accepted once),
``due`` (attempts), ``verdicts`` (what an outcome means), ``settlement`` (what follows). ``journal`` writes each step
down; ``logs``, ``dead_letters``, ``replays`` and ``pending`` read, repair and cancel.
"""
