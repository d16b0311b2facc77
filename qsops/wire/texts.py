"""Every error text of the API, as it stands in ``{"error": …}``.

Observed on the hosted service, word for word (reference, sections 1 to 1.3): INVALID_TOKEN, DEDUPLICATION_ID_HAS_COLON,
INVALID_SCHEME, unresolved_host, loopback_destination, quota_exceeded. The service's other words are not known; ours
follow the form of these, and name what was given.
"""

from __future__ import annotations

from typing import Final

__all__ = [
    "CRON_MISSING",
    "CRON_ON_PUBLISH",
    "DEDUPLICATION_ID_HAS_COLON",
    "INVALID_SCHEME",
    "INVALID_TOKEN",
    "NAME_LIMIT",
    "NOTHING_TO_PIN",
    "NOT_BEFORE_ON_SCHEDULE",
    "NO_ENDPOINTS",
    "PERIOD_WITHOUT_RATE",
    "READ_ONLY_TOKEN",
    "batch_too_long",
    "body_too_large",
    "dead_letter_not_found",
    "flow_key_not_found",
    "invalid_body",
    "invalid_event",
    "invalid_field",
    "invalid_flow_key",
    "invalid_header",
    "invalid_name",
    "invalid_parameter",
    "loopback_destination",
    "message_not_found",
    "not_served",
    "queue_not_found",
    "quota_exceeded",
    "schedule_not_found",
    "unknown_parameter",
    "unresolved_host",
    "url_group_not_found",
]

#: Characters of a name.
NAME_LIMIT: Final = 256

INVALID_TOKEN: Final = "unable to authenticate: invalid token"
READ_ONLY_TOKEN: Final = "unable to authenticate: the token is read-only"
DEDUPLICATION_ID_HAS_COLON: Final = "DeduplicationId cannot contain ':'"
INVALID_SCHEME: Final = "invalid destination url: endpoint has invalid scheme, add http:// or https://"
CRON_ON_PUBLISH: Final = "Upstash-Cron makes a schedule, not a message: POST /v2/schedules/{destination}"
CRON_MISSING: Final = "invalid header Upstash-Cron: '': a schedule needs a cron expression, e.g. 0 12 * * *"
NOT_BEFORE_ON_SCHEDULE: Final = "Upstash-Not-Before is not supported by schedules; Upstash-Delay delays each message"
NO_ENDPOINTS: Final = "invalid request body: endpoints: it is a list of at least one endpoint"
NOTHING_TO_PIN: Final = "nothing to pin: name parallelism, rate, or both"
PERIOD_WITHOUT_RATE: Final = "invalid query parameter period: it comes with rate"


def unresolved_host(host: str, resolver: str = "127.0.0.1:53") -> str:
    """The destination's name has no address."""
    return f"invalid destination url: unable to resolve host: lookup {host} on {resolver}: no such host"


def loopback_destination(address: str) -> str:
    """The hosted service delivers to no address of its own machine."""
    return f"invalid destination url: endpoint resolves to a loopback address: {address}"


def quota_exceeded(name: str, limit: int) -> str:
    """A limit of the plan, e.g. ``maxDelay``."""
    return f"quota {name} exceeded, current limit: {limit}"


def invalid_header(name: str, value: str, why: str) -> str:
    """An option that does not parse, or a header that cannot be sent."""
    return f"invalid header {name[:100]}: {value[:100]!r}: {why}"


def invalid_name(what: str, name: str) -> str:
    """A name of a queue, URL group or schedule outside the alphabet that they share."""
    alphabet = "letters, digits, '-', '_' and '.'"
    return f"invalid {what} name: {name[:100]!r}: it is made of {alphabet}, at most {NAME_LIMIT} of them"


def invalid_parameter(name: str, value: str, why: str) -> str:
    """A query parameter that does not parse."""
    return f"invalid query parameter {name[:100]}: {value[:100]!r}: {why}"


def unknown_parameter(name: str) -> str:
    """A query parameter of a bulk call that is not known; a typo must not select everything."""
    return f"unknown query parameter: {name[:100]}"


def invalid_body(why: str) -> str:
    """A body that is not what the endpoint takes."""
    return f"invalid request body: {why}"


def invalid_flow_key(key: str, limit: int) -> str:
    """A flow-control key of no characters, or of too many."""
    return f"invalid flow control key: {key[:100]!r}: it has 1 to {limit} characters"


def invalid_event(event: str, limit: int) -> str:
    """An event id, or the id of a workflow's run, of no characters, or of too many."""
    return f"invalid event or workflow run id: {event[:100]!r}: it has 1 to {limit} characters"


def invalid_field(name: str, value: object, why: str) -> str:
    """A field of a JSON body that is missing, or not what it should be."""
    return f"invalid request body: {name[:100]}: {str(value)[:100]!r}: {why}"


def body_too_large(limit: int) -> str:
    """A body over the limit in bytes."""
    return f"request body too large, limit: {limit}"


def batch_too_long(count: int, limit: int) -> str:
    """A batch of more messages than one request may hold."""
    return f"invalid request body: a batch holds at most {limit} messages, not {count}"


def not_served(what: str) -> str:
    """Something that QStash has and this engine has not yet."""
    return f"not served by this engine: {what[:100]}"


def message_not_found(message_id: str) -> str:
    """A message that is unknown, or was finished too long ago."""
    return f"message not found: {message_id[:100]}"


def dead_letter_not_found(dlq_id: str) -> str:
    """A dead letter that is unknown, deleted or retried."""
    return f"dlq message not found: {dlq_id[:100]}"


def url_group_not_found(name: str) -> str:
    """A destination without a scheme that names no URL group."""
    return f"url group not found: {name[:100]}"


def queue_not_found(name: str) -> str:
    """A queue that was never made, or was deleted."""
    return f"queue not found: {name[:100]}"


def schedule_not_found(schedule_id: str) -> str:
    """A schedule that is unknown, or was deleted."""
    return f"schedule not found: {schedule_id[:100]}"


def flow_key_not_found(key: str) -> str:
    """A flow-control key that no message has brought yet."""
    return f"flow control key not found: {key[:100]}"
