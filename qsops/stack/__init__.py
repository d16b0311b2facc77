"""The processes of one machine: engine, service and JupyterLab as children that start, are watched and stop together.

A child's environment is made here: no setting of the person who starts it reaches it, so a production token that
happens to lie there changes nothing.
"""

from qsops.stack.child import Child
from qsops.stack.environment import child_environment
from qsops.stack.ports import LOOPBACK, free_port, require_free
from qsops.stack.programs import Program, engine, lab, service
from qsops.stack.signals import interruptible
from qsops.stack.supervisor import Stack

__all__ = [
    "LOOPBACK",
    "Child",
    "Program",
    "Stack",
    "child_environment",
    "engine",
    "free_port",
    "interruptible",
    "lab",
    "require_free",
    "service",
]
