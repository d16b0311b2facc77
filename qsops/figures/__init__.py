"""Frames to Altair charts, shown live in JupyterLab without a network and as a picture everywhere else.

Importing this module makes our renderer Altair's current one. Each figure takes the frame of the analysis verb of the
same name; plain marks only, since the Vega-Lite inside JupyterLab is older than Altair's.
"""

from __future__ import annotations

from qsops.errors import SettingsError

try:
    from qsops.figures.backlog import backlog
    from qsops.figures.compare import compare
    from qsops.figures.cost import cost
    from qsops.figures.duplicates import duplicates
    from qsops.figures.failure_groups import failure_groups
    from qsops.figures.failures import failures
    from qsops.figures.latency import latency
    from qsops.figures.outages import outages
    from qsops.figures.outcomes import outcomes
    from qsops.figures.renderer import enable, save, svg
    from qsops.figures.retry_ladder import retry_ladder
    from qsops.figures.whatif import suggestion, whatif
except ModuleNotFoundError as error:
    raise SettingsError(f"figures need {error.name}: pip install 'qsops[notebooks]'") from error

__all__ = [
    "backlog",
    "compare",
    "cost",
    "duplicates",
    "failure_groups",
    "failures",
    "latency",
    "outages",
    "outcomes",
    "retry_ladder",
    "save",
    "suggestion",
    "svg",
    "whatif",
]

enable()
