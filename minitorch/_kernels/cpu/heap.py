"""The C heap under NumPy's arrays keeps freed memory for the next step instead of giving it back at once.

By default glibc maps every block of 128 KiB or more (a bound that grows with use) and returns the free end of its heap
to the system: each training step then takes all its pages anew, zeroed by the kernel, which costs more than many of
the computations. An LSTM step over 28 x 64 values took 1.6 times as long, a small CNN's 1.3 to 1.7 times.
"""

import ctypes
import os
from collections.abc import Callable
from typing import Any

# <malloc.h>
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3
_SETTINGS = {
    "MALLOC_MMAP_THRESHOLD_": (_MMAP_THRESHOLD, 1 << 30),  # larger blocks go back as soon as they are freed
    "MALLOC_TRIM_THRESHOLD_": (_TRIM_THRESHOLD, 1 << 30),  # the most that is kept at the end of the heap
    "MALLOC_TOP_PAD_": (_TOP_PAD, 1 << 25),  # the heap grows by as much: fewer calls of the kernel
}


def keep_freed_memory() -> None:
    """Set glibc's thresholds, but for those that the environment sets; other C libraries are left as they are."""
    mallopt = _function("mallopt")
    if mallopt is not None:
        for variable, (parameter, size) in _SETTINGS.items():
            if variable not in os.environ:
                mallopt(parameter, size)


class _Mallinfo(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_size_t)
        for name in "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost".split()
    ]


def memory_stats() -> dict[str, int]:
    """Bytes that this process has from the C heap, in names of torch.cuda.memory_stats.

    "allocated_bytes.all.current" is in use, by Python too; "inactive_split_bytes.all.current" is kept for the next
    arrays; "reserved_bytes.all.current" is both. Empty where the C library does not say (glibc does from 2.33 on).
    """
    count = _function("mallinfo2")
    if count is None:
        return {}
    count.restype = _Mallinfo  # type: ignore[attr-defined]
    info = count()
    return {
        "allocated_bytes.all.current": info.uordblks + info.hblkhd,
        "inactive_split_bytes.all.current": info.fordblks,
        "reserved_bytes.all.current": info.arena + info.hblkhd,
    }


def _function(name: str) -> Callable[..., Any] | None:
    """A function of the C library that this process runs on, None where it has none of this name."""
    try:
        return getattr(ctypes.CDLL(None), name)
    except (AttributeError, OSError, TypeError):  # TypeError: Windows
        return None
