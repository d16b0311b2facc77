"""What stands behind a workflow's runs: who waits for an event, what a notification did, and what was triggered."""

from __future__ import annotations

from dataclasses import dataclass

from qsops.models.messages import Headers, Publish

__all__ = ["Notification", "Notified", "Step", "Trigger", "Triggered", "WaitSpec", "Waiter"]


@dataclass(frozen=True, slots=True)
class Step:
    """The step of a workflow that waits; ``target_step`` is set where it is one of several that are planned."""

    step_id: int
    step_type: str
    step_name: str
    concurrent: int = 1
    target_step: int | None = None


@dataclass(frozen=True, slots=True)
class WaitSpec:
    """A wait for ``event`` as a request asks for it: the event goes to ``url``, or after ``timeout_s`` seconds
    ``timeout_body`` goes to ``timeout_url``.

    ``headers`` are the option headers under which the one is published, ``timeout_headers`` those of the other.
    """

    event: str
    url: str
    timeout_s: int
    headers: Headers = ()
    timeout_url: str | None = None
    timeout_body: bytes | None = None
    timeout_headers: Headers = ()
    run_id: str | None = None
    step: Step | None = None


@dataclass(frozen=True, slots=True)
class Waiter:
    """Who waits for an event, until ``deadline_s`` in unix seconds."""

    url: str
    deadline_s: int
    headers: Headers = ()
    timeout_url: str | None = None
    timeout_body: bytes | None = None
    timeout_headers: Headers = ()
    run_id: str | None = None
    step: Step | None = None


@dataclass(frozen=True, slots=True)
class Notification:
    """An event that has happened, and what is told of it.

    Without ``run_id`` it is for all who wait now, and lost if nobody does; with one it is for the run of that id, and
    saved until the run waits for it.
    """

    event: str
    body: bytes = b""
    run_id: str | None = None


@dataclass(frozen=True, slots=True)
class Notified:
    """What a notification did to one waiter: the message that took the event there, or why there is none.

    Without a waiter the event was saved until one comes.
    """

    waiter: Waiter | None = None
    message_id: str | None = None
    deduplicated: bool = False
    error: str | None = None
    run_id: str | None = None
    run_created_at_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Trigger:
    """The start of a workflow as a request asks for it; without ``run_id`` it is given a new one."""

    publish: Publish
    run_id: str | None = None


@dataclass(frozen=True, slots=True)
class Triggered:
    """QStash's answer to one trigger. ``deduplicated`` means: there was such a run, and no other was started."""

    run_id: str
    created_at_ms: int
    deduplicated: bool = False
