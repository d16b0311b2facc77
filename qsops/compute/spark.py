"""A Spark session that Ibis speaks to: small and on loopback where it is local, found by its master elsewhere."""

from __future__ import annotations

import importlib.util
import os
import shutil
import warnings
from functools import cache
from typing import Any, Final

from qsops.errors import SettingsError

__all__ = ["spark_connection"]

_SETTINGS: Final = {
    "spark.app.name": "qsops",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    # What stops it from starting is told in one line, and not by the traces of Java as well.
    "spark.log.level": "OFF",
}
#: What a driver that does the work itself needs: 200 partitions are for clusters.
_LOCAL: Final = {
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.memory": "1g",
    "spark.sql.shuffle.partitions": "2",
}


@cache
def spark_connection(master: str) -> Any:
    """Ibis' connection to the Spark at ``master``, which lives as long as this process.

    :raises SettingsError: PySpark or Java is not there, or the master does not answer.
    """
    if importlib.util.find_spec("pyspark") is None:
        raise SettingsError("QSOPS_COMPUTE=spark needs PySpark: pip install 'qsops[spark]'")
    if shutil.which("java") is None:
        raise SettingsError("QSOPS_COMPUTE=spark needs Java, and there is no java on the PATH")
    import ibis

    with warnings.catch_warnings():
        # PySpark's own, about packages of its own dependencies.
        warnings.filterwarnings("ignore", module="pyspark")
        return ibis.pyspark.connect(_session(master))


def _session(master: str) -> Any:
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException
    from pyspark.sql import SparkSession

    is_local = master.startswith("local")
    if is_local:
        os.environ.setdefault("SPARK_LOCAL_IP", _LOCAL["spark.driver.host"])
    settings = _SETTINGS | (_LOCAL if is_local else {})
    builder = SparkSession.builder.master(master)
    for name, value in settings.items():
        builder = builder.config(name, value)
    try:
        session = builder.getOrCreate()
    except (PySparkException, Py4JError, OSError, RuntimeError) as error:
        raise SettingsError(
            f"QSOPS_SPARK_MASTER: {master!r} gives no session, see that it is one and can be reached: {_told(error)}"
        ) from error
    session.sparkContext.setLogLevel("ERROR")
    return session


def _told(error: Exception) -> str:
    """The first line of what Python or Java has to say."""
    # The text of the Python side holds the whole trace of the Java side.
    said = str(getattr(error, "java_exception", error)).strip()
    return said.splitlines()[0] if said else type(error).__name__
