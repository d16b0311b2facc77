"""Settings of the toolkit: where they come from, and the targets they name."""

from __future__ import annotations

from qsops.config.addresses import is_loopback
from qsops.config.dev_users import DEV_USERS, DevUser, is_dev_key
from qsops.config.profiles import profile_names
from qsops.config.sources import Environment, environment, project_root, state_dir
from qsops.config.targets import EMBEDDED_URL, Target, resolve
from qsops.config.vendor import signing_keys

__all__ = [
    "DEV_USERS",
    "EMBEDDED_URL",
    "DevUser",
    "Environment",
    "Target",
    "environment",
    "is_dev_key",
    "is_loopback",
    "profile_names",
    "project_root",
    "resolve",
    "signing_keys",
    "state_dir",
]
