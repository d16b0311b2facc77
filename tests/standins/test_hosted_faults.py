import threading

import httpx
import pytest

from tests.standins.conftest import Ask
from tests.standins.hosted import HostedQStash
from tests.standins.loopback import Answer

TO = "/v2/publish/https://example.com/hook"


def test_a_lost_answer_has_taken_effect(ask: Ask, hosted: HostedQStash):
    """The message is published and the connection closes: a client cannot know, unless by a deduplication id."""
    hosted.lose(on="POST /v2/publish")
    headers = {"Upstash-Deduplication-Id": "one"}
    with pytest.raises(httpx.RemoteProtocolError):
        ask("POST", TO, headers=headers)
    assert hosted.published == 1
    assert ask("POST", TO, headers=headers).json()["deduplicated"] is True
    assert hosted.published == 1


def test_a_dropped_request_has_no_effect(ask: Ask, hosted: HostedQStash):
    """To a client it looks like a lost answer, and nothing was published."""
    hosted.drop(on="POST /v2/publish")
    with pytest.raises(httpx.RemoteProtocolError):
        ask("POST", TO)
    assert hosted.published == 0


def test_a_held_answer_comes_when_its_gate_opens(ask: Ask, hosted: HostedQStash):
    """A slow answer: the request has taken effect, others are served meanwhile, and the test says when it is over."""
    gate = hosted.hold(on="POST /v2/publish")
    answers: list[httpx.Response] = []
    asking = threading.Thread(target=lambda: answers.append(ask("POST", TO)))
    asking.start()
    assert gate.reached.wait(10)
    assert (hosted.published, answers) == (1, [])
    assert ask("GET", "/v2/events").status_code == 200
    gate.open()
    asking.join(10)
    assert answers[0].status_code == 200


def test_a_fault_strikes_so_often_and_only_what_it_is_for(ask: Ask, hosted: HostedQStash):
    """Faults of one kind of request leave the others alone, and end."""
    hosted.down(times=2, on="GET /v2/events")
    assert ask("POST", TO).status_code == 200
    assert [ask("GET", "/v2/events").status_code for _ in range(3)] == [503, 503, 200]


def test_faults_come_in_the_order_of_the_script(ask: Ask, hosted: HostedQStash):
    """Different faults for one request queue up."""
    hosted.burst()
    hosted.daily()
    hosted.quota("maxQueues", 10)
    hosted.answer(Answer(200, body=b"no json"))
    answers = [ask("GET", "/v2/events") for _ in range(5)]
    assert [answer.status_code for answer in answers] == [429, 429, 412, 200, 200]
    assert "Burst-RateLimit-Reset" in answers[0].headers
    assert "RateLimit-Reset" in answers[1].headers
    assert answers[2].json()["error"] == "quota maxQueues exceeded, current limit: 10"
    assert answers[3].content == b"no json"


def test_every_request_is_recorded_as_it_stood_on_the_wire(ask: Ask, hosted: HostedQStash):
    """Method, raw target, headers and body, refused requests included."""
    ask("POST", f"{TO}/%7Ea?x=%41", content=b"\xff", headers={"X-Test": "1", "Authorization": "Bearer wrong"})
    (seen,) = hosted.seen
    assert (seen.method, seen.target, seen.body) == ("POST", f"{TO}/%7Ea?x=%41", b"\xff")
    assert (seen.header("x-test"), seen.header("authorization")) == ("1", "Bearer wrong")
