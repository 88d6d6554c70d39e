"""`python -m minitorch.utils.collect_env`: what a report of a bug should say of the machine and its programs."""

import os
import platform
import sys
from importlib import metadata

import minitorch

__all__ = ["get_pretty_env_info", "main"]


def get_pretty_env_info() -> str:
    """The versions of what minitorch computes with, and the processor; short, as nothing is asked of other programs."""
    lines = {
        "minitorch version": minitorch.__version__,
        "OS": platform.platform(),
        "Python version": f"{platform.python_version()} ({sys.maxsize.bit_length() + 1}-bit runtime)",
        "CPU": _processor(),
        "Processors to run on": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "Threads": minitorch.get_num_threads(),
        "Is CUDA available": minitorch.cuda.is_available(),
    }
    if minitorch.cuda.is_available():
        names = [minitorch.cuda.get_device_name(i) for i in range(minitorch.cuda.device_count())]
        lines["GPUs"] = ", ".join(names)
    versions = {f"{name} version": _version(name) for name in ("numpy", "numba", "llvmlite", "torch")}
    return "\n".join(f"{name}: {value}" for name, value in {**lines, **versions}.items())


def _processor() -> str:
    """The processor's own name where the system tells it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return next(line.partition(":")[2].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


def main() -> None:
    """Print it."""
    print(get_pretty_env_info())


if __name__ == "__main__":
    main()
