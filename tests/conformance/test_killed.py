import threading
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from qstash import QStash

from tests.conformance.servers import DEV_TOKEN, EngineServer
from tests.conformance.waiting import until
from tests.standins.processes import ReceiverProcess


class Publisher:
    """Publishes batches through the official SDK until it cannot, and keeps the ids that it was answered."""

    def __init__(self, engine: EngineServer, url: str) -> None:
        self.accepted: list[str] = []
        self._url = url
        self._sdk = QStash(DEV_TOKEN, retry=False, base_url=engine.url)
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def join(self) -> list[str]:
        """What was accepted, once the engine is gone."""
        self._thread.join(30)
        assert not self._thread.is_alive()
        self._sdk.http._client.close()
        return self.accepted

    def _run(self) -> None:
        try:
            while True:
                answers = self._sdk.message.batch_json([{"url": self._url, "body": {"text": "👋"}} for _ in range(20)])
                self.accepted += [answer.message_id for answer in answers]
        except httpx.TransportError:
            # The engine was killed: what it had not answered by then it does not owe.
            return


@pytest.mark.parametrize("when", [1, 300])
def test_what_was_answered_survives_kill_9(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: int):
    """Killed in the middle of publishing and delivering, and started again: each accepted message arrives.

    The publisher counts what it was answered, the receiver (another process) what came; the engine is not asked.
    """
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with ExitStack() as running:
        receiver = running.enter_context(ReceiverProcess(tmp_path / "arrivals.jsonl"))

        def arrived() -> list[str]:
            return [arrival.headers["upstash-message-id"] for arrival in receiver.arrivals()]

        engine = running.enter_context(EngineServer(tmp_path))
        publisher = Publisher(engine, f"{receiver.url}/hook")
        until(lambda: len(arrived()) >= when or None, f"{when} arrivals")
        engine.kill()
        accepted = publisher.join()
        running.enter_context(EngineServer(tmp_path))
        until(lambda: set(accepted) <= set(arrived()) or None, "every accepted message")
        assert len(accepted) >= 20
        bodies = {arrival.body.decode() for arrival in receiver.arrivals()}
        assert bodies in ({'{"text": "👋"}'}, {'{"text": "\\ud83d\\udc4b"}'})
