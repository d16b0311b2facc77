"""What is told of the endpoints of queues, schedules, URL groups, flow control and of Workflow's events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from qsops.engine.face.openapi.operation import ANYTHING, CRON, NOTHING, OPTIONS, Operation, query
from qsops.engine.face.openapi.shapes import BOOLEAN, TEXT, Schema, list_of, object_of, ref, whole

__all__ = ["GATES"]

_QUEUES: Final = {
    ("POST", "/v2/queues"): Operation(
        "Make or change a queue",
        NOTHING,
        body=object_of({"queueName": TEXT, "parallelism": whole(1), "paused": BOOLEAN}, ("queueName",)),
    ),
    ("GET", "/v2/queues"): Operation("List the queues", list_of(ref("Queue"))),
    ("GET", "/v2/queues/{queue}"): Operation("Read a queue", ref("Queue")),
    ("DELETE", "/v2/queues/{queue}"): Operation("Delete a queue", NOTHING),
    ("POST", "/v2/queues/{queue}/pause"): Operation("Pause a queue", NOTHING),
    ("POST", "/v2/queues/{queue}/resume"): Operation("Resume a queue", NOTHING),
}

_SCHEDULES: Final = {
    ("POST", "/v2/schedules/{destination}"): Operation(
        "Make a schedule, or put it in the place of the one with its id",
        object_of({"scheduleId": TEXT}, ("scheduleId",)),
        (*CRON, *OPTIONS),
        ANYTHING,
        (200, 202),
    ),
    ("GET", "/v2/schedules"): Operation("List the schedules", list_of(ref("Schedule"))),
    ("GET", "/v2/schedules/{scheduleId}"): Operation("Read a schedule", ref("Schedule")),
    ("DELETE", "/v2/schedules/{scheduleId}"): Operation("Delete a schedule", NOTHING),
    **{
        (method, f"/v2/schedules/{{scheduleId}}/{verb}"): Operation(f"{verb.title()} a schedule", NOTHING)
        for method in ("PATCH", "POST")
        for verb in ("pause", "resume")
    },
}

_ADDED: Final = object_of({"url": TEXT, "name": TEXT}, ("url",))
_REMOVED: Final[Schema] = object_of({"url": TEXT, "name": TEXT})
_URL_GROUPS: Final = {
    ("GET", "/v2/topics"): Operation("List the URL groups", list_of(ref("UrlGroup"))),
    ("GET", "/v2/topics/{topic}"): Operation("Read a URL group", ref("UrlGroup")),
    ("DELETE", "/v2/topics/{topic}"): Operation("Delete a URL group", NOTHING),
    ("PATCH", "/v2/topics/{topic}"): Operation(
        "Set the default option headers of a URL group",
        NOTHING,
        body=object_of({"headers": {"type": "object"}}, ("headers",)),
    ),
    ("POST", "/v2/topics/{topic}/endpoints"): Operation(
        "Add endpoints to a URL group", NOTHING, body=object_of({"endpoints": list_of(_ADDED)}, ("endpoints",))
    ),
    ("DELETE", "/v2/topics/{topic}/endpoints"): Operation(
        "Remove endpoints of a URL group", NOTHING, body=object_of({"endpoints": list_of(_REMOVED)}, ("endpoints",))
    ),
}

_FLOW_CONTROL: Final = {
    ("GET", "/v2/flowControl"): Operation(
        "List the flow-control keys", list_of(ref("FlowControlKey")), query("search")
    ),
    ("GET", "/v2/flowControl/{flowControlKey}"): Operation("Read a flow-control key", ref("FlowControlKey")),
    ("POST", "/v2/flowControl/{flowControlKey}/pin"): Operation(
        "Hold the limits of a flow-control key", NOTHING, query("parallelism", "rate", "period")
    ),
    ("POST", "/v2/flowControl/{flowControlKey}/unpin"): Operation(
        "Let the messages set the limits of a flow-control key again", NOTHING, query("parallelism", "rate")
    ),
    **{
        ("POST", f"/v2/flowControl/{{flowControlKey}}/{verb}"): Operation(f"{summary} a flow-control key", NOTHING)
        for verb, summary in (
            ("pause", "Pause"),
            ("resume", "Resume"),
            ("resetRate", "Reset the rate of"),
            ("reset", "Reset the rate of"),
        )
    },
    ("GET", "/v2/globalParallelism"): Operation(
        "Read how many calls the account may have under way, and has", ref("GlobalParallelism")
    ),
}

_WAIT: Final = object_of(
    {
        **dict.fromkeys(("url", "timeout", "timeoutUrl", "timeoutBody"), TEXT),
        "timeoutHeaders": {"type": "object"},
        "step": {"type": "object"},
    },
    ("url", "timeout"),
)
_WORKFLOW: Final = {
    ("POST", "/v2/trigger/{workflowUrl}"): Operation(
        "Start a workflow", ref("Triggered"), OPTIONS, ANYTHING, (200, 201, 202)
    ),
    ("POST", "/v2/batch/trigger"): Operation(
        "Start many workflows", list_of({"type": "object"}), body=list_of({"type": "object"}), statuses=(201,)
    ),
    ("POST", "/v2/wait/{eventId}"): Operation("Wait for an event", NOTHING, body=_WAIT, statuses=(200, 201)),
    ("GET", "/v2/waiters/{eventId}"): Operation("List who waits for an event", list_of(ref("Waiter"))),
    ("POST", "/v2/notify/{eventId}"): Operation(
        "Notify all who wait for an event", list_of(ref("Notified")), body=ANYTHING, statuses=(200, 201)
    ),
    ("POST", "/v2/notify/{workflowRunId}/{eventId}"): Operation(
        "Notify one run of an event, now or when it waits", ref("Notified"), body=ANYTHING, statuses=(200, 201)
    ),
}

#: Every answer is an error.
_GONE: Final = {
    ("POST", path): Operation("Ask the hosted LLM, which is no more", NOTHING, body=ANYTHING, statuses=())
    for path in ("/llm/v1/chat/completions", "/v2/publish/api/llm")
}

GATES: Final[Mapping[tuple[str, str], Operation]] = {
    **_QUEUES,
    **_SCHEDULES,
    **_URL_GROUPS,
    **_FLOW_CONTROL,
    **_WORKFLOW,
    **_GONE,
}
