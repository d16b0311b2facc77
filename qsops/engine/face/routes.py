"""Which request goes where: the paths of QStash's API, those that this engine does not serve yet among them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from qsops.engine.face import (
    dlq,
    faults,
    flow,
    gone,
    groups,
    keys,
    logs,
    messages,
    publishing,
    queues,
    schedules,
    status,
    triggers,
    workflow,
)
from qsops.engine.face.call import Handler
from qsops.engine.plans import BATCH_LIMIT, BODY_LIMIT, MESSAGE_LIMIT

__all__ = ["ROUTES", "UNSERVED", "Route"]


@dataclass(frozen=True, slots=True)
class Route:
    """``pattern`` matches the whole raw path; its group, if it has one, is the handler's argument."""

    method: str
    pattern: re.Pattern[str]
    handler: Handler
    body_limit: int = BODY_LIMIT


def _route(method: str, pattern: str, handler: Handler, body_limit: int = BODY_LIMIT) -> Route:
    return Route(method, re.compile(pattern), handler, body_limit)


ROUTES: Final = (
    _route("POST", r"/v2/publish/api/llm", gone.llm, MESSAGE_LIMIT),
    _route("POST", r"/llm/v1/chat/completions", gone.llm, MESSAGE_LIMIT),
    _route("POST", r"/v2/publish/(.+)", publishing.publish, MESSAGE_LIMIT),
    _route("POST", r"/v2/batch", publishing.batch, BATCH_LIMIT),
    _route("POST", r"/v2/enqueue/([^/]+)/(?:.+)", publishing.publish, MESSAGE_LIMIT),
    _route("GET", r"/v2/messages/([^/]+)", messages.get),
    _route("DELETE", r"/v2/messages/([^/]+)", messages.cancel_one),
    _route("DELETE", r"/v2/messages", messages.cancel_many),
    # A colon is in no id, but in each URL: what ends like a verb may be a destination.
    *(
        _route(method, rf"/v2/schedules/([^/:]+)/{verb}", handler)
        for method in ("PATCH", "POST")
        for verb, handler in (("pause", schedules.pause), ("resume", schedules.resume))
    ),
    _route("POST", r"/v2/schedules/(.+)", schedules.create, MESSAGE_LIMIT),
    _route("GET", r"/v2/schedules", schedules.list_all),
    _route("GET", r"/v2/schedules/([^/]+)", schedules.get),
    _route("DELETE", r"/v2/schedules/([^/]+)", schedules.delete),
    _route("POST", r"/v2/queues", queues.upsert),
    _route("GET", r"/v2/queues", queues.list_all),
    _route("GET", r"/v2/queues/([^/]+)", queues.get),
    _route("DELETE", r"/v2/queues/([^/]+)", queues.delete),
    _route("POST", r"/v2/queues/([^/]+)/pause", queues.pause),
    _route("POST", r"/v2/queues/([^/]+)/resume", queues.resume),
    # A key may be any text, slashes included.
    _route("GET", r"/v2/flowControl", flow.list_all),
    _route("GET", r"/v2/flowControl/(.+)", flow.get),
    _route("POST", r"/v2/flowControl/(.+)/pause", flow.pause),
    _route("POST", r"/v2/flowControl/(.+)/resume", flow.resume),
    _route("POST", r"/v2/flowControl/(.+)/pin", flow.pin),
    _route("POST", r"/v2/flowControl/(.+)/unpin", flow.unpin),
    _route("POST", r"/v2/flowControl/(.+)/resetRate", flow.reset),
    _route("POST", r"/v2/flowControl/(.+)/reset", flow.reset),
    _route("GET", r"/v2/globalParallelism", flow.global_parallelism),
    _route("POST", r"/v2/wait/(.+)", workflow.wait_for),
    _route("GET", r"/v2/waiters/(.+)", workflow.waiters),
    _route("POST", r"/v2/notify/([^/]+)", workflow.notify, MESSAGE_LIMIT),
    _route("POST", r"/v2/notify/([^/]+)/(?:.+)", workflow.notify, MESSAGE_LIMIT),
    _route("POST", r"/v2/trigger/(.+)", triggers.trigger, MESSAGE_LIMIT),
    _route("POST", r"/v2/batch/trigger", triggers.trigger_many, BATCH_LIMIT),
    _route("GET", r"/v2/topics", groups.list_all),
    _route("GET", r"/v2/topics/([^/]+)", groups.get),
    _route("DELETE", r"/v2/topics/([^/]+)", groups.delete),
    _route("PATCH", r"/v2/topics/([^/]+)", groups.set_headers),
    _route("POST", r"/v2/topics/([^/]+)/endpoints", groups.add),
    _route("DELETE", r"/v2/topics/([^/]+)/endpoints", groups.remove),
    _route("GET", r"/v2/dlq", dlq.list_page),
    _route("DELETE", r"/v2/dlq", dlq.delete_many),
    _route("POST", r"/v2/dlq/retry", dlq.retry_many),
    _route("POST", r"/v2/dlq/retry/([^/]+)", dlq.retry_one),
    _route("GET", r"/v2/dlq/([^/]+)", dlq.get),
    _route("DELETE", r"/v2/dlq/([^/]+)", dlq.delete_one),
    _route("GET", r"/v2/events", logs.events),
    _route("GET", r"/v2/logs", logs.logs),
    _route("GET", r"/v2/keys", keys.get),
    _route("POST", r"/v2/keys/rotate", keys.rotate),
    # Not QStash's: no client of the hosted service comes here by accident.
    _route("GET", r"/qsops/status", status.get),
    _route("GET", r"/qsops/faults", faults.list_all),
    _route("POST", r"/qsops/faults", faults.add),
    _route("DELETE", r"/qsops/faults", faults.clear),
    _route("GET", r"/qsops/faults/([^/]+)", faults.get),
    _route("DELETE", r"/qsops/faults/([^/]+)", faults.remove),
)

#: The first steps of paths that exist on the hosted service and answer 501 here.
UNSERVED: Final = re.compile(r"(/v2/workflows|/llm)(?:/.*)?")
