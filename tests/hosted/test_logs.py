import pytest

from qsops.client import Client
from qsops.models import LogEntry, LogFilter, Page, Publish
from tests.standins.hosted import HostedQStash

TO = "https://example.com/hook"
PATHS = ["/v2/events", "/v2/logs"]


async def walk(client: Client, which: LogFilter, path: str = PATHS[0], count: int | None = None) -> list[LogEntry]:
    """All entries, page after page."""
    page: Page[LogEntry] = await client.logs(which, None, count, path)
    entries = list(page.items)
    while page.cursor is not None:
        page = await client.logs(which, page.cursor, count, path)
        entries += page.items
    return entries


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("earliest_first", [False, True])
@pytest.mark.parametrize("page_size", [1, 2, 5, 6])
async def test_small_pages_give_each_entry_once(
    client: Client, hosted: HostedQStash, path: str, earliest_first: bool, page_size: int
):
    """The service decides on the page; the walk ends where the cursor is absent, whatever was asked for."""
    for n in range(5):
        hosted.log("ACTIVE", message_id=f"msg_{n}")
    hosted.account.journal.page_size = page_size
    entries = await walk(client, LogFilter(earliest_first=earliest_first), path, count=1000)
    ids = [f"msg_{n}" for n in range(5)]
    assert [entry.message_id for entry in entries] == (ids if earliest_first else ids[::-1])


async def test_both_shapes_mean_the_same(client: Client, hosted: HostedQStash):
    """However the listing spells its fields, an entry is the same entry; a canceled state is kept as it came."""
    (receipt,) = await client.publish(Publish(TO, "Olá 👋".encode(), retry_delay="500", labels=("a", "b")))
    hosted.mark_failed(receipt.message_id, 503, b"busy")
    events, logs = [await walk(client, LogFilter(), path) for path in PATHS]
    assert events == logs
    failed, error, _, created = events
    assert (failed.state, error.response_status, error.response_body) == ("FAILED", 503, b"busy")
    assert error.response_headers == (("Content-Type", "text/plain"),)
    assert (created.body, created.retry_delay, created.labels) == ("Olá 👋".encode(), "500", ("a", "b"))
    hosted.log("CANCELED")
    assert [(await client.logs(LogFilter(), path=path)).items[0].state for path in PATHS] == ["CANCELED", "CANCELLED"]


async def test_what_nobody_knows_is_kept(client: Client, hosted: HostedQStash):
    """Unknown states and fields are kept as they came, next to entries that are known."""
    hosted.log("TELEPORTED", novelty={"a": [1]}, other=0)
    hosted.log("ACTIVE")
    known, unknown = (await client.logs(LogFilter())).items
    assert (known.state, unknown.state) == ("ACTIVE", "TELEPORTED")
    assert unknown.extra == {"novelty": {"a": [1]}, "other": 0}


@pytest.mark.parametrize("field", ["time", "messageId", "url", "state"])
async def test_a_missing_field_is_no_fault(client: Client, hosted: HostedQStash, field: str):
    """An entry that lacks a field is still an entry, and its neighbours are unharmed."""
    hosted.log("ACTIVE", message_id="msg_whole")
    hosted.log("ERROR", message_id="msg_part", without=(field,))
    part, whole = (await client.logs(LogFilter())).items
    assert (whole.message_id, whole.state) == ("msg_whole", "ACTIVE")
    assert part.response_status is None


@pytest.mark.parametrize(
    "fields",
    [
        {"state": 7},
        {"state": None},
        {"header": "x"},
        {"header": {"A": "b"}},
        {"body": "no base64!"},
        {"responseStatus": "503"},
        {"labels": "a"},
        {"nextDeliveryTime": None},
        {"responseBody": 7},
        {"label": {"a": 1}},
        {"maxRetries": 1e300},
        {"url": ["x"]},
        {"rate": "x", "flowControlKey": "k"},
    ],
)
async def test_a_field_of_another_type_is_no_fault(client: Client, hosted: HostedQStash, fields: dict):
    """A value of a type that nobody expects spoils neither the page nor its neighbours."""
    hosted.log("ACTIVE", message_id="msg_whole")
    hosted.log(**{"state": "ERROR", **fields}, message_id="msg_odd")
    odd, whole = (await client.logs(LogFilter())).items
    assert (odd.message_id, whole.message_id) == ("msg_odd", "msg_whole")


@pytest.mark.parametrize(
    ("which", "found"),
    [
        (LogFilter(states=("ERROR", "RETRY")), {"msg_a", "msg_b"}),
        (LogFilter(message_ids=("msg_a",)), {"msg_a"}),
        (LogFilter(message_ids=("msg_a", "msg_c")), {"msg_a", "msg_c"}),
        (LogFilter(labels=("x", "y")), {"msg_a", "msg_b"}),
        (LogFilter(labels=("x",), states=("RETRY",)), set()),
        (LogFilter(urls=("https://example.com/a,b?c=1",)), {"msg_c"}),
        (LogFilter(hosts=("example.com",), paths=("/a,b",)), {"msg_c"}),
        (LogFilter(from_ms=1_767_225_600_001), {"msg_c"}),
        (LogFilter(to_ms=1_767_225_600_000), {"msg_a", "msg_b"}),
    ],
)
@pytest.mark.parametrize("path", PATHS)
async def test_filters_are_understood(client: Client, hosted: HostedQStash, which: LogFilter, found: set, path: str):
    """What we filter by is read by someone who knows the reference alone."""
    hosted.log("ERROR", message_id="msg_a", labels=["x"])
    hosted.log("RETRY", message_id="msg_b", labels=["y"])
    hosted.log("CANCELED", message_id="msg_c", url="https://example.com/a,b?c=1", time_ms=hosted.now_ms + 1)
    assert {entry.message_id for entry in (await client.logs(which, path=path)).items} == found


@pytest.mark.parametrize("fault", ["lose", "drop", "down", "burst"])
async def test_a_fault_between_pages_loses_nothing(client: Client, hosted: HostedQStash, fault: str):
    """A page that had to be asked for twice is still one page."""
    for n in range(6):
        hosted.log("ACTIVE", message_id=f"msg_{n}")
    hosted.account.journal.page_size = 2
    page = await client.logs(LogFilter())
    getattr(hosted, fault)()
    second = await client.logs(LogFilter(), page.cursor)
    third = await client.logs(LogFilter(), second.cursor)
    ids = [entry.message_id for part in (page, second, third) for entry in part.items]
    assert ids == [f"msg_{n}" for n in (5, 4, 3, 2, 1, 0)]
    assert third.cursor is None
