"""The same four questions as one asks them of a log in pandas: no archive, no fold, one groupby after the other."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

__all__ = ["COLUMNS", "answers"]

#: What has to be read of the log.
COLUMNS = ["time_ms", "message_id", "state", "url", "response_status", "error"]


def answers(logs: pd.DataFrame, *, coded: bool = False) -> dict[str, pd.DataFrame]:
    """Messages by state, latency by hour, what each attempt won, and failures that are one.

    ``coded``: by whoever knows that pandas sorts and groups whole numbers in half the time, and numbers the ids first.
    """
    samples = _first
    if coded:
        codes, ids = pd.factorize(logs["message_id"])
        logs, samples = logs.assign(message_id=codes), _least_of(ids)
    logs = logs.sort_values(["message_id", "time_ms"], kind="stable", ignore_index=True)
    messages, attempts = _messages(logs), _attempts(logs)
    return {
        "outcomes": messages["state"].value_counts().reset_index(name="messages"),
        "latency": _latency(messages),
        "retry_ladder": _ladder(attempts),
        "failure_groups": _groups(attempts, samples),
    }


def _messages(logs: pd.DataFrame) -> pd.DataFrame:
    created = logs[logs["state"] == "CREATED"].groupby("message_id")["time_ms"].first()
    delivered = logs[logs["state"] == "DELIVERED"].groupby("message_id")["time_ms"].first()
    failed = logs[logs["state"] == "FAILED"].groupby("message_id")["time_ms"].first()
    messages = pd.DataFrame({"created_ms": created})
    messages["took_ms"] = delivered - messages["created_ms"]
    messages["state"] = "ACTIVE"
    messages.loc[messages.index.isin(failed.index), "state"] = "FAILED"
    messages.loc[messages["took_ms"].notna(), "state"] = "DELIVERED"
    return messages


def _latency(messages: pd.DataFrame) -> pd.DataFrame:
    delivered = messages.dropna(subset="took_ms")
    groups = delivered.groupby(delivered["created_ms"] // 3_600_000)["took_ms"]
    found = groups.quantile([0.5, 0.9, 0.95, 0.99]).unstack()
    found["max"], found["messages"] = groups.max(), groups.size()
    return found.reset_index()


def _attempts(logs: pd.DataFrame) -> pd.DataFrame:
    starts = logs[logs["state"] == "ACTIVE"].copy()
    ends = logs[logs["state"].isin(["ERROR", "DELIVERED"])].copy()
    for frame in (starts, ends):
        frame["attempt"] = frame.groupby("message_id").cumcount() + 1
    keys = ["message_id", "attempt"]
    found = ends.merge(starts[[*keys, "time_ms"]], on=keys, suffixes=("", "_start"))
    found["wait_ms"] = found["time_ms_start"] - found.groupby("message_id")["time_ms"].shift()
    return found


def _ladder(attempts: pd.DataFrame) -> pd.DataFrame:
    attempts = attempts.assign(won=attempts["state"] == "DELIVERED")
    found = attempts.groupby("attempt").agg(
        attempts=("won", "size"), delivered=("won", "sum"), wait=("wait_ms", "median")
    )
    saved = found["delivered"].where(found.index > 1)
    found["recovered"] = saved / saved.sum()
    return found.reset_index()


def _groups(attempts: pd.DataFrame, samples: Callable[[pd.Series], str]) -> pd.DataFrame:
    failed = attempts[attempts["state"] == "ERROR"].copy()
    won = attempts.loc[(attempts["state"] == "DELIVERED") & (attempts["attempt"] > 1), "message_id"]
    failed["saved"] = failed["message_id"].where(failed["message_id"].isin(won))
    failed["response_status"] = failed["response_status"].fillna(0)
    failed["error"] = failed["error"].str.replace(r"[\d.]*\d[\d.:]*", "#", regex=True)
    found = failed.groupby(["response_status", "error"], dropna=False).agg(
        attempts=("message_id", "size"),
        messages=("message_id", "nunique"),
        recovered=("saved", "nunique"),
        urls=("url", "nunique"),
        first_ms=("time_ms", "min"),
        last_ms=("time_ms", "max"),
        samples=("message_id", samples),
    )
    return found.sort_values("attempts", ascending=False).reset_index()


def _first(ids: pd.Series) -> str:
    """The least three, of ids that are in their order."""
    return ",".join(ids.drop_duplicates().head(3))


def _least_of(ids: pd.Index) -> Callable[[pd.Series], str]:
    """The same of the numbers of ``ids``, whose order is another."""
    return lambda codes: ",".join(sorted(ids.take(codes.unique()))[:3])
