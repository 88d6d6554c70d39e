"""CRC-32, as zip files carry it."""

import sys
import zlib
from functools import cache
from typing import Any

import numpy as np

SHORT = 1 << 14  # bytes below which a call of the compiled loop costs more than it saves
LONG = 1 << 28  # bytes in all for which it is worth importing Numba


def crc32(data: Any, total: int = 0) -> int:
    """The CRC-32 of a flat array of bytes, `total` being how many there are to check.

    >>> import numpy as np
    >>> crc32(np.frombuffer(b"123456789", np.uint8)) == 0xCBF43926
    True
    """
    whole = data.size // 64 * 64
    worth = data.size > SHORT and ("numba" in sys.modules or total > LONG)
    if not worth or data.ctypes.data % 8 or not _multiplies():
        return zlib.crc32(data)
    from minitorch._kernels import cache as kernels

    rest: Any = np.zeros(2, np.uint64)
    kernels.load_file("cpu.crc").folded(data[:whole].view(np.uint64), rest)
    # zlib inverts what it begins and ends with: -1 is 0 to it
    remainder = zlib.crc32(rest, 0xFFFFFFFF)
    return zlib.crc32(data[whole:], remainder)


@cache
def _multiplies() -> bool:
    """Whether the processor has carry-less multiplication."""
    from llvmlite import binding

    return bool(binding.get_host_cpu_features().get("pclmul"))
