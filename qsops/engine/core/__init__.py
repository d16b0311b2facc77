"""What the engine knows and decides, sans-IO: functions of a connection, the time and ids, and nothing else.

The way of a message is one line through these files: ``admission`` (is it well formed? ``bounds``), ``intake``
(accepted once: ``deduplication``, ``quota``), ``gates`` (its queue, its flow-control key: ``queues``, ``flow``,
``limits``), ``due`` (attempts), ``verdicts`` (what an outcome means), ``settlement`` (what follows: ``reports``),
``retention`` (forgotten). ``rows`` and ``traits`` keep it, ``journal`` writes each step down.

What falls due beside attempts is the ``agenda``'s: ``schedules`` and their ``firing`` (``cron``), limits that open
again, ``waiters`` that waited too long. ``controls`` pause, pin and delete; ``recall`` brings back who was let through.

Listings are ``logs`` (``finding``, ``log_groups``), ``dead_letters`` and ``groups``, by ``filters`` and in ``pages``,
as ``redaction`` lets them show; ``pending`` reads and cancels, ``replays`` repair.
"""
