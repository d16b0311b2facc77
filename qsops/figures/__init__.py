"""Frames to Altair charts, shown live in JupyterLab without a network and as a picture everywhere else.

Importing this module makes our renderer Altair's current one. Each figure takes the frame of the analysis verb of the
same name; plain marks only, since the Vega-Lite inside JupyterLab is older than Altair's.
"""

from __future__ import annotations

from qsops.figures.failures import failures
from qsops.figures.latency import latency
from qsops.figures.renderer import enable, svg
from qsops.figures.retry_ladder import retry_ladder

__all__ = ["failures", "latency", "retry_ladder", "svg"]

enable()
