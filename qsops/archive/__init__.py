"""Durable history of the logs: Delta Lake tables in a folder or on S3, exactly once however often a sync is killed."""

from __future__ import annotations
