"""The things QStash speaks of, as frozen values: what is published, what becomes of it, and what is remembered.

They stand below everyone who makes or reads them; how they look on the wire is :mod:`qsops.wire`'s business.
Times are unix milliseconds (``_ms``) or seconds (``_s``), in the unit the protocol itself uses.
"""

from __future__ import annotations

from qsops.models.catalog import (
    Endpoint,
    FlowKey,
    FlowPin,
    FlowUnpin,
    GlobalParallelism,
    Queue,
    QueueSpec,
    Schedule,
    ScheduleSpec,
    UrlGroup,
)
from qsops.models.history import CallbackReport, LedgerEntry, LogEntry, State
from qsops.models.listings import CancelFilter, DlqFilter, LogFilter, Page
from qsops.models.messages import (
    DEFAULT_METHOD,
    DEFAULT_RETRIES,
    Callback,
    DeadLetter,
    FlowControl,
    Headers,
    ItemError,
    KeyPair,
    Message,
    Publish,
    Receipt,
)
from qsops.models.workflow import Notification, Notified, Step, Trigger, Triggered, Waiter, WaitSpec

__all__ = [
    "DEFAULT_METHOD",
    "DEFAULT_RETRIES",
    "Callback",
    "CallbackReport",
    "CancelFilter",
    "DeadLetter",
    "DlqFilter",
    "Endpoint",
    "FlowControl",
    "FlowKey",
    "FlowPin",
    "FlowUnpin",
    "GlobalParallelism",
    "Headers",
    "ItemError",
    "KeyPair",
    "LedgerEntry",
    "LogEntry",
    "LogFilter",
    "Message",
    "Notification",
    "Notified",
    "Page",
    "Publish",
    "Queue",
    "QueueSpec",
    "Receipt",
    "Schedule",
    "ScheduleSpec",
    "State",
    "Step",
    "Trigger",
    "Triggered",
    "UrlGroup",
    "WaitSpec",
    "Waiter",
]
