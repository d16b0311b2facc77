"""What an account sets up beside its messages: queues, URL groups, schedules, and the limits of flow control."""

from __future__ import annotations

from dataclasses import dataclass

from qsops.models.messages import Publish

__all__ = [
    "Endpoint",
    "FlowKey",
    "FlowPin",
    "FlowUnpin",
    "GlobalParallelism",
    "Queue",
    "QueueSpec",
    "Schedule",
    "ScheduleSpec",
    "UrlGroup",
]


@dataclass(frozen=True, slots=True)
class QueueSpec:
    """A queue as a request asks for it; with ``paused`` None one that is there stays as it is, paused or not."""

    name: str
    parallelism: int = 1
    paused: bool | None = None


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue; ``lag`` is how many of its messages have not been delivered yet."""

    name: str
    created_at_ms: int
    updated_at_ms: int
    parallelism: int = 1
    paused: bool = False
    lag: int = 0


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One destination of a URL group. Where one is to be removed, its ``url`` may be empty: its name will do."""

    url: str
    name: str | None = None


@dataclass(frozen=True, slots=True)
class UrlGroup:
    """A name for several URLs: what is published to it goes to each."""

    name: str
    created_at_ms: int
    updated_at_ms: int
    endpoints: tuple[Endpoint, ...] = ()


@dataclass(frozen=True, slots=True)
class ScheduleSpec:
    """A schedule as a request asks for it; without ``schedule_id`` it is given a new one.

    Each time that ``cron`` falls due, ``publish`` is published anew; with ``publish.queue`` it is enqueued.
    """

    cron: str
    publish: Publish
    schedule_id: str | None = None


@dataclass(frozen=True, slots=True)
class Schedule:
    """A schedule. ``last_states`` are the messages of its latest run, each with IN_PROGRESS, SUCCESS or FAIL.

    ``error`` is why the latest run published nothing.
    """

    schedule_id: str
    cron: str
    publish: Publish
    created_at_ms: int
    caller_ip: str | None = None
    paused: bool = False
    last_at_ms: int | None = None
    next_at_ms: int | None = None
    last_states: tuple[tuple[str, str], ...] = ()
    error: str | None = None


@dataclass(frozen=True, slots=True)
class FlowKey:
    """A flow-control key as it stands: how many messages wait for it, its limits, and how far they are used up.

    None is a limit that is not set. The period of the rate began at ``period_start_s``, in unix seconds.
    """

    key: str
    wait_list: int = 0
    parallelism_max: int | None = None
    parallelism_count: int = 0
    rate_max: int | None = None
    rate_count: int = 0
    period_s: int = 1
    period_start_s: int = 0
    paused: bool = False
    pinned_parallelism: bool = False
    pinned_rate: bool = False


@dataclass(frozen=True, slots=True)
class FlowPin:
    """Limits that messages cannot change from now on; None leaves one as it is. A period comes with a rate."""

    parallelism: int | None = None
    rate: int | None = None
    period_s: int | None = None


@dataclass(frozen=True, slots=True)
class FlowUnpin:
    """Which limits messages may change again."""

    parallelism: bool = False
    rate: bool = False


@dataclass(frozen=True, slots=True)
class GlobalParallelism:
    """How many calls an account may have under way, all its messages together, and how many there are."""

    limit: int
    count: int
