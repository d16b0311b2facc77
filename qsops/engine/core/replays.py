"""Another chance for a dead letter: a new message in its place."""

from __future__ import annotations

from sqlite3 import Connection

from qsops.engine.core.dead_letters import exists, remove
from qsops.engine.core.intake import accept
from qsops.engine.plans import Plan
from qsops.models import Headers, Message, Publish, Receipt
from qsops.wire.options import apply_overrides

__all__ = ["publish_again", "replay"]


def publish_again(message: Message, overrides: Headers = ()) -> Publish:
    """What publishes ``message`` anew, at once, with the option headers among ``overrides`` in place of its own.

    It goes through the same queue and flow control.

    :raises Rejected: 400, when an override cannot be read.
    """
    original = Publish(
        destination=message.url,
        body=message.body,
        method=message.method,
        headers=message.headers,
        timeout_s=message.timeout_s,
        retries=message.max_retries,
        retry_delay=message.retry_delay,
        callback=message.callback,
        failure_callback=message.failure_callback,
        labels=message.labels,
        queue=message.queue,
        flow_control=message.flow_control,
        redact=message.redact,
    )
    return apply_overrides(original, overrides)


def replay(
    connection: Connection, account: int, dlq_id: str, message: Message, now_ms: int, key: str | None, plan: Plan
) -> Receipt | None:
    """Accept ``message`` in the place of a dead letter; None, and nothing done, if that is gone.

    Where it counts as one with a message that was accepted before, the dead letter stays: nothing else holds it.

    :raises Rejected: 412 when its queue is gone, and would be one more than ``plan`` allows.
    """
    if not exists(connection, account, dlq_id):
        return None
    receipt = accept(connection, account, message, now_ms, key, plan=plan)
    if not receipt.deduplicated:
        remove(connection, account, dlq_id)
    return receipt
