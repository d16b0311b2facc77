import json

import pytest

from tests.conformance.conftest import PYTHON, Connect
from tests.conformance.destination import Destination
from tests.conformance.sdks import JavaScriptSdk, PythonSdk, Sdk, SdkError
from tests.conformance.servers import Server


def delayed(sdk: Sdk, destination: Destination, label: str) -> str:
    return sdk.publish_json(destination.hook(), {"n": 1}, delay=3600, retries=0, label=label).message_id


@pytest.mark.account
def test_a_cancelled_message_is_gone(sdk: Sdk, destination: Destination, label: str):
    """After cancelling the message is unknown, and the log tells that it was asked for."""
    message_id = delayed(sdk, destination, label)
    sdk.cancel(message_id)
    with pytest.raises(SdkError, match="404"):
        sdk.message(message_id)
    states = [log.state for log in sdk.logs(message_id=message_id)[0]]
    assert "CREATED" in states
    assert "CANCEL_REQUESTED" in states


@pytest.mark.account
def test_cancelling_by_ids_counts_what_was_there(sdk: Sdk, destination: Destination, label: str):
    """Python sends ids in a body and JavaScript in the query: both cancel those, and no other."""
    first, second, kept = (delayed(sdk, destination, label) for _ in range(3))
    assert sdk.cancel_many([first, second]) == 2
    assert sdk.message(kept).message_id == kept


def test_cancelling_all_leaves_nothing_under_way(sdk: Sdk, destination: Destination, label: str):
    """Without a filter every pending message is cancelled."""
    ids = [delayed(sdk, destination, label) for _ in range(3)]
    assert sdk.cancel_all() >= 3
    for message_id in ids:
        with pytest.raises(SdkError, match="404"):
            sdk.message(message_id)


@pytest.mark.account
def test_cancelling_by_label_takes_any_of_several(javascript: JavaScriptSdk, destination: Destination, label: str):
    """Values of one filter are ORed; messages of other labels stay."""
    taken = [delayed(javascript, destination, f"{label}-{n}") for n in range(2)]
    kept = delayed(javascript, destination, label)
    wanted = {"filter": {"label": [f"{label}-0", f"{label}-1"]}}
    assert javascript.call("messages.cancel", wanted) == {"cancelled": 2}
    assert javascript.message(kept).message_id == kept
    for message_id in taken:
        with pytest.raises(SdkError, match="404"):
            javascript.message(message_id)


@pytest.mark.account
def test_all_labels_come_back(javascript: JavaScriptSdk, destination: Destination, label: str):
    """``label`` is the first of them and ``labels`` all (reference 0.16)."""
    request = {"url": destination.hook(), "body": {}, "delay": 3600, "retries": 0, "label": [label, "second"]}
    message_id = javascript.call("publishJSON", request)["messageId"]
    message = javascript.call("messages.get", message_id)
    assert (message["label"], message["labels"]) == (label, [label, "second"])


def test_flow_control_comes_back_as_it_was_given(javascript: JavaScriptSdk, destination: Destination, label: str):
    """A limit that was not given is absent, and the period is one second unless told (reference 0.11)."""
    control = {"key": label, "parallelism": 2}
    request = {"url": destination.hook(), "body": {}, "delay": 3600, "flowControl": control}
    message = javascript.call("messages.get", javascript.call("publishJSON", request)["messageId"])
    assert (message["flowControlKey"], message["parallelism"], message["period"]) == (label, 2, 1)
    assert "rate" not in message


@pytest.mark.parametrize("message_id", ["msg_nobody", "msg_7YoJxFpwkEy5zBp378JgvD6YBDPBEqkBPje2JGTCEUiASMJQ1FwY9"])
def test_an_unknown_message_is_404(sdk: Sdk, message_id: str):
    """Reading and cancelling what never was are errors, and JSON ones."""
    for verb in (sdk.message, sdk.cancel):
        with pytest.raises(SdkError, match="404"):
            verb(message_id)


@pytest.mark.account
def test_the_keys_are_those_of_the_account(python: PythonSdk, server: Server):
    """The SDK reads both keys."""
    keys = python.ask(python.client.signing_key.get)
    assert (keys.current, keys.next) == server.keys()


@pytest.mark.parametrize("kind", PYTHON)
def test_rotating_makes_the_next_key_current(kind: str, spare: PythonSdk):
    """After a rotation the next key is current, and the new one differs from both."""
    before = spare.ask(spare.client.signing_key.get)
    rotated = spare.ask(spare.client.signing_key.rotate)
    after = spare.ask(spare.client.signing_key.get)
    assert rotated == after
    assert after.current == before.next
    assert len({before.current, before.next, after.next}) == 3


@pytest.mark.account
def test_a_wrong_token_is_told_so(kind: str, connect: Connect, server: Server):
    """401 with the text of the live service reaches whoever called."""
    with pytest.raises(SdkError, match="unable to authenticate: invalid token") as caught:
        connect(kind, server.url, "wrong").logs()
    assert "401" in str(caught.value)
    # What a server says must be JSON: the SDK shows the body as it came.
    text = str(caught.value)
    assert json.loads(text[text.index("{") : text.rindex("}") + 1]) == {
        "error": "unable to authenticate: invalid token"
    }
