from pathlib import Path

import httpx
import pytest

from tests.standins.processes import ReceiverProcess


def send(receiver: ReceiverProcess, message_id: str, body: bytes = b"x") -> int:
    headers = {"Upstash-Message-Id": message_id}
    return httpx.post(f"{receiver.url}/a?b=1", content=body, headers=headers, trust_env=False).status_code


def test_what_arrives_is_written_down_before_it_is_answered(tmp_path: Path):
    """Each answered request is one arrival: method, path, headers and body as they came."""
    with ReceiverProcess(tmp_path / "arrivals.jsonl") as receiver:
        assert send(receiver, "msg_1", "Olá 👋".encode()) == 200
        (arrival,) = receiver.arrivals()
    assert (arrival.method, arrival.path, arrival.body.decode()) == ("POST", "/a?b=1", "Olá 👋")
    assert arrival.headers["upstash-message-id"] == "msg_1"


def test_answers_are_counted_per_message(tmp_path: Path):
    """The n-th arrival of a message gets the n-th answer, and the last one ever after."""
    with ReceiverProcess(tmp_path / "arrivals.jsonl", "500,200") as receiver:
        assert [send(receiver, "msg_1") for _ in range(3)] == [500, 200, 200]
        assert send(receiver, "msg_2") == 500


def test_a_killed_receiver_loses_no_arrival(tmp_path: Path):
    """What was answered before SIGKILL is in the file, and a successor on the same port goes on with it."""
    file = tmp_path / "arrivals.jsonl"
    with ReceiverProcess(file) as receiver:
        send(receiver, "msg_1")
        port = receiver.port
        receiver.kill()
        with pytest.raises(httpx.ConnectError):
            send(receiver, "msg_2")
    with file.open("ab") as half:
        half.write(b'{"method": "PO')
    with ReceiverProcess(file, port=port) as successor:
        send(successor, "msg_3")
        ids = [arrival.headers["upstash-message-id"] for arrival in successor.arrivals()]
    assert ids == ["msg_1", "msg_3"]


def test_a_child_that_ends_early_says_why(tmp_path: Path):
    """Waiting for a child that cannot start fails at once, with what it printed."""
    with pytest.raises(AssertionError, match="invalid literal for int"):
        ReceiverProcess(tmp_path / "arrivals.jsonl", "many")
