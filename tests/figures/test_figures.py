import base64
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import altair
import pandas as pd
import pytest

from qsops import analysis, figures
from qsops.errors import SettingsError
from qsops.figures.times import time_axis
from tests.analysis.test_analysis import ATTEMPTS, MESSAGES


def bundle(chart: Any) -> dict[str, Any]:
    found = chart._repr_mimebundle_(None, None)
    return found[0] if isinstance(found, tuple) else found


URLS = ["https://a.example/hook", "https://b.example/hook"]
TIMES = pd.to_datetime(["2026-01-01T00:00:00Z", "2026-01-01T06:00:00Z"]).as_unit("us")
#: The frames that a figure takes: of the analysis verbs where five messages are enough for a picture.
FRAMES = {
    "backlog": pd.DataFrame({"at": TIMES, "pending": [4, 1], "in_flight": [1, 1], "waiting": [3, 0]}),
    "compare": pd.DataFrame(
        {
            "measure": ["first_try_pct", "time_to_deliver_p99_s"],
            "before": [97.0, 2.5],
            "before_low": [96.0, None],
            "before_high": [98.0, None],
            "after": [92.0, 3.5],
            "after_low": [91.0, None],
            "after_high": [93.0, None],
            "verdict": ["worse", "too few"],
        }
    ),
    "cost": pd.DataFrame(
        {
            "plan": ["free", "payg"],
            "reading": ["messages", "attempts"],
            "usd": [0.0, 1.5],
            "days_over_quota": [2, None],
            "month_usd": [0.0, 15.0],
            "month_low_usd": [0.0, 11.0],
            "month_high_usd": [0.0, 19.0],
        }
    ),
    "duplicates": pd.DataFrame({"url": [*URLS, URLS[0]], "deliveries": [2, 3, 7]}),
    "failure_groups": analysis.failure_groups(ATTEMPTS),
    "failures": analysis.failures(ATTEMPTS),
    "latency": analysis.latency(MESSAGES),
    "outages": pd.DataFrame(
        {
            "url": URLS,
            "began_at": TIMES,
            "ended_at": TIMES + pd.Timedelta("40min"),
            "duration_s": [2400.0] * 2,
            "depth_pct": [100.0, 40.0],
            "messages": [30, 4],
            "recovered": [28, 4],
            "response_status": [503, 0],
        }
    ),
    "outcomes": analysis.outcomes(MESSAGES, by="label"),
    "retry_ladder": analysis.retry_ladder(ATTEMPTS),
    "suggestion": pd.DataFrame(
        {
            "retries": [1, 3],
            "retry_delay": [None, "60000"],
            "delivered_pct": [91.5, 98.0],
            "time_p95_s": [12.0, 60.5],
            "attempts": [120.0, 140.5],
            "peak_per_minute": [9.0, 14.5],
            "pareto": [True, True],
            "suggested": [False, True],
        }
    ),
    "whatif": pd.DataFrame(
        {
            "quantity": ["delivered_pct", "time_p95_s", "peak_per_minute"],
            "recorded": [95.0, 237.6, None],
            "low": [98.1, 238.3, None],
            "median": [98.4, 318.0, None],
            "high": [98.8, 396.9, None],
        }
    ),
}
CHARTS = {name: lambda name=name: getattr(figures, name)(FRAMES[name]) for name in FRAMES}


@pytest.fixture(params=CHARTS)
def chart(request: pytest.FixtureRequest) -> Any:
    return CHARTS[request.param]()


def test_a_figure_leaves_as_spec_and_picture(chart: Any):
    """JupyterLab gets the spec it knows, everyone else a picture, and the text form is short."""
    found = bundle(chart)
    assert set(found) == {"application/vnd.vegalite.v5+json", "image/png", "text/plain"}
    assert base64.b64decode(found["image/png"]).startswith(b"\x89PNG")
    assert found["text/plain"].startswith("<figure: ")


def test_a_figure_is_the_same_twice(chart: Any):
    """Strict nbval compares the spec, so nothing in it may vary."""
    assert json.dumps(bundle(chart)) == json.dumps(bundle(chart))


def test_a_figure_asks_no_network(chart: Any):
    """The data stands in the spec, and the picture refers to nothing outside."""
    spec = bundle(chart)["application/vnd.vegalite.v5+json"]
    assert '"url"' not in json.dumps({name: value for name, value in spec.items() if name != "$schema"})
    assert "href" not in figures.svg(chart)


def test_axes_have_titles_with_units(chart: Any):
    """Every axis says what it shows, and a duration in which unit; times are UTC."""
    text = json.dumps(chart.to_dict())
    assert '"subtitle"' in text
    assert "(s)" in text or "attempts" in text or "messages" in text or "US dollars" in text
    assert "UTC" in text or ":T" not in text


@pytest.mark.parametrize("name", CHARTS)
def test_nothing_gives_an_empty_figure(name: str):
    """A range without messages is no error: the figure has its title and no marks."""
    assert bundle(getattr(figures, name)(FRAMES[name].iloc[:0]))["text/plain"].startswith("<figure: ")


def test_every_figure_is_held_to_these_rules():
    """A figure that is added is tested with the others."""
    assert set(FRAMES) | {"save", "svg"} == set(figures.__all__)


def test_outcomes_over_time_stand_on_each_other():
    """A key that is a time gives bars over time, from their bucket's beginning nearly to its end, that add up."""
    frame = pd.DataFrame(
        {"created_at": [TIMES[0], *TIMES], "state": ["DELIVERED", "FAILED", "RETRY"], "messages": [5, 2, 1]}
    ).astype({"created_at": "datetime64[us, UTC]"})
    rows = figures.outcomes(frame).to_dict()["data"]["values"]
    assert [(row["outcome"], row["bottom"], row["top"]) for row in rows] == [
        ("delivered", 0, 5),
        ("failed", 5, 7),
        ("on its way", 0, 1),
    ]
    assert (rows[0]["created_at"], rows[0]["until"]) == ("2026-01-01T00:00:00Z", "2026-01-01T05:24:00Z")


def test_latency_and_outcomes_are_of_attempts_too():
    """The same figures take attempts, and say so; without buckets latency is points by destination."""
    spec = figures.latency(analysis.latency(ATTEMPTS, by="url")).to_dict()
    assert spec["title"] == {"subtitle": "by url; attempts that ended", "text": "Duration of attempts"}
    assert {row["series"] for row in spec["data"]["values"]} == {"median", "90th percentile", "slowest"}
    counted = figures.outcomes(analysis.outcomes(ATTEMPTS)).to_dict()
    assert counted["title"]["subtitle"] == "attempts by how they ended"
    assert {row["outcome"]: row["messages"] for row in counted["data"]["values"]}["failed"] == 4


def test_a_long_backlog_keeps_its_peaks():
    """Ten thousand moments are drawn as a few hundred, each as high as the highest of them."""
    at = pd.date_range("2026-01-01", periods=10_000, freq="1min", tz="UTC").as_unit("us")
    frame = pd.DataFrame({"at": at, "waiting": 1, "in_flight": 0})
    frame.loc[7_777, "waiting"] = 500
    rows = figures.backlog(frame).to_dict()["data"]["values"]
    assert len(rows) <= 800
    assert max(row["messages"] for row in rows) == 500


def test_a_plan_that_would_refuse_messages_is_pale():
    """What is cheap because it does not let the messages through is told from what is cheap."""
    rows = figures.cost(FRAMES["cost"]).to_dict()["data"]["values"]
    assert [(row["fits"], row["label"]) for row in rows] == [
        ("would refuse messages", "$0.00, over its quota on 2 days"),
        ("each attempt is billed", "$15.00"),
    ]
    short = FRAMES["cost"].assign(month_usd=None, month_low_usd=None, month_high_usd=None)
    assert figures.cost(short).to_dict()["data"]["values"][1]["label"] == "$1.50"


def test_a_comparison_by_destination_shows_one_measure():
    """A panel for each destination, before and after, in the colour of the verdict."""
    frame = FRAMES["compare"].assign(measure="first_try_pct")
    frame.insert(0, "url", URLS)
    rows = figures.compare(frame).to_dict()["data"]["values"]
    assert [(row["panel"], row["side"], row["verdict"]) for row in rows] == [
        (URLS[0], "before", "before"),
        (URLS[0], "after", "worse"),
        (URLS[1], "before", "before"),
        (URLS[1], "after", "unclear"),
    ]


def test_a_destination_that_gave_no_answer_is_named_so():
    """A connection that failed has no status, or 0: the bar says "no answer", and whether the messages were saved."""
    failed = pd.DataFrame({"url": ["https://c.example"] * 2, "response_status": [0, None], "error": ["x", "y"]})
    counted = failed.assign(attempts=[3, 2], messages=[3, 2], recovered=[1, 0]).astype({"response_status": "Int64"})
    bars = figures.failures(counted).to_dict()["data"]["values"]
    assert {(bar["row"], bar["outcome"], bar["messages"]) for bar in bars} == {
        ("https://c.example  ·  no answer", "delivered later", 1),
        ("https://c.example  ·  no answer", "not delivered", 4),
    }


def test_failures_of_many_texts_are_one_bar_each():
    """Errors that differ in an id are rows of the frame by the thousand: bars are whole, the longest come first."""
    errors = pd.DataFrame(
        {"url": [URLS[0]] * 40 + [URLS[1]] * 3, "response_status": 503, "messages": 1, "recovered": 0}
    )
    errors.loc[40:, "messages"] = [30, 20, 10]
    bars = figures.failures(errors).to_dict()["data"]["values"]
    failed = [(bar["row"], bar["messages"]) for bar in bars if bar["outcome"] == "not delivered"]
    assert failed == [(f"{URLS[1]}  ·  503", 60), (f"{URLS[0]}  ·  503", 40)]


def test_a_destination_that_is_not_known_is_drawn():
    """What began before the range may have no url: its failures and duplicates are in the picture nevertheless."""
    unknown = pd.DataFrame({"url": pd.Series([None], dtype="str"), "deliveries": [2]})
    (bar,) = figures.duplicates(unknown).to_dict()["data"]["values"]
    assert (bar["row"], bar["messages"]) == ("none", 1)
    failed = unknown.assign(response_status=503, messages=1, recovered=0)
    assert {bar["row"] for bar in figures.failures(failed).to_dict()["data"]["values"]} == {"none  ·  503"}


@pytest.mark.parametrize("most", [1, 2, 3])
@pytest.mark.parametrize("name", ["backlog", "duplicates", "failures", "outcomes", "retry_ladder"])
def test_a_few_messages_are_counted_in_whole_ones(name: str, most: int):
    """No tick stands at half a message, nor twice for the same number."""
    small = {"messages": most, "recovered": 0, "attempts": most, "delivered": 0, "waiting": most, "in_flight": 0}
    frame = FRAMES[name].iloc[:1].assign(**{column: small[column] for column in small if column in FRAMES[name]})
    if name == "duplicates":
        frame = pd.concat([frame] * most)
    texts = re.findall(r">([0-9.]+)</text>", figures.svg(getattr(figures, name)(frame), titled=False))
    axis = [text for text in texts if text != "1"] if name == "retry_ladder" else texts
    assert sorted(axis) == [str(n) for n in range(most + 1) if name != "retry_ladder" or n != 1]


@pytest.mark.parametrize(("span", "form"), [("1min", "%H:%M:%S"), ("2h", "%d %b %H:%M"), ("20D", "%d %b")])
def test_ticks_of_time_say_what_differs(span: str, form: str):
    """Seconds within minutes, the day within hours, no hours within weeks."""
    times = pd.Series([TIMES[0], TIMES[0] + pd.Timedelta(span)])
    assert time_axis(times).to_dict()["format"] == form


def test_a_bill_of_cents_has_no_prefix():
    """A tick of fifty thousandths of a dollar must not read as fifty million."""
    small = FRAMES["cost"].assign(month_usd=[0.0, 0.05], month_low_usd=[0.0, 0.05], month_high_usd=[0.0, 0.05])
    texts = re.findall(r">([^<>]+)</text>", figures.svg(figures.cost(small)))
    assert "0.05" in texts
    assert not any(re.fullmatch(r"[0-9.]+m", text) for text in texts)


def test_importing_the_toolkit_loads_no_charts():
    """Altair and pandas wait until a figure is drawn: `import qsops` stays fast."""
    code = "import sys, qsops; print(sorted({'altair', 'pandas', 'pyarrow', 'ibis'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_figure_is_saved_as_its_ending_says(chart: Any, tmp_path: Path):
    """A picture for a slide or a ticket, PNG or SVG; any other ending is refused, and nothing is written."""
    assert figures.save(chart, tmp_path / "one.png").read_bytes().startswith(b"\x89PNG")
    assert figures.save(chart, str(tmp_path / "one.svg")).read_text().startswith("<svg")
    with pytest.raises(SettingsError, match=r"one\.pdf"):
        figures.save(chart, tmp_path / "one.pdf")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.png", "one.svg"]


def test_a_live_page_asks_no_network(tmp_path: Path):
    """A figure saved as HTML holds its data and all code that draws it."""
    page = figures.save(CHARTS["retry_ladder"](), tmp_path / "one.html").read_text()
    assert "vega" in page
    assert not [line for line in page.splitlines() if "<script src" in line or "<link" in line]


def test_without_the_extra_the_error_names_it():
    """A lean installation is told what to install, by the first figure and by nothing before it."""
    code = (
        "import sys, qsops\nfrom qsops.errors import SettingsError\nsys.modules['altair'] = None\n"
        "try:\n    qsops.figures\nexcept SettingsError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "figures need altair: pip install 'qsops[notebooks]'"


def test_our_renderer_is_the_current_one():
    """Whoever imports the figures sees their own charts drawn in the same way."""
    assert altair.renderers.active == "qsops"


SECONDS = ["2026-01-01T02:25:00Z", "2026-01-01T02:25:01Z"]


@pytest.mark.parametrize(("seconds", "ticks"), [(1, {"values": SECONDS}), (90, {"tickCount": 6})])
def test_a_tick_of_a_few_seconds_stands_at_its_second(seconds: int, ticks: dict[str, Any]):
    """Labels go to the second: between two of them no tick could be told from its neighbour."""
    times = pd.date_range(SECONDS[0], periods=2, freq=f"{seconds}s", unit="us")
    frame = pd.DataFrame({"created_at": times, "messages": 2, "p50_s": 1.0, "p90_s": 2.0, "max_s": 3.0})
    chart = figures.latency(frame)
    axis = chart.to_dict()["encoding"]["x"]["axis"]
    assert {name: axis.get(name) for name in ticks} == ticks
    assert "image/png" in bundle(chart)
