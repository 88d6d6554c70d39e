"""Same as torch.__config__: with what this computes."""

import numpy

from . import _settings, backends


def show() -> str:
    """What this was built with, for people to read."""
    return (
        "minitorch computes with:\n"
        f"  - NumPy {numpy.__version__}\n"
        f"  - CPU capability usage: {backends.cpu.get_cpu_capability()}\n"
    )


def parallel_info() -> str:
    """How many threads compute, for people to read."""
    return f"at::get_num_threads() : {_settings.get_num_threads()}\n"
