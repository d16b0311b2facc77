import httpx

from tests.standins.recorder import Recorder


def test_the_recorder_answers_anything_and_forgets_nothing():
    """Whatever is sent there is answered 200, and is found in ``seen``: an empty ``seen`` is a proof."""
    with Recorder() as recorder:
        assert recorder.seen == []
        answers = [
            httpx.request(method, f"{recorder.url}{path}", content=b"body", trust_env=False)
            for method, path in (("POST", "/v2/publish/https://a.example/x"), ("DELETE", "/v2/messages"), ("PUT", "/"))
        ]
        assert [(answer.status_code, answer.json()) for answer in answers] == [(200, {})] * 3
        assert [seen.method for seen in recorder.wait_for(3)] == ["POST", "DELETE", "PUT"]
        assert recorder.seen[0].path == "/v2/publish/https://a.example/x"


def test_the_recorders_settings_look_like_production():
    """Its .env names the recorder wherever a real one names the hosted service."""
    with Recorder() as recorder:
        lines = dict(line.split("=", 1) for line in recorder.dotenv().splitlines())
        assert lines["QSTASH_URL"] == lines["EU_CENTRAL_1_QSTASH_URL"] == recorder.url
        assert lines["QSTASH_TOKEN"]
