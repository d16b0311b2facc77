import json
import re
from pathlib import Path

import pytest

import qsops
from tests.cli.conftest import Run

URL = "https://consumer.example/hook"
ANSWERS = ", ".join(["200"] * 6 + ["503"] * 12 + ["200"])


@pytest.fixture
def archive(project: Path) -> str:
    """An archive of 40 orders, a minute apart, of which some fell into an outage and two were lost."""
    with qsops.connect() as session:
        session.receiver(URL, ANSWERS)
        for number in range(40):
            session.publish(URL, json=number, retries=2, retry_delay="60000")
            session.advance("1m")
        session.settle()
        session.archive("past").sync()
    return "past"


def test_a_policy_is_replayed_over_an_archive(run: Run, archive: str):
    """Every figure stands beside the recorded one, as a table and as JSON, and the outage with its edges."""
    done = run("whatif", "--archive", archive, "--retries", "9", "--delay", "60000", "--draws", "40")
    assert done.exit_code == 0, done.output
    assert "delivered_pct" in done.stdout
    assert "9 retries, 60000: 40 messages, 40 draws, seed 0" in done.stderr
    found = json.loads(run("whatif", "--archive", archive, "--retries", "9", "--draws", "40", "--json").stdout)
    by_quantity = {row["quantity"]: row for row in found["summary"]}
    assert by_quantity["delivered_pct"]["recorded"] < 100
    assert by_quantity["delivered_pct"]["low"] >= by_quantity["delivered_pct"]["recorded"]
    assert found["outages"][0]["failures"] >= 10
    assert found["destinations"][0]["url"] == URL


def test_the_published_policy_is_read_from_the_archive(run: Run, archive: str):
    """Replayed as it was published, the past is what it was."""
    arguments = ("--archive", archive, "--retries", "2", "--delay", "60000", "--draws", "20", "--json")
    for row in json.loads(run("whatif", *arguments).stdout)["summary"]:
        if not row["quantity"].startswith("peak"):
            assert row["low"] == row["high"] == row["recorded"]


def test_the_published_policy_is_that_of_the_replayed_messages(run: Run, project: Path):
    """Messages that are filtered out, however many, do not say how the others were published."""
    with qsops.connect() as session:
        session.receiver(URL, "500, 500, 200")
        for _ in range(20):
            session.publish("https://many.example/hook", json=0, retries=5, retry_delay="900000", label="many")
        session.publish(URL, json=0, retries=2, retry_delay="60000", label="few")
        session.settle()
        session.archive("mixed").sync()
    chosen = ("whatif", "--archive", "mixed", "--draws", "20", "--json", "--retries", "2", "--delay", "60000")
    for which in (("--label", "few"), ("--url", URL)):
        for row in json.loads(run(*chosen, *which).stdout)["summary"]:
            assert row["low"] == row["high"] == row["recorded"]
    # All together some are replayed by waits that were never theirs, and that is said.
    mixed = run("whatif", "--archive", "mixed", "--draws", "2")
    assert "1 messages were published with another policy than most (5 retries, 900000)" in mixed.stderr
    assert "another policy" not in run("whatif", "--archive", "mixed", "--draws", "2", "--label", "few").stderr
    # None of their waits was asked for by the destination: another policy need not keep to them.
    other = run("whatif", "--archive", "mixed", "--draws", "20", "--json", "--delay", "1000", "--label", "few").stdout
    recovered = next(row for row in json.loads(other)["summary"] if row["quantity"] == "recovered_p50_s")
    assert recovered["high"] < 120


def test_a_policy_is_suggested(run: Run, archive: str, project: Path):
    """--suggest tries a space of policies, marks one, and draws them."""
    arguments = ("whatif", "--archive", archive, "--suggest", "--draws", "10")
    done = run(*arguments, "--most-retries", "3", "--chart", "front.png")
    assert done.exit_code == 0, done.output
    assert "suggested: " in done.stderr
    assert (project / "front.png").read_bytes().startswith(b"\x89PNG")
    most = json.loads(run(*arguments, "--delivered", "40", "--json").stdout)
    assert (most["at_least_pct"], most["notes"]) == (40, [])
    hurried = run(*arguments, "--most-retries", "1", "--within", "0s")
    assert hurried.exit_code == 1
    assert re.search(
        r"none of 10 policies surely delivers \S+ % with a p95 time to deliver of at most 0s$", hurried.stderr
    )


BAD = [
    (("--delay", "60000 *"), "retry_delay: a retry delay expression needs"),
    (("--retries", "-1"), "retries: -1 is no whole number from 0 to 100"),
    (("--rate", "-2"), "rate: -2 is no whole number at least 1"),
    (("--timeout", "soon"), "--timeout: "),
    (("--draws", "0"), "draws: 0 is not from 1 to 1000"),
    (("--plan", "gold"), "plan: there is none named 'gold'"),
    (("--within", "5m", "--most-retries", "2"), "--most-retries, --within: this bounds a search; add --suggest"),
    (("--delivered", "99"), "--delivered: this bounds a search; add --suggest"),
    (("--suggest", "--retries", "9"), "--retries: --suggest tries retries and delays of its own"),
    (("--suggest", "--plan", "free"), "--plan: --suggest tries retries and delays of its own and tells no cost"),
    (("--suggest", "--delivered", "101"), "delivered_pct: 101 is not from 0 to 100"),
    (("--period", "1m"), "--period: it is that of --rate; add --rate"),
    (("--seed", "-1"), "seed: -1 is below 0"),
    (("--until", "2025-01-01"), "what-if: there is no finished attempt in that range"),
    (("--chart", "whatif.pdf"), "--chart: 'whatif.pdf' ends in '.pdf'"),
]


def test_misuse_is_one_line(run: Run, archive: str):
    """What cannot be replayed is refused with status 2, one line that says why, and nothing on stdout."""
    for arguments, told in BAD:
        done = run("whatif", "--archive", archive, *arguments)
        assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (2, "", 1), (arguments, done.output)
        assert told in done.stderr
