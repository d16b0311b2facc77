"""Celery's application: one task that posts a body, as its worker and its publisher import it."""

from __future__ import annotations

import os

import requests
from celery import Celery
from requests.adapters import HTTPAdapter

__all__ = ["app", "deliver"]

_CONNECTIONS = 64
_TIMEOUT_S = 30
_URL = os.environ["BENCH_RECEIVER"]

app = Celery("bench", broker=os.environ["BENCH_REDIS"])
app.conf.update(
    # A worker that dies loses nothing: what makes the broker's file worth syncing.
    task_acks_late=True,
    task_ignore_result=True,
    task_store_errors_even_if_ignored=False,
    worker_prefetch_multiplier=16,
    worker_enable_remote_control=False,
    worker_send_task_events=False,
    broker_connection_retry_on_startup=True,
)

_session = requests.Session()
_session.trust_env = False
_session.mount("http://", HTTPAdapter(pool_connections=1, pool_maxsize=_CONNECTIONS))


@app.task(name="deliver", autoretry_for=(requests.RequestException,), max_retries=3, retry_backoff=True)
def deliver(body: str) -> None:
    """Post ``body``; four attempts."""
    answer = _session.post(_URL, data=body.encode(), headers={"Content-Type": "application/json"}, timeout=_TIMEOUT_S)
    answer.raise_for_status()
