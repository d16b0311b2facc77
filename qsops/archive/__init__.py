"""Durable history of the logs: Delta Lake tables in a folder or on S3, exactly once however often a sync is killed."""

from __future__ import annotations

import os
from pathlib import Path

from qsops import config
from qsops.archive.archive import Archive
from qsops.archive.places import place, store_at
from qsops.archive.syncing import SyncReport
from qsops.clock import SystemClock

__all__ = ["Archive", "SyncReport", "open_archive"]


def open_archive(path: str | Path | None = None) -> Archive:
    """The archive at ``path``, a folder or ``s3://BUCKET/PREFIX``, to be read; ``QSOPS_ARCHIVE`` unless it is named.

    :raises SettingsError: it is neither. Whether there is an archive shows with the first verb.
    """
    root = config.project_root()
    env = config.environment(root, os.environ)
    return Archive(store_at(place(path, env, root), env), SystemClock())
