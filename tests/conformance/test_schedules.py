import pytest

from tests.conformance.destination import Destination
from tests.conformance.sdks import JavaScriptSdk, PythonSdk, Sdk, SdkError
from tests.conformance.servers import Server

#: Once a year: no schedule of a test fires while it runs.
YEARLY = "0 0 1 1 *"


@pytest.fixture
def server(whole_server: Server) -> Server:
    return whole_server


@pytest.mark.account
def test_a_schedule_shows_all_that_it_was_made_with(sdk: Sdk, destination: Destination, label: str):
    """Every option that both SDKs can give comes back under the name that they read."""
    url, told, failed = destination.hook(), destination.hook(), destination.hook()
    made = sdk.schedules.create(
        url,
        YEARLY,
        schedule_id=label,
        body='{"text": "👋"}',
        content_type="application/json",
        method="PUT",
        headers={"Test-Header": "x"},
        retries=0,
        retry_delay="1000 * retried",
        callback=told,
        failure_callback=failed,
        delay=90,
        timeout="2m",
        label=label,
        flow_control={"key": label, "rate": 7, "parallelism": 3, "period": "1m"},
    )
    got = sdk.schedules.get(label)
    assert made == got.schedule_id == label
    assert (got.destination, got.cron, got.method, got.body) == (url, YEARLY, "PUT", '{"text": "👋"}')
    assert got.header == {"Content-Type": ["application/json"], "Test-Header": ["x"]}
    assert (got.retries, got.retry_delay, got.delay, got.timeout) == (0, "1000 * retried", 90, 120)
    assert (got.callback, got.failure_callback, got.label, got.paused) == (told, failed, label, False)
    assert got.limit is not None
    assert (got.limit.key, got.limit.rate, got.limit.parallelism, got.limit.period) == (label, 7, 3, 60)
    assert got.next is not None
    assert 0 < got.next - got.created_at <= 366 * 86_400_000
    assert got.last is None
    sdk.schedules.delete(label)


@pytest.mark.account
def test_a_schedule_may_go_into_a_queue(sdk: Sdk, destination: Destination, label: str):
    """The queue's name comes back; a schedule and its queue are set up in either order."""
    made = sdk.schedules.create(destination.hook(), YEARLY, queue=label, retries=0)
    got = sdk.schedules.get(made)
    assert (got.queue, got.limit) == (label, None)
    assert made.startswith("scd_")
    sdk.schedules.delete(made)


@pytest.mark.account
def test_schedules_are_listed_until_they_are_deleted(sdk: Sdk, destination: Destination):
    """What the list shows is what a get shows; deleted, it is 404."""
    made = sdk.schedules.create(destination.hook(), YEARLY, retries=0)
    assert [each for each in sdk.schedules.list() if each.schedule_id == made] == [sdk.schedules.get(made)]
    sdk.schedules.delete(made)
    assert made not in {each.schedule_id for each in sdk.schedules.list()}
    with pytest.raises(SdkError, match="404"):
        sdk.schedules.get(made)


@pytest.mark.account
def test_a_schedule_is_paused_and_resumed(sdk: Sdk, destination: Destination):
    """Both SDKs ask with PATCH, and see the state."""
    made = sdk.schedules.create(destination.hook(), YEARLY, retries=0)
    sdk.schedules.pause(made)
    assert sdk.schedules.get(made).paused is True
    sdk.schedules.resume(made)
    assert sdk.schedules.get(made).paused is False
    sdk.schedules.delete(made)


@pytest.mark.account
def test_making_it_again_replaces_all_of_it(sdk: Sdk, destination: Destination, label: str):
    """The same id with other options: nothing of the old ones is left, the body included."""
    first, second = destination.hook(), destination.hook()
    options = {"method": "PUT", "headers": {"Old": "x"}, "label": label, "delay": 5, "callback": first}
    sdk.schedules.create(first, YEARLY, schedule_id=label, body="old", content_type="text/plain", retries=0, **options)
    again = sdk.schedules.create(second, "0 0 2 1 *", schedule_id=label, content_type="text/csv", retries=1)
    got = sdk.schedules.get(label)
    assert again == label
    assert (got.destination, got.cron, got.method, got.body) == (second, "0 0 2 1 *", "POST", None)
    assert (got.header, got.retries) == ({"Content-Type": ["text/csv"]}, 1)
    assert (got.label, got.callback, got.delay) == (None, None, None)
    assert [each.schedule_id for each in sdk.schedules.list()].count(label) == 1
    sdk.schedules.delete(label)


def test_the_header_map_holds_what_is_sent_and_nothing_else(javascript: JavaScriptSdk, destination: Destination):
    """The JavaScript SDK's users compare it for equality: neither telemetry nor options are in it."""
    request = {"destination": destination.hook(), "cron": YEARLY, "headers": {"test-header": "x"}, "retries": 2}
    made = javascript.call("schedules.create", request)["scheduleId"]
    got = javascript.call("schedules.get", made)
    assert got["header"] == {"Content-Type": ["application/json"], "Test-Header": ["x"]}
    assert "body" not in got


def test_a_schedule_of_a_json_body(python: PythonSdk, destination: Destination):
    """create_json writes the body and its content type."""
    schedule = python.client.schedule
    made = python.ask(schedule.create_json, destination=destination.hook(), cron=YEARLY, body={"n": 1})
    got = python.schedules.get(made)
    assert (got.body, got.header) == ('{"n": 1}', {"Content-Type": ["application/json"]})


def test_a_schedule_to_a_group(sdk: Sdk, destination: Destination, label: str):
    """A group's name is a destination as a URL is."""
    sdk.groups.add(label, [{"url": destination.hook()}])
    made = sdk.schedules.create(label, YEARLY)
    assert sdk.schedules.get(made).destination == label


def test_a_time_zone_comes_back_with_the_cron(sdk: Sdk, destination: Destination):
    """As it was written, and the next time is of that zone."""
    made = sdk.schedules.create(destination.hook(), "CRON_TZ=Asia/Kolkata 30 9 * * *")
    got = sdk.schedules.get(made)
    assert got.cron == "CRON_TZ=Asia/Kolkata 30 9 * * *"
    assert got.next is not None
    assert got.next % 86_400_000 == 4 * 3_600_000
    sdk.schedules.delete(made)


@pytest.mark.parametrize("cron", ["every day", "61 * * * *", "CRON_TZ=Nowhere/Else * * * * *"])
def test_a_cron_that_cannot_be_kept_is_refused(sdk: Sdk, destination: Destination, cron: str):
    """400, before anything is set up."""
    with pytest.raises(SdkError, match="400"):
        sdk.schedules.create(destination.hook(), cron)


def test_what_a_schedule_hides_is_hidden_in_its_listing(sdk: Sdk, destination: Destination):
    """Redacted fields show a hash, in get and in list."""
    secret = {"headers": {"Secret": "s3cret"}, "body": "confidential", "redact": {"body": True, "header": ["Secret"]}}
    made = sdk.schedules.create(destination.hook(), YEARLY, **secret)
    got = sdk.schedules.get(made)
    assert (got.body or "").startswith("REDACTED:")
    assert (got.header or {})["Secret"][0].startswith("REDACTED:")
    assert got in sdk.schedules.list()
