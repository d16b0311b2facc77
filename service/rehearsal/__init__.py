"""Rehearsals: a seeded workload of every kind and container, a handler that fails in four ways, and who posts it all.

``python -m service.rehearsal --url URL`` posts the workload; ``QSOPS_HANDLER=service.rehearsal:flaky_handler`` makes a
service fail for a while. :func:`rehearsal_settings` is a service that lives in memory.
"""

from __future__ import annotations

from service.rehearsal.faults import POISON_ID, Fault, fault_of, flaky_handler
from service.rehearsal.settings import APP_SECRET, INTERNAL_TOKEN, VERIFY_TOKEN, rehearsal_settings
from service.rehearsal.workload import Workload, make_workload

__all__ = [
    "APP_SECRET",
    "INTERNAL_TOKEN",
    "POISON_ID",
    "VERIFY_TOKEN",
    "Fault",
    "Workload",
    "fault_of",
    "flaky_handler",
    "make_workload",
    "rehearsal_settings",
]
