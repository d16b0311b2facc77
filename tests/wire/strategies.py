"""Values of the models as hypothesis draws them: all that the wire can carry, and no more."""

from hypothesis import strategies as st
from msgspec.structs import replace

from qsops.models import (
    Callback,
    CallbackReport,
    CancelFilter,
    DeadLetter,
    DlqFilter,
    Endpoint,
    FlowControl,
    FlowKey,
    FlowPin,
    LogEntry,
    LogFilter,
    Message,
    Notified,
    Publish,
    Queue,
    QueueSpec,
    Receipt,
    Schedule,
    ScheduleSpec,
    Step,
    Trigger,
    Triggered,
    UrlGroup,
    Waiter,
    WaitSpec,
)
from qsops.wire.http import canonical

METHODS = st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE"])
NAMES = st.from_regex(r"[A-Za-z0-9._-]{1,12}", fullmatch=True)
# What a server makes of bytes above ASCII depends on the server, so an example of its own tests these.
WORDS = st.text(
    st.characters(codec="ascii", categories=["L", "N", "P", "S"], exclude_characters=",:"), min_size=1, max_size=9
)
LINES = st.text(st.characters(codec="latin-1", exclude_categories=["Cc", "Cf"]), max_size=12).map(str.strip)
COUNTS = st.integers(0, 10**12)
SMALL = st.integers(0, 10**6)
TIMEOUTS_S = st.integers(1, 10**6)
MOMENTS_MS = st.integers(0, 2**45)
BODIES = st.binary(max_size=40)
TEXT_BODIES = st.text(st.characters(exclude_categories=["Cs"]), max_size=20).map(str.encode)
URLS = st.builds(
    "{}://{}/{}{}".format,
    st.sampled_from(["http", "https"]),
    st.from_regex(r"[a-z0-9]{1,8}(\.[a-z]{2,3})?(:[0-9]{2,4})?", fullmatch=True),
    st.from_regex(r"[A-Za-z0-9~._%/-]{0,10}", fullmatch=True),
    st.from_regex(r"(\?[a-t]{1,4}=[A-Za-z0-9%+,;/?=-]{0,8}(&[a-t]{1,3})?)?", fullmatch=True),
)


def some(values):
    return st.lists(values, max_size=3, unique=True).map(tuple)


def maybe(values):
    return st.none() | values


def header_names(first: str = "X"):
    return st.from_regex(rf"{first}-[A-Za-z0-9]{{1,5}}(-[a-z]{{1,3}})?", fullmatch=True).map(canonical)


# Values of one name travel together in a map, so each name comes once or all its values side by side.
HEADERS = st.dictionaries(header_names(), st.lists(LINES, min_size=1, max_size=2), max_size=3).map(
    lambda known: tuple((name, value) for name, values in known.items() for value in values)
)
SINGLE_HEADERS = st.dictionaries(header_names(), LINES, max_size=3).map(lambda known: tuple(known.items()))

FLOW_CONTROLS = st.builds(
    lambda key, limits, period_s: FlowControl(key, *limits, period_s),
    WORDS,
    st.tuples(st.integers(1, 10**6), maybe(st.integers(1, 10**6))) | st.tuples(st.none(), st.integers(1, 10**6)),
    st.integers(1, 604_800),
)
CALLBACKS = st.builds(
    Callback,
    url=URLS,
    method=METHODS,
    headers=SINGLE_HEADERS,
    retries=maybe(SMALL),
    retry_delay=maybe(st.just("1000 * (1 + retried)")),
    timeout_s=maybe(TIMEOUTS_S),
    delay_s=maybe(SMALL),
)


def publishes(bodies=BODIES):
    return st.builds(
        Publish,
        destination=URLS | NAMES,
        body=bodies,
        method=METHODS,
        headers=st.builds(
            lambda kind, others: (*kind, *others),
            st.sampled_from([(), (("Content-Type", "text/plain"),)]),
            SINGLE_HEADERS,
        ),
        delay_s=maybe(SMALL),
        not_before_s=maybe(COUNTS),
        timeout_s=maybe(TIMEOUTS_S),
        retries=maybe(SMALL),
        retry_delay=maybe(st.just("pow(2, retried) * 1000")),
        callback=maybe(CALLBACKS),
        failure_callback=maybe(CALLBACKS),
        deduplication_id=maybe(WORDS),
        content_based_deduplication=st.booleans(),
        labels=some(WORDS),
        queue=maybe(NAMES),
        flow_control=maybe(FLOW_CONTROLS),
        redact=some(st.sampled_from(["body", "header", "header[X-Token]"])),
    )


# How a callback is to be sent is not shown with a message: only its URL and headers are.
SHOWN_CALLBACKS = st.builds(Callback, url=URLS, headers=HEADERS)
MESSAGES = st.builds(
    Message,
    message_id=NAMES,
    url=URLS,
    created_at_ms=MOMENTS_MS,
    not_before_ms=MOMENTS_MS,
    max_retries=SMALL,
    method=METHODS,
    headers=HEADERS,
    body=BODIES,
    url_group=maybe(NAMES),
    endpoint=maybe(NAMES),
    queue=maybe(NAMES),
    schedule_id=maybe(NAMES),
    caller_ip=maybe(st.just("10.0.0.1")),
    labels=some(WORDS),
    flow_control=maybe(FLOW_CONTROLS),
    retry_delay=maybe(st.just("1000")),
    callback=maybe(SHOWN_CALLBACKS),
    failure_callback=maybe(SHOWN_CALLBACKS),
)
DEAD_LETTERS = st.builds(
    DeadLetter,
    dlq_id=NAMES,
    message=MESSAGES,
    response_status=st.integers(0, 599),
    response_headers=HEADERS,
    response_body=BODIES,
)
LOGS = st.builds(
    LogEntry,
    time_ms=MOMENTS_MS,
    message_id=NAMES,
    state=st.sampled_from(["CREATED", "ERROR", "CANCELED", "CANCELLED", "A_NEW_ONE"]),
    url=maybe(URLS),
    url_group=maybe(NAMES),
    endpoint=maybe(NAMES),
    queue=maybe(NAMES),
    schedule_id=maybe(NAMES),
    labels=some(WORDS),
    method=maybe(METHODS),
    response_status=maybe(st.integers(0, 599)),
    error=maybe(WORDS),
    next_delivery_ms=maybe(MOMENTS_MS),
    max_retries=maybe(SMALL),
    retry_delay=maybe(WORDS),
    flow_control=maybe(FLOW_CONTROLS),
    caller_ip=maybe(st.just("10.0.0.1")),
    timeout_ms=maybe(MOMENTS_MS),
    callback=maybe(URLS),
    callback_headers=HEADERS,
    failure_callback=maybe(URLS),
    failure_callback_headers=HEADERS,
    headers=HEADERS,
    body=maybe(BODIES),
    response_headers=HEADERS,
    response_body=maybe(BODIES),
    extra=st.dictionaries(
        st.just("somethingNew"), st.integers() | st.lists(st.text(max_size=3), max_size=2), max_size=1
    ),
)
REPORTS = st.builds(
    CallbackReport,
    source_message_id=NAMES,
    status=st.integers(0, 599),
    url=URLS,
    method=METHODS,
    retried=SMALL,
    max_retries=SMALL,
    headers=HEADERS,
    body=BODIES,
    source_headers=HEADERS,
    source_body=BODIES,
    created_at_ms=maybe(MOMENTS_MS),
    not_before_ms=maybe(MOMENTS_MS),
    dlq_id=maybe(NAMES),
    url_group=maybe(NAMES),
    endpoint=maybe(NAMES),
    schedule_id=maybe(NAMES),
    caller_ip=maybe(st.just("10.0.0.1")),
)
RECEIPTS = st.builds(Receipt, message_id=NAMES, url=maybe(URLS), deduplicated=st.booleans())

# A URL that holds a comma before what looks like another URL cannot be told from two.
_SHARED = {
    "message_ids": some(NAMES),
    "urls": some(URLS.filter(lambda url: ",http" not in url)),
    "url_groups": some(NAMES),
    "queues": some(NAMES),
    "schedule_ids": some(NAMES),
    "labels": some(WORDS),
    "flow_control_keys": some(WORDS),
    "caller_ips": some(NAMES),
    "from_ms": maybe(MOMENTS_MS),
    "to_ms": maybe(MOMENTS_MS),
}
_PLACES = {"hosts": some(NAMES), "paths": some(st.sampled_from(["/a", "/a,b", "/"]))}
LOG_FILTERS = st.builds(
    LogFilter, **_SHARED, **_PLACES, states=some(st.sampled_from(["ERROR", "CANCELED"])), earliest_first=st.booleans()
)
DLQ_FILTERS = st.builds(
    DlqFilter, **_SHARED, dlq_ids=some(NAMES), response_statuses=some(st.integers(0, 599)), earliest_first=st.booleans()
)
CANCEL_FILTERS = st.builds(CancelFilter, **_SHARED, **_PLACES)

ANYTHING = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=9).filter(
    lambda text: text.strip(". ")
)
QUEUES = st.builds(
    Queue,
    name=NAMES,
    created_at_ms=MOMENTS_MS,
    updated_at_ms=MOMENTS_MS,
    parallelism=st.integers(1, 1_000),
    paused=st.booleans(),
    lag=SMALL,
)
QUEUE_SPECS = st.builds(
    QueueSpec,
    name=NAMES.filter(lambda name: name.strip(".")),
    parallelism=st.integers(1, 1_000),
    paused=maybe(st.booleans()),
)
ENDPOINTS = st.builds(Endpoint, url=URLS, name=maybe(NAMES))
GROUPS = st.builds(UrlGroup, name=NAMES, created_at_ms=MOMENTS_MS, updated_at_ms=MOMENTS_MS, endpoints=some(ENDPOINTS))
CRONS = st.sampled_from(["* * * * *", "CRON_TZ=Europe/Berlin 0 4 * * 1", "not yet looked at"])


def templates():
    """What a schedule can ask for: everything but a fixed time."""
    return publishes().map(lambda publish: replace(publish, not_before_s=None))


SCHEDULE_SPECS = st.builds(ScheduleSpec, cron=CRONS, publish=templates(), schedule_id=maybe(NAMES))
SCHEDULES = st.builds(
    Schedule,
    schedule_id=NAMES,
    cron=CRONS,
    publish=st.builds(
        Publish,
        destination=URLS | NAMES,
        body=BODIES,
        method=METHODS,
        headers=HEADERS,
        delay_s=maybe(SMALL),
        timeout_s=maybe(TIMEOUTS_S),
        retries=SMALL,
        retry_delay=maybe(st.just("1000")),
        callback=maybe(SHOWN_CALLBACKS),
        failure_callback=maybe(SHOWN_CALLBACKS),
        labels=some(WORDS),
        queue=maybe(NAMES),
        flow_control=maybe(FLOW_CONTROLS),
    ),
    created_at_ms=MOMENTS_MS,
    caller_ip=maybe(st.just("10.0.0.1")),
    paused=st.booleans(),
    last_at_ms=maybe(MOMENTS_MS),
    next_at_ms=maybe(MOMENTS_MS),
    last_states=st.dictionaries(NAMES, st.sampled_from(["IN_PROGRESS", "SUCCESS", "FAIL"]), max_size=2).map(
        lambda states: tuple(states.items())
    ),
    error=maybe(WORDS),
)
FLOW_KEYS = st.builds(
    FlowKey,
    key=ANYTHING,
    wait_list=SMALL,
    parallelism_max=maybe(st.integers(1, 1_000)),
    parallelism_count=SMALL,
    rate_max=maybe(st.integers(1, 1_000)),
    rate_count=SMALL,
    period_s=st.integers(1, 604_800),
    period_start_s=SMALL,
    paused=st.booleans(),
    pinned_parallelism=st.booleans(),
    pinned_rate=st.booleans(),
)
LIMITS = st.integers(1, 10**6)
FLOW_PINS = st.builds(FlowPin, maybe(LIMITS), LIMITS, maybe(st.integers(1, 604_800))) | st.builds(FlowPin, LIMITS)
STEPS = st.builds(
    Step, step_id=SMALL, step_type=WORDS, step_name=ANYTHING, concurrent=st.integers(1, 9), target_step=maybe(SMALL)
)
FULL_BODIES = st.binary(min_size=1, max_size=20)
WAITERS = st.builds(
    Waiter,
    url=URLS,
    deadline_s=SMALL,
    headers=HEADERS,
    timeout_url=maybe(URLS),
    timeout_body=maybe(FULL_BODIES),
    timeout_headers=HEADERS,
)
WAITS = st.builds(
    WaitSpec,
    event=ANYTHING,
    url=URLS,
    timeout_s=st.integers(1, 10**6),
    headers=st.just((("Content-Type", "application/json"), ("Upstash-Retries", "3"), ("Upstash-Forward-X-A", "1"))),
    timeout_url=maybe(URLS),
    timeout_body=maybe(FULL_BODIES),
    timeout_headers=HEADERS,
    run_id=maybe(NAMES),
    step=maybe(STEPS),
)
NOTIFIED = st.builds(
    Notified,
    waiter=maybe(WAITERS),
    message_id=maybe(NAMES),
    deduplicated=st.booleans(),
    error=maybe(WORDS),
    run_id=maybe(NAMES),
    run_created_at_ms=maybe(MOMENTS_MS),
)
TRIGGERED = st.builds(Triggered, run_id=NAMES, created_at_ms=MOMENTS_MS, deduplicated=st.booleans())


def triggers(bodies=BODIES):
    """The start of a run; it goes to a URL, and into no queue."""
    publish = publishes(bodies).filter(lambda one: "://" in one.destination).map(lambda one: replace(one, queue=None))
    return st.builds(Trigger, publish, run_id=maybe(NAMES))
