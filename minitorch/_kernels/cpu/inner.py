"""The decorator of what kernels alone call: without the wrappers for Python and C, a third of the time to compile."""

from typing import Any

from numba import njit


def inner(**options: Any) -> Any:
    """numba.njit for a function that is called from compiled code only."""
    return njit(**{"error_model": "numpy", "no_cpython_wrapper": True, "no_cfunc_wrapper": True, **options})
