"""Queues, URL groups, schedules and flow control through @upstash/qstash."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from tests.conformance.sdks.catalog import Flow, Group, Limit, Queue, Schedule

__all__ = [
    "JavaScriptFlows",
    "JavaScriptGroups",
    "JavaScriptQueues",
    "JavaScriptSchedules",
    "camel",
    "given",
    "limit_of",
]

Call = Callable[..., Any]
#: What has another name in JavaScript, and not only another case.
_RENAMED: Final = {"queue": "queueName", "from_time": "fromDate", "to_time": "toDate"}


class JavaScriptQueues:
    def __init__(self, call_queue: Call) -> None:
        self._call_queue = call_queue

    def upsert(self, name: str, **options: Any) -> None:
        self._call_queue(name, "upsert", options)

    def get(self, name: str) -> Queue:
        return _queue(self._call_queue(name, "get"))

    def list(self) -> list[Queue]:
        return list(map(_queue, self._call_queue(None, "list")))

    def delete(self, name: str) -> None:
        self._call_queue(name, "delete")

    def pause(self, name: str) -> None:
        self._call_queue(name, "pause")

    def resume(self, name: str) -> None:
        self._call_queue(name, "resume")

    def enqueue(self, name: str, url: str, body: str, **options: Any) -> str:
        return str(self._call_queue(name, "enqueue", {"url": url, "body": body, **camel(options)})["messageId"])

    def enqueue_json(self, name: str, url: str, body: Any, **options: Any) -> str:
        return str(self._call_queue(name, "enqueueJSON", {"url": url, "body": body, **camel(options)})["messageId"])

    def enqueue_to_group(self, name: str, group: str, body: str, **options: Any) -> list[str]:
        answers = self._call_queue(name, "enqueue", {"urlGroup": group, "body": body, **camel(options)})
        return [answer["messageId"] for answer in answers]


class JavaScriptGroups:
    def __init__(self, call: Call) -> None:
        self._call = call

    def add(self, name: str, endpoints: list[dict[str, str]]) -> None:
        self._call("urlGroups.addEndpoints", {"name": name, "endpoints": endpoints})

    def remove(self, name: str, endpoints: list[dict[str, str]]) -> None:
        self._call("urlGroups.removeEndpoints", {"name": name, "endpoints": endpoints})

    def get(self, name: str) -> Group:
        return _group(self._call("urlGroups.get", name))

    def list(self) -> list[Group]:
        return list(map(_group, self._call("urlGroups.list")))

    def delete(self, name: str) -> None:
        self._call("urlGroups.delete", name)


class JavaScriptSchedules:
    def __init__(self, call: Call) -> None:
        self._call = call

    def create(self, destination: str, cron: str, **options: Any) -> str:
        request = {"destination": destination, "cron": cron, **camel(options)}
        return str(self._call("schedules.create", request)["scheduleId"])

    def get(self, schedule_id: str) -> Schedule:
        return _schedule(self._call("schedules.get", schedule_id))

    def list(self) -> list[Schedule]:
        return list(map(_schedule, self._call("schedules.list")))

    def delete(self, schedule_id: str) -> None:
        self._call("schedules.delete", schedule_id)

    def pause(self, schedule_id: str) -> None:
        self._call("schedules.pause", {"schedule": schedule_id})

    def resume(self, schedule_id: str) -> None:
        self._call("schedules.resume", {"schedule": schedule_id})


class JavaScriptFlows:
    def __init__(self, call: Call) -> None:
        self._call = call

    def get(self, key: str) -> Flow:
        got = self._call("flowControl.get", key)
        return Flow(
            got["flowControlKey"],
            got["waitListSize"],
            got.get("parallelismMax", 0),
            got["parallelismCount"],
            got.get("rateMax", 0),
            got["rateCount"],
            got["ratePeriod"],
            got["ratePeriodStart"],
            got["isPaused"],
            got["isPinnedParallelism"],
            got["isPinnedRate"],
        )

    def pause(self, key: str) -> None:
        self._call("flowControl.pause", key)

    def resume(self, key: str) -> None:
        self._call("flowControl.resume", key)

    def pin(self, key: str, **limits: int) -> None:
        self._call("flowControl.pin", key, limits)

    def unpin(self, key: str, **which: bool) -> None:
        self._call("flowControl.unpin", key, which)

    def reset_rate(self, key: str) -> None:
        self._call("flowControl.resetRate", key)

    def global_parallelism(self) -> tuple[int, int]:
        got = self._call("flowControl.getGlobalParallelism")
        return got["parallelismMax"], got["parallelismCount"]


def camel(options: Mapping[str, Any]) -> dict[str, Any]:
    """``options`` as JavaScript names them; a content type is a header there."""

    def name(text: str) -> str:
        first, *rest = text.split("_")
        return first + "".join(part.capitalize() for part in rest)

    plain = {option: value for option, value in options.items() if option != "content_type"}
    if "content_type" in options:
        plain["headers"] = {**plain.get("headers", {}), "Content-Type": options["content_type"]}
    return {_RENAMED.get(option, name(option)): value for option, value in plain.items()}


def given(**options: Any) -> dict[str, Any]:
    """Those that are not None."""
    return {name: value for name, value in options.items() if value is not None}


def limit_of(got: Mapping[str, Any]) -> Limit | None:
    """The flow control of whatever carries one."""
    if "flowControlKey" not in got:
        return None
    return Limit(got["flowControlKey"], got.get("parallelism"), got.get("rate"), got.get("period"))


def _queue(got: dict[str, Any]) -> Queue:
    return Queue(got["name"], got["parallelism"], got["paused"], got["lag"], got["createdAt"], got["updatedAt"])


def _group(got: dict[str, Any]) -> Group:
    endpoints = {endpoint["url"]: endpoint.get("name") for endpoint in got["endpoints"]}
    return Group(got["name"], endpoints, got["createdAt"], got["updatedAt"])


def _schedule(got: dict[str, Any]) -> Schedule:
    return Schedule(
        got["scheduleId"],
        got["cron"],
        got["destination"],
        got["method"],
        got.get("header"),
        got.get("body"),
        got["retries"],
        got.get("delay"),
        got.get("timeout"),
        got.get("callback"),
        got.get("failureCallback"),
        got["isPaused"],
        got.get("queueName"),
        limit_of(got),
        got.get("retryDelayExpression"),
        got.get("label"),
        got["createdAt"],
        got.get("lastScheduleTime"),
        got.get("nextScheduleTime"),
        got.get("lastScheduleStates"),
    )
