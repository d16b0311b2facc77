"""The operations of Ibis that analyses may use: those that DuckDB and Spark answer alike.

Each is tried on both in ``tests/spark``. What is missing here is missing for a reason: the engines take time apart in
different ways (``epoch_seconds``, ``delta``, ``bucket``), give rows in an order of their own (``first`` and
``collect``), approximate in their own way (``approx_quantile``), or have other functions under one name (``hash``).
"""

from __future__ import annotations

from typing import Any, Final

__all__ = ["PORTABLE", "strangers"]

#: By the name of Ibis' class.
PORTABLE: Final = frozenset(
    {
        # Where rows come from, and what becomes of them.
        *("DatabaseTable", "InMemoryTable", "JoinChain", "JoinLink", "JoinReference", "JoinTable", "SelfReference"),
        *("Project", "Filter", "Aggregate", "Union", "Distinct", "Field", "Literal", "Alias", "Cast"),
        # Where it does not matter which rows are left out.
        "Limit",
        # Conditions.
        *("And", "Or", "Not", "Equals", "NotEquals", "Greater", "GreaterEqual", "Less", "LessEqual"),
        *("IsNull", "NotNull", "InValues", "Between", "IfElse", "SearchedCase", "Coalesce"),
        # Whole numbers; the remainder is of numbers that are not negative.
        *("Add", "Subtract", "Multiply", "Modulus"),
        # Aggregates.
        *("CountStar", "Count", "CountDistinct", "Sum", "Min", "Max", "Quantile", "MultiQuantile", "Median"),
        # Windows, in an order without ties, or by range, which takes ties for one.
        *("WindowFunction", "RowNumber", "Lag", "SortKey", "WindowBoundary"),
    }
)


def strangers(expression: Any) -> set[str]:
    """The operations of an Ibis ``expression`` that are not of the subset."""
    from ibis.expr.operations import Node

    return {type(node).__name__ for node in expression.op().find(Node)} - PORTABLE
