"""Queues, URL groups, schedules and flow control through qstash for Python."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.conformance.sdks.catalog import Flow, Group, Limit, Queue, Schedule

__all__ = ["PythonFlows", "PythonGroups", "PythonQueues", "PythonSchedules", "limit_of"]

Ask = Callable[..., Any]


class PythonQueues:
    def __init__(self, client: Any, ask: Ask) -> None:
        self._queue, self._message, self._ask = client.queue, client.message, ask

    def upsert(self, name: str, **options: Any) -> None:
        self._ask(self._queue.upsert, name, **options)

    def get(self, name: str) -> Queue:
        return _queue(self._ask(self._queue.get, name))

    def list(self) -> list[Queue]:
        return list(map(_queue, self._ask(self._queue.list)))

    def delete(self, name: str) -> None:
        self._ask(self._queue.delete, name)

    def pause(self, name: str) -> None:
        self._ask(self._queue.pause, name)

    def resume(self, name: str) -> None:
        self._ask(self._queue.resume, name)

    def enqueue(self, name: str, url: str, body: str, **options: Any) -> str:
        return str(self._ask(self._message.enqueue, queue=name, url=url, body=body, **options).message_id)

    def enqueue_json(self, name: str, url: str, body: Any, **options: Any) -> str:
        return str(self._ask(self._message.enqueue_json, queue=name, url=url, body=body, **options).message_id)

    def enqueue_to_group(self, name: str, group: str, body: str, **options: Any) -> list[str]:
        answers = self._ask(self._message.enqueue, queue=name, url_group=group, body=body, **options)
        return [answer.message_id for answer in answers]


class PythonGroups:
    def __init__(self, client: Any, ask: Ask) -> None:
        self._groups, self._ask = client.url_group, ask

    def add(self, name: str, endpoints: list[dict[str, str]]) -> None:
        self._ask(self._groups.upsert_endpoints, name, endpoints)

    def remove(self, name: str, endpoints: list[dict[str, str]]) -> None:
        self._ask(self._groups.remove_endpoints, name, endpoints)

    def get(self, name: str) -> Group:
        return _group(self._ask(self._groups.get, name))

    def list(self) -> list[Group]:
        return list(map(_group, self._ask(self._groups.list)))

    def delete(self, name: str) -> None:
        self._ask(self._groups.delete, name)


class PythonSchedules:
    def __init__(self, client: Any, ask: Ask) -> None:
        self._schedules, self._ask = client.schedule, ask

    def create(self, destination: str, cron: str, **options: Any) -> str:
        return str(self._ask(self._schedules.create, destination=destination, cron=cron, **options))

    def get(self, schedule_id: str) -> Schedule:
        return _schedule(self._ask(self._schedules.get, schedule_id))

    def list(self) -> list[Schedule]:
        return list(map(_schedule, self._ask(self._schedules.list)))

    def delete(self, schedule_id: str) -> None:
        self._ask(self._schedules.delete, schedule_id)

    def pause(self, schedule_id: str) -> None:
        self._ask(self._schedules.pause, schedule_id)

    def resume(self, schedule_id: str) -> None:
        self._ask(self._schedules.resume, schedule_id)


class PythonFlows:
    def __init__(self, client: Any, ask: Ask) -> None:
        self._flow, self._ask = client.flow_control, ask

    def get(self, key: str) -> Flow:
        got = self._ask(self._flow.get, key)
        return Flow(
            got.key,
            got.wait_list_size,
            got.parallelism_max,
            got.parallelism_count,
            got.rate_max,
            got.rate_count,
            got.rate_period,
            got.rate_period_start,
            got.is_paused,
            got.is_pinned_parallelism,
            got.is_pinned_rate,
        )

    def pause(self, key: str) -> None:
        self._ask(self._flow.pause, key)

    def resume(self, key: str) -> None:
        self._ask(self._flow.resume, key)

    def pin(self, key: str, **limits: int) -> None:
        self._ask(self._flow.pin, key, limits)

    def unpin(self, key: str, **which: bool) -> None:
        self._ask(self._flow.unpin, key, which)

    def reset_rate(self, key: str) -> None:
        self._ask(self._flow.reset_rate, key)

    def global_parallelism(self) -> tuple[int, int]:
        got = self._ask(self._flow.get_global_parallelism)
        return got.parallelism_max, got.parallelism_count


def limit_of(got: Any) -> Limit | None:
    """The flow control of whatever carries one."""
    if got.flow_control is None:
        return None
    return Limit(got.flow_control.key, got.flow_control.parallelism, got.flow_control.rate, got.flow_control.period)


def _queue(got: Any) -> Queue:
    return Queue(got.name, got.parallelism, got.paused, got.lag, got.created_at, got.updated_at)


def _group(got: Any) -> Group:
    endpoints = {endpoint.url: endpoint.name for endpoint in got.endpoints}
    return Group(got.name, endpoints, got.created_at, got.updated_at)


def _schedule(got: Any) -> Schedule:
    states = got.last_schedule_states
    return Schedule(
        got.schedule_id,
        got.cron,
        got.destination,
        got.method,
        got.headers,
        got.body,
        got.retries,
        got.delay,
        got.timeout,
        got.callback,
        got.failure_callback,
        got.paused,
        got.queue,
        limit_of(got),
        got.retry_delay_expression,
        got.label,
        got.created_at,
        got.last_schedule_time,
        got.next_schedule_time,
        None if states is None else {message_id: state.value for message_id, state in states.items()},
    )
