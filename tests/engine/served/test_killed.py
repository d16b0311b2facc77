import asyncio
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import aiohttp

from tests.conformance.servers import DEV_TOKEN, EngineServer
from tests.standins.processes import ReceiverProcess

KILLS = 4
PUBLISHERS = 16
FINAL = {"DELIVERED", "FAILED", "CANCELED"}
HEADERS = {"Authorization": f"Bearer {DEV_TOKEN}", "Upstash-Retry-Delay": "20", "Upstash-Retries": "50"}
BOUND_S = 60


async def publish_until_it_dies(engine: EngineServer, url: str, accepted: list[str], go_on: asyncio.Event) -> None:
    """Each message one request; ``go_on`` is set once some were accepted, and the ids are those that were answered."""

    async def one(http: aiohttp.ClientSession) -> None:
        while True:
            async with http.post(f"{engine.url}/v2/publish/{url}", data=b"x", headers=HEADERS) as answer:
                accepted.append((await answer.json())["messageId"])
                if len(accepted) % 150 == 0:
                    go_on.set()

    async with aiohttp.ClientSession() as http:
        publishers = [asyncio.create_task(one(http)) for _ in range(PUBLISHERS)]
        results = await asyncio.gather(*publishers, return_exceptions=True)
    assert all(isinstance(result, aiohttp.ClientError) for result in results), results


async def log_of(engine: EngineServer) -> list[dict]:
    entries: list[dict] = []
    query = {"order": "earliestFirst"}
    async with aiohttp.ClientSession(headers=HEADERS) as http:
        while True:
            async with http.get(f"{engine.url}/v2/events", params=query) as answer:
                page = await answer.json()
            entries += page["events"]
            if "cursor" not in page:
                return entries
            query["cursor"] = page["cursor"]


def unfinished(log: list[dict]) -> set[str]:
    finished = {entry["messageId"] for entry in log if entry["state"] in FINAL}
    return {entry["messageId"] for entry in log} - finished


async def test_killed_again_and_again_under_load(tmp_path: Path):
    """kill -9 in the middle of publishing and of retries: what was answered arrives, under its id, and ends once.

    Publishers count what they were answered, the receiver (a process of its own) what came. No state goes backwards:
    after a final one nothing follows.
    """
    accepted: list[str] = []
    with ExitStack() as running:
        receiver = running.enter_context(ReceiverProcess(tmp_path / "arrivals.jsonl", answers="500,200"))
        for _ in range(KILLS):
            engine = running.enter_context(EngineServer(tmp_path))
            go_on = asyncio.Event()
            load = asyncio.create_task(publish_until_it_dies(engine, f"{receiver.url}/hook", accepted, go_on))
            async with asyncio.timeout(BOUND_S):
                await go_on.wait()
                await asyncio.to_thread(engine.kill)
                await load
        engine = running.enter_context(EngineServer(tmp_path))
        async with asyncio.timeout(BOUND_S):
            while unfinished(log := await log_of(engine)):
                continue
        arrivals = Counter(arrival.headers["upstash-message-id"] for arrival in receiver.arrivals())
    assert len(accepted) == len(set(accepted)) >= KILLS * 150
    assert set(accepted) <= set(arrivals)
    states: dict[str, list[str]] = {}
    for entry in log:
        states.setdefault(entry["messageId"], []).append(entry["state"])
    for message_id, told in states.items():
        assert [state for state in told if state in FINAL] == [told[-1]] == ["DELIVERED"], (message_id, told)
        assert told[0] == "CREATED"
