"""Settings of the whole program: threads, determinism, precision, warnings."""

import warnings
from typing import Any

from minitorch._kernels.cpu import threads

__all__ = [
    "are_deterministic_algorithms_enabled",
    "get_deterministic_debug_mode",
    "get_float32_matmul_precision",
    "get_num_interop_threads",
    "get_num_threads",
    "is_deterministic_algorithms_warn_only_enabled",
    "is_warn_always_enabled",
    "set_deterministic_debug_mode",
    "set_float32_matmul_precision",
    "set_flush_denormal",
    "set_num_interop_threads",
    "set_num_threads",
    "set_warn_always",
    "typename",
    "use_deterministic_algorithms",
]


# ---------------------------------------------------------------------- threads
def get_num_threads() -> int:
    """How many threads an operation may use."""
    return threads.count()


def _count(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise RuntimeError(f"{name} expects an int, but got {type(value).__name__}")
    if value <= 0:
        raise RuntimeError(f"{name} expects a positive integer")
    return value


def set_num_threads(int: int) -> None:
    """Say how many threads an operation may use; small ones use one in any case.

    >>> import minitorch as torch
    >>> torch.set_num_threads(1)
    >>> torch.get_num_threads()
    1
    """
    threads.set_count(_count("set_num_threads", int))


_interop = 0


def get_num_interop_threads() -> int:
    """How many operations may run at a time where a program asks for that; minitorch runs one after the other."""
    return _interop or threads.available()


def set_num_interop_threads(int: int) -> None:
    """Accepted once, as in torch: minitorch runs operations one after the other."""
    global _interop
    n = _count("set_num_interop_threads", int)
    if _interop:
        raise RuntimeError(
            "Error: cannot set number of interop threads after parallel work has started or set_num_interop_threads "
            "called"
        )
    _interop = n


# ---------------------------------------------------------------------- determinism
_DEBUG_MODES = ("default", "warn", "error")
_debug_mode = 0


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Ask for results that are the same in each run, which all are on the CPU, and with any number of threads."""
    global _debug_mode
    if not isinstance(mode, bool):
        raise TypeError(
            "_set_deterministic_algorithms(): argument 'mode' (position 1) must be bool, not " + type(mode).__name__
        )
    if not isinstance(warn_only, bool):
        raise TypeError(
            "_set_deterministic_algorithms(): argument 'warn_only' must be bool, not " + type(warn_only).__name__
        )
    _debug_mode = 0 if not mode else 1 if warn_only else 2
    threads.deterministic = mode


def are_deterministic_algorithms_enabled() -> bool:
    """Whether `use_deterministic_algorithms` asked for the same results in each run."""
    return _debug_mode > 0


def is_deterministic_algorithms_warn_only_enabled() -> bool:
    """Whether it asked for warnings in place of errors."""
    return _debug_mode == 1


def set_deterministic_debug_mode(debug_mode: int | str) -> None:
    """The same as a word or number: "default" or 0, "warn" or 1, "error" or 2."""
    global _debug_mode
    if not isinstance(debug_mode, (int, str)):
        raise TypeError(f"debug_mode must be str or int, but got {type(debug_mode)}")
    if isinstance(debug_mode, str):
        if debug_mode not in _DEBUG_MODES:
            raise RuntimeError(
                f"invalid value of debug_mode, expected one of `default`, `warn`, `error`, but got {debug_mode}"
            )
        debug_mode = _DEBUG_MODES.index(debug_mode)
    if debug_mode not in (0, 1, 2):
        raise RuntimeError(f"invalid value of debug_mode, expected 0, 1, or 2, but got {debug_mode}")
    _debug_mode = debug_mode
    threads.deterministic = debug_mode > 0


def get_deterministic_debug_mode() -> int:
    """0, 1 or 2: see `set_deterministic_debug_mode`."""
    return _debug_mode


# ---------------------------------------------------------------------- precision
_precision = "highest"


def get_float32_matmul_precision() -> str:
    """What `set_float32_matmul_precision` was told."""
    return _precision


def set_float32_matmul_precision(precision: str) -> None:
    """How exact products of float32 matrices must be at least; on the CPU they are exact to float32 at each."""
    global _precision
    if not isinstance(precision, str):
        raise RuntimeError(f"set_float32_matmul_precision expects a str, but got {type(precision).__name__}")
    if precision in ("highest", "high", "medium"):
        _precision = precision
    else:
        warnings.warn(
            f"{precision} is not one of 'highest', 'high', or 'medium'; the current"
            "setFloat32MatmulPrecision call has no effect.",
            UserWarning,
            stacklevel=2,
        )


def set_flush_denormal(mode: bool) -> bool:
    """Whether numbers too small for full precision could be turned to zeros: False, minitorch keeps them."""
    if not isinstance(mode, bool):
        raise RuntimeError(f"flush_denormal expects a bool, but got {type(mode).__name__}")
    return not mode


# ---------------------------------------------------------------------- warnings
_warn_always = False


def is_warn_always_enabled() -> bool:
    """What `set_warn_always` was told."""
    return _warn_always


def set_warn_always(b: bool, /) -> None:
    """Whether what torch warns of once in a program is warned of each time; of the rest Python's filters decide."""
    global _warn_always
    if not isinstance(b, bool):
        raise RuntimeError(f"setWarnOnlyOnce expects a bool, but got {type(b).__name__}")
    _warn_always = b


def typename(obj: Any, /) -> str:
    """The type of a value as messages name it: a tensor's legacy type name, else the dotted path of the type.

    >>> import minitorch as torch
    >>> torch.typename(torch.ones(1)), torch.typename(3)
    ('torch.FloatTensor', 'int')
    """
    from minitorch.utils._typename import typename

    return typename(obj)
