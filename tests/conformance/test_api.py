import pytest
from qstash.chat import custom, openai

from tests.conformance.destination import Destination
from tests.conformance.sdks import JavaScriptSdk, PythonSdk, SdkError
from tests.conformance.servers import Server


@pytest.fixture
def server(whole_server: Server) -> Server:
    return whole_server


def test_a_provider_of_one_s_own_is_called(python: PythonSdk, server: Server, destination: Destination, label: str):
    """The SDK turns a provider into a URL and a header, and the engine delivers to it."""
    base = destination.hook()
    options = {"api": {"name": "llm", "provider": custom(base, "secret")}, "body": {"model": "m"}}
    message_id = python.ask(python.client.message.publish_json, **options).message_id
    assert server.finish(message_id) == "DELIVERED"
    (seen,) = destination.arrivals(f"{base}/v1/chat/completions")
    assert (seen.json(), seen.header("Authorization")) == ({"model": "m"}, "Bearer secret")


def test_a_known_provider_is_a_destination_like_any(python: PythonSdk, label: str):
    """Into a queue as well, which is paused here: nothing leaves this machine."""
    python.queues.upsert(label, paused=True)
    options = {"queue": label, "api": {"name": "llm", "provider": openai("secret")}, "body": {}}
    message = python.message(python.ask(python.client.message.enqueue_json, **options).message_id)
    assert (message.url, message.queue) == ("https://api.openai.com/v1/chat/completions", label)
    assert message.header["Authorization"] == ["Bearer secret"]
    python.cancel(message.message_id)


@pytest.mark.parametrize(
    ("name", "provider", "given", "url", "header"),
    [
        ("llm", "openai", {"token": "t"}, "https://api.openai.com/v1/chat/completions", ("Authorization", "Bearer t")),
        ("llm", "anthropic", {"token": "t"}, "https://api.anthropic.com/v1/messages", ("X-Api-Key", "t")),
        (
            "llm",
            "custom",
            {"baseUrl": "https://llm.example.com", "token": "t"},
            "https://llm.example.com/v1/chat/completions",
            ("Authorization", "Bearer t"),
        ),
        ("email", "resend", {"token": "t"}, "https://api.resend.com/emails", ("Authorization", "Bearer t")),
        (
            "email",
            "resend",
            {"token": "t", "batch": True},
            "https://api.resend.com/emails/batch",
            ("Authorization", "Bearer t"),
        ),
    ],
)
def test_each_provider_of_javascript_is_a_destination(
    javascript: JavaScriptSdk,
    destination: Destination,
    name: str,
    provider: str,
    given: dict[str, object],
    url: str,
    header: tuple[str, str],
):
    """URL and headers are the SDK's own doing; the engine takes them as any other, in a batch too."""
    api = {"name": name, "provider": {"$provider": provider, "with": given}}
    request = {"api": api, "body": {"n": 1}, "delay": 3600, "callback": destination.hook()}
    first = javascript.call("publishJSON", request)["messageId"]
    (second,) = javascript.call("batchJSON", [request])
    for message_id in (first, second["messageId"]):
        message = javascript.message(message_id)
        assert (message.url, message.header[header[0]], message.method) == (url, [header[1]], "POST")
        assert message.body == '{"n":1}'
    assert javascript.cancel_many([first, second["messageId"]]) == 2


def test_the_hosted_llm_is_gone(javascript: JavaScriptSdk, destination: Destination):
    """410 that says what to do, by whichever way the SDK asks for it."""
    upstash = {"$provider": "upstash", "with": {}}
    ask = {"provider": upstash, "model": "m", "messages": [{"role": "user", "content": "hello"}]}
    prompt = {"provider": upstash, "model": "m", "system": "s", "user": "u"}
    publish = {"api": {"name": "llm", "provider": upstash}, "body": {}, "callback": destination.hook()}
    for asked in (
        lambda: javascript.call_chat("create", ask),
        lambda: javascript.call_chat("create", {**ask, "stream": True}),
        lambda: javascript.call_chat("prompt", prompt),
        lambda: javascript.call("publishJSON", publish),
    ):
        with pytest.raises(SdkError, match="publish to a provider's URL") as raised:
            asked()
        assert "410" in str(raised.value)


def test_a_workflow_that_nobody_runs_cannot_be_cancelled(javascript: JavaScriptSdk):
    """Runs belong to the Workflow product, which needs a runtime: 501, as for all of /v2/workflows."""
    with pytest.raises(SdkError, match="501"):
        javascript.call("workflow.cancel", "wfr_nobody")
