"""The main job once: a faulty workload through the whole path, then what became of it, and whether it adds up."""

from qsops.demo.running import run_demo

__all__ = ["run_demo"]
