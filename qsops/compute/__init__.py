"""Where analyses run: DuckDB within this process, or Spark for those who outgrow a machine.

``QSOPS_COMPUTE=spark`` chooses Spark, ``QSOPS_SPARK_MASTER`` the master it is reached at (``local[2]`` unless named).
Frames are always asked through DuckDB: what fits into one gains nothing elsewhere. Ibis and the engines are imported
when the first analysis runs.
"""

from __future__ import annotations

from qsops.compute.asking import answer, beside
from qsops.compute.choice import Choice, choice
from qsops.compute.duck import duckdb_connection
from qsops.compute.files import open_files
from qsops.compute.subset import PORTABLE, strangers

__all__ = ["PORTABLE", "Choice", "answer", "beside", "choice", "duckdb_connection", "open_files", "strangers"]
