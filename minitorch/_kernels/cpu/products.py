"""Matrix products: NumPy's, or above a size by blocks that threads share.

How a product is cut into blocks depends on its shape alone, so it has the same bits at any number of threads above one;
under `use_deterministic_algorithms` it is cut for one thread as well: BLAS may round a block and the whole differently.
"""

import ctypes
import functools
from typing import Any

import numpy as np

from minitorch._kernels import cache

from . import threads

# Multiply-adds of one thread in a nanosecond: 75 GFLOP/s for matrices, 10 GB/s for a matrix that is read once.
MATRIX, VECTOR = 32, 2
LEAST = 2**18  # multiply-adds below which the question is not worth asking
BLOCK, BLOCKS = 64, 16  # the longer side is cut into blocks of at least so many, and at most so many blocks


def dot(a: Any, b: Any) -> Any:
    """numpy.dot, large matrices shared among threads."""
    if a.ndim == 2 == b.ndim and a.size * b.shape[1] >= LEAST:
        out = _shared(a, b)
        if out is not None:
            return out
    return np.dot(a, b)


def matmul(a: Any, b: Any, out: Any = None) -> Any:
    """numpy.matmul, large matrices and batches of them shared among threads; `out` in order."""
    if b.ndim == 3 and a.ndim in (2, 3) and a.size * b.shape[2] >= LEAST // (len(b) if a.ndim == 2 else 1):
        made = _shared(a, b, out)
        if made is not None:
            return made
    return np.matmul(a, b) if out is None else np.matmul(a, b, out=out)


def _shared(a: Any, b: Any, out: Any = None) -> Any:
    """The product of a (m, k) or (batch, m, k) and b (k, n) or (batch, k, n), or None if it is left to NumPy."""
    (m, k), n, batch = a.shape[-2:], b.shape[-1], len(b) if b.ndim == 3 else 1
    fits = k == b.shape[-2] and (a.ndim == 2 or (b.ndim == 3 and len(a) == batch))
    if a.dtype is not b.dtype or not fits or (threads.count() == 1 and not threads.deterministic):
        return None
    kind = "gemv" if batch == 1 and min(m, n) == 1 else "gemm"
    function = blas_function(a.dtype.char, kind)
    blocks = max(1, min(BLOCKS, max(m, n) // BLOCK))
    work = batch * m * n * k // (VECTOR if kind == "gemv" else MATRIX)
    crew, parts = threads.share(work, batch * blocks)
    if not function or not threads.cuts(work, batch * blocks):
        return None
    if out is None:
        out = np.empty((batch, m, n) if b.ndim == 3 else (m, n), a.dtype)
    (a, a_t), (b, b_t) = _flat(a), _flat(b)
    kernels = cache.load_file("cpu.blas")
    c = out.reshape(-1)
    if kind == "gemm":
        steps = 0 if a.size == m * k else m * k, k * n
        kernels.matrices(crew, parts, function, a, b, c, (a_t, b_t), (m, n, k, batch), steps, blocks)
    elif n == 1:
        kernels.vector(crew, parts, function, a, b, c, a_t, (m, k), blocks)
    else:
        kernels.vector(crew, parts, function, b, a, c, not b_t, (n, k), blocks)
    return out


def _flat(a: Any) -> tuple[Any, bool]:
    """The matrices' elements in order, and whether the matrices are transposed in it."""
    if a.swapaxes(-1, -2).flags.carray and not a.flags.carray:
        return a.swapaxes(-1, -2).reshape(-1), True
    return np.require(a, requirements="CAW").reshape(-1), False


@functools.cache
def blas_function(dtype: str, kind: str) -> int:
    """The address of cblas_sgemm or its like, with integers of 64 bits; 0 if there is none."""
    found = threads.blas(f"cblas_{dict(f='s', d='d').get(dtype)}{kind}") if dtype in "fd" else None
    return ctypes.cast(found, ctypes.c_void_p).value or 0 if found and found.__name__.endswith("64_") else 0
