import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from qsops.wire.ledger import LEDGER_PATH
from service.store import open_store
from tests.service.attack.bodies import EXAMPLES, fuzzed, posts, written
from tests.service.rig import Rig, close, make_rig

FILTERS = ("event_id", "mid", "message_id", "state", "kind", "cursor", "limit")


@pytest.fixture
def on_postgres(postgres_url: str) -> Iterator[tuple[asyncio.Runner, Rig]]:
    """A service on PostgreSQL, and the loop that it lives on."""
    with asyncio.Runner() as runner:

        async def begin() -> Rig:
            return make_rig(store=open_store(postgres_url))

        rig = runner.run(begin())
        yield runner, rig
        runner.run(close(rig))


def test_postgres_stores_what_the_parser_takes(on_postgres: tuple[asyncio.Runner, Rig]):
    """Null bytes, halves of surrogate pairs, endless numbers: what is answered 200 is processed, on PostgreSQL too."""
    runner, rig = on_postgres

    async def go(body: bytes) -> None:
        rig.qstash.published.clear()
        answer = await rig.webhook(body)
        assert answer.status_code in {200, 400}, answer.text
        for message in list(rig.qstash.published):
            told = await rig.deliver(message.body)
            assert (told.status_code, told.json()["status"]) in {(200, "processed"), (200, "duplicate")}, told.text

    @settings(fuzzed, max_examples=max(20, EXAMPLES // 3))
    @given(body=written(posts()))
    @example(body=b'{"entry":[{"id":"1\\u0000","messaging":[{"message":{"mid":"\\u0000","text":"\\u0000\\ud83d"}}]}]}')
    def post(body: bytes) -> None:
        runner.run(go(body))

    post()


def test_postgres_answers_any_question_about_the_ledger(on_postgres: tuple[asyncio.Runner, Rig]):
    """Whatever the ledger is filtered by, the answer is a page or 422: neither database takes each text and number."""
    runner, rig = on_postgres

    @settings(fuzzed, max_examples=max(20, EXAMPLES // 3))
    @given(query=st.dictionaries(st.sampled_from(FILTERS), st.text(max_size=30) | st.integers().map(str)))
    @example(query={"event_id": "\x00"})
    @example(query={"cursor": str(2**63)})
    @example(query={"cursor": str(2**63 - 1), "limit": "1000"})
    def ask(query: dict[str, Any]) -> None:
        told = {name: value.encode("utf-8", "replace").decode() for name, value in query.items()}
        answer = runner.run(rig.internal("GET", LEDGER_PATH, params=told))
        assert answer.status_code in {200, 422}, answer.text
        json.loads(answer.content)

    ask()
