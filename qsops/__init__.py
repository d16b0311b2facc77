"""Operate webhook and event ingestion over Upstash QStash."""

__version__ = "0.1.0"
