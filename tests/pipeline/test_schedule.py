import re
from pathlib import Path
from string import Template

from qsops.config import DEV_USERS
from qsops.wire.http import Request
from service.publishing import Messages
from service.rehearsal import INTERNAL_TOKEN
from service.store import Outgoing
from tests.pipeline.town import BASE, Town, in_town
from tests.service.rig import event_of

DEPLOY = Path(__file__).parents[2] / "docs" / "deploy.md"
FIVE_MINUTES_MS = 300_000


def documented() -> Request:
    """The command by which docs/deploy.md has QStash call the relay, as the request that it makes."""
    (command,) = re.findall(r"^curl -fsS -X POST \"\$QSTASH_URL(/v2/schedules/\S+)\" \\\n((?:  -H .*\n)+)", *_page())
    told = {"QSTASH_TOKEN": DEV_USERS[0].token, "INTERNAL_API_TOKEN": INTERNAL_TOKEN}
    headers = [tuple(Template(one).substitute(told).split(": ", 1)) for one in re.findall(r'-H "(.*)"', command[1])]
    return Request("POST", command[0].replace("https://hooks.example.com", BASE), "", tuple(headers))


def _page() -> tuple[str, re.RegexFlag]:
    return DEPLOY.read_text(), re.MULTILINE


def test_a_schedule_sends_the_outbox_where_no_loop_lives():
    """As the page on Vercel has it: QStash itself calls the relay every five minutes, and what waits is processed."""

    async def main(town: Town) -> None:
        event = event_of("message", "m", town.clock.now_ms())
        message = Messages(town.app.state.service.settings).of(event)
        await town.store.record([], [Outgoing(message, event.id)], town.clock.now_ms())
        answer = await town.engine.send(documented())
        assert answer.status == 200, answer.body
        await town.engine.advance(FIVE_MINUTES_MS)
        assert await town.rows("select * from outbox") == []
        assert [(entry.event_id, entry.state) for entry in await town.ledger()] == [(event.id, "processed")]
        # With the token that stands in the schedule; nobody is let in without.
        assert (await town.http.post("/api/internal/relay")).status_code == 401
        assert await town.dead_letters() == []

    in_town(main)
