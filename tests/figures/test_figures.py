import base64
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import altair
import pandas as pd
import pytest

from qsops import analysis, figures
from qsops.errors import SettingsError
from tests.analysis.test_analysis import ATTEMPTS, MESSAGES


def bundle(chart: Any) -> dict[str, Any]:
    found = chart._repr_mimebundle_(None, None)
    return found[0] if isinstance(found, tuple) else found


CHARTS = {
    "failures": lambda: figures.failures(analysis.failures(ATTEMPTS)),
    "latency": lambda: figures.latency(analysis.latency(MESSAGES)),
    "retry_ladder": lambda: figures.retry_ladder(analysis.retry_ladder(ATTEMPTS)),
}


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
    assert "(s)" in text or "attempts" in text or "messages" in text


@pytest.mark.parametrize("name", CHARTS)
def test_nothing_gives_an_empty_figure(name: str):
    """A range without messages is no error: the figure has its title and no marks."""
    verb, rows = getattr(analysis, name), MESSAGES if name == "latency" else ATTEMPTS
    assert bundle(getattr(figures, name)(verb(rows.iloc[:0])))["text/plain"].startswith("<figure: ")


def test_a_destination_that_gave_no_answer_is_named_so():
    """A connection that failed has no status, or 0: the bar says "no answer", and whether the messages were saved."""
    failed = pd.DataFrame({"url": ["https://c.example"] * 2, "response_status": [0, None], "error": ["x", "y"]})
    counted = failed.assign(attempts=[3, 2], messages=[3, 2], recovered=[1, 0]).astype({"response_status": "Int64"})
    bars = figures.failures(counted).to_dict()["data"]["values"]
    assert {(bar["row"], bar["outcome"], bar["messages"]) for bar in bars} == {
        ("https://c.example  ·  no answer", "delivered later", 1),
        ("https://c.example  ·  no answer", "not delivered", 4),
    }


def test_importing_the_toolkit_loads_no_charts():
    """Altair and pandas wait until a figure is drawn: `import qsops` stays fast."""
    code = "import sys, qsops; print(sorted({'altair', 'pandas', 'pyarrow', 'ibis'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_figure_is_saved_as_its_ending_says(chart: Any, tmp_path: Path):
    """A picture for a slide or a ticket: PNG or SVG; any other ending is refused, and nothing is written."""
    assert figures.save(chart, tmp_path / "one.png").read_bytes().startswith(b"\x89PNG")
    assert figures.save(chart, str(tmp_path / "one.svg")).read_text().startswith("<svg")
    with pytest.raises(SettingsError, match=r"one\.pdf"):
        figures.save(chart, tmp_path / "one.pdf")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.png", "one.svg"]


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
