"""The analyses once more, in plain pandas on frames: what the ones of qsops, asked in a database, are held against."""

from tests.analysis.oracle.backlog import backlog
from tests.analysis.oracle.duplicates import duplicates
from tests.analysis.oracle.failure_groups import failure_groups
from tests.analysis.oracle.failures import failures
from tests.analysis.oracle.latency import latency
from tests.analysis.oracle.outages import outages
from tests.analysis.oracle.outcomes import outcomes
from tests.analysis.oracle.retry_ladder import retry_ladder

__all__ = ["backlog", "duplicates", "failure_groups", "failures", "latency", "outages", "outcomes", "retry_ladder"]
